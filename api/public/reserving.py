"""Reservations of the public API: their ids, response schema, lookup and ownership check.

Clients see a reservation's id as the string `<event id>-<reservation id>`.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from marshmallow import fields, validate

from api.papers.readable_codes import code_of
from api.public.errors import OVER, NotYourReservation, PurchaseInProgress, ReservationNotFound
from api.public.shapes import CamelCaseSchema, identifier
from api.rest.endpoint import Call
from api.rest.fields import LARGEST_ID, Timestamp
from api.rows import Offer
from api.wire import price, timestamp, to_cents
from engine.commands import ReadReservation
from engine.errors import NotFound
from engine.places import ticket_type_of
from engine.records import Hold, StoredReservation
from engine.replies import Held
from engine.selling_errors import ScreeningNotFound

QUANTITY_LIMIT = 100
"""Most tickets per reservation; bounds the number of ticket holders in a purchase."""

STATUSES = {"active": "ACTIVE", "expired": "EXPIRED", "converted": "CONVERTED", "released": "CANCELLED"}
"""The guide's statuses, by the stored status."""

_ID = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})", re.ASCII)


class EventOfReservation(CamelCaseSchema):
    id = identifier("17")
    title = fields.String(required=True, metadata={"example": "Night of the Brass Bands"})
    venue = fields.String(required=True, metadata={"example": "Harbour Hall"})
    start_date = Timestamp(required=True)


class TicketTypeOfReservation(CamelCaseSchema):
    id = identifier("5")
    name = fields.String(required=True, metadata={"example": "Standing"})
    price = fields.Float(required=True, metadata={"example": 25.5})
    event = fields.Nested(EventOfReservation, required=True)


class ReservationOfTickets(CamelCaseSchema):
    id = fields.String(required=True, metadata={"example": "17-100023"})
    code = fields.String(
        required=True, metadata={"description": "Human-readable code.", "example": "2222-22TK-R7"}
    )
    ticket_type_id = identifier("5")
    quantity = fields.Integer(required=True, metadata={"example": 2})
    reserved_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    remaining_seconds = fields.Integer(
        required=True, metadata={"description": "Until expiry, by the server's clock.", "example": 600}
    )
    status = fields.String(required=True, validate=validate.OneOf(list(STATUSES.values())))
    is_expired = fields.Boolean(required=True)
    price = fields.Float(
        required=True,
        metadata={"description": "Of one ticket, agreed when it was reserved.", "example": 25.5},
    )
    total_price = fields.Float(required=True, metadata={"example": 51.0})
    metadata = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    ticket_type = fields.Nested(TicketTypeOfReservation, required=True)


class ReservationKey(NamedTuple):
    """A parsed reservation id."""

    event_id: int
    reservation_id: int


def parse_reservation_id(shown_id: str) -> ReservationKey:
    """Parse a reservation's id. Raises ReservationNotFound if it is malformed."""
    match = _ID.fullmatch(shown_id)
    if match is None or max(key := ReservationKey(*map(int, match.groups()))) > LARGEST_ID:
        raise ReservationNotFound
    return key


def active_reservation(holds: Sequence[Hold]) -> StoredReservation:
    """Return the active reservation that consists of these holds, at least one."""
    first = holds[0]
    return StoredReservation(
        first.screening_id,
        first.reservation_id,
        ticket_type_of(first.seat_id),
        len(holds),
        first.holder,
        first.reserved_at,
        first.expires_at,
        first.note,
        "active",
        first.price_cents,
    )


async def find_reservation(call: Call, shown_id: str) -> StoredReservation:
    """Return one of the caller's reservations, active or not.

    Raises:
        ReservationNotFound: no reservation has this id.
        NotYourReservation: the reservation belongs to another session or user.
        StoreUnavailable: the reservation is not active, and the database cannot be read.
    """
    event_id, reservation_id = parse_reservation_id(shown_id)
    buyer = call.buyer
    try:
        held: Held = await call.ask(ReadReservation(event_id, buyer, reservation_id))
    except ScreeningNotFound as error:
        raise ReservationNotFound from error
    # Reservations of cinema seats share the id space (their seat ids are positive); this API ignores them.
    if held.holds and held.holds[0].seat_id < 0:
        return active_reservation(held.holds)
    await call.flushed()
    now = call.services.clock.now()
    stored = await call.services.reservations.reservation(event_id, reservation_id, now)
    if stored is None:
        raise ReservationNotFound
    if stored.holder != buyer:
        raise NotYourReservation
    return stored


async def find_active_reservation(call: Call, shown_id: str) -> StoredReservation:
    """Return one of the caller's active reservations.

    Raises:
        ReservationExpired, ReservationConverted, ReservationCancelled: the reservation is no longer active.
        ReservationNotFound, NotYourReservation, StoreUnavailable: as `find_reservation` raises them.
    """
    reservation = await find_reservation(call, shown_id)
    if over := OVER.get(reservation.status):
        raise over()
    return reservation


async def error_after_refusal(call: Call, shown_id: str) -> Exception:
    """Return the error to raise after the engine has refused a command on a once active reservation."""
    reservation = await find_reservation(call, shown_id)
    over = OVER.get(reservation.status)
    return over() if over else PurchaseInProgress()


async def find_offer(call: Call, reservation: StoredReservation) -> Offer:
    """Return the ticket type of a reservation.

    Raises:
        ReservationNotFound: the ticket type does not exist, so this is not a reservation of tickets.
    """
    try:
        return await call.services.offers.of(reservation.ticket_type_id)
    except NotFound as error:
        raise ReservationNotFound from error


def reservation_document(call: Call, reservation: StoredReservation, offer: Offer) -> dict[str, Any]:
    """Return a reservation's document, with the fields that the guide shows in lists and single responses."""
    now = call.services.clock.now()
    status = reservation.status
    agreed = reservation.price_cents
    price_cents = to_cents(offer.price) if agreed is None else agreed
    return {
        "id": f"{reservation.screening_id}-{reservation.reservation_id}",
        "code": code_of(reservation.reservation_id),
        "ticketTypeId": str(reservation.ticket_type_id),
        "quantity": reservation.quantity,
        "reservedAt": timestamp(reservation.reserved_at),
        "expiresAt": timestamp(reservation.expires_at),
        "remainingSeconds": seconds_left(reservation, now),
        "status": STATUSES[status],
        "isExpired": status == "expired",
        "price": price(price_cents),
        "totalPrice": price(price_cents * reservation.quantity),
        "metadata": None if reservation.note is None else orjson.loads(reservation.note),
        "ticketType": {
            "id": str(offer.ticket_type_id),
            "name": offer.name,
            "price": price(price_cents),
            "event": {
                "id": str(offer.event_id),
                "title": offer.title,
                "venue": offer.venue,
                "startDate": timestamp(offer.starts_at.timestamp()),
            },
        },
    }


def seconds_left(reservation: StoredReservation, now: float) -> int:
    """Return the seconds until a reservation expires, rounded up; 0 if it is no longer active."""
    if reservation.status != "active":
        return 0
    return max(0, math.ceil(reservation.expires_at - now))
