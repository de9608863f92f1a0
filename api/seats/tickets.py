"""`/api/v1/tickets`: booking seats, and the caller's tickets."""

from functools import partial

from api.identity.errors import AccountRequired
from api.rest.endpoint import Answer, Ask, Call, Document, Resource
from api.rest.fields import Flag, RequestSchema
from api.rest.paging import PAGING_HEADERS, Page, paged
from api.sales.receipts import TICKET, TICKETS_CREATED
from api.sales.representations import TicketSold, ticket_document
from api.sales.selling import complete_sale, find_ticket, payment_field, queue_confirmation
from api.seats.reservations import SeatSelection
from engine import selling_errors as errors
from engine.commands import BookSeats
from engine.replies import Booked

tickets = Resource("/api/v1/tickets", tag="Tickets")

_BOOKING_REFUSALS = (
    AccountRequired,
    errors.ScreeningNotFound,
    errors.SeatsNotFound,
    errors.ScreeningStarted,
    errors.BookingInProgress,
    errors.PaymentAlreadyUsed,
)


def _sale(call: Call, command: BookSeats) -> Ask:
    return Ask(
        command,
        partial(queue_confirmation, call, call.services.clock.now()),
        partial(call.services.box_office.reconsider, command),
    )


class Booking(SeatSelection):
    payment_id = payment_field(load_default=None, allow_none=True)
    payment_pending = Flag(
        load_default=False,
        metadata={"description": "Issue pending tickets, to be confirmed with confirm-payment."},
    )


@tickets.post(
    "/book",
    body=Booking,
    answers=TicketSold(many=True),
    status=201,
    refusals=(*_BOOKING_REFUSALS, errors.SeatsUnavailable, errors.HoldLifeSpent),
    durable=True,
    receipt_form=TICKETS_CREATED,
)
def book_tickets(
    call: Call, screening_id: int, seat_ids: tuple[int, ...], payment_id: str | None, payment_pending: bool
) -> Ask:
    """Book seats that are available or reserved by the caller.

    The tickets are confirmed immediately, or pending with `payment_pending`. Repeating the request with the
    same `payment_id` returns the same tickets.
    """
    call.require_buyer()
    return _sale(
        call,
        BookSeats(screening_id, call.holder, seat_ids, payment_id, payment_pending, receipt=call.receipt),
    )


class PaidBooking(SeatSelection):
    payment_id = payment_field(required=True)


@tickets.post(
    "/book-from-reservation",
    body=PaidBooking,
    answers=TicketSold(many=True),
    status=201,
    refusals=(*_BOOKING_REFUSALS, errors.NotHeld, errors.RefundRequired),
    durable=True,
    receipt_form=TICKETS_CREATED,
)
def book_from_reservation(call: Call, screening_id: int, seat_ids: tuple[int, ...], payment_id: str) -> Ask:
    """Book the caller's reserved seats after payment.

    Idempotent by `payment_id`. If the reservation has expired, the seats are still booked if they are
    available; otherwise the response is `refund_required`.
    """
    call.require_buyer()
    return _sale(
        call,
        BookSeats(screening_id, call.holder, seat_ids, payment_id, held_only=True, receipt=call.receipt),
    )


@tickets.get("/my-tickets", query=Page, answers=TicketSold(many=True), headers=PAGING_HEADERS)
async def list_tickets(call: Call, limit: int, offset: int) -> Answer:
    """List the caller's tickets, newest first."""
    rows, total = await call.services.tickets.list_of_holder(call.holder, limit=limit, offset=offset)
    return paged(call, [ticket_document(ticket) for ticket in rows], total)


@tickets.get("/{ticket_id}", answers=TicketSold, refusals=(errors.TicketNotFound,))
async def get_ticket(call: Call, ticket_id: int) -> Document:
    """Get one of the caller's tickets."""
    return ticket_document(await find_ticket(call, ticket_id, call.holder))


@tickets.delete(
    "/{ticket_id}",
    status=204,
    refusals=(errors.TicketNotFound, errors.ScreeningStarted, errors.BookingInProgress),
    durable=True,
)
async def cancel_ticket(call: Call, ticket_id: int) -> None:
    """Cancel a ticket and release its seat.

    Idempotent.
    """
    await call.services.box_office.cancel(call.holder, ticket_id)


class Payment(RequestSchema):
    payment_id = payment_field(required=True)


@tickets.post(
    "/{ticket_id}/confirm-payment",
    body=Payment,
    answers=TicketSold,
    refusals=(
        errors.TicketNotFound,
        errors.ScreeningStarted,
        errors.TicketNotPending,
        errors.PaymentAlreadyUsed,
        errors.BookingInProgress,
    ),
    durable=True,
    receipt_form=TICKET,
)
async def confirm_payment(call: Call, ticket_id: int, payment_id: str) -> Booked:
    """Confirm the payment of a pending ticket.

    Idempotent by `payment_id`. After the screening has started it is too late (`screening_started`), and the
    payment must be refunded.
    """
    return await complete_sale(
        call, call.services.box_office.confirm(call.holder, ticket_id, payment_id, call.receipt)
    )
