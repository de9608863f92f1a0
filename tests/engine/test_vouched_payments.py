"""Payments for which a service vouches: short, repeated, and named by buyers before or at the same time."""

from collections.abc import Sequence
from typing import Any

import pytest

from engine.box_office import BoxOffice
from engine.commands import BookSeats, CancelTicket, Command, ConfirmTicket, ConfirmTickets
from engine.errors import EngineError, Overloaded
from engine.memory_ledger import MemoryLedger
from engine.records import Receipt, Ticket, TicketStatus, UnusablePayment
from engine.selling_errors import PaymentAlreadyUsed, PriceChanged, RefundRequired
from engine.vouched_payments import VouchedPayments
from engine.vouching import PAYMENTS_SERVICE
from tests.engine.conftest import PRICE_CENTS, make_info, make_layout
from tests.engine.house import House

pytestmark = pytest.mark.gen_test

ADA, BOB = "user:7", "user:8"


class Desk:
    """Sells seats for the service that takes the payments."""

    def __init__(self) -> None:
        self.house = House()
        self.database = self.house.database
        self.asked: list[type] = []
        self.before: dict[type, Any] = {}
        ledger = MemoryLedger(self.database)
        self.payments = VouchedPayments(BoxOffice(self, self.house.journal, ledger), self, ledger)

    async def ask(self, command: Command) -> Any:
        """Send a command, after what the test has planned for its class."""
        if (planned := self.before.pop(type(command), None)) is not None:
            if isinstance(planned, EngineError):
                raise planned
            await self.house.screenings.ask(planned)
        self.asked.append(type(command))
        return await self.house.screenings.ask(command)

    async def book(
        self, *seat_ids: int, payment: str | None = "pi_1", received_cents: int | None = None, **how: Any
    ) -> Sequence[Ticket]:
        command = BookSeats(1, ADA, seat_ids, payment, actor=PAYMENTS_SERVICE, **how)
        tickets: Sequence[Ticket] = (await self.payments.book(command, received_cents)).tickets
        return tickets

    async def reserved(self, *seat_ids: int, screening_id: int = 1) -> list[Ticket]:
        """Tickets of which nobody has paid any."""
        booked = await self.ask(BookSeats(screening_id, ADA, seat_ids, payment_pending=True))
        self.asked.clear()
        return list(booked.tickets)

    async def confirm(
        self, tickets: Sequence[Ticket], payment: str = "pi_2", **how: Any
    ) -> Sequence[TicketStatus]:
        ids = [ticket.id for ticket in tickets]
        booked = await self.payments.confirm(ADA, ids, payment, PAYMENTS_SERVICE, **how)
        return [ticket.status for ticket in booked.tickets]

    async def buy_as_guest(self, holder: str, *seat_ids: int, payment: str = "pi_1", **how: Any) -> Any:
        """A buyer names a payment."""
        return await self.house.screenings.ask(BookSeats(1, holder, seat_ids, payment, **how))

    def status_of(self, ticket: Ticket) -> TicketStatus:
        return self.database.tickets[ticket.id].status


@pytest.fixture
def desk() -> Desk:
    return Desk()


# Bookings


async def test_a_payment_books_seats_once_and_the_service_vouches_for_it(desk: Desk) -> None:
    tickets = await desk.book(1, 2)
    assert [ticket.status for ticket in tickets] == [TicketStatus.CONFIRMED] * 2
    assert await desk.book(1, 2) == tickets
    assert desk.database.vouchers == {"pi_1": "service"}


async def test_seats_are_reserved_without_a_payment(desk: Desk) -> None:
    (ticket,) = await desk.book(1, payment=None, payment_pending=True)
    assert ticket.status is TicketStatus.PENDING
    assert desk.database.vouchers == {}


async def test_tickets_of_a_payment_that_is_still_pending_are_not_confirmed(desk: Desk) -> None:
    (ticket,) = await desk.book(1, payment_pending=True)
    assert desk.status_of(ticket) is TicketStatus.PENDING


async def test_tickets_that_a_buyer_has_booked_with_the_payment_are_confirmed(desk: Desk) -> None:
    await desk.buy_as_guest(ADA, 1, 2, unvouched=True)
    tickets = await desk.book(1, 2)
    assert [ticket.status for ticket in tickets] == [TicketStatus.CONFIRMED] * 2
    assert list(map(desk.status_of, tickets)) == [TicketStatus.CONFIRMED] * 2
    assert desk.database.vouchers == {"pi_1": "service"}


async def test_the_service_vouches_for_what_the_buyer_books_at_the_same_time(desk: Desk) -> None:
    desk.before[BookSeats] = BookSeats(1, ADA, (1,), "pi_1")
    assert [ticket.status for ticket in await desk.book(1)] == [TicketStatus.CONFIRMED]
    assert desk.database.vouchers == {"pi_1": "service"}


async def test_a_payment_that_another_buyer_has_named_goes_on_under_its_own_id(desk: Desk) -> None:
    await desk.buy_as_guest(BOB, 5)
    (ticket,) = await desk.book(1)
    assert (ticket.holder, ticket.payment_id) == (ADA, "vouched:pi_1")


async def test_a_payment_that_another_buyer_names_at_the_same_time_goes_on_under_its_own_id(
    desk: Desk,
) -> None:
    desk.before[BookSeats] = BookSeats(1, BOB, (5,), "pi_1")
    (ticket,) = await desk.book(1)
    assert (ticket.holder, ticket.payment_id) == (ADA, "vouched:pi_1")


@pytest.mark.parametrize("received_cents", [PRICE_CENTS, 2 * PRICE_CENTS])
async def test_what_has_brought_enough_books_seats(desk: Desk, received_cents: int) -> None:
    tickets = await desk.book(1, received_cents=received_cents)
    assert await desk.book(1, received_cents=received_cents) == tickets
    with pytest.raises(PaymentAlreadyUsed):
        await desk.book(1, received_cents=PRICE_CENTS - 1)


async def test_what_has_brought_too_little_is_owed(desk: Desk) -> None:
    with pytest.raises(RefundRequired) as required:
        await desk.book(1, received_cents=PRICE_CENTS - 1)
    assert (required.value.amount, required.value.reason) == (12.49, PriceChanged.code)
    assert desk.database.tickets == {}


async def test_another_price_than_was_expected_books_nothing(desk: Desk) -> None:
    with pytest.raises(RefundRequired):
        await desk.book(1, received_cents=2 * PRICE_CENTS, expected_total_cents=1000)


async def test_seats_cost_what_was_agreed_when_they_were_held(desk: Desk) -> None:
    await desk.house.hold(ADA, 1)
    desk.house.clock.advance(300)
    dearer = make_info(1)._replace(price_cents=2 * PRICE_CENTS)
    await desk.house.screenings.release(1)
    desk.database.add_screening(dearer, make_layout())
    with pytest.raises(RefundRequired):
        await desk.book(1, received_cents=2 * PRICE_CENTS)


# Confirmations


async def test_tickets_of_one_screening_are_confirmed_in_one_step(desk: Desk) -> None:
    tickets = await desk.reserved(1, 2)
    assert await desk.confirm(tickets) == [TicketStatus.CONFIRMED] * 2
    assert desk.asked == [ConfirmTickets]
    assert desk.database.vouchers == {"pi_2": "service"}


async def test_tickets_of_two_screenings_are_confirmed_one_by_one(desk: Desk) -> None:
    """One payment pays for one booking."""
    tickets = [*await desk.reserved(1), *await desk.reserved(1, screening_id=2)]
    with pytest.raises(PaymentAlreadyUsed):
        await desk.confirm(tickets)
    assert desk.asked == [ConfirmTicket, ConfirmTicket]


async def test_one_ticket_is_confirmed_under_its_idempotency_key(desk: Desk) -> None:
    tickets = await desk.reserved(1)
    receipt = Receipt(ADA, "key", b"print", "form")
    assert await desk.confirm(tickets, receipt=receipt) == [TicketStatus.CONFIRMED]
    assert list(desk.database.answers) == [(ADA, "key")]


async def test_tickets_that_the_payment_has_confirmed_stay_so(desk: Desk) -> None:
    tickets = await desk.reserved(1, 2)
    await desk.confirm(tickets[:1])
    desk.asked.clear()
    assert await desk.confirm(tickets) == [TicketStatus.CONFIRMED] * 2
    assert desk.asked == [ConfirmTicket]


async def test_what_may_be_repeated_confirms_nothing(desk: Desk) -> None:
    tickets = await desk.reserved(1, 2)
    desk.before[ConfirmTickets] = Overloaded(1)
    with pytest.raises(Overloaded):
        await desk.confirm(tickets)
    assert list(map(desk.status_of, tickets)) == [TicketStatus.PENDING] * 2


async def test_a_ticket_that_ends_meanwhile_is_owed_and_the_others_are_confirmed(desk: Desk) -> None:
    first, second = await desk.reserved(1, 2)
    desk.before[ConfirmTickets] = CancelTicket(1, ADA, second.id, 2)
    with pytest.raises(RefundRequired) as required:
        await desk.confirm([first, second])
    assert required.value.amount == PRICE_CENTS / 100
    assert desk.status_of(first) is TicketStatus.CONFIRMED


async def test_a_payment_whose_first_ticket_has_ended_is_owed_as_a_whole(desk: Desk) -> None:
    """A payment that is owed books and confirms nothing more."""
    first, second = await desk.reserved(1, 2)
    desk.before[ConfirmTickets] = CancelTicket(1, ADA, first.id, 1)
    with pytest.raises(RefundRequired):
        await desk.confirm([first, second])
    assert desk.status_of(second) is TicketStatus.PENDING
    assert sum(refund.amount_cents for refund in desk.database.refunds.values()) == 2 * PRICE_CENTS


async def test_the_service_vouches_for_what_the_buyer_confirms_at_the_same_time(desk: Desk) -> None:
    (ticket,) = await desk.reserved(1)
    desk.before[ConfirmTicket] = ConfirmTicket(1, ADA, ticket.id, 1, "pi_2")
    assert await desk.confirm([ticket]) == [TicketStatus.CONFIRMED]
    assert desk.database.vouchers == {"pi_2": "service"}


@pytest.mark.parametrize("surplus_cents", [0, 1])
async def test_what_has_brought_enough_confirms_tickets(desk: Desk, surplus_cents: int) -> None:
    tickets = await desk.reserved(1, 2)
    received_cents = 2 * PRICE_CENTS + surplus_cents
    assert await desk.confirm(tickets, received_cents=received_cents) == [TicketStatus.CONFIRMED] * 2


@pytest.mark.parametrize(("received_cents", "expected_cents"), [(2 * PRICE_CENTS - 1, None), (9000, 1)])
async def test_what_has_brought_too_little_confirms_no_ticket(
    desk: Desk, received_cents: int, expected_cents: int | None
) -> None:
    tickets = await desk.reserved(1, 2)
    with pytest.raises(RefundRequired) as required:
        await desk.confirm(tickets, received_cents=received_cents, expected_total_cents=expected_cents)
    assert required.value.reason == PriceChanged.code
    assert list(map(desk.status_of, tickets)) == [TicketStatus.PENDING] * 2
    owed_cents = [refund.amount_cents for refund in desk.database.refunds.values()]
    assert sum(owed_cents) == min(received_cents, expected_cents or received_cents)


# Payments that cannot be used


async def test_a_payment_that_cannot_be_used_is_owed_also_if_another_buyer_has_named_it(desk: Desk) -> None:
    await desk.buy_as_guest(BOB, 5, payment="pi_9")
    for payment_id, own_id in (("pi_8", "pi_8"), ("pi_9", "vouched:pi_9")):
        unusable = UnusablePayment(payment_id, 1, ADA, 500, "currency_mismatch")
        refund = await desk.payments.refuse(unusable, PAYMENTS_SERVICE)
        assert refund is not None
        assert (refund.payment_id, refund.holder, refund.amount_cents) == (own_id, ADA, 500)
        assert await desk.payments.vouch(payment_id, ADA, PAYMENTS_SERVICE) == own_id
    assert desk.database.vouchers == {"pi_8": "service", "vouched:pi_9": "service"}


async def test_a_buyer_vouches_for_nothing(desk: Desk) -> None:
    await desk.buy_as_guest(BOB, 5)
    for holder in (ADA, BOB):
        assert await desk.payments.vouch("pi_1", holder, None) == "pi_1"
    assert desk.database.vouchers == {}
