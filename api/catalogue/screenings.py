"""`/api/v1/screenings`: what is shown, where and when. The engine owns their seats and sales."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import Schema, fields

from api.catalogue.collection import Collection
from api.errors import InvalidInput
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.fields import (
    Identifier,
    Money,
    RequestSchema,
    Timestamp,
    changes_to,
    identifier_in_query,
    optional_text,
    text,
)
from api.rest.local_times import LocalTime, TimeZoneName, VenueTimestamp
from api.rest.paging import Page, sorting
from api.sales import sale_rules
from api.sales.channels import ByChannel
from api.sales.seat_maps import VERSION_HEADERS, SeatOfRoom, seats_answer
from api.venue_time import is_local, resolved
from engine.catalogue_errors import Overlapping, SeatsInUse, UnknownReference
from engine.commands import CancelScreening, ReadSeats
from engine.errors import NotFound
from engine.selling_errors import (
    BookingInProgress,
    ScreeningCancelled,
    ScreeningHasBookings,
    ScreeningNotFound,
)
from engine.views import SeatMap

CLEANING = timedelta(minutes=20)
LONGEST = timedelta(days=1)
FURTHEST_AHEAD = timedelta(days=5 * 365)

screenings = Resource("/api/v1/screenings", tag="Screenings")


class ScreeningDetails(RequestSchema):
    room_id = Identifier(required=True, metadata={"example": 1})
    movie_id = Identifier(metadata={"description": "Optional if there is a title.", "example": 1})
    title = optional_text(200, metadata={"description": "By default the movie's title."})
    starts_at = VenueTimestamp(
        required=True,
        metadata={
            "description": "In the future, at most five years ahead.",
            "example": "2030-01-26T18:30:00.000Z",
        },
    )
    ends_at = VenueTimestamp(
        metadata={"description": "By default the start plus the movie's length plus 20 minutes of cleaning."}
    )
    price = Money(required=True, metadata={"example": 12.5, "description": "Price of a standard seat."})
    language = optional_text(50)
    format = text(20, metadata={"example": "2D"})
    sales_start = sale_rules.sales_start()
    sales_end = sale_rules.sales_end()
    presales = sale_rules.presales(sale_rules.PresaleDetails)
    max_per_user = sale_rules.max_per_user()
    orphan_rule = sale_rules.orphan_rule()
    orphan_share = sale_rules.orphan_share()
    reentry = sale_rules.reentry()
    moves_allowed = sale_rules.moves_allowed()
    moves_until = sale_rules.moves_until()
    transfers_allowed = sale_rules.transfers_allowed()


class ScreeningBase(Schema):
    """The fields of screenings and of showtimes."""

    id = fields.Integer(required=True)
    movie_id = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True)
    cinema_id = fields.Integer(required=True)
    cinema_name = fields.String(required=True)
    room_id = fields.Integer(required=True)
    room_name = fields.String(required=True)
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    time_zone = TimeZoneName(required=True)
    starts_at_local = LocalTime("starts_at")
    ends_at_local = LocalTime("ends_at")
    price = Money(required=True)
    language = fields.String(required=True)
    format = fields.String(required=True)
    sales_start = Timestamp(required=True, allow_none=True)
    sales_end = Timestamp(required=True, allow_none=True)
    presales = sale_rules.shown_presales(sale_rules.PresaleDetails)
    max_per_user = fields.Integer(required=True, allow_none=True)


class Screening(ScreeningBase):
    orphan_rule = fields.String(required=True)
    orphan_share = fields.Float(required=True)
    reentry = fields.Boolean(required=True)
    moves_allowed = fields.Boolean(required=True)
    moves_until = Timestamp(required=True, allow_none=True)
    transfers_allowed = fields.Boolean(required=True)
    cancelled_at = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "When the screening was deleted, if tickets had been sold by then."},
    )
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ScreeningFilter(Page):
    """Query parameters shared by the lists of screenings and of showtimes."""

    movie_id = identifier_in_query()
    room_id = identifier_in_query()
    cinema_id = identifier_in_query()
    language = text(50, metadata={"description": "Case-insensitive."})
    format = text(20, metadata={"description": "Case-insensitive."})
    date = fields.Date(metadata={"description": "Starting on this day in the cinema's time zone."})
    to = Timestamp(metadata={"description": "Starting before this time."})
    sort = sorting("starts_at", "-starts_at", "price", "-price")


class ScreeningList(ScreeningFilter):
    from_ = Timestamp(
        data_key="from", attribute="from", metadata={"description": "Starting at this time or later."}
    )
    cancelled = fields.Boolean(
        load_default=False, metadata={"description": "List cancelled screenings instead of the others."}
    )


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

    It must not overlap another screening in the same room.
    """
    rows = call.services.catalogue.screenings
    movie_id = details.get("movie_id")
    if movie_id is None and not details.get("title"):
        raise InvalidInput({"title": ["Required if there is no movie_id."]})
    if any(map(is_local, details.values())):
        details = resolved(details, await rows.time_zone(details["room_id"]))
    if "ends_at" not in details:
        minutes = None if movie_id is None else await rows.length_minutes(movie_id)
        if minutes is None:
            raise InvalidInput({"ends_at": ["Required if the length of the movie is unknown."]})
        details["ends_at"] = details["starts_at"] + timedelta(minutes=minutes) + CLEANING
    _validate_times(call, details, details)
    values = await sale_rules.with_presales(call, details, details)

    async def write() -> Document:
        return dump(Screening, await rows.insert(values))

    return await call.kept(write)


@screenings.put(
    "/{screening_id}",
    access=Access.ADMIN,
    body=changes_to(ScreeningDetails),
    answers=Screening,
    refusals=(NotFound, UnknownReference, Overlapping, ScreeningCancelled, SeatsInUse),
    durable=True,
)
async def update_screening(call: Call, screening_id: int, **changes: Any) -> Document:
    """Update a screening. Omitted fields keep their values.

    If only `starts_at` is given, `ends_at` moves with it. The change takes effect immediately, also for
    customers who are choosing seats; reserved and sold seats keep their price. A screening cannot move to
    another room while seats are sold or reserved.
    """
    rows = call.services.catalogue.screenings
    present = await rows.find(screening_id)
    if any(map(is_local, changes.values())):
        elsewhere = "room_id" in changes
        changes = resolved(
            changes, await rows.time_zone(changes["room_id"]) if elsewhere else present["time_zone"]
        )
    if "starts_at" in changes and "ends_at" not in changes:
        changes["ends_at"] = changes["starts_at"] + (present["ends_at"] - present["starts_at"])
    _validate_times(call, changes, present | changes)
    values = await sale_rules.with_presales(call, changes, present | changes)

    async def write() -> Document:
        return dump(Screening, await rows.update(screening_id, values))

    return await call.services.screenings.change(screening_id, lambda: call.kept(write))


class Removal(RequestSchema):
    cancel_bookings = fields.Boolean(
        load_default=False, metadata={"description": "Cancel the screening's sold tickets."}
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

    A screening with tickets is only deleted with `cancel_bookings=true`, and only before it starts. Its
    tickets are then cancelled, watching clients are notified, and the screening remains readable, as
    cancelled. Reservations are not bookings; they are released.
    """
    rows = call.services.catalogue.screenings
    present = await rows.find(screening_id)
    if present["cancelled_at"] is not None:
        return
    begun = present["starts_at"] <= call.now
    try:
        await call.ask(CancelScreening(screening_id, call.holder, unsold_only=begun or not cancel_bookings))
        await call.services.screenings.change(
            screening_id, lambda: call.kept(lambda: rows.delete(screening_id))
        )
    except ScreeningHasBookings as refusal:
        remedy = (
            " and it has begun" if begun else "; repeat the request with cancel_bookings=true to cancel them"
        )
        raise ScreeningHasBookings(screening_id, remedy) from refusal


@screenings.get(
    "/{screening_id}/available-seats",
    access=Access.PUBLIC,
    query=ByChannel,
    answers=SeatOfRoom(many=True),
    refusals=(ScreeningNotFound,),
    headers=VERSION_HEADERS,
    access_code=True,
)
async def list_available_seats(call: Call, screening_id: int) -> Answer:
    """List the seats of a screening that are available now.

    The version headers are those of the screening's availability.
    """
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    return seats_answer(call, seat_map, call.services.seat_maps.available(seat_map, call.access))


class SeatPrice(Schema):
    seat_type = fields.String(required=True, metadata={"example": "vip"})
    price = Money(required=True, metadata={"example": 17.5})


@screenings.get(
    "/{screening_id}/prices", access=Access.PUBLIC, answers=SeatPrice(many=True), refusals=(NotFound,)
)
async def list_prices(call: Call, screening_id: int) -> Document:
    """List what a seat costs, by seat type.

    Only types that the room has, the lowest price first.
    """
    rows = call.services.catalogue.screenings
    return dump_all(SeatPrice, await rows.prices(screening_id))


def _validate_times(call: Call, given: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    """Raise InvalidInput if a given time is not acceptable.

    Args:
        call: the call, for the current time.
        given: the fields of the request. Only times in it are checked, so that a running screening can be
            changed.
        whole: the screening as it would be stored.
    """
    now = call.now
    if "starts_at" in given and not now < given["starts_at"] <= now + FURTHEST_AHEAD:
        raise InvalidInput({"starts_at": ["Must be in the future, and at most five years ahead."]})
    if "ends_at" in given and not timedelta() < whole["ends_at"] - whole["starts_at"] <= LONGEST:
        raise InvalidInput({"ends_at": ["Must be after starts_at, by at most one day."]})
    sale_rules.require_window(whole)
