"""`/api/v1/tickets/…/move`: other seats, ticket types or screenings for tickets that are sold."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import ValidationError, validates_schema

from api.errors import InvalidInput
from api.rest.endpoint import Call, Resource
from api.rest.fields import Identifier, RequestSchema, SeatIds
from api.sales.receipts import TICKET_MOVED, TICKETS_MOVED
from api.sales.representations import TicketSold
from api.sales.selling import (
    PAYMENTS_SERVICE,
    customer,
    customer_field,
    expected_total_field,
    is_unvouched,
    payment_field,
    service_of,
)
from api.wire import cents_or_none
from engine import moving_errors, rule_errors
from engine import selling_errors as errors
from engine.catalogue_errors import TicketNotConfirmed
from engine.movers import MoveOrder
from engine.records import Ticket
from engine.replies import Moved

ticket_moves = Resource("/api/v1/tickets", tag="Tickets")

_RESERVE_FIRST = "; reserve them with the access code first, then move"

_REFUSALS = (
    errors.TicketNotFound,
    errors.ScreeningNotFound,
    errors.SeatsNotFound,
    errors.ScreeningStarted,
    errors.ScreeningCancelled,
    errors.SeatsUnavailable,
    errors.TicketTypeNotFound,
    errors.NotEnoughTickets,
    errors.OrderLimitExceeded,
    errors.SalesClosed,
    errors.HoldLimitExceeded,
    rule_errors.PersonLimitExceeded,
    rule_errors.NotOnSale,
    errors.TicketAdmitted,
    errors.BookingInProgress,
    TicketNotConfirmed,
    moving_errors.MovesClosed,
    moving_errors.TicketNotMovable,
    moving_errors.PaymentRequired,
    moving_errors.NothingToPay,
    moving_errors.MoveInterrupted,
    errors.PriceChanged,
    errors.PaymentAlreadyUsed,
    errors.RefundRequired,
    errors.TooManyRefunds,
)


class _Move(RequestSchema):
    screening_id = Identifier(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The screening or event to move to; by default the present one, or that of the "
            "ticket type.",
            "example": 124,
        },
    )
    ticket_type_id = Identifier(
        load_default=None,
        allow_none=True,
        metadata={"description": "In place of a seat, for tickets of events: the ticket type to move to."},
    )
    payment_id = payment_field(
        {"description": "Pays what the new seats cost more."}, load_default=None, allow_none=True
    )
    expected_total = expected_total_field(5.0)
    user_id = customer_field()


def _require_place(data: Mapping[str, Any], seats: str) -> None:
    """Raise ValidationError unless a request says where tickets shall go."""
    if data["ticket_type_id"] is not None:
        if data[seats] is not None:
            raise ValidationError("Name seats or a ticket type.", seats)
    elif data[seats] is None and data["screening_id"] is None:
        raise ValidationError("Required if there is no screening_id and no ticket_type_id.", seats)


class TicketMove(_Move):
    seat_id = Identifier(
        load_default=None,
        allow_none=True,
        metadata={"description": "By default the same seat, in another screening.", "example": 43},
    )

    @validates_schema
    def _somewhere(self, data: dict[str, Any], **_: Any) -> None:
        _require_place(data, "seat_id")


class TicketIds(SeatIds):
    of_what = "ticket"


class TicketMoves(_Move):
    ticket_ids = TicketIds(
        required=True, metadata={"description": "Of one order and screening.", "example": [2001, 2002]}
    )
    seat_ids = SeatIds(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The seat of each ticket, in their order; by default the same seats, in "
            "another screening.",
            "example": [43, 44],
        },
    )

    @validates_schema
    def _a_seat_for_each(self, data: dict[str, Any], **_: Any) -> None:
        tickets, seats = data["ticket_ids"], data["seat_ids"]
        if len(set(tickets)) < len(tickets):
            raise ValidationError("Name each ticket once.", "ticket_ids")
        _require_place(data, "seat_ids")
        if seats is not None and (len(set(seats)) < len(seats) or len(seats) != len(tickets)):
            raise ValidationError("Name a seat for each ticket, each once.", "seat_ids")


@ticket_moves.post(
    "/{ticket_id}/move",
    body=TicketMove,
    answers=TicketSold,
    refusals=_REFUSALS,
    durable=True,
    receipt_form=TICKET_MOVED,
    service=PAYMENTS_SERVICE,
)
async def move_ticket(
    call: Call,
    ticket_id: int,
    seat_id: int | None,
    screening_id: int | None,
    ticket_type_id: int | None,
    payment_id: str | None,
    expected_total: Decimal | None,
    user_id: int | None,
) -> Moved:
    """Move a ticket to another seat, to another screening, or to another ticket type, in one step.

    The ticket keeps its id. It is where it was, or where it shall be, whatever happens in between. If that is
    dearer, it needs a payment of the difference: without one the response is 409 `payment_required` with
    `amount`. If it is cheaper, the difference is owed. Repeating the request changes nothing. Holders may
    move tickets if `moves_allowed` of both screenings or events says so; administrators may move the tickets
    of others, and need no payment.
    """
    seat_ids = None if seat_id is None else (seat_id,)
    to = _Destination(screening_id, seat_ids, ticket_type_id)
    return await _move(call, (ticket_id,), to, payment_id, cents_or_none(expected_total), user_id)


@ticket_moves.post(
    "/move",
    body=TicketMoves,
    answers=TicketSold(many=True),
    refusals=_REFUSALS,
    durable=True,
    receipt_form=TICKETS_MOVED,
    service=PAYMENTS_SERVICE,
)
async def move_tickets(
    call: Call,
    ticket_ids: tuple[int, ...],
    seat_ids: tuple[int, ...] | None,
    screening_id: int | None,
    ticket_type_id: int | None,
    payment_id: str | None,
    expected_total: Decimal | None,
    user_id: int | None,
) -> Moved:
    """Move several tickets of an order in one step, all or none.

    A seat may pass from one of the tickets to another. What some of them become cheaper pays for what others
    become dearer; `amount`, `expected_total` and the payment are about the difference of the sums.
    """
    to = _Destination(screening_id, seat_ids, ticket_type_id)
    return await _move(call, ticket_ids, to, payment_id, cents_or_none(expected_total), user_id)


class _Destination(NamedTuple):
    """The destination of tickets, as the request gives it."""

    screening_id: int | None
    seat_ids: tuple[int, ...] | None
    ticket_type_id: int | None


async def _place(call: Call, tickets: Sequence[Ticket], to: _Destination) -> tuple[int, tuple[int, ...]]:
    """Return the screening or event that tickets shall go to, and the seats."""
    if to.ticket_type_id is not None:
        offer = await call.services.offers.find(str(to.ticket_type_id), call.identity)
        if to.screening_id not in (None, offer.event_id):
            raise InvalidInput({"screening_id": ["The ticket type is of another event."]})
        return offer.event_id, ()
    first = tickets[0]
    if first.seat_id < 0 and to.seat_ids is None:
        raise InvalidInput({"ticket_type_id": ["Required for tickets of an event."]})
    seat_ids = to.seat_ids or tuple([ticket.seat_id for ticket in tickets])
    return first.screening_id if to.screening_id is None else to.screening_id, seat_ids


async def _move(
    call: Call,
    ticket_ids: tuple[int, ...],
    to: _Destination,
    payment_id: str | None,
    expected_cents: int | None,
    user_id: int | None,
) -> Moved:
    tickets = []
    for ticket_id in ticket_ids:
        ticket = await call.services.tickets.ticket(ticket_id)
        holder = ticket.holder if call.admin and ticket is not None else customer(call, user_id)
        if ticket is None or ticket.holder != holder:
            raise errors.TicketNotFound(ticket_id)
        tickets.append(ticket)
    if len({(ticket.booking_id, ticket.screening_id) for ticket in tickets}) > 1:
        raise InvalidInput({"ticket_ids": ["Of several orders or screenings; move those of each apart."]})
    service, first = service_of(call), tickets[0]
    if service is not None and payment_id is not None:
        payment_id = await call.services.payments.vouch(payment_id, first.holder, service)
    order = MoveOrder(
        first.holder,
        ticket_ids,
        *await _place(call, tickets, to),
        payment_id,
        expected_cents,
        call.holder if call.admin and call.holder != first.holder else service,
        by_hand=call.admin,
        unvouched=is_unvouched(call) and not call.admin,
        ticket_type_id=to.ticket_type_id,
        receipt=call.receipt,
    )
    try:
        return await call.services.movers.move(order)
    except errors.SeatsUnavailable as refusal:
        remedy = _RESERVE_FIRST if refusal.blocked else ""
        raise errors.SeatsUnavailable(refusal.held, refusal.booked, refusal.blocked, remedy) from refusal
