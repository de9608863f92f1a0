"""`/api/v1/seat-reservations`: reserving seats, as in both seat guides."""

import time
from functools import lru_cache, partial
from math import ceil
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from api.looks import REST
from api.rest.access_codes import AccessCode
from api.rest.endpoint import Access, Answer, Ask, Call, Document, Resource
from api.rest.fields import Identifier, SeatIds, SeatIdsInQuery
from api.rest.paging import PAGING_HEADERS, Page, Window, cut, paged
from api.rest.plain_bodies import PlainBody
from api.rest.plain_queries import PlainQuery
from api.sales.channels import ByChannel
from api.sales.parties import Party, best_for
from api.sales.representations import Reservation, reservation_document, reservation_documents
from api.sales.seat_maps import RESERVED_BY_ME, VERSION_HEADERS, SeatAvailability, seats_answer
from api.wire import counted, timestamp
from engine import selling_errors as errors
from engine.commands import ExtendHolds, HoldSeats, ReadSeats, ReleaseHolds, ToggleSeats
from engine.events import HoldsExtended, SeatsHeld
from engine.ports import Clock
from engine.records import make
from engine.replies import Held, Toggled
from engine.rule_errors import NotOnSale, PersonLimitExceeded, WouldStrandSeat
from engine.views import SeatMap

LONGEST_EXTENSION_MINUTES = 60
_MESSAGES_KEPT = 256

reservations = Resource("/api/v1/seat-reservations", tag="Seat reservations")

_UNKNOWN = (errors.ScreeningNotFound, errors.SeatsNotFound)
_RULES = (
    errors.ScreeningStarted,
    WouldStrandSeat,
    errors.HoldLimitExceeded,
    errors.GuestLimitExceeded,
    PersonLimitExceeded,
    NotOnSale,
)
_HOLD_REFUSALS = (*_UNKNOWN, *_RULES, errors.SeatsUnavailable, errors.HoldLifeSpent)


def _made(call: Call, held: SeatsHeld | Held) -> Document:
    documents = reservation_documents(held)
    minutes = _minutes_left(held, call.services.clock)
    document: dict[str, Any] = {
        "reservations": documents,
        "expires_in_minutes": minutes,
        "message": _reserved(len(documents), minutes),
    }
    return {**document, **_warning(held)} if held.stranded else document


def _warning(held: SeatsHeld | Held) -> dict[str, Any]:
    """The warning of a screening: the seats that would be left alone, and other choices."""
    if not held.stranded:
        return {}
    return {"stranded": held.stranded, "alternatives": held.alternatives}


def _minutes_left(held: SeatsHeld | Held, clock: Clock) -> int:
    """Minutes until the first of the holds expires, rounded up."""
    if isinstance(held, SeatsHeld):
        return ceil((held.expires_at - held.at) / 60)
    return ceil((min(hold.expires_at for hold in held.holds) - clock.now()) / 60)


@lru_cache(_MESSAGES_KEPT)
def _reserved(count: int, minutes: int) -> str:
    return f"Reserved {counted(count, 'seat')} for {counted(minutes, 'minute')}"


class SeatsOfScreening(PlainBody):
    """Seats of a screening."""

    screening_id = Identifier(required=True, metadata={"example": 123})
    seat_ids = SeatIds(required=True, metadata={"example": [42, 43, 44]})


class SeatSelection(SeatsOfScreening):
    """Seats of a screening to reserve."""

    access_code = AccessCode()


class ToggleSelection(PlainBody):
    """One or more seats of a screening."""

    exactly_one = ("seat_id", "seat_ids")

    screening_id = Identifier(required=True, metadata={"example": 123})
    seat_id = Identifier(metadata={"description": "Give either `seat_id` or `seat_ids`.", "example": 42})
    seat_ids = SeatIds(metadata={"description": "Give either `seat_id` or `seat_ids`.", "example": [42, 43]})
    access_code = AccessCode()

    def united(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Convert `seat_id` to `seat_ids`."""
        if ("seat_id" in fields) == ("seat_ids" in fields):
            raise ValidationError("Give either seat_id or seat_ids.", "seat_ids")
        if "seat_id" in fields:
            fields["seat_ids"] = (fields.pop("seat_id"),)
        return fields


def _stranded() -> fields.List[Any]:
    return fields.List(
        fields.Integer(metadata={"example": 45}),
        metadata={
            "description": "Only if the screening's `orphan_rule` is `warn`: free seats that the new "
            "reservations leave without a free seat beside them."
        },
    )


def _alternatives() -> fields.List[Any]:
    return fields.List(
        fields.List(fields.Integer(metadata={"example": 46})),
        metadata={
            "description": "With `stranded`: up to three choices of `seat_ids` nearby that would strand no "
            "seat."
        },
    )


class ReservationsMade(Schema):
    """New or extended reservations."""

    reservations = fields.List(fields.Nested(Reservation), required=True)
    expires_in_minutes = fields.Integer(required=True, metadata={"example": 5})
    message = fields.String(required=True, metadata={"example": "Reserved 3 seats for 5 minutes"})
    stranded = _stranded()
    alternatives = _alternatives()


@reservations.post(
    "/reserve",
    body=SeatSelection,
    answers=ReservationsMade,
    status=201,
    refusals=_HOLD_REFUSALS,
    access_code=True,
)
def reserve_seats(call: Call, screening_id: int, seat_ids: tuple[int, ...]) -> Ask:
    """Reserve seats.

    Either all of them are reserved or none. Seats that the caller has reserved already do not change. Where
    the screening's `orphan_rule` says so, a choice that would leave a single free seat is refused, with
    alternatives: each is a list of `seat_ids` to send instead.
    """
    # `make` skips the default values of the fields, which takes longer than the rest of this function.
    command = (screening_id, call.holder, seat_ids, None, None, call.guest_network, call.access)
    return Ask(make(HoldSeats, command), partial(_made, call))


class PartyOfScreening(Party):
    """A party for a screening, and what it wants."""

    screening_id = Identifier(required=True, metadata={"example": 123})
    access_code = AccessCode()


@reservations.post(
    "/best-available",
    body=PartyOfScreening,
    answers=ReservationsMade,
    status=201,
    refusals=(*_RULES, errors.ScreeningNotFound, errors.ZoneNotFound, errors.NoAdjacentSeats),
    access_code=True,
)
def reserve_best_seats(call: Call, screening_id: int, **party: Any) -> Ask:
    """Reserve the best free seats that are next to each other.

    The organiser says what is best: preferred rows, then the distance to a point of the room (`focus` of its
    layout). Seats that would leave a single free seat behind are only chosen if there is no other way. No
    group of seats goes across an aisle. If the party does not fit, `largest` is the size of the largest that
    would.
    """
    command = best_for(
        screening_id, call.holder, **party, guest_network=call.guest_network, access=call.access
    )
    return Ask(command, partial(_made, call))


class Extension(PlainQuery):
    """The extension."""

    additional_minutes = fields.Integer(load_default=5, validate=validate.Range(1, LONGEST_EXTENSION_MINUTES))


@reservations.post(
    "/extend",
    query=Extension,
    body=SeatsOfScreening,
    answers=ReservationsMade,
    refusals=(*_UNKNOWN, errors.ScreeningStarted, errors.NotHeld, errors.ExtensionLimitReached),
)
def extend_reservations(
    call: Call, screening_id: int, seat_ids: tuple[int, ...], additional_minutes: int
) -> Ask:
    """Extend reservations.

    `expires_in_minutes` is the extension. How often and how far reservations can be extended is limited.
    """

    def respond(held: HoldsExtended) -> Document:
        documents = reservation_documents(held)
        extended = f"{counted(len(documents), 'seat')} by {counted(additional_minutes, 'minute')}"
        return {
            "reservations": documents,
            "expires_in_minutes": additional_minutes,
            "message": f"Extended reservation for {extended}",
        }

    return Ask(ExtendHolds(screening_id, call.holder, seat_ids, additional_minutes * 60.0), respond)


class SeatsToggled(Schema):
    """The seats that a toggle has reserved and released."""

    reserved = fields.List(fields.Nested(Reservation), required=True)
    released = fields.List(fields.Nested(Reservation), required=True)
    expires_in_minutes = fields.Integer(required=True, allow_none=True, metadata={"example": 5})
    message = fields.String(required=True, metadata={"example": "Reserved 2 seats, released 1 seat"})
    stranded = _stranded()
    alternatives = _alternatives()


@reservations.post(
    "/toggle", body=ToggleSelection, answers=SeatsToggled, refusals=_HOLD_REFUSALS, access_code=True
)
def toggle_seats(call: Call, screening_id: int, seat_ids: tuple[int, ...]) -> Ask:
    """Reserve free seats and release the caller's own.

    If one of the seats is held by someone else or booked, the whole request is refused. A choice that would
    leave a single free seat is treated as by `reserve`; giving seats back is never refused.
    """

    def respond(toggled: Toggled) -> Document:
        held, released = toggled.holding, toggled.releasing
        reserved = reservation_documents(held) if held else []
        given_back = reservation_documents(released, "released") if released else []
        done = [f"reserved {counted(len(reserved), 'seat')}"] if reserved else []
        if given_back:
            done.append(f"released {counted(len(given_back), 'seat')}")
        document: dict[str, Any] = {
            "reserved": reserved,
            "released": given_back,
            "expires_in_minutes": _minutes_left(held, call.services.clock) if held else None,
            "message": ", ".join(done).capitalize(),
        }
        return {**document, **_warning(held)} if held else document

    return Ask(ToggleSeats(screening_id, call.holder, seat_ids, call.guest_network, call.access), respond)


class SeatsToCancel(PlainQuery):
    """The reservations to cancel; without `seat_ids`, all of the caller's."""

    seat_ids = SeatIdsInQuery(metadata={"description": "Comma-separated, e.g. 42,43."})


@reservations.delete("/cancel/{screening_id}", query=SeatsToCancel, status=204, refusals=_UNKNOWN)
def cancel_reservations(call: Call, screening_id: int, seat_ids: tuple[int, ...] | None = None) -> Ask:
    """Cancel the caller's reservations for a screening.

    Seats that the caller has not reserved are ignored.
    """
    return Ask(ReleaseHolds(screening_id, call.holder, seat_ids), lambda released: None)


class OwnSeatAvailability(SeatAvailability):
    """A seat, with whether the caller holds it."""

    status = fields.String(
        required=True, validate=validate.OneOf(("available", "reserved", RESERVED_BY_ME, "booked"))
    )
    is_mine = fields.Boolean(required=True)
    price = fields.Float(
        metadata={"example": 15.99, "description": "Agreed with the caller, if it has reserved the seat."}
    )


@reservations.get(
    "/screening/{screening_id}/availability",
    access=Access.PUBLIC,
    query=ByChannel,
    answers=SeatAvailability(many=True),
    refusals=(errors.ScreeningNotFound,),
    headers=VERSION_HEADERS,
    access_code=True,
)
def get_availability(call: Call, screening_id: int) -> Ask:
    """All seats of a screening, with their status.

    Seats that are kept back for a channel are available to those who give its access code.
    """

    def respond(seat_map: SeatMap) -> Answer:
        call.services.looks.count(screening_id, REST)
        return seats_answer(call, seat_map, call.services.seat_maps.public(seat_map, call.access))

    return Ask(ReadSeats(screening_id), respond)


@reservations.get(
    "/screening/{screening_id}/availability/me",
    query=ByChannel,
    answers=OwnSeatAvailability(many=True),
    refusals=(errors.ScreeningNotFound,),
    headers=VERSION_HEADERS,
    access_code=True,
)
def get_own_availability(call: Call, screening_id: int) -> Ask:
    """All seats of a screening, with the caller's own marked.

    Seats that are kept back for a channel are available to those who give its access code, or have a token
    that names it.
    """

    def respond(seat_map: SeatMap) -> Answer:
        call.services.looks.count(screening_id, REST)
        own = call.services.seat_maps.personal(seat_map, call.holder, call.access)
        return seats_answer(call, seat_map, own, reader=f"-{call.user_id}")

    return Ask(ReadSeats(screening_id), respond)


class ReservationFilter(Page):
    """Filter for a list of reservations."""

    include_expired = fields.Boolean(
        load_default=False,
        metadata={"description": "Include expired, released and booked reservations."},
    )


@reservations.get(
    "/my-reservations",
    query=ReservationFilter,
    answers=Reservation(many=True),
    headers=PAGING_HEADERS,
)
async def list_reservations(call: Call, include_expired: bool, window: Window) -> Answer:
    """The caller's reservations, newest first."""
    await call.flushed()
    rows, total = await call.services.reservations.list_of_holder(
        call.holder,
        call.services.clock.now(),
        include_expired=include_expired,
        limit=window.limit + 1,
        offset=window.offset,
        before_id=window.before_id(call),
    )
    shown, last = cut(rows, window, lambda row: row[0].id)
    return paged(call, window, [reservation_document(hold, status) for hold, status in shown], total, last)


class CleanupDone(Schema):
    """The result of a cleanup."""

    message = fields.String(required=True, metadata={"example": "Cleaned up 5 expired reservations"})
    timestamp = fields.AwareDateTime(required=True, format="iso")
    duration_seconds = fields.Float(required=True, metadata={"example": 0.125})


@reservations.post("/cleanup", access=Access.PUBLIC, answers=CleanupDone)
async def clean_up(call: Call) -> Document:
    """Release all expired reservations.

    Timers release each reservation when it expires; this endpoint is for tests, and harmless at any time.
    """
    started = time.perf_counter()
    count = await call.services.screenings.sweep()
    return {
        "message": f"Cleaned up {counted(count, 'expired reservation')}",
        "timestamp": timestamp(call.services.clock.now()),
        "duration_seconds": round(time.perf_counter() - started, 3),
    }
