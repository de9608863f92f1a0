"""`/api/v1/ops/screenings/{screening_id}`: what administrators do by hand, such as at the counter.

Everything goes through the engine like what customers do, and the event log names the administrator as the
actor. Bookings are cancelled with `PUT /api/v1/tickets/{ticket_id}/status`, which does the same.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.ops.customers import HOLDER_LIMIT, ForCustomer, customer_of, holder_before, holder_behind, papers_of
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import RequestSchema, SeatIds, Trimmed, text
from api.sales.holders import HOLDER, holder_field, shown
from api.sales.receipts import TICKETS_CREATED
from api.sales.representations import Reservation, TicketSold, reservation_document
from api.sales.selling import payment_field
from engine import selling_errors as errors
from engine.commands import BookSeats, HoldSeatsFor, PlaceOrder, RevokeHolds, SellSeats
from engine.counter import COUNTER_NOTE
from engine.errors import EngineError, NotFound
from engine.events import HoldsReleased
from engine.records import HOUSE
from engine.replies import Booked, Held, Released
from engine.rule_errors import PersonLimitExceeded
from engine.vouching import COUNTER_PAYMENT

METHODS = ("cash", "card")
REFERENCE_LIMIT = 100
REASON_LIMIT = 200
_REFERENCE_BYTES = 8

_ACCESS = (HOUSE,)
"""Administrators may take seats that are kept back for the house."""

actions = Resource("/api/v1/ops/screenings", tag="Operations")

_REFUSALS = (
    NotFound,
    errors.ScreeningNotFound,
    errors.SeatsNotFound,
    errors.ScreeningStarted,
    errors.SeatsUnavailable,
    errors.TicketTypeNotFound,
    errors.NotEnoughTickets,
    errors.HoldLimitExceeded,
    PersonLimitExceeded,
    errors.BookingInProgress,
)


class HoldsToRelease(RequestSchema):
    seat_ids = SeatIds(required=True, metadata={"example": [42, 43]})
    holder = text(HOLDER_LIMIT, required=True, metadata=HOLDER)


class HoldsOver(Schema):
    """The holds that were released; those that had ended before are left out."""

    released = fields.List(fields.Nested(Reservation), required=True)


@actions.post(
    "/{screening_id}/release",
    access=Access.ADMIN,
    body=HoldsToRelease,
    answers=HoldsOver,
    refusals=(errors.ScreeningNotFound, errors.SeatsNotFound),
)
async def release_by_hand(call: Call, screening_id: int, seat_ids: tuple[int, ...], holder: str) -> Document:
    """Release the holds of one holder by hand.

    Name the holder as the hall shows it. Seats that the holder does not hold any more are ignored, so nobody
    else loses a seat. The event log names you as the actor.
    """
    name = await holder_behind(call, screening_id, seat_ids, holder) or holder
    released: HoldsReleased | Released = await call.ask(
        RevokeHolds(screening_id, name, seat_ids, call.holder)
    )
    return {"released": [reservation_document(hold, "released") for hold in released.holds]}


class HeldByHand(Schema):
    """Reservations that an administrator has made."""

    holder = holder_field()
    reservations = fields.List(fields.Nested(Reservation), required=True)


@actions.post(
    "/{screening_id}/reservations",
    access=Access.ADMIN,
    body=ForCustomer,
    answers=HeldByHand,
    status=201,
    refusals=(*_REFUSALS, errors.HoldLifeSpent),
)
async def reserve_by_hand(
    call: Call,
    screening_id: int,
    seat_ids: tuple[int, ...],
    order: PlaceOrder | None,
    take_over: str | None,
    beyond_limit: bool,
    **customer: Any,
) -> Document:
    """Reserve seats or tickets of an event by hand for a customer, or take over a reservation.

    The seats must be free or reserved by the customer, or by who is named in `take_over`, and need not be on
    sale to others. All of them are reserved or none. A reservation that is taken over begins anew at the
    agreed price, and nobody else can come in between. The event log names you as the actor.
    """
    taken_from = await holder_before(call, screening_id, seat_ids, take_over, **customer)
    async with customer_of(call, screening_id, seat_ids, **customer) as holder:
        command = HoldSeatsFor(
            *(screening_id, holder, seat_ids, call.holder, taken_from, beyond_limit, _ACCESS, COUNTER_NOTE),
            order,
        )
        held: Held = await call.ask(command)
    return {
        "holder": shown(call, holder),
        "reservations": [reservation_document(hold) for hold in held.holds],
    }


class PaidAtCounter(RequestSchema):
    """A payment that an administrator has taken."""

    method = fields.String(required=True, validate=validate.OneOf(METHODS))
    reference = Trimmed(
        REFERENCE_LIMIT,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Number of the receipt, for example. It pays for one sale; the same sale again "
            "returns the same tickets.",
            "example": "till 2, 4711",
        },
    )


class SaleByHand(ForCustomer):
    """A sale: to an account, a new guest, or who has the seats already."""

    at_most_one = ("paid", "payment_id", "reason")

    payment_id = payment_field(
        {"description": "The payment, if there is one to record."}, load_default=None, allow_none=True
    )
    paid = fields.Nested(PaidAtCounter, load_default=None, allow_none=True)
    price = fields.Integer(
        strict=True,
        validate=validate.Equal(0, error="Only 0, with a reason."),
        load_default=None,
        allow_none=True,
        metadata={"description": "0 to give the tickets away; `reason` says why."},
    )
    reason = Trimmed(
        REASON_LIMIT,
        load_default=None,
        allow_none=True,
        metadata={"description": "Why the tickets are given away.", "example": "Press"},
    )

    @validates_schema
    def _require_one_payment(self, data: dict[str, Any], **_: Any) -> None:
        if (data["price"] is None) != (data["reason"] is None):
            raise ValidationError("Give price 0 and the reason together.", "reason")
        if sum(data[name] is not None for name in self.at_most_one) > 1:
            raise ValidationError("Give at most one of payment_id, paid and reason.", "paid")


@actions.post(
    "/{screening_id}/sales",
    access=Access.ADMIN,
    body=SaleByHand,
    answers=TicketSold(many=True),
    status=201,
    refusals=(*_REFUSALS, errors.PaymentAlreadyUsed, errors.RefundRequired, errors.TooManyRefunds),
    durable=True,
    receipt_form=TICKETS_CREATED,
)
async def sell_by_hand(
    call: Call,
    screening_id: int,
    seat_ids: tuple[int, ...],
    order: PlaceOrder | None,
    take_over: str | None,
    beyond_limit: bool,
    payment_id: str | None,
    paid: Mapping[str, str | None] | None,
    price: int | None,
    reason: str | None,
    **customer: Any,
) -> Booked:
    """Sell seats or tickets of an event by hand, or give them away.

    The seats must be free or reserved by the customer, or by who is named in `take_over`, and need not be on
    sale to others. The tickets are confirmed, and the confirmation is sent by mail if an address is known.
    The event log names you as the actor. With `paid` you vouch for a payment at the counter. Repeating the
    request with the same payment returns the same tickets. A payment that is named by `payment_id` and cannot
    be used is recorded as owed: `refund_required`. What is paid at the counter is not: keep the money only if
    the sale succeeds.
    """
    if paid is not None:
        payment_id = _counter_payment(**paid)
    taken_from = await holder_before(call, screening_id, seat_ids, take_over, **customer)
    papers = await papers_of(call, order.quantity, **customer) if order else ()
    async with customer_of(call, screening_id, seat_ids, **customer) as holder:
        command = SellSeats(
            *(screening_id, holder, seat_ids, call.holder, payment_id, call.receipt),
            *(beyond_limit, _ACCESS, reason, taken_from, order, papers),
        )
        try:
            booked: Booked = await call.ask(command)
        except (PersonLimitExceeded, errors.NotEnoughTickets, errors.TicketTypeNotFound):
            raise  # the payment is still good: the administrator may repeat the request with beyond_limit
        except EngineError as refusal:
            booked = await call.services.box_office.reconsider(
                BookSeats(screening_id, holder, seat_ids, payment_id), refusal
            )
    return booked


def _counter_payment(method: str | None, reference: str | None) -> str:
    """Return the id of a payment that an administrator has taken."""
    return f"{COUNTER_PAYMENT}{method}:{reference or secrets.token_hex(_REFERENCE_BYTES)}"
