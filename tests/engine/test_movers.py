"""Moves of tickets as their holders ask for them: repeated, overtaken, refused, and paid for."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from engine.box_office import BoxOffice
from engine.catalogue_errors import TicketNotConfirmed
from engine.commands import (
    BookSeats,
    CancelScreening,
    Command,
    EndArrival,
    HoldPlaces,
    MoveTickets,
    PlaceOrder,
    ReadSeats,
)
from engine.errors import EngineError, OutcomeUnknown, Overloaded, StoreUnavailable
from engine.events import TicketsMoved
from engine.memory import MemoryDatabase
from engine.memory_ledger import MemoryLedger
from engine.movers import MoveOrder, Movers
from engine.moving_errors import NothingToPay, PaymentRequired, TicketNotMovable
from engine.places import ticket_type_of
from engine.records import Paper, Ticket, TicketType
from engine.replies import Moved
from engine.selling_errors import (
    PaymentAlreadyUsed,
    RefundRequired,
    SeatsNotFound,
    SeatsUnavailable,
    TicketAdmitted,
    TicketNotFound,
    TooManyRefunds,
)
from tests.engine.conftest import NOW, PRICE_CENTS, make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

ADA, BOB, STAFF = "user:7", "user:8", "user:1"
VIP, OTHER_VIP = 10, 20
EVENT, STANDING, BALCONY = 3, 30, 31


class Desk:
    """Two screenings with dearer VIP seats, and an event with two ticket types."""

    def __init__(self, database: MemoryDatabase | None = None, refunds_limit: int = 1000) -> None:
        self.house = House(database)
        kinds = {STANDING: TicketType(STANDING, 1000, 4, 4), BALCONY: TicketType(BALCONY, 1500, 1, 4)}
        event = make_info(EVENT, ticket_types=kinds, seated=False)
        self.house.database.add_screening(event, make_layout(0))
        self.ledger = MemoryLedger(self.house.database, refunds_limit)
        self.before: dict[type, Any] = {}
        box_office = BoxOffice(self, self.house.journal, self.ledger)
        self.movers = Movers(self, self.house.journal, self.ledger, box_office)

    async def ask(self, command: Command) -> Any:
        """Send a command, after what the test has planned for its class."""
        if (planned := self.before.pop(type(command), None)) is not None:
            if isinstance(planned, EngineError):
                raise planned
            await self.house.screenings.ask(planned)
        return await self.house.screenings.ask(command)

    async def sold(self, *seat_ids: int, holder: str = ADA, payment: str = "pi_1") -> Sequence[Ticket]:
        booked = await self.ask(BookSeats(1, holder, seat_ids, payment))
        tickets: Sequence[Ticket] = booked.tickets
        return tickets

    async def sold_places(self, quantity: int) -> Sequence[Ticket]:
        held = await self.ask(HoldPlaces(EVENT, ADA, (PlaceOrder(STANDING, quantity),), 600.0))
        papers = tuple(Paper(f"code {number}", b"") for number in range(quantity))
        booking = BookSeats(EVENT, ADA, (), "pi_event", papers=papers)
        reservation_id = held.reservations[0][0].reservation_id
        tickets: Sequence[Ticket] = (await self.ask(booking._replace(reservation_id=reservation_id))).tickets
        return tickets

    async def move(
        self, tickets: Sequence[Ticket], *to: int, screening_id: int = 1, holder: str = ADA, **how: Any
    ) -> Moved:
        order = MoveOrder(holder, tuple(ticket.id for ticket in tickets), screening_id, to, **how)
        return await self.movers.move(order)

    async def refund_of(self, moving: Any) -> RefundRequired:
        with pytest.raises(RefundRequired) as required:
            await moving
        return required.value

    async def seen(self, seat_id: int, screening_id: int = 1) -> str:
        views = (await self.ask(ReadSeats(screening_id))).views
        return views[seat_id].status if seat_id in views else "available"

    @property
    def moves(self) -> list[TicketsMoved]:
        return self.house.database.moves


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_tickets_move_within_their_screening(desk: Desk) -> None:
    tickets = await desk.sold(1, 2)
    moved = await desk.move(tickets, 3, 4)
    assert [(t.id, t.seat_id) for t in moved.tickets] == [(tickets[0].id, 3), (tickets[1].id, 4)]
    assert [await desk.seen(seat) for seat in (1, 2, 3, 4)] == ["available"] * 2 + ["booked"] * 2


async def test_only_those_tickets_move_that_are_not_there(desk: Desk) -> None:
    tickets = await desk.sold(1, 2)
    moved = await desk.move(tickets, 1, 3)
    assert moved.tickets[0] == tickets[0] and moved.tickets[1].seat_id == 3
    assert [event.before for event in desk.moves] == [(tickets[1],)]


async def test_tickets_that_are_there_stay_as_they_are(desk: Desk) -> None:
    tickets = await desk.sold(1)
    assert (await desk.move(tickets, 1)).tickets == tickets
    assert desk.moves == []


async def test_tickets_are_there_when_no_earlier_move_can_take_them_away(desk: Desk) -> None:
    tickets = await desk.sold(1)
    desk.house.journal.automatic = False
    away = asyncio.ensure_future(desk.move(tickets, 2))
    await turns()
    back = asyncio.ensure_future(desk.move(tickets, 1))
    await turns(5)
    assert not back.done()
    desk.house.journal.automatic = True
    desk.house.journal.write_next(9)
    assert [(await moving).tickets[0].seat_id for moving in (away, back)] == [2, 1]


async def test_tickets_are_there_when_their_screening_is_in_memory(desk: Desk) -> None:
    """Its new epoch refuses what an earlier server may still write."""
    tickets = await desk.sold(1)
    later = Desk(desk.house.database)
    await later.move(tickets, 1)
    assert desk.house.database.epochs == {1: 2}


async def test_tickets_move_to_another_screening(desk: Desk) -> None:
    tickets = await desk.sold(1)
    moved = await desk.move(tickets, 1, screening_id=2)
    assert [(ticket.screening_id, ticket.seat_id) for ticket in moved.tickets] == [(2, 1)]
    assert (await desk.seen(1), await desk.seen(1, 2)) == ("available", "booked")
    assert (await desk.move(tickets, 1, screening_id=2)).tickets == moved.tickets
    assert len(desk.moves) == 1


async def test_another_screening_gives_the_seats_of_a_refused_move_back(desk: Desk) -> None:
    tickets = await desk.sold(1)
    with pytest.raises(PaymentRequired):
        await desk.move(tickets, VIP, screening_id=2)
    assert (await desk.seen(1), await desk.seen(VIP, 2)) == ("booked", "available")


@pytest.mark.parametrize("error", [OutcomeUnknown(), StoreUnavailable()])
async def test_another_screening_keeps_the_seats_of_a_move_whose_outcome_is_unknown(
    desk: Desk, error: EngineError
) -> None:
    tickets = await desk.sold(1)
    desk.before[MoveTickets] = error
    with pytest.raises(type(error)):
        await desk.move(tickets, 5, screening_id=2)
    assert await desk.seen(5, 2) == "reserved"


async def test_tickets_have_moved_although_the_other_screening_was_not_told(desk: Desk) -> None:
    tickets = await desk.sold(1)
    desk.before[EndArrival] = Overloaded(2)
    moved = await desk.move(tickets, 5, screening_id=2)
    assert [(ticket.screening_id, ticket.seat_id) for ticket in moved.tickets] == [(2, 5)]


async def test_tickets_of_others_and_tickets_without_a_payment_do_not_move(desk: Desk) -> None:
    tickets = await desk.sold(1)
    with pytest.raises(TicketNotFound):
        await desk.move(tickets, 2, holder=BOB)
    pending = (await desk.ask(BookSeats(1, ADA, (3,), payment_pending=True))).tickets
    with pytest.raises(TicketNotConfirmed):
        await desk.move(pending, 4)
    assert desk.moves == []


async def test_a_seat_does_not_become_a_place_nor_a_place_a_seat(desk: Desk) -> None:
    with pytest.raises(TicketNotMovable):
        await desk.move(await desk.sold(1), screening_id=EVENT, ticket_type_id=STANDING)
    with pytest.raises(TicketNotMovable):
        await desk.move(await desk.sold_places(1), 5)


async def test_a_ticket_of_an_event_moves_to_another_ticket_type(desk: Desk) -> None:
    tickets = await desk.sold_places(1)
    there: dict[str, Any] = {"screening_id": EVENT, "ticket_type_id": BALCONY, "payment_id": "pi_2"}
    moved = await desk.move(tickets, **there)
    assert [ticket_type_of(ticket.seat_id) for ticket in moved.tickets] == [BALCONY]
    assert (await desk.move(tickets, **there)).tickets == moved.tickets
    assert len(desk.moves) == 1


# Others who have the tickets, or who change them


async def test_who_was_admitted_stays_unless_somebody_moves_the_ticket_by_hand(desk: Desk) -> None:
    tickets = await desk.sold(1)
    desk.house.database.admitted[tickets[0].id] = NOW
    with pytest.raises(TicketAdmitted):
        await desk.move(tickets, 2)
    assert (await desk.move(tickets, 2, by_hand=True)).tickets[0].seat_id == 2


async def test_holders_move_only_what_they_may_be_refunded() -> None:
    desk = Desk(refunds_limit=0)
    tickets = await desk.sold(1)
    with pytest.raises(TooManyRefunds):
        await desk.move(tickets, 2)
    assert (await desk.move(tickets, 2, actor=STAFF)).tickets[0].seat_id == 2
    assert (await desk.move(tickets, 3, by_hand=True)).tickets[0].seat_id == 3


async def test_tickets_that_have_moved_since_they_were_read_move_from_there(desk: Desk) -> None:
    tickets = await desk.sold(1)
    desk.before[MoveTickets] = MoveTickets(1, ADA, (tickets[0].id,), (1,), (7,))
    assert (await desk.move(tickets, 2)).tickets[0].seat_id == 2
    assert [event.tickets[0].seat_id for event in desk.moves] == [7, 2]


async def test_the_payment_of_tickets_that_were_cancelled_since_they_were_read_is_owed(desk: Desk) -> None:
    tickets = await desk.sold(1)
    desk.before[MoveTickets] = CancelScreening(1, STAFF)
    required = await desk.refund_of(desk.move(tickets, VIP, payment_id="pi_2"))
    assert (required.amount, required.reason) == (3.49, TicketNotConfirmed.code)


# Payments


async def test_a_payment_counts_once(desk: Desk) -> None:
    tickets = await desk.sold(1)
    moved = await desk.move(tickets, VIP, payment_id="pi_2")
    assert (await desk.move(tickets, VIP, payment_id="pi_2")).tickets == moved.tickets
    with pytest.raises(NothingToPay):
        await desk.move(tickets, VIP, payment_id="pi_3")
    others = await desk.sold(2, payment="pi_4")
    with pytest.raises(PaymentAlreadyUsed):
        await desk.move(others, 2, payment_id="pi_2")


@pytest.mark.parametrize(("expected_cents", "owed"), [(None, 3.49), (200, 2.0), (5000, 15.99)])
async def test_a_payment_for_seats_that_others_have_is_owed(
    desk: Desk, expected_cents: int | None, owed: float
) -> None:
    tickets = await desk.sold(1)
    await desk.sold(VIP, holder=BOB, payment="pi_bob")
    moving = desk.move(tickets, VIP, payment_id="pi_2", expected_total_cents=expected_cents)
    required = await desk.refund_of(moving)
    assert (required.amount, required.reason) == (owed, SeatsUnavailable.code)
    assert [refund.holder for refund in desk.house.database.refunds.values()] == [ADA]
    # It pays for nothing else, and is owed once; and it is nobody else's.
    again = await desk.refund_of(desk.move(tickets, OTHER_VIP, payment_id="pi_2"))
    assert again.refund_id == required.refund_id
    bobs = await desk.sold(2, holder=BOB, payment="pi_bob_2")
    with pytest.raises(PaymentAlreadyUsed):
        await desk.move(bobs, OTHER_VIP, holder=BOB, payment_id="pi_2")


async def test_nothing_is_owed_for_seats_that_cost_less_or_do_not_exist(desk: Desk) -> None:
    tickets = await desk.sold(VIP)
    await desk.sold(3, holder=BOB, payment="pi_bob")
    with pytest.raises(SeatsUnavailable):
        await desk.move(tickets, 3, payment_id="pi_2")
    with pytest.raises(SeatsNotFound):
        await desk.move(tickets, 99, payment_id="pi_2")
    assert desk.house.database.refunds == {}


async def test_what_a_cheaper_seat_leaves_is_owed(desk: Desk) -> None:
    (ticket,) = await desk.sold(VIP)
    await desk.move([ticket], 3)
    await desk.sold(1, holder=BOB, payment="pi_bob")
    await desk.refund_of(desk.move([ticket], 1, payment_id="pi_2", expected_total_cents=100))
    (other,) = await desk.sold(OTHER_VIP, payment="pi_3")
    await desk.move([other], 4)
    refunds = [*desk.house.database.refunds.values(), *desk.house.database.move_refunds]
    assert sorted((refund.id, refund.payment_id, refund.amount_cents) for refund in refunds) == [
        (1, "pi_1", 349),
        (2, "pi_2", 100),
        (3, "pi_3", 349),
    ]


async def test_a_hold_becomes_the_seat_of_the_ticket_and_the_service_vouches(desk: Desk) -> None:
    (ticket,) = await desk.sold(1)
    await desk.house.hold(ADA, VIP)
    await desk.move([ticket], VIP, payment_id="pi_2", actor="service:payments")
    assert [status for _, status in desk.house.database.holds.values()] == ["converted"]
    assert desk.house.database.vouchers == {"pi_2": "service"}


async def test_what_was_agreed_for_a_hold_that_has_ended_counts(desk: Desk) -> None:
    tickets = await desk.sold(1)
    await desk.house.hold(ADA, 3)
    desk.house.clock.advance(300)
    await desk.sold(3, holder=BOB, payment="pi_bob")
    dearer = make_info(1)._replace(price_cents=2 * PRICE_CENTS)
    desk.house.database.add_screening(dearer, make_layout())
    with pytest.raises(SeatsUnavailable):
        await desk.move(tickets, 3, payment_id="pi_2")


async def test_the_price_of_a_refused_move_is_looked_up_when_holds_are_written(desk: Desk) -> None:
    tickets = await desk.sold(1)
    await desk.sold(VIP, holder=BOB, payment="pi_bob")
    desk.house.journal.automatic = False
    await desk.house.hold(ADA, 4)
    moving = asyncio.ensure_future(desk.move(tickets, VIP, payment_id="pi_2"))
    await turns(5)
    assert not moving.done()
    desk.house.journal.write_next(9)
    await desk.refund_of(moving)


async def test_a_payment_for_more_places_than_there_are_is_owed(desk: Desk) -> None:
    tickets = await desk.sold_places(2)
    required = await desk.refund_of(
        desk.move(tickets, screening_id=EVENT, ticket_type_id=BALCONY, payment_id="pi_2")
    )
    assert required.amount == 10.0


async def test_nothing_is_owed_if_nobody_vouches_or_the_move_may_be_repeated(desk: Desk) -> None:
    tickets = await desk.sold(1)
    await desk.sold(VIP, holder=BOB, payment="pi_bob")
    with pytest.raises(SeatsUnavailable):
        await desk.move(tickets, VIP, payment_id="pi_2", unvouched=True)
    desk.before[MoveTickets] = Overloaded(1)
    with pytest.raises(Overloaded):
        await desk.move(tickets, VIP, payment_id="pi_2")
    assert desk.house.database.refunds == {}


async def test_a_payment_that_has_paid_for_tickets_moves_no_others(desk: Desk) -> None:
    tickets = await desk.sold(1, 2)
    with pytest.raises(PaymentAlreadyUsed):
        await desk.move(tickets[:1], VIP, payment_id="pi_1")
    await desk.move(tickets[:1], VIP, payment_id="pi_2")
    with pytest.raises(PaymentAlreadyUsed):
        await desk.move(tickets[1:], VIP, payment_id="pi_2")
    assert desk.house.database.refunds == {}
