"""Rules of selling that apply to tickets that move, and those that an administrator may override."""

from collections.abc import Callable
from math import inf

import pytest

from engine.commands import Command, MoveTickets, ReceiveTickets
from engine.errors import EngineError
from engine.moving_errors import MovesClosed, NothingToPay, PaymentRequired
from engine.policy import Policy
from engine.records import Arrival, Ticket, TicketType
from engine.rule_errors import PersonLimitExceeded
from engine.sale_rules import SaleRules
from engine.seat_states import SeatStatus
from engine.selling_errors import (
    HoldLimitExceeded,
    OrderLimitExceeded,
    PriceChanged,
    SalesClosed,
    ScreeningNotFound,
    TicketNotFound,
)
from tests.engine.conftest import NOW, Hall
from tests.engine.test_moving import ALICE, STANDING, VIP, admitted, move, sold

Moving = Callable[..., Command]


def within(ticket: Ticket, *to: int, **options: object) -> MoveTickets:
    """Move a ticket within its screening."""
    return MoveTickets(1, ALICE, (ticket.id,), (ticket.seat_id,), to, **options)  # type: ignore[arg-type]


def from_elsewhere(ticket: Ticket, *to: int, **options: object) -> ReceiveTickets:
    """Receive a ticket of another screening."""
    return ReceiveTickets(1, ALICE, (ticket._replace(screening_id=2),), to, **options)  # type: ignore[arg-type]


both_ways = pytest.mark.parametrize("moving", [within, from_elsewhere])


@both_ways
def test_outside_of_sales_tickets_move_only_to_seats_that_are_held(moving: Moving) -> None:
    hall = Hall(rules=SaleRules(sales_end=NOW + 60))
    ticket, other = sold(hall, 1, 2)
    hall.hold(ALICE, 3)
    hall.now = NOW + 60
    with pytest.raises(SalesClosed):
        hall.do(moving(ticket, 4))
    hall.do(moving(ticket, 3))
    hall.do(moving(other, 4, by_hand=True))
    assert (hall.seen(3), hall.seen(4)) == ("reserved", "reserved")


@both_ways
def test_the_seats_that_tickets_go_to_count_as_held_meanwhile(moving: Moving) -> None:
    hall = Hall(policy=Policy(held_seats_limit=2))
    (ticket,) = sold(hall, 1)
    hall.hold(ALICE, 2, 3)
    with pytest.raises(HoldLimitExceeded):
        hall.do(moving(ticket, 4))


def test_who_may_have_no_more_tickets_moves_them_but_gets_none_from_elsewhere() -> None:
    hall = Hall(rules=SaleRules(max_per_user=2))
    ticket, other = sold(hall, 1, 2)
    hall.do(within(ticket, 3))
    with pytest.raises(PersonLimitExceeded):
        hall.do(from_elsewhere(ticket, 4))
    hall.do(from_elsewhere(other, 4, by_hand=True))


@pytest.mark.parametrize("until", [inf, -inf])
def test_tickets_come_from_elsewhere_while_the_organiser_lets_them(until: float) -> None:
    hall = Hall(moves_until=until)
    (ticket,) = sold(Hall(), 1)
    if until < NOW:
        with pytest.raises(MovesClosed):
            hall.do(from_elsewhere(ticket, 4))
    arrival = hall.do(from_elsewhere(ticket, 4, by_hand=until < NOW)).reply
    assert isinstance(arrival, Arrival)
    assert arrival.from_statuses == (SeatStatus.AVAILABLE,)


def test_an_event_without_seats_is_not_told_apart_from_none() -> None:
    (ticket,) = sold(Hall(), 1)
    with pytest.raises(ScreeningNotFound):
        event().do(from_elsewhere(ticket, 4))


def test_a_ticket_that_another_one_is_awaited_for_is_named() -> None:
    hall = Hall()
    first, second, third = sold(hall, 1, 2, 3)
    arrival = Hall(screening_id=2).do(ReceiveTickets(2, ALICE, (first,), (4,))).reply
    with pytest.raises(TicketNotFound) as refusal:
        move(hall, [second, third], arrival=arrival)
    assert refusal.value.ticket_id == second.id


def test_the_event_says_what_the_new_seats_were(hall: Hall) -> None:
    tickets = sold(hall, 1, 2)
    hall.hold(ALICE, 3)
    (_, moved) = move(hall, tickets, 3, 4).events
    assert moved.from_statuses == (SeatStatus.HELD, SeatStatus.AVAILABLE)


def test_a_payment_is_refused_unless_something_is_to_be_paid(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    with pytest.raises(NothingToPay):
        move(hall, [ticket], 2, payment_id="pi_2")
    (dear,) = sold(hall, VIP, payment_id="pi_3")
    with pytest.raises(PriceChanged) as refusal:
        move(hall, [dear], 2, expected_total_cents=300)
    assert (refusal.value.expected_cents, refusal.value.actual_cents) == (300, 0)


DEARER, CLOSED = 2, 3


def event() -> Hall:
    """Standing places at 12.50, others a cent dearer, and some that are not on sale."""
    types = {
        STANDING: TicketType(STANDING, 1250, 9, 3),
        DEARER: TicketType(DEARER, 1251, 9, 2),
        CLOSED: TicketType(CLOSED, 1250, 9, 3, closed=True),
    }
    return Hall(seats=0, ticket_types=types, seated=False)


def test_a_cent_is_paid_too() -> None:
    hall = event()
    (ticket,) = admitted(hall, STANDING)
    with pytest.raises(PaymentRequired):
        hall.do(within(ticket, to_type_id=DEARER))
    (moved,) = hall.do(within(ticket, to_type_id=DEARER, payment_id="pi_2")).reply.tickets  # type: ignore[union-attr]
    assert moved.paid == (("pi_1", 1250), ("pi_2", 1))


@pytest.mark.parametrize(("kind", "error"), [(CLOSED, SalesClosed), (DEARER, OrderLimitExceeded)])
def test_only_an_administrator_moves_tickets_to_places_that_are_not_sold_so(
    kind: int, error: type[EngineError]
) -> None:
    hall = event()
    tickets = admitted(hall, STANDING, 3)
    with pytest.raises(error):
        move(hall, tickets, to_type_id=kind, payment_id="pi_2" if kind == DEARER else None)
    assert len(move(hall, tickets, to_type_id=kind, by_hand=True).reply.tickets) == 3
