"""Moving tickets in the core: which moves are decided, what they cost, and what is owed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalogue_errors import TicketNotConfirmed
from engine.commands import (
    BookSeats,
    CancelTicket,
    EndArrival,
    HoldPlaces,
    MoveTickets,
    PlaceOrder,
    ReadStock,
    ReceiveTickets,
)
from engine.errors import EngineError
from engine.events import TicketsLeft, TicketsMoved
from engine.move_money import kept_for, settled
from engine.moving_errors import MovesClosed, NothingToPay, PaymentRequired
from engine.records import Arrival, Owed, Ticket, TicketStatus, TicketType
from engine.replies import Moved
from engine.rule_errors import PersonLimitExceeded
from engine.screening_state import Decision
from engine.selling_errors import (
    BookingInProgress,
    NotEnoughTickets,
    PriceChanged,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
    TicketNotFound,
    TicketTypeNotFound,
)
from tests.engine.conftest import NOW, PRICE_CENTS, Hall

ALICE, BOB = "user:7", "user:8"
VIP = 10
DIFFERENCE = 349


def sold(
    hall: Hall, *seat_ids: int, holder: str = ALICE, payment_id: str | None = "pi_1"
) -> tuple[Ticket, ...]:
    return hall.sell(holder, *seat_ids, payment_id=payment_id).reply.tickets


def move(hall: Hall, tickets: Sequence[Ticket], *to: int, holder: str = ALICE, **options: object) -> Decision:
    ids, seat_ids = tuple(t.id for t in tickets), tuple(t.seat_id for t in tickets)
    return hall.do(MoveTickets(1, holder, ids, seat_ids, to, **options))  # type: ignore[arg-type]


def test_a_ticket_moves_when_the_database_agrees(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    seq = hall.screening.position[1]
    outcome = move(hall, [ticket], 2)
    assert (hall.seen(1), hall.seen(2)) == ("booked", "reserved")
    left, moved = outcome.events
    assert isinstance(left, TicketsLeft) and isinstance(moved, TicketsMoved)
    assert (left.tickets, moved.before) == ((ticket,), (ticket,))
    assert (left.actor, moved.actor) == (ALICE, ALICE)
    numbers = [left.seq, moved.seq, *(change.seq for change in outcome.changes)]
    assert numbers == [seq + 1, seq + 2, seq + 3]
    hall.settle(outcome)
    assert (hall.seen(1), hall.seen(2)) == ("available", "booked")
    assert outcome.reply == Moved((ticket._replace(seat_id=2, paid=(("pi_1", PRICE_CENTS),)),))


def test_seats_wait_for_tickets_until_their_own_owner_ends_it() -> None:
    here, there = Hall(), Hall(screening_id=2)
    tickets = sold(here, 1)
    for comes, cause in ((tickets, "tickets_moved"), ((), "operation_aborted")):
        seat_id, seq = 1 + len(there.map().views), there.screening.position[1]
        arrival = there.do(ReceiveTickets(2, ALICE, tickets, (seat_id,))).reply
        end = EndArrival(2, arrival.epoch, arrival.seq, tuple(arrival.tickets) if comes else ())
        assert arrival.seq == seq + 1
        assert there.do(end._replace(epoch=arrival.epoch + 1)).changes == ()
        assert there.seen(seat_id) == "reserved"
        (change,) = there.do(end).changes
        assert (change.cause, there.seen(seat_id)) == (cause, "booked" if comes else "available")


def test_an_aborted_move_changes_nothing(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    hall.hold(ALICE, 2)
    hall.abort(move(hall, [ticket], 2))
    assert (hall.seen(1), hall.seen(2)) == ("booked", "reserved")
    assert hall.settle(move(hall, [ticket], 2)).reply.tickets[0].seat_id == 2


def test_seats_pass_from_one_ticket_of_the_order_to_another(hall: Hall) -> None:
    tickets = sold(hall, 1, 2, 3)
    outcome = move(hall, tickets, 2, 3, 4)
    hall.settle(outcome)
    assert [hall.seen(seat) for seat in (1, 2, 3, 4)] == ["available", "booked", "booked", "booked"]
    assert [ticket.seat_id for ticket in outcome.reply.tickets] == [2, 3, 4]


def test_a_held_seat_costs_what_was_agreed_and_its_hold_is_converted(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    hold = hall.hold(ALICE, 2).reply.holds[0]
    (_, moved) = move(hall, [ticket], 2).events
    assert moved.converted == (hold,)


@pytest.mark.parametrize(
    ("to", "error"), [((3,), SeatsUnavailable), ((4,), SeatsUnavailable), ((99,), SeatsNotFound)]
)
def test_seats_that_cannot_be_had_refuse_the_move(
    hall: Hall, to: tuple[int], error: type[EngineError]
) -> None:
    (ticket,) = sold(hall, 1)
    sold(hall, 3, holder=BOB, payment_id="pi_2")
    hall.hold(BOB, 4)
    with pytest.raises(error):
        move(hall, [ticket], *to)
    assert hall.seen(1) == "booked"


def test_only_the_holder_moves_confirmed_tickets(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    with pytest.raises(TicketNotFound):
        move(hall, [ticket], 2, holder=BOB)
    with pytest.raises(TicketNotFound):
        move(hall, [ticket._replace(id=1)], 2)
    (pending,) = hall.sell(ALICE, 3, payment_pending=True).reply.tickets
    with pytest.raises(TicketNotConfirmed):
        move(hall, [pending], 4)


def test_the_same_move_joins_the_one_that_is_written(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    first = move(hall, [ticket], 2)
    again = move(hall, [ticket], 2)
    assert (again.write_id, again.reply, again.events) == (first.write_id, first.reply, ())
    with pytest.raises(BookingInProgress):
        move(hall, [ticket], 3)
    with pytest.raises(BookingInProgress):
        hall.do(CancelTicket(1, ALICE, ticket.id, 1))


def test_a_dearer_seat_needs_a_payment(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    with pytest.raises(PaymentRequired) as required:
        move(hall, [ticket], VIP)
    assert required.value.amount == 3.49
    with pytest.raises(PaymentRequired):
        move(hall, [ticket], VIP, payment_id="pi_2", unvouched=True)
    with pytest.raises(PriceChanged):
        move(hall, [ticket], VIP, payment_id="pi_2", expected_total_cents=300)
    outcome = move(hall, [ticket], VIP, payment_id="pi_2", expected_total_cents=DIFFERENCE)
    (dearer,) = outcome.reply.tickets
    assert dearer.price_cents == PRICE_CENTS + DIFFERENCE
    assert dearer.paid == (("pi_1", PRICE_CENTS), ("pi_2", DIFFERENCE))


def test_an_administrator_needs_no_payment(hall: Hall) -> None:
    (ticket,) = sold(hall, 1)
    (dearer,) = move(hall, [ticket], VIP, actor="user:1", by_hand=True).reply.tickets
    assert dearer.paid == (("pi_1", PRICE_CENTS),)


def test_a_cheaper_seat_owes_the_difference(hall: Hall) -> None:
    (ticket,) = sold(hall, VIP)
    with pytest.raises(NothingToPay):
        move(hall, [ticket], 1, payment_id="pi_2")
    (_, moved) = move(hall, [ticket], 1, expected_total_cents=0).events
    assert moved.owed == (Owed(ticket.id, "pi_1", DIFFERENCE),)
    assert moved.tickets[0].paid == (("pi_1", PRICE_CENTS),)


def test_tickets_that_move_together_settle_among_themselves(hall: Hall) -> None:
    tickets = sold(hall, 1, VIP)
    (_, moved) = move(hall, tickets, VIP, 1).events
    assert moved.owed == ()
    assert [ticket.paid for ticket in moved.tickets] == [
        (("pi_1", PRICE_CENTS + DIFFERENCE),),
        (("pi_1", PRICE_CENTS),),
    ]


def test_the_organiser_says_until_when_holders_move_tickets() -> None:
    for until, legal in ((inf, True), (NOW + 1, True), (NOW, False), (-inf, False)):
        hall = Hall(moves_until=until)
        (ticket,) = sold(hall, 1)
        if legal:
            move(hall, [ticket], 2)
            continue
        with pytest.raises(MovesClosed):
            move(hall, [ticket], 2)
        move(hall, [ticket], 2, actor="user:1", by_hand=True)
    hall = Hall()
    (ticket,) = sold(hall, 1)
    hall.now = NOW + 86_400
    with pytest.raises(ScreeningStarted):
        move(hall, [ticket], 2, by_hand=True)


@dataclass
class Two:
    """Two screenings, and a ticket for the first one."""

    here: Hall = field(default_factory=Hall)
    there: Hall = field(default_factory=lambda: Hall(screening_id=2))

    def receive(self, tickets: Sequence[Ticket], *seat_ids: int) -> Arrival:
        reply = self.there.do(ReceiveTickets(2, ALICE, tuple(tickets), seat_ids)).reply
        assert isinstance(reply, Arrival)
        return reply

    def end(self, arrival: Arrival, *tickets: Ticket) -> None:
        self.there.do(EndArrival(2, arrival.epoch, arrival.seq, tickets))


def seen(hall: Hall, seat_id: int) -> str:
    view = hall.screening._state.seat_map().views.get(seat_id)
    return "available" if view is None else view.status


def test_a_ticket_moves_to_another_screening() -> None:
    two = Two()
    (ticket,) = sold(two.here, 1)
    arrival = two.receive([ticket], 5)
    assert (seen(two.there, 5), seen(two.here, 1)) == ("reserved", "booked")
    assert two.there.screening.arrivals == {arrival.seq} and not two.there.screening.at_rest
    outcome = move(two.here, [ticket], arrival=arrival)
    left, moved = outcome.events
    assert left[:3] == (1, 1, outcome.write_id) and moved[:3] == (2, 1, arrival.seq)
    two.here.settle(outcome)
    two.end(arrival, *outcome.reply.tickets)
    assert (seen(two.there, 5), seen(two.here, 1)) == ("booked", "available")
    assert two.there.screening._state.seats.record(5) == outcome.reply.tickets[0]
    assert not two.there.screening.arrivals
    two.end(arrival)  # it has no effect any more
    assert seen(two.there, 5) == "booked"


def test_seats_are_given_back_if_the_tickets_do_not_come() -> None:
    two = Two()
    (ticket,) = sold(two.here, 1)
    arrival = two.receive([ticket], 5)
    with pytest.raises(SeatsUnavailable):
        two.there.do(ReceiveTickets(2, BOB, (ticket,), (5,)))
    two.end(arrival)
    assert seen(two.there, 5) == "available"


def test_another_ticket_than_the_awaited_one_does_not_move() -> None:
    two = Two()
    first, second = sold(two.here, 1, 2)
    arrival = two.receive([first], 5)
    with pytest.raises(TicketNotFound):
        move(two.here, [second], arrival=arrival)


STANDING, BALCONY, LAST = 1, 2, 3


def fair(screening_id: int = 1, **options: object) -> Hall:
    """An event: four standing places at 12.50, balcony places at 17.50, and one last place at 7.50."""
    types = {
        STANDING: TicketType(STANDING, PRICE_CENTS, 4, 2),
        BALCONY: TicketType(BALCONY, PRICE_CENTS + 500, 4, 2, max_per_user=2),
        LAST: TicketType(LAST, PRICE_CENTS - 500, 1, 2),
    }
    return Hall(seats=0, screening_id=screening_id, ticket_types=types, seated=False, **options)  # type: ignore[arg-type]


def admitted(
    hall: Hall, kind: int, number: int = 1, holder: str = ALICE, payment_id: str = "pi_1"
) -> tuple[Ticket, ...]:
    """Buy places of a ticket type."""
    reserved = hall.do(HoldPlaces(hall.screening.info.id, holder, (PlaceOrder(kind, number),), 300.0)).reply
    reservation_id = reserved.reservations[0][0].reservation_id  # type: ignore[union-attr]
    booking = BookSeats(
        *(hall.screening.info.id, holder, (), payment_id), held_only=True, reservation_id=reservation_id
    )
    tickets: tuple[Ticket, ...] = hall.settle(hall.do(booking)).reply.tickets  # type: ignore[union-attr]
    return tickets


def move_to_type(hall: Hall, tickets: Sequence[Ticket], kind: int, **options: object) -> Decision:
    return move(hall, tickets, to_type_id=kind, **options)


def left(hall: Hall, kind: int) -> tuple[int, int]:
    """Return how many places of a ticket type are sold, and how many are free."""
    level = hall.do(ReadStock(hall.screening.info.id)).reply.ticket_types[kind]  # type: ignore[union-attr]
    return level.sold, level.available


def test_places_move_to_another_ticket_type() -> None:
    hall = fair()
    tickets = admitted(hall, STANDING, 2)
    with pytest.raises(PaymentRequired) as required:
        move_to_type(hall, tickets, BALCONY)
    assert required.value.amount == 10.0
    assert left(hall, BALCONY) == (0, 4)
    outcome = move_to_type(hall, tickets, BALCONY, payment_id="pi_2", expected_total_cents=1000)
    again = move_to_type(hall, tickets, BALCONY, payment_id="pi_2", expected_total_cents=1000)
    assert (again.write_id, again.reply) == (outcome.write_id, outcome.reply)
    assert (left(hall, STANDING), left(hall, BALCONY)) == ((2, 2), (0, 2))
    hall.settle(outcome)
    assert (left(hall, STANDING), left(hall, BALCONY)) == ((0, 4), (2, 2))
    assert [ticket.id for ticket in outcome.reply.tickets] == [ticket.id for ticket in tickets]
    back = move_to_type(hall, outcome.reply.tickets, STANDING)
    assert [(owed.payment_id, owed.amount_cents) for owed in back.events[1].owed] == [("pi_2", 500)] * 2
    hall.abort(back)
    assert (left(hall, STANDING), left(hall, BALCONY)) == ((0, 4), (2, 2))


def test_places_that_cannot_be_had_refuse_the_move() -> None:
    hall = fair()
    tickets = admitted(hall, STANDING, 2)
    for kind, error in ((LAST, NotEnoughTickets), (99, TicketTypeNotFound)):
        with pytest.raises(error):
            move_to_type(hall, tickets, kind)
    admitted(hall, BALCONY, payment_id="pi_2")
    with pytest.raises(PersonLimitExceeded):
        move_to_type(hall, tickets, BALCONY, payment_id="pi_3")
    move_to_type(hall, tickets, BALCONY, actor="user:1", by_hand=True)
    closed = fair(moves_until=-inf)
    with pytest.raises(MovesClosed):
        move_to_type(closed, admitted(closed, STANDING), LAST)
    other = Hall()
    with pytest.raises(TicketTypeNotFound):
        move_to_type(other, sold(other, 1), STANDING)


def test_what_was_paid_elsewhere_is_not_owed_but_the_difference_is() -> None:
    hall = fair()
    tickets = admitted(hall, STANDING, payment_id="reservation:1-1")
    dearer = move_to_type(hall, tickets, BALCONY, payment_id="pi_2")
    hall.settle(dearer)
    cheapest = move_to_type(hall, dearer.reply.tickets, LAST)
    assert [owed[1:] for owed in cheapest.events[1].owed] == [("pi_2", 500)]


def test_places_that_were_given_back_are_used_again_once() -> None:
    """A move takes places that purchases would choose next."""
    hall = fair()
    for number in range(3):
        first = admitted(hall, STANDING, 2, payment_id=f"pi_{number}")
        outcome = move_to_type(hall, first, BALCONY, payment_id=f"more_{number}")
        hall.settle(outcome)
        hall.settle(move_to_type(hall, outcome.reply.tickets, STANDING))
        for ticket in first:
            cancelled = hall.do(CancelTicket(1, ALICE, ticket.id, hall.place_of(ticket.id)))
            hall.settle(cancelled)
    for number in range(2):
        admitted(hall, STANDING, 2, payment_id=f"last_{number}")
    assert left(hall, STANDING) == (4, 0)


def test_places_move_to_another_event() -> None:
    here, there = fair(), fair(2)
    tickets = admitted(here, STANDING, 2)
    arrival = there.do(ReceiveTickets(2, ALICE, tickets, (), to_type_id=STANDING)).reply
    assert isinstance(arrival, Arrival)
    assert (left(here, STANDING), left(there, STANDING)) == ((2, 2), (0, 2))
    outcome = move(here, tickets, arrival=arrival, to_type_id=STANDING)
    here.settle(outcome)
    there.do(EndArrival(2, arrival.epoch, arrival.seq, outcome.reply.tickets))
    assert (left(here, STANDING), left(there, STANDING)) == ((0, 4), (2, 2))


CENTS = st.sampled_from([0, 500, 1250, 1599])


@given(
    st.lists(st.tuples(CENTS, st.sampled_from([None, "pi_1", "pi_2"])), min_size=1, max_size=4),
    st.lists(st.lists(CENTS, min_size=4, max_size=4), max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_every_cent_is_kept_or_owed_once(
    bought: list[tuple[int, str | None]], moves: list[list[int]], paying: list[bool]
) -> None:
    """Every paid cent is kept or owed, and no ticket keeps more than it costs."""
    tickets = [
        Ticket(n, 1, 1, n, ALICE, cents, TicketStatus.CONFIRMED, NOW, NOW, payment_id=payment_id)
        for n, (cents, payment_id) in enumerate(bought, 1)
    ]
    received: dict[str, int] = {}
    for ticket in tickets:
        for payment_id, cents in kept_for(ticket):
            received[payment_id] = received.get(payment_id, 0) + cents
    owed: dict[str, int] = {}
    for number, prices in enumerate(moves):
        prices = prices[: len(tickets)]
        due = sum(prices) - sum(ticket.price_cents for ticket in tickets)
        payment_id = f"more_{number}" if due > 0 and paying[number] else None
        if payment_id:
            received[payment_id] = due
        kept, parts = settled(tickets, prices, payment_id)
        tickets = [
            ticket._replace(price_cents=price, paid=paid)
            for ticket, price, paid in zip(tickets, prices, kept, strict=True)
        ]
        for part in parts:
            assert part.amount_cents > 0
            owed[part.payment_id] = owed.get(part.payment_id, 0) + part.amount_cents
    for ticket in tickets:
        assert sum(cents for _, cents in kept_for(ticket)) <= ticket.price_cents
        for payment_id, cents in kept_for(ticket):
            assert cents > 0
            owed[payment_id] = owed.get(payment_id, 0) + cents
    assert owed == {payment_id: cents for payment_id, cents in received.items() if cents}


def test_money_goes_where_it_goes_cent_by_cent() -> None:
    """Compared with purses from which single cents are taken."""
    draw = Random(1)
    for case in range(1500):
        tickets = [_any_ticket(draw, number) for number in range(1, draw.randint(2, 5))]
        prices = [draw.randint(0, 5) for _ in tickets]
        payment_id = draw.choice([None, "pi_1", "pi_9"])
        assert settled(tickets, prices, payment_id) == _cent_by_cent(tickets, prices, payment_id), case


def _any_ticket(draw: Random, number: int) -> Ticket:
    """Some of its price was paid, or nobody has split it up yet."""
    price_cents, paid = draw.randint(0, 5), {}
    left = price_cents
    for payment_id in draw.sample(["pi_1", "pi_2", "reservation:1-1"], draw.randint(0, 3)):
        if left:
            paid[payment_id] = draw.randint(1, left)
            left -= paid[payment_id]
    ticket = Ticket(
        *(number, 1, 1, number, ALICE, price_cents, TicketStatus.CONFIRMED, NOW, NOW),
        payment_id=draw.choice([None, "pi_1", "reservation:1-1"]),
    )
    return ticket if draw.random() < 0.3 else ticket._replace(paid=tuple(paid.items()))


def _cent_by_cent(
    tickets: Sequence[Ticket], prices: Sequence[int], payment_id: str | None
) -> tuple[list[tuple[tuple[str, int], ...]], tuple[Owed, ...]]:
    def own_cents(ticket: Ticket) -> list[str]:
        if ticket.paid is None:
            return [ticket.payment_id] * ticket.price_cents if ticket.payment_id else []
        return [name for name, cents in ticket.paid for _ in range(cents)]

    purses = [own_cents(ticket) for ticket in tickets]
    spare: list[tuple[int, str]] = []
    for ticket, price, purse in zip(tickets, prices, purses, strict=True):
        while len(purse) > price:
            spare.append((ticket.id, purse.pop()))
    fresh = sum(prices) - sum(ticket.price_cents for ticket in tickets) if payment_id else 0
    for ticket, price, purse in zip(tickets, prices, purses, strict=True):
        for _ in range(price - ticket.price_cents):
            if spare:
                purse.append(spare.pop(0)[1])
            elif fresh > 0 and payment_id:
                purse.append(payment_id)
                fresh -= 1
    kept = [tuple((name, purse.count(name)) for name in dict.fromkeys(purse)) for purse in purses]
    owed = [Owed(*part, len(list(cents))) for part, cents in groupby(spare)]
    return kept, tuple(part for part in owed if not part.payment_id.startswith("reservation:"))
