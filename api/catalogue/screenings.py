"""`/api/v1/screenings`: what is shown, where and when. Seats and sales are the engine's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, fields

from api.catalogue.collection import Collection
from api.errors import InvalidInput
from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rest.fields import (
    Moment,
    Money,
    RequestSchema,
    changes_to,
    identifier,
    identifier_in_query,
    optional_text,
    text,
)
from api.rest.paging import Page, sorting
from api.seats.reservations import VERSION_HEADERS, SeatOfRoom, seats_answer
from engine.catalogue_errors import Overlapping, SeatsInUse, UnknownReference
from engine.commands import CancelScreening, ReadSeats
from engine.errors import (
    BookingInProgress,
    NotFound,
    ScreeningCancelled,
    ScreeningHasBookings,
    ScreeningNotFound,
)
from engine.replies import SeatMap

CLEANING = timedelta(minutes=20)
LONGEST = timedelta(days=1)
FURTHEST_AHEAD = timedelta(days=5 * 365)

screenings = Resource("/api/v1/screenings", tag="Screenings")


class ScreeningDetails(RequestSchema):
    """What is shown, where, when and for how much."""

    room_id = identifier(required=True, metadata={"example": 1})
    movie_id = identifier(metadata={"description": "May be left out where there is a title.", "example": 1})
    title = optional_text(200, metadata={"description": "By default that of the movie."})
    starts_at = Moment(
        required=True,
        metadata={"description": "In the future, at most five years.", "example": "2030-01-26T18:30:00.000Z"},
    )
    ends_at = Moment(
        metadata={"description": "By default after the movie's length and 20 minutes for cleaning."}
    )
    price = Money(required=True, metadata={"example": 12.5, "description": "Of a standard seat."})
    language = optional_text(50)
    format = text(20, metadata={"example": "2D"})


class Screening(Schema):
    """A screening."""

    id = fields.Integer(required=True)
    movie_id = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True)
    cinema_id = fields.Integer(required=True)
    cinema_name = fields.String(required=True)
    room_id = fields.Integer(required=True)
    room_name = fields.String(required=True)
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    price = Money(required=True)
    language = fields.String(required=True)
    format = fields.String(required=True)
    cancelled_at = Moment(
        required=True,
        allow_none=True,
        metadata={"description": "When it was deleted after tickets were sold."},
    )
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


_screening = Screening()


class ScreeningFilter(Page):
    """What can be asked of screenings, whoever asks."""

    movie_id = identifier_in_query()
    room_id = identifier_in_query()
    cinema_id = identifier_in_query()
    language = text(50, metadata={"description": "Whatever the case."})
    format = text(20, metadata={"description": "Whatever the case."})
    date = fields.Date(metadata={"description": "That begin on this day, in UTC."})
    to = Moment(metadata={"description": "That begin before."})
    sort = sorting("starts_at", "-starts_at", "price", "-price")


class ScreeningList(ScreeningFilter):
    """Which screenings are wanted, in which order."""

    from_ = Moment(data_key="from", attribute="from", metadata={"description": "That begin then or later."})
    cancelled = fields.Boolean(load_default=False, metadata={"description": "Those that were cancelled."})


collection = Collection(screenings, "screening", Screening, lambda catalogue: catalogue.screenings)
collection.list("/", ScreeningList)
collection.read("/{screening_id}")


@screenings.post(
    "/",
    access=Access.ADMIN,
    body=ScreeningDetails,
    answers=Screening,
    status=201,
    refusals=(UnknownReference, Overlapping),
    durable=True,
)
async def create_screening(call: Call, **details: Any) -> Document:
    """Create a screening.

    No other screening may take place in the room at the same time.
    """
    rows = call.services.catalogue.screenings
    movie_id = details.get("movie_id")
    if movie_id is None and not details.get("title"):
        raise InvalidInput({"title": ["Needed where there is no movie."]})
    if "ends_at" not in details:
        minutes = None if movie_id is None else await rows.length_minutes(movie_id)
        if minutes is None:
            raise InvalidInput({"ends_at": ["Needed where the length of the movie is not known."]})
        details["ends_at"] = details["starts_at"] + timedelta(minutes=minutes) + CLEANING
    _require_times(call, details, details)
    return _shown(await rows.insert(details))


@screenings.put(
    "/{screening_id}",
    access=Access.ADMIN,
    body=changes_to(ScreeningDetails),
    answers=Screening,
    refusals=(NotFound, UnknownReference, Overlapping, ScreeningCancelled, SeatsInUse),
    durable=True,
)
async def update_screening(call: Call, screening_id: int, **changes: Any) -> Document:
    """Change a screening; fields that are not given stay as they are.

    If only its beginning is given, its end moves along. It takes effect at once, also for those who are
    just choosing seats; tickets that are sold keep their price. It cannot move to another room while seats
    are sold or reserved.
    """
    rows = call.services.catalogue.screenings
    present = await rows.find(screening_id)
    if "starts_at" in changes and "ends_at" not in changes:
        changes["ends_at"] = changes["starts_at"] + (present["ends_at"] - present["starts_at"])
    _require_times(call, changes, present | changes)
    return _shown(
        await call.services.screenings.change(screening_id, lambda: rows.update(screening_id, changes))
    )


class Removal(RequestSchema):
    """What becomes of tickets."""

    cancel_bookings = fields.Boolean(
        load_default=False, metadata={"description": "Cancel the tickets that are sold for it."}
    )


@screenings.delete(
    "/{screening_id}",
    access=Access.ADMIN,
    query=Removal,
    status=204,
    refusals=(NotFound, ScreeningHasBookings, BookingInProgress),
    durable=True,
)
async def delete_screening(call: Call, screening_id: int, cancel_bookings: bool) -> None:
    """Delete a screening.

    One with tickets is only deleted with `cancel_bookings=true`, and not after it has begun; then they are
    cancelled, everybody who watches is told, and the screening itself can still be read, as cancelled.
    Reservations do not count as bookings and are released.
    """
    rows = call.services.catalogue.screenings
    present = await rows.find(screening_id)
    if present["cancelled_at"] is not None:
        return
    begun = present["starts_at"] <= _now(call)
    await call.ask(CancelScreening(screening_id, call.holder, unsold_only=begun or not cancel_bookings))
    await call.services.screenings.change(screening_id, lambda: rows.delete(screening_id))


@screenings.get(
    "/{screening_id}/available-seats",
    access=Access.PUBLIC,
    answers=SeatOfRoom(many=True),
    refusals=(ScreeningNotFound,),
    headers=VERSION_HEADERS,
)
async def list_available_seats(call: Call, screening_id: int) -> Answer:
    """The seats of a screening that can be had now.

    The version is that of the screening's availability.
    """
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    return seats_answer(seat_map, call.services.seat_maps.available(seat_map))


def _now(call: Call) -> datetime:
    return datetime.fromtimestamp(call.services.clock.now(), UTC)


def _require_times(call: Call, given: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    """Let times pass that can be: what is given in the future, the end after the beginning.

    Raises:
        InvalidInput: they cannot.
    """
    now = _now(call)
    if "starts_at" in given and not now < given["starts_at"] <= now + FURTHEST_AHEAD:
        raise InvalidInput({"starts_at": ["Must be in the future, and at most five years ahead."]})
    if "ends_at" in given and not timedelta() < whole["ends_at"] - whole["starts_at"] <= LONGEST:
        raise InvalidInput({"ends_at": ["Must be after the beginning, by a day at most."]})


def _shown(record: Mapping[str, Any]) -> Document:
    shown: Document = _screening.dump(record)
    return shown
