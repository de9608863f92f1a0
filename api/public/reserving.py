"""What a reservation of the public door is: its id, what is told of it, and who may do something with it.

On the wire a reservation has the id `<event id>-<reservation id>`, which clients take as a text.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from marshmallow import fields, validate

from api.public.readable_codes import code_of
from api.public.refusals import OVER, NotYourReservation, PurchaseInProgress, ReservationNotFound
from api.public.shapes import Named, identifier
from api.rest.endpoint import Call
from api.rest.fields import LARGEST_ID, Moment
from api.rows import Offer
from api.wire import timestamp
from engine.commands import ReadReservation
from engine.errors import NotFound, ScreeningNotFound
from engine.places import ticket_type_of
from engine.records import Hold, StoredReservation
from engine.replies import Held

QUANTITY_LIMIT = 100
"""Most tickets of one reservation, so that a purchase can name whoever comes."""

STATUSES = {"active": "ACTIVE", "expired": "EXPIRED", "converted": "CONVERTED", "released": "CANCELLED"}
"""The guide's words, by those of the database."""

_ID = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})", re.ASCII)


class EventOfReservation(Named):
    """The event that is reserved for."""

    id = identifier("17")
    title = fields.String(required=True, metadata={"example": "Night of the Brass Bands"})
    venue = fields.String(required=True, metadata={"example": "Harbour Hall"})
    start_date = Moment(required=True)


class TicketTypeOfReservation(Named):
    """What is reserved."""

    id = identifier("5")
    name = fields.String(required=True, metadata={"example": "Standing"})
    price = fields.Float(required=True, metadata={"example": 25.5})
    event = fields.Nested(EventOfReservation, required=True)


class ReservationOfTickets(Named):
    """Tickets that are, or were, reserved."""

    id = fields.String(required=True, metadata={"example": "17-100023"})
    code = fields.String(
        required=True, metadata={"description": "For people to read aloud.", "example": "2222-22TK-R7"}
    )
    ticket_type_id = identifier("5")
    quantity = fields.Integer(required=True, metadata={"example": 2})
    reserved_at = Moment(required=True)
    expires_at = Moment(required=True)
    remaining_seconds = fields.Integer(
        required=True, metadata={"description": "Until it expires, by the server's clock.", "example": 600}
    )
    status = fields.String(required=True, validate=validate.OneOf(list(STATUSES.values())))
    is_expired = fields.Boolean(required=True)
    metadata = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    ticket_type = fields.Nested(TicketTypeOfReservation, required=True)


class ReservationKey(NamedTuple):
    """What an id on the wire stands for."""

    event_id: int
    reservation_id: int


def key_of(shown_id: str) -> ReservationKey:
    """What a reservation's id stands for.

    Raises:
        ReservationNotFound: nothing.
    """
    match = _ID.fullmatch(shown_id)
    if match is None or max(key := ReservationKey(*map(int, match.groups()))) > LARGEST_ID:
        raise ReservationNotFound
    return key


def reserved(holds: Sequence[Hold]) -> StoredReservation:
    """A live reservation, of its holds."""
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
    )


async def found(call: Call, shown_id: str) -> StoredReservation:
    """One of the caller's reservations, whatever became of it.

    Raises:
        ReservationNotFound: there is none of this id.
        NotYourReservation: it is somebody else's.
        StoreUnavailable: it is not live, and the database cannot tell what became of it.
    """
    event_id, reservation_id = key_of(shown_id)
    buyer = call.buyer
    try:
        held: Held = await call.ask(ReadReservation(event_id, buyer, reservation_id))
    except ScreeningNotFound as error:
        raise ReservationNotFound from error
    # A seat of a cinema is reserved under an id of the same kind, and is none of this door's business.
    if held.holds and held.holds[0].seat_id < 0:
        return reserved(held.holds)
    await call.written()
    now = call.services.clock.now()
    stored = await call.services.reservations.reservation(event_id, reservation_id, now)
    if stored is None:
        raise ReservationNotFound
    if stored.holder != buyer:
        raise NotYourReservation
    return stored


async def found_active(call: Call, shown_id: str) -> StoredReservation:
    """One of the caller's reservations, if something can still be done with it.

    Raises:
        ReservationExpired, ReservationConverted, ReservationCancelled: nothing can.
        ReservationNotFound, NotYourReservation, StoreUnavailable: as `found` raises them.
    """
    reservation = await found(call, shown_id)
    require_active(reservation)
    return reservation


def require_active(reservation: StoredReservation) -> None:
    """Let pass a reservation that is not over.

    Raises:
        ReservationExpired, ReservationConverted, ReservationCancelled: it is.
    """
    if over := OVER.get(reservation.status):
        raise over()


async def changed_meanwhile(call: Call, shown_id: str) -> Exception:
    """Why the engine has refused what could be done a moment ago.

    Returns:
        What is to be raised.
    """
    reservation = await found(call, shown_id)
    over = OVER.get(reservation.status)
    return over() if over else PurchaseInProgress()


async def offer_of(call: Call, reservation: StoredReservation) -> Offer:
    """What a reservation is of.

    Raises:
        ReservationNotFound: that does not exist, so it was none of tickets.
    """
    try:
        return await call.services.offers.of(reservation.ticket_type_id)
    except NotFound as error:
        raise ReservationNotFound from error


def reservation_document(call: Call, reservation: StoredReservation, offer: Offer) -> dict[str, Any]:
    """A reservation as the guide shows it, with the fields of its list and of its answers alike."""
    now = call.services.clock.now()
    status = reservation.status
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
        "metadata": None if reservation.note is None else orjson.loads(reservation.note),
        "ticketType": {
            "id": str(offer.ticket_type_id),
            "name": offer.name,
            "price": float(offer.price),
            "event": {
                "id": str(offer.event_id),
                "title": offer.title,
                "venue": offer.venue,
                "startDate": timestamp(offer.starts_at.timestamp()),
            },
        },
    }


def seconds_left(reservation: StoredReservation, now: float) -> int:
    """How long a reservation can still be bought, in begun seconds; 0 if it is over."""
    if reservation.status != "active":
        return 0
    return max(0, math.ceil(reservation.expires_at - now))
