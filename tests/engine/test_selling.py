"""Sellers, confirmers and cancellers of tickets, in the journal and in the replies to callers."""

import pytest

from engine.commands import CancelTicket, CancelTickets, ConfirmTicket, PlaceOrder, SellSeats
from engine.events import TicketsCancelled, TicketsGivenBack
from engine.records import TicketStatus, TicketType
from engine.replies import Cancelled, Cleared
from tests.engine.conftest import Hall

ADA, BOSS = "user:7", "user:1"
STANDING = 3


@pytest.mark.parametrize(
    ("price_cents", "status"), [(1250, TicketStatus.PENDING), (0, TicketStatus.CONFIRMED)]
)
def test_tickets_that_cost_something_wait_until_somebody_vouches_for_the_payment(
    price_cents: int, status: TicketStatus
) -> None:
    hall = Hall(price_cents=price_cents)
    (ticket,) = hall.book(ADA, 1, payment_id="p", unvouched=True).reply.tickets
    assert (ticket.status, ticket.payment_id) == (status, "p")


@pytest.mark.parametrize(("confirmed_by", "sold_by"), [(None, BOSS), ("user:2", "user:2")])
def test_who_confirms_a_ticket_for_its_holder_has_sold_it(confirmed_by: str | None, sold_by: str) -> None:
    hall = Hall()
    (ticket,) = hall.sell(ADA, 1, payment_pending=True, actor=BOSS).reply.tickets
    assert ticket.sold_by == BOSS
    (confirmed,) = hall.do(ConfirmTicket(1, ADA, ticket.id, 1, "p", actor=confirmed_by)).reply.tickets
    assert confirmed.sold_by == sold_by


@pytest.mark.parametrize(("actor", "kind"), [(None, TicketsGivenBack), (BOSS, TicketsCancelled)])
def test_the_journal_tells_tickets_that_were_given_back_from_those_that_were_cancelled(
    actor: str | None, kind: type
) -> None:
    hall = Hall()
    one, two, three = hall.sell(ADA, 1, 2, 3).reply.tickets
    single = hall.do(CancelTicket(1, ADA, one.id, 1, actor))
    several = hall.do(CancelTickets(1, ADA, (two.id, three.id), (2, 3), actor))
    (event,), (event_of_several,) = single.events, several.events
    assert type(event) is type(event_of_several) is kind
    assert single.reply == Cancelled(event.tickets[0])
    assert several.reply == Cleared(event_of_several.tickets, ())


def test_one_place_is_sold_by_hand() -> None:
    hall = Hall(0, ticket_types={STANDING: TicketType(STANDING, 1000, 4, 4, max_per_user=1)}, seated=False)
    sold = hall.do(SellSeats(1, ADA, (), BOSS, order=PlaceOrder(STANDING, 1)))
    assert [ticket.price_cents for ticket in hall.settle(sold).reply.tickets] == [1000]
