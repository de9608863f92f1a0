"""`/api/v1/tickets`: booking seats, and the caller's tickets."""

from collections.abc import Awaitable
from decimal import Decimal
from functools import partial

from api.errors import InvalidInput
from api.identity.errors import AccountRequired
from api.rest.endpoint import Answer, Ask, Call, Document, Resource
from api.rest.fields import Flag, RequestSchema, TicketIdsInQuery, identifier_in_query
from api.rest.paging import PAGING_HEADERS, Page, Window, cut, paged
from api.sales.receipts import TICKET, TICKETS_CREATED
from api.sales.representations import TicketSold
from api.sales.selling import (
    PAYMENTS_SERVICE,
    customer,
    customer_field,
    expected_total_field,
    find_ticket,
    is_unvouched,
    payment_field,
    require_known,
    service_of,
    shown_tickets,
)
from api.seats.reservations import SeatSelection, SeatsOfScreening
from api.wire import cents_or_none
from engine import selling_errors as errors
from engine.commands import BookSeats
from engine.replies import Booked
from engine.rule_errors import NotOnSale, PersonLimitExceeded, WouldStrandSeat

tickets = Resource("/api/v1/tickets", tag="Tickets")

_BOOKING_REFUSALS = (
    AccountRequired,
    errors.ScreeningNotFound,
    errors.SeatsNotFound,
    errors.ScreeningStarted,
    errors.BookingInProgress,
    errors.PaymentAlreadyUsed,
    errors.PriceChanged,
    errors.RefundRequired,
    errors.TooManyRefunds,
)


def _sale(call: Call, command: BookSeats) -> Ask | Awaitable[Booked]:
    if command.actor is not None:
        return _sale_by_service(call, command)
    return Ask(
        command,
        lambda booked: booked,
        partial(call.services.box_office.reconsider, command),
    )


async def _sale_by_service(call: Call, command: BookSeats) -> Booked:
    await require_known(call, command.holder)
    return await call.services.payments.book(command)


class Booking(SeatSelection):
    payment_id = payment_field(load_default=None, allow_none=True)
    payment_pending = Flag(
        load_default=False,
        metadata={"description": "Issue pending tickets, to be confirmed with confirm-payment."},
    )
    user_id = customer_field()
    expected_total = expected_total_field()


@tickets.post(
    "/book",
    body=Booking,
    answers=TicketSold(many=True),
    status=201,
    refusals=(
        *_BOOKING_REFUSALS,
        errors.SeatsUnavailable,
        errors.HoldLifeSpent,
        PersonLimitExceeded,
        WouldStrandSeat,
        NotOnSale,
    ),
    durable=True,
    receipt_form=TICKETS_CREATED,
    service=PAYMENTS_SERVICE,
    access_code=True,
)
def book_tickets(
    call: Call,
    screening_id: int,
    seat_ids: tuple[int, ...],
    payment_id: str | None,
    payment_pending: bool,
    user_id: int | None,
    expected_total: Decimal | None,
) -> Ask | Awaitable[Booked]:
    """Book seats that are available or reserved by the caller.

    The tickets are confirmed immediately, or pending with `payment_pending`. Repeating the request with the
    same `payment_id` returns the same tickets, with their present status. A payment that cannot be used is
    recorded as owed, and the response is `refund_required`.
    """
    holder = customer(call, user_id)
    return _sale(
        call,
        BookSeats(
            screening_id,
            holder,
            seat_ids,
            payment_id,
            payment_pending,
            receipt=call.receipt,
            actor=service_of(call),
            expected_total_cents=cents_or_none(expected_total),
            unvouched=is_unvouched(call),
            access=call.access,
        ),
    )


class PaidBooking(SeatsOfScreening):
    payment_id = payment_field(required=True)
    user_id = customer_field()
    expected_total = expected_total_field()


@tickets.post(
    "/book-from-reservation",
    body=PaidBooking,
    answers=TicketSold(many=True),
    status=201,
    refusals=(*_BOOKING_REFUSALS, errors.NotHeld),
    durable=True,
    receipt_form=TICKETS_CREATED,
    service=PAYMENTS_SERVICE,
)
def book_from_reservation(
    call: Call,
    screening_id: int,
    seat_ids: tuple[int, ...],
    payment_id: str,
    user_id: int | None,
    expected_total: Decimal | None,
) -> Ask | Awaitable[Booked]:
    """Book the caller's reserved seats after payment.

    Idempotent by `payment_id`: the same payment returns the same tickets, with their present status. A
    payment that cannot be used, for example because the reservation has ended, is recorded as owed, and the
    response is `refund_required`. Servers can be set to book seats that are still available instead.
    """
    holder = customer(call, user_id)
    return _sale(
        call,
        BookSeats(
            screening_id,
            holder,
            seat_ids,
            payment_id,
            held_only=True,
            receipt=call.receipt,
            actor=service_of(call),
            expected_total_cents=cents_or_none(expected_total),
            unvouched=is_unvouched(call),
        ),
    )


@tickets.get("/my-tickets", query=Page, answers=TicketSold(many=True), headers=PAGING_HEADERS)
async def list_tickets(call: Call, window: Window) -> Answer:
    """List the caller's tickets, newest first."""
    rows, total = await call.services.tickets.list_of_holder(
        call.holder, limit=window.limit + 1, offset=window.offset, before_id=window.before_id(call)
    )
    shown, last = cut(rows, window, lambda ticket: ticket.id)
    return paged(call, window, await shown_tickets(call, shown), total, last)


@tickets.get("/{ticket_id}", answers=TicketSold, refusals=(errors.TicketNotFound,))
async def get_ticket(call: Call, ticket_id: int) -> Document:
    """Get one of the caller's tickets."""
    (document,) = await shown_tickets(call, [await find_ticket(call, ticket_id, call.holder)])
    return document


class OfCustomer(RequestSchema):
    user_id = identifier_in_query(
        load_default=None,
        metadata={"description": "The ticket's owner, which a service may name to be sure.", "example": 7},
    )


@tickets.delete(
    "/{ticket_id}",
    query=OfCustomer,
    status=204,
    refusals=(
        errors.TicketNotFound,
        errors.TicketAdmitted,
        errors.ScreeningStarted,
        errors.BookingInProgress,
        errors.TooManyRefunds,
    ),
    durable=True,
    service=PAYMENTS_SERVICE,
)
async def cancel_ticket(call: Call, ticket_id: int, user_id: int | None) -> None:
    """Cancel a ticket and release its seat.

    Idempotent. If a payment has confirmed the ticket, its price is recorded as owed. A ticket that was
    admitted at the door stays: only an administrator can cancel it.
    """
    holder = await _owner(call, ticket_id, user_id)
    await call.services.box_office.cancel(holder, ticket_id, service_of(call))


class TicketsOfCustomer(OfCustomer):
    ids = TicketIdsInQuery(required=True, metadata={"description": "Comma-separated, e.g. 2001,2002."})


@tickets.delete(
    "/",
    query=TicketsOfCustomer,
    status=204,
    refusals=(
        errors.TicketNotFound,
        errors.TicketAdmitted,
        errors.ScreeningStarted,
        errors.BookingInProgress,
        errors.TooManyRefunds,
    ),
    durable=True,
    service=PAYMENTS_SERVICE,
)
async def cancel_tickets(call: Call, ids: tuple[int, ...], user_id: int | None) -> None:
    """Cancel several tickets of one screening in one step, all or none, and release their seats.

    Idempotent: tickets that are cancelled already stay so.
    """
    ticket_ids = tuple(dict.fromkeys(ids))
    holder = await _owner(call, ticket_ids[0], user_id)
    tickets = [await find_ticket(call, ticket_id, holder) for ticket_id in ticket_ids]
    if len({ticket.screening_id for ticket in tickets}) > 1:
        raise InvalidInput({"ids": ["The tickets are of several screenings; cancel those of each apart."]})
    await call.services.box_office.cancel_all(holder, ticket_ids, service_of(call))


async def _owner(call: Call, ticket_id: int, user_id: int | None) -> str:
    """The holder whose tickets are cancelled; a service may leave it to the ticket."""
    if user_id is not None or service_of(call) is None:
        return customer(call, user_id)
    ticket = await call.services.tickets.ticket(ticket_id)
    if ticket is None:
        raise errors.TicketNotFound(ticket_id)
    return ticket.holder


class Payment(RequestSchema):
    payment_id = payment_field(required=True)
    user_id = customer_field()
    expected_total = expected_total_field(15.99)


@tickets.post(
    "/{ticket_id}/confirm-payment",
    body=Payment,
    answers=TicketSold,
    refusals=(
        errors.TicketNotFound,
        errors.ScreeningStarted,
        errors.TicketNotPending,
        errors.PriceChanged,
        errors.PaymentAlreadyUsed,
        errors.RefundRequired,
        errors.TooManyRefunds,
        errors.BookingInProgress,
    ),
    durable=True,
    receipt_form=TICKET,
    service=PAYMENTS_SERVICE,
)
async def confirm_payment(
    call: Call, ticket_id: int, payment_id: str, user_id: int | None, expected_total: Decimal | None
) -> Booked:
    """Confirm the payment of a pending ticket.

    Idempotent by `payment_id`: the same payment returns the same ticket, with its present status. A payment
    that comes too late, or for a ticket that is paid for, is recorded as owed, and the response is
    `refund_required`. Servers can be set to book the seat of an expired ticket again if it is available; then
    the response has a new ticket.
    """
    holder, service = customer(call, user_id), service_of(call)
    total_cents = cents_or_none(expected_total)
    if service is not None:
        await require_known(call, holder)
        return await call.services.payments.confirm(
            holder, [ticket_id], payment_id, service, call.receipt, total_cents
        )
    if is_unvouched(call):
        ticket = await find_ticket(call, ticket_id, holder)
        if ticket.confirmed_at is None and ticket.price_cents:
            # Only a provider or a service can tell what becomes of it, also if it has lapsed.
            return Booked((ticket,))
    return await call.services.box_office.confirm(
        holder, ticket_id, payment_id, call.receipt, expected_total_cents=total_cents
    )
