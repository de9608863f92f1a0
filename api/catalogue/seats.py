"""`/api/v1/rooms/{room_id}/seats`: the seat plan of a room."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

from marshmallow import ValidationError, fields, post_load, validate

from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rest.fields import RequestSchema, text
from api.rest.paging import PAGING_HEADERS, Page, Window, paged, sorting
from engine.catalogue_errors import SeatConflict, UnknownReference
from engine.commands import ReadStock
from engine.errors import NotFound
from engine.selling_errors import RoomFull

SEATS_PER_CALL = 1000
PLAN_LIMIT_BYTES = 256 * 1024
# As many as a room can have: unless the client asks for a page, it gets all of a room's seats.
SEATS_PER_PAGE = 10_000
FURTHEST = 10_000
ROW_LABEL_LENGTH = 4
HIGHEST_NUMBER = 9999

seats = Resource("/api/v1/rooms", tag="Seats")

Written = TypeVar("Written")


def row_position(label: str) -> float:
    """Return the position of a row labelled A, B, … Z, AA, … or 1, 2, …; 0 for any other label."""
    if label.isascii() and label.isdecimal():
        return float(label)
    position = 0
    for letter in label.upper():
        if not "A" <= letter <= "Z":
            return 0.0
        position = position * 26 + ord(letter) - ord("A") + 1
    return float(position)


class SeatDetails(RequestSchema):
    row_label = text(ROW_LABEL_LENGTH, required=True, metadata={"example": "A"})
    seat_number = fields.Integer(
        strict=True, required=True, validate=validate.Range(1, HIGHEST_NUMBER), metadata={"example": 5}
    )
    seat_type = text(40, load_default="standard", metadata={"example": "standard"})
    x = fields.Float(
        validate=validate.Range(0, FURTHEST),
        metadata={
            "description": "Distance from the left wall in seat widths, rounded to hundredths; by default "
            "the seat number."
        },
    )
    y = fields.Float(
        validate=validate.Range(0, FURTHEST),
        metadata={
            "description": "Distance from the screen in rows, rounded to hundredths; by default the row's "
            "position: 1 for A, 2 for B."
        },
    )

    @post_load
    def _with_coordinates(self, seat: dict[str, Any], **_: Any) -> dict[str, Any]:
        x = seat.get("x", seat["seat_number"])
        y = seat.get("y", min(row_position(seat["row_label"]), FURTHEST))
        return {**seat, "x": round(float(x), 2), "y": round(float(y), 2)}


class SeatPlan(RequestSchema):
    """Seats to create. Identical duplicates are merged; contradicting ones are refused."""

    seats = fields.List(
        fields.Nested(SeatDetails), required=True, validate=validate.Length(1, SEATS_PER_CALL)
    )

    @post_load
    def _merge_duplicates(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        by_place: dict[tuple[str, int], dict[str, Any]] = {}
        for seat in data["seats"]:
            place = (seat["row_label"], seat["seat_number"])
            if by_place.setdefault(place, seat) != seat:
                raise ValidationError(f"Row {place[0]}, seat {place[1]} is described in two ways.", "seats")
        return {"seats": list(by_place.values())}


class RoomSeat(SeatDetails):
    id = fields.Integer(required=True)
    room_id = fields.Integer(required=True)


class SeatList(Page):
    size = fields.Integer(
        load_default=SEATS_PER_PAGE,
        validate=validate.Range(1, SEATS_PER_PAGE),
        metadata={"description": "Entries per page; all by default."},
    )
    row_label = text(ROW_LABEL_LENGTH)
    seat_type = text(40)
    sort = sorting("place")


@seats.post(
    "/{room_id}/seats/bulk",
    access=Access.ADMIN,
    body=SeatPlan,
    answers=RoomSeat(many=True),
    status=201,
    refusals=(NotFound, UnknownReference, SeatConflict, RoomFull),
    body_limit_bytes=PLAN_LIMIT_BYTES,
    durable=True,
)
async def create_seats(call: Call, room_id: int, seats: Sequence[dict[str, Any]]) -> Document:
    """Create seats in bulk.

    Creates all of the seats or none. Identical existing seats are kept, so the call can be repeated;
    `conflicts` lists existing seats that differ. Screenings in the room sell the new seats immediately.
    Returns the given seats with their ids.
    """
    catalogue = call.services.catalogue
    added = await call.kept(lambda: catalogue.seats.add(room_id, seats))
    # A change makes the engine reload a screening, now with the seats written above.
    await told_to_watchers(call, await catalogue.screenings.to_come(room_id), _nothing)
    return added


async def told_to_watchers(
    call: Call, screening_ids: Collection[int], write: Callable[[], Awaitable[Written]]
) -> Written:
    """Change the seats of screenings, and tell whoever watches them.

    Args:
        call: the call.
        screening_ids: the screenings in the room.
        write: changes the database while they sell nothing.

    Returns:
        The result of `write`.
    """
    totals = call.services.totals
    _, rooms, _ = await totals.rooms()
    watched = {*await totals.screening_sockets(), *rooms}
    for screening_id in watched.intersection(screening_ids):
        # The engine tells the watchers of screenings that were in memory.
        await call.ask(ReadStock(screening_id))
    return await call.services.screenings.change_all(screening_ids, write)


async def _nothing() -> None:
    """The write of a change whose rows are already stored."""


@seats.get(
    "/{room_id}/seats/",
    access=Access.PUBLIC,
    query=SeatList,
    answers=RoomSeat(many=True),
    refusals=(NotFound,),
    headers=PAGING_HEADERS,
)
async def list_room_seats(call: Call, room_id: int, window: Window, sort: str, **wanted: Any) -> Answer:
    """List the seats of a room.

    Ordered row by row from the front. Returns all seats unless a page size is given.
    """
    catalogue = call.services.catalogue
    await catalogue.rooms.find(room_id)
    # Rows already have the response's shape; dumping thousands of seats with marshmallow is slow.
    found = await catalogue.seats.listed(
        {"room_id": room_id, **wanted},
        sort,
        limit=window.limit,
        offset=window.offset,
        after=window.after(call, sort),
        counted=window.cursor is None,
    )
    return paged(call, window, found.records, found.total, found.last, sort)
