"""Reservations and tickets in responses: for each a schema, and a function that builds the document.

The schemas serve the documentation and the tests, which check the functions against them. Responses do not
use marshmallow, because its dump takes longer than the reservation itself.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from api.rest.fields import Timestamp
from api.wire import new_timestamp, price, timestamp, timestamp_or_none, user_id_of
from engine.events import HoldsExtended, HoldsReleased, SeatsHeld
from engine.places import ticket_type_of
from engine.records import Hold, Ticket, TicketStatus
from engine.replies import Held
from engine.vouching import providers_id

RESERVATION_STATUSES = ("active", "expired", "released", "converted")


def _id(example: int, **options: Any) -> fields.Integer:
    return fields.Integer(required=True, metadata={"example": example}, **options)


def _timestamp(example: str, **options: Any) -> Timestamp:
    return Timestamp(required=True, metadata={"example": example}, **options)


def _one_of(values: tuple[str, ...]) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(values))


def _of_event(kind: type[fields.Field[Any]], example: object) -> fields.Field[Any]:
    """Return a field that only event tickets have."""
    return kind(allow_none=True, metadata={"description": "Only event tickets have it.", "example": example})


def vouched_by_field() -> fields.String:
    """Return the response field that tells operators who has vouched for a payment."""
    return fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Who has vouched for the payment: `stripe`, `service`, or `counter` if an "
            "administrator has taken it; null if it has only been named."
        },
    )


class Reservation(Schema):
    """A hold on one seat."""

    id = _id(1001)
    screening_id = _id(123)
    seat_id = _id(42)
    user_id = _id(7)
    reserved_at = _timestamp("2026-01-26T18:25:00.000Z")
    expires_at = _timestamp("2026-01-26T18:30:00.000Z")
    status = _one_of(RESERVATION_STATUSES)
    price = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "example": 15.99,
            "description": "Agreed when the seat was reserved; null if an earlier release reserved it.",
        },
    )


def reservation_document(hold: Hold, status: str = "active") -> dict[str, Any]:
    """Return a hold's document, as in sections 2 and 5 of the cinema guide."""
    return {
        "id": hold.id,
        "screening_id": hold.screening_id,
        "seat_id": hold.seat_id,
        "user_id": user_id_of(hold.holder),
        "reserved_at": timestamp(hold.reserved_at),
        "expires_at": timestamp(hold.expires_at),
        "status": status,
        "price": None if hold.price_cents is None else price(hold.price_cents),
    }


def reservation_documents(
    held: SeatsHeld | HoldsExtended | HoldsReleased | Held, status: str = "active"
) -> list[dict[str, Any]]:
    """Return the documents of the holds in a reply."""
    if not isinstance(held, SeatsHeld) or not held.prices_cents:
        return [reservation_document(hold, status) for hold in held.holds]
    screening_id, _, _, at, holder, hold_id, seat_ids, ends_at, _, _, _, _, prices_cents, _, _ = held
    user_id, reserved_at, expires_at = user_id_of(holder), new_timestamp(at), new_timestamp(ends_at)
    documents = []
    for seat_id, price_cents in zip(seat_ids, prices_cents, strict=True):
        documents.append(
            {
                "id": hold_id,
                "screening_id": screening_id,
                "seat_id": seat_id,
                "user_id": user_id,
                "reserved_at": reserved_at,
                "expires_at": expires_at,
                "status": status,
                "price": price_cents / 100,
            }
        )
        hold_id += 1
    return documents


class TicketSold(Schema):
    """A ticket. A pending or confirmed ticket occupies its seat.

    An event ticket has a ticket type instead of a seat, and its `screening_id` is the event.
    """

    id = _id(2001)
    booking_id = _id(2001)
    user_id = _id(7)
    screening_id = _id(123)
    seat_id = _id(42, allow_none=True)
    event_id = _of_event(fields.Integer, 17)
    ticket_type_id = _of_event(fields.Integer, 5)
    code = fields.String(
        allow_none=True,
        metadata={
            "description": "What is printed under the QR code. Absent where tickets for seats are sold or "
            "moved; read the ticket to get it.",
            "example": "7K4M-2XPD-9RTA-CW3E",
        },
    )
    holder_name = fields.String(
        allow_none=True,
        metadata={
            "description": "Who has it, if that is known: the person named at the purchase of an event's "
            "ticket, or the last one to whom it was given. Absent where tickets are sold or moved.",
            "example": "Grace Hopper",
        },
    )
    price = fields.Float(required=True, metadata={"example": 15.99, "description": "Exact to the cent."})
    status = _one_of(tuple(TicketStatus))
    booked_at = _timestamp("2026-01-26T18:25:00.000Z")
    confirmed_at = _timestamp("2026-01-26T18:25:30.000Z", allow_none=True)
    payment_id = fields.String(required=True, allow_none=True, metadata={"example": "stripe_pi_1234567890"})
    payment_deadline = Timestamp(metadata={"description": "When a pending ticket lapses unless it is paid."})
    admitted_at = Timestamp(metadata={"description": "When it was used at the door; absent if it was not."})


def ticket_document(ticket: Ticket) -> dict[str, Any]:
    """Return a ticket's document, as in sections 6 to 9 of the cinema guide."""
    document = {
        "id": ticket.id,
        "booking_id": ticket.booking_id,
        "user_id": user_id_of(ticket.holder),
        "screening_id": ticket.screening_id,
        "seat_id": ticket.seat_id,
        "price": price(ticket.price_cents),
        "status": ticket.status.value,
        "booked_at": timestamp(ticket.booked_at),
        "confirmed_at": timestamp_or_none(ticket.confirmed_at),
        "payment_id": ticket.payment_id and providers_id(ticket.payment_id),
    }
    if ticket.seat_id < 0:
        document |= {
            "seat_id": None,
            "event_id": ticket.screening_id,
            "ticket_type_id": ticket_type_of(ticket.seat_id),
            "code": ticket.code,
        }
    if ticket.payment_deadline is not None:
        document["payment_deadline"] = timestamp(ticket.payment_deadline)
    return document
