"""Payments and cancellations that a screening has refused: repeated, late, or overtaken ones."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from engine.box_office import BoxOffice
from engine.commands import (
    BookSeats,
    CancelTicket,
    CancelTickets,
    Command,
    ConfirmTicket,
    MoveTickets,
)
from engine.errors import EngineError, Overloaded
from engine.memory_ledger import MemoryLedger
from engine.records import Refund, Ticket, TicketStatus, UnusablePayment
from engine.replies import Booked
from engine.sale_rules import OrphanRule, SaleRules
from engine.selling_errors import (
    BookingInProgress,
    PaymentAlreadyUsed,
    PriceChanged,
    RefundRequired,
    ScreeningCancelled,
    SeatsNotFound,
    SeatsUnavailable,
    TicketAdmitted,
    TicketNotFound,
    TicketNotPending,
    TooManyRefunds,
)
from tests.engine.conftest import NOW, PRICE_CENTS, make_info, make_layout
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

ADA, BOB, STAFF = "user:7", "user:8", "user:1"
PENDING, CONFIRMED, CANCELLED = TicketStatus.PENDING, TicketStatus.CONFIRMED, TicketStatus.CANCELLED


class Desk:
    """Sells the seats of two screenings. A test can plan what happens just before a command or a refund."""

    def __init__(self, *, rebooks: bool = False, refunds_limit: int = 1000, **info: Any) -> None:
        self.house = House()
        self.database, self.journal = self.house.database, self.house.journal
        self.database.add_screening(make_info(1, **info), make_layout())
        self.asked: list[type] = []
        self.before: dict[object, Any] = {}
        self.box_office = BoxOffice(self, self, Ledger(self, refunds_limit), rebooks=rebooks)

    async def ask(self, command: Command) -> Any:
        await self.happen(type(command))
        self.asked.append(type(command))
        return await self.house.screenings.ask(command)

    async def flushed(self, screening_id: int | None = None) -> None:
        await self.happen("flushed")
        await self.journal.flushed(screening_id)

    async def happen(self, moment: object) -> None:
        if (planned := self.before.pop(moment, None)) is not None:
            if isinstance(planned, EngineError):
                raise planned
            await (planned() if callable(planned) else self.house.screenings.ask(planned))

    async def book(self, command: BookSeats) -> Sequence[Ticket]:
        """The tickets of a booking, as the API sells them."""
        try:
            booked: Booked = await self.ask(command)
        except EngineError as refusal:
            booked = await self.box_office.reconsider(command, refusal)
        return booked.tickets

    async def sold(self, *seat_ids: int, holder: str = ADA, payment: str = "pi_1") -> Sequence[Ticket]:
        return await self.book(BookSeats(1, holder, seat_ids, payment))

    async def reserved(self, *seat_ids: int, **how: Any) -> Sequence[Ticket]:
        """Tickets of which nobody has paid any."""
        return await self.book(BookSeats(1, ADA, seat_ids, payment_pending=True, **how))

    async def confirm(self, ticket: Ticket, payment: str | None = "pi_2", **how: Any) -> Ticket:
        booked = await self.box_office.confirm(ADA, ticket.id, payment, **how)
        (confirmed,) = booked.tickets
        return confirmed

    async def lose_the_hold(self, *seat_ids: int) -> BookSeats:
        """Let a hold lapse. Returns the booking that its holder has paid for."""
        await self.house.hold(ADA, *seat_ids)
        self.house.clock.advance(300)
        await turns()
        return BookSeats(1, ADA, seat_ids, "pi_1", held_only=True)

    async def charge(self, price_cents: int) -> None:
        """Change the price."""
        info, layout = self.database.screenings[1]
        await self.house.screenings.release(1)
        self.database.add_screening(info._replace(price_cents=price_cents), layout)

    def status_of(self, ticket: Ticket) -> TicketStatus:
        return self.database.tickets[ticket.id].status

    @property
    def owed(self) -> list[int]:
        return [refund.amount_cents for refund in self.database.refunds.values()]


class Ledger(MemoryLedger):
    """The ledger of a desk."""

    def __init__(self, desk: Desk, refunds_limit: int) -> None:
        super().__init__(desk.database, refunds_limit)
        self._desk = desk

    async def owe(self, payment: UnusablePayment) -> Refund | None:
        await self._desk.happen("owe")
        return await super().owe(payment)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def required(paying: Awaitable[object]) -> tuple[float, str]:
    """Amount and reason of the refund that a payment ends in."""
    with pytest.raises(RefundRequired) as refusal:
        await paying
    return refusal.value.amount, refusal.value.reason


# Bookings


async def test_a_payment_again_gets_the_same_tickets_in_the_order_of_the_seats(desk: Desk) -> None:
    first, second = await desk.sold(1, 2)
    assert await desk.sold(2, 1) == (second, first)
    assert desk.owed == []


async def test_a_payment_again_gets_the_tickets_where_they_are_now(desk: Desk) -> None:
    (ticket,) = await desk.sold(1)
    (moved,) = (await desk.ask(MoveTickets(1, ADA, (ticket.id,), (1,), (3,)))).tickets
    assert await desk.sold(1) == (moved,)


async def test_a_payment_pays_for_no_other_seats_screening_or_buyer(desk: Desk) -> None:
    await desk.sold(1)
    for other in (
        BookSeats(1, ADA, (1, 3), "pi_1"),
        BookSeats(1, ADA, (3,), "pi_1"),
        BookSeats(2, ADA, (1,), "pi_1"),
        BookSeats(1, BOB, (1,), "pi_1"),
    ):
        with pytest.raises(PaymentAlreadyUsed):
            await desk.book(other)
    assert desk.owed == []


async def test_a_payment_that_has_moved_tickets_books_none(desk: Desk) -> None:
    (ticket,) = await desk.sold(1)
    await desk.ask(MoveTickets(1, ADA, (ticket.id,), (1,), (10,), "pi_2"))
    with pytest.raises(PaymentAlreadyUsed):
        await desk.sold(5, payment="pi_2")


async def test_a_payment_for_seats_that_others_have_is_owed_once(desk: Desk) -> None:
    await desk.sold(1, holder=BOB, payment="pi_bob")
    for seat_id in (1, 1, 2):
        amount, _ = await required(desk.sold(seat_id))
        assert amount == 12.5
    assert desk.owed == [PRICE_CENTS]
    with pytest.raises(PaymentAlreadyUsed):
        await desk.sold(3, holder=BOB)


@pytest.mark.parametrize(
    "booking",
    [
        BookSeats(1, ADA, (1,)),
        BookSeats(1, ADA, (1,), "pi_1", payment_pending=True),
        BookSeats(1, ADA, (1,), "counter:1"),
    ],
)
async def test_nothing_is_owed_before_anything_was_paid(desk: Desk, booking: BookSeats) -> None:
    await desk.sold(1, holder=BOB, payment="pi_bob")
    with pytest.raises(SeatsUnavailable):
        await desk.book(booking)
    assert desk.owed == []


async def test_nothing_is_owed_for_what_may_be_repeated_or_has_no_price(desk: Desk) -> None:
    desk.before[BookSeats] = Overloaded(1)
    with pytest.raises(Overloaded):
        await desk.sold(1)
    with pytest.raises(SeatsNotFound):
        await desk.sold(99)
    assert desk.owed == []


async def test_the_price_of_a_refused_booking_is_looked_up_when_holds_are_written(desk: Desk) -> None:
    await desk.sold(1, holder=BOB, payment="pi_bob")
    desk.journal.automatic = False
    await desk.house.hold(ADA, 2)
    booking = asyncio.ensure_future(desk.sold(1))
    await turns(5)
    assert not booking.done()
    desk.journal.write_next(9)
    await required(booking)


@pytest.mark.parametrize(("expected_cents", "owed"), [(None, 12.5), (200, 2.0), (9000, 12.5)])
async def test_a_payment_after_its_hold_is_owed_at_the_agreed_price(
    desk: Desk, expected_cents: int | None, owed: float
) -> None:
    booking = await desk.lose_the_hold(1)
    await desk.charge(2 * PRICE_CENTS)
    late = booking._replace(expected_total_cents=expected_cents)
    assert await required(desk.book(late)) == (owed, "not_held")


async def test_a_payment_that_comes_twice_at_once_is_not_owed_if_one_of_them_has_booked(desk: Desk) -> None:
    booking = await desk.lose_the_hold(1)
    desk.before["flushed"] = booking._replace(held_only=False)
    assert [ticket.seat_id for ticket in await desk.book(booking)] == [1]
    assert desk.owed == []
    again = booking._replace(seat_ids=(2,), payment_id="pi_2")
    desk.before["flushed"] = again._replace(held_only=False, seat_ids=(3,))
    with pytest.raises(PaymentAlreadyUsed):
        await desk.book(again)


async def test_what_may_be_owed_to_a_buyer_is_limited() -> None:
    desk = Desk(refunds_limit=1)
    await desk.sold(1, holder=BOB, payment="pi_bob")
    await desk.sold(2, payment="pi_ada")
    await required(desk.sold(1))
    with pytest.raises(TooManyRefunds):
        await desk.sold(1, payment="pi_2")
    await required(desk.sold(2, holder=BOB, payment="pi_bob_2"))
    assert desk.owed == [PRICE_CENTS] * 2


# Bookings again after a hold has ended


async def test_free_seats_are_booked_again_at_the_agreed_price() -> None:
    desk = Desk(rebooks=True)
    (ticket,) = await desk.book(await desk.lose_the_hold(1))
    assert (ticket.seat_id, ticket.price_cents, ticket.status) == (1, PRICE_CENTS, CONFIRMED)


async def test_seats_that_have_become_dearer_are_not_booked_again() -> None:
    desk = Desk(rebooks=True)
    booking = await desk.lose_the_hold(1)
    await desk.charge(2 * PRICE_CENTS)
    assert await required(desk.book(booking)) == (12.5, PriceChanged.code)


async def test_seats_that_others_have_are_not_booked_again() -> None:
    desk = Desk(rebooks=True)
    booking = await desk.lose_the_hold(1)
    await desk.sold(1, holder=BOB, payment="pi_bob")
    amount, _ = await required(desk.book(booking))
    assert amount == 12.5


async def test_seats_are_booked_again_although_one_is_left_alone_by_now() -> None:
    desk = Desk(rebooks=True, rules=SaleRules(OrphanRule.ENFORCE))
    booking = await desk.lose_the_hold(3, 4)
    await desk.sold(1, holder=BOB, payment="pi_bob")
    assert [ticket.seat_id for ticket in await desk.book(booking)] == [3, 4]


# Confirmations


async def test_a_payment_confirms_a_ticket_once(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    confirmed = await desk.confirm(ticket)
    assert (confirmed.status, confirmed.payment_id) == (CONFIRMED, "pi_2")
    assert await desk.confirm(ticket) == confirmed
    assert await required(desk.confirm(ticket, "pi_3")) == (12.5, TicketNotPending.code)
    await desk.box_office.cancel(ADA, ticket.id)
    assert (await desk.confirm(ticket)).status is CANCELLED, "it has paid for the ticket"
    assert desk.owed == [PRICE_CENTS, PRICE_CENTS]


async def test_a_payment_that_its_buyer_has_named_confirms_the_ticket(desk: Desk) -> None:
    (ticket,) = await desk.book(BookSeats(1, ADA, (1,), "pi_1", unvouched=True))
    assert ticket.status is PENDING
    assert (await desk.confirm(ticket, "pi_1", actor="service:payments")).status is CONFIRMED


async def test_a_ticket_is_confirmed_by_hand_while_it_is_pending(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    assert (await desk.confirm(ticket, None, actor=STAFF)).status is CONFIRMED
    await desk.box_office.cancel(ADA, ticket.id, STAFF)
    with pytest.raises(TicketNotPending):
        await desk.confirm(ticket, None, actor=STAFF)


async def test_only_the_own_tickets_are_confirmed(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    for holder, ticket_id in ((BOB, ticket.id), (ADA, 99)):
        with pytest.raises(TicketNotFound):
            await desk.box_office.confirm(holder, ticket_id, "pi_2")


async def test_a_payment_of_another_amount_than_was_expected_is_owed(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    assert await required(desk.confirm(ticket, expected_total_cents=200)) == (2.0, PriceChanged.code)
    assert desk.status_of(ticket) is PENDING


async def test_a_payment_for_a_ticket_that_has_ended_since_it_was_read_is_owed(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    desk.before[ConfirmTicket] = CancelTicket(1, ADA, ticket.id, 1)
    assert await required(desk.confirm(ticket)) == (12.5, TicketNotPending.code)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TicketNotFound(1), BookingInProgress),
        (ScreeningCancelled(1), ScreeningCancelled),
        (Overloaded(1), Overloaded),
    ],
)
async def test_nothing_is_owed_while_it_is_open_what_becomes_of_the_ticket(
    desk: Desk, error: EngineError, raised: type[EngineError]
) -> None:
    (ticket,) = await desk.reserved(1)
    desk.before[ConfirmTicket] = error
    with pytest.raises(raised):
        await desk.confirm(ticket)
    assert desk.owed == []


async def test_a_payment_counts_for_the_ticket_that_it_has_confirmed_only(desk: Desk) -> None:
    first, second = await desk.reserved(1, 2)
    await desk.confirm(first)
    await desk.box_office.cancel(ADA, second.id)
    assert await required(desk.confirm(second)) == (12.5, TicketNotPending.code)


async def test_a_payment_that_has_confirmed_the_ticket_meanwhile_is_not_owed(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    desk.before[ConfirmTicket] = TicketNotPending(ticket.id, "pending")
    desk.before["owe"] = ConfirmTicket(1, ADA, ticket.id, 1, "pi_2")
    assert (await desk.confirm(ticket)).status is CONFIRMED
    assert desk.owed == []


async def test_a_payment_that_has_paid_for_others_meanwhile_confirms_nothing(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    desk.before[ConfirmTicket] = TicketNotPending(ticket.id, "pending")
    desk.before["owe"] = BookSeats(1, BOB, (2,), "pi_2")
    with pytest.raises(PaymentAlreadyUsed):
        await desk.confirm(ticket)


# Tickets that have lapsed


async def lapsed(desk: Desk, *seat_ids: int) -> Sequence[Ticket]:
    tickets = await desk.reserved(*seat_ids)
    desk.house.clock.advance(3600)
    await turns()
    assert {desk.status_of(ticket) for ticket in tickets} == {TicketStatus.LAPSED}
    return tickets


async def test_a_payment_for_a_lapsed_ticket_is_owed_or_gets_a_new_one() -> None:
    for rebooks in (False, True):
        desk = Desk(rebooks=rebooks)
        (ticket,) = await lapsed(desk, 1)
        if not rebooks:
            assert await required(desk.confirm(ticket)) == (12.5, TicketNotPending.code)
            continue
        again = await desk.confirm(ticket)
        assert (again.seat_id, again.booking_id, again.status) == (1, ticket.booking_id, CONFIRMED)
        assert again.id != ticket.id
        assert await desk.confirm(ticket) == again


async def test_a_cancelled_ticket_is_not_booked_again() -> None:
    desk = Desk(rebooks=True)
    (ticket,) = await desk.reserved(1)
    await desk.box_office.cancel(ADA, ticket.id)
    assert await required(desk.confirm(ticket)) == (12.5, TicketNotPending.code)


async def test_a_lapsed_ticket_whose_seat_is_sold_or_dearer_is_not_booked_again() -> None:
    desk = Desk(rebooks=True)
    sold, dearer = await lapsed(desk, 1, 2)
    await desk.sold(1, holder=BOB, payment="pi_bob")
    assert await required(desk.confirm(sold)) == (12.5, SeatsUnavailable.code)
    await desk.charge(2 * PRICE_CENTS)
    assert await required(desk.confirm(dearer, "pi_3")) == (12.5, PriceChanged.code)


async def test_nothing_is_owed_for_a_lapsed_ticket_while_it_may_be_booked_again() -> None:
    desk = Desk(rebooks=True)
    (ticket,) = await lapsed(desk, 1)
    desk.before[BookSeats] = Overloaded(1)
    with pytest.raises(Overloaded):
        await desk.confirm(ticket)
    assert desk.owed == []


async def test_a_lapsed_ticket_is_booked_again_although_a_seat_is_left_alone_by_that() -> None:
    desk = Desk(rebooks=True, rules=SaleRules(OrphanRule.ENFORCE))
    _, second = await lapsed(desk, 1, 2)
    assert (await desk.confirm(second)).seat_id == 2


# Refusals of a payment for several tickets


async def test_a_payment_that_has_brought_nothing_is_not_owed(desk: Desk) -> None:
    tickets = await desk.reserved(1, 2)
    with pytest.raises(PriceChanged):
        await desk.box_office.refuse(tickets, "pi_2", PriceChanged(0, 2 * PRICE_CENTS), STAFF)
    assert desk.owed == []


# Cancellations


async def test_a_ticket_is_cancelled_once_and_owed(desk: Desk) -> None:
    (ticket,) = await desk.sold(1)
    cancelled = await desk.box_office.cancel(ADA, ticket.id)
    assert cancelled.ticket.status is CANCELLED
    assert await desk.box_office.cancel(ADA, ticket.id) == cancelled
    assert desk.owed == [PRICE_CENTS]


async def test_holders_cancel_only_what_they_may_be_refunded() -> None:
    desk = Desk(refunds_limit=0)
    first, second, third = await desk.sold(1, 2, 3)
    with pytest.raises(TooManyRefunds):
        await desk.box_office.cancel(ADA, first.id)
    with pytest.raises(TooManyRefunds):
        await desk.box_office.cancel_all(ADA, [second.id, third.id])
    assert desk.status_of(second) is CONFIRMED
    await desk.box_office.cancel(ADA, first.id, STAFF)
    await desk.box_office.cancel_all(ADA, [second.id, third.id], STAFF)
    assert {desk.status_of(ticket) for ticket in (first, second, third)} == {CANCELLED}


async def test_what_nobody_has_paid_is_cancelled_without_a_limit() -> None:
    desk = Desk(refunds_limit=0)
    tickets = [
        *await desk.reserved(1),
        *await desk.book(BookSeats(1, ADA, (2,), "pi_2", unvouched=True)),
        *await desk.book(BookSeats(1, ADA, (3,))),
        *await desk.book(BookSeats(1, ADA, (4,), "reservation:1-1")),
    ]
    await desk.charge(0)
    tickets += await desk.book(BookSeats(1, ADA, (5,), "pi_5"))
    for ticket in tickets:
        assert (await desk.box_office.cancel(ADA, ticket.id)).ticket.status is CANCELLED


async def test_who_was_admitted_cannot_cancel(desk: Desk) -> None:
    first, second = await desk.sold(1, 2)
    desk.database.admitted[first.id] = NOW
    with pytest.raises(TicketAdmitted):
        await desk.box_office.cancel(ADA, first.id)
    with pytest.raises(TicketAdmitted):
        await desk.box_office.cancel_all(ADA, [first.id, second.id])
    assert desk.status_of(second) is CONFIRMED
    assert (await desk.box_office.cancel(ADA, first.id, STAFF)).ticket.status is CANCELLED


def cancelling(desk: Desk, error: EngineError, *tickets: Ticket) -> Callable[[], Awaitable[None]]:
    """Cancel tickets behind the back of a request, and refuse that."""

    async def cancel() -> None:
        for ticket in tickets:
            await desk.house.screenings.ask(CancelTicket(1, ADA, ticket.id, ticket.seat_id))
        raise error

    return cancel


@pytest.mark.parametrize("error", [TicketNotFound(1), ScreeningCancelled(1)])
async def test_what_was_cancelled_since_it_was_read_stays_so(desk: Desk, error: EngineError) -> None:
    one, first, second, third, fourth = await desk.sold(1, 2, 3, 4, 5)
    desk.before[CancelTicket] = cancelling(desk, error, one)
    assert (await desk.box_office.cancel(ADA, one.id)).ticket.status is CANCELLED
    desk.before[CancelTickets] = cancelling(desk, error, first)
    await desk.box_office.cancel_all(ADA, [first.id, second.id])
    desk.before[CancelTickets] = cancelling(desk, error, third, fourth)
    await desk.box_office.cancel_all(ADA, [third.id, fourth.id])
    assert {ticket.status for ticket in desk.database.tickets.values()} == {CANCELLED}


async def test_what_is_being_changed_is_not_cancelled(desk: Desk) -> None:
    first, second = await desk.sold(1, 2)
    desk.before |= {CancelTicket: TicketNotFound(1), CancelTickets: TicketNotFound(1)}
    with pytest.raises(BookingInProgress):
        await desk.box_office.cancel(ADA, first.id)
    with pytest.raises(BookingInProgress) as refusal:
        await desk.box_office.cancel_all(ADA, [first.id, second.id])
    assert list(refusal.value.seat_ids) == [1, 2]


@pytest.mark.parametrize("actor", [None, STAFF])
async def test_several_tickets_are_cancelled_in_one_step(desk: Desk, actor: str | None) -> None:
    first, second, third = await desk.sold(1, 2, 3)
    desk.asked.clear()
    await desk.box_office.cancel_all(ADA, [first.id, second.id], actor)
    await desk.box_office.cancel_all(ADA, [first.id, second.id, third.id], actor)
    await desk.box_office.cancel_all(ADA, [first.id, second.id, third.id], actor)
    assert desk.asked == [CancelTickets, CancelTicket]
    assert {ticket.status for ticket in desk.database.tickets.values()} == {CANCELLED}
