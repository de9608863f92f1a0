"""`/api/v1/rooms/{room_id}/layout`: the whole picture of a room, read, exchanged as a file, and published.

A layout is published through the engine: the sales of all screenings to come in the room pause while it is
checked against their sold and held seats and written, and then go on with the new seats.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from marshmallow import Schema, fields, validate

from api.bodies import Body
from api.catalogue import layout_csv
from api.catalogue.layout_rules import InvalidLayout, checked_seats
from api.catalogue.seats import FURTHEST, ROW_LABEL_LENGTH, SEATS_PER_PAGE, RoomSeat, told_to_watchers
from api.errors import ApiError, InvalidInput
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.fields import Money, RequestSchema, text, texts
from api.rest.local_times import TimeZoneName
from api.rest.uploads import Upload, UploadedFile
from api.rows import LayoutDifference
from engine.errors import NotFound, OwnershipLost

LAYOUT_LIMIT_BYTES = 2 * 1024 * 1024
"""Largest layout in a request. Ten thousand seats take one and a half megabytes."""
SECTIONS_LIMIT = 50
AISLES_LIMIT = 200
PREFERRED_ROWS_LIMIT = 100
CSV_TYPE = "text/csv"
_ATTEMPTS = 3

layouts = Resource("/api/v1/rooms", tag="Layouts")
seat_types = Resource("/api/v1/seat-types", tag="Layouts")


class LayoutChanged(ApiError):
    """The room has another layout than the one that was to be changed."""

    status, code = 409, "layout_changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The room's layout has changed: it is version {version} now; load it again",
            data={"version": version},
        )


class SeatsTaken(ApiError):
    """The new layout lacks seats that are sold, reserved or kept back for screenings to come."""

    status, code = 409, "seats_taken"

    def __init__(self, number: int, obstacles: Sequence[Mapping[str, Any]]) -> None:
        names = "; ".join(
            f"screening {obstacle['screening_id']}: "
            + ", ".join(f"row {seat['row_label']}, seat {seat['seat_number']}" for seat in obstacle["seats"])
            for obstacle in obstacles
        )
        super().__init__(
            f"Seats that are sold, reserved or kept back cannot be removed ({number}): {names}",
            data={"number": number, "obstacles": obstacles},
        )


def _distance(example: float) -> fields.Float:
    return fields.Float(required=True, validate=validate.Range(0, FURTHEST), metadata={"example": example})


class Screen(RequestSchema):
    """The screen or stage: its left end and its width, in seat widths and rows like the seats."""

    x = _distance(3)
    y = _distance(0)
    width = _distance(8)


class Area(Screen):
    """A rectangle: its corner at the left and towards the screen, and its extent."""

    height = _distance(2)


class Section(Area):
    name = text(40, required=True, metadata={"example": "Balcony"})


class Focus(RequestSchema):
    """The best seats of a room: those of preferred rows first, then those nearest to this place."""

    x = _distance(6.5)
    y = _distance(5)
    rows = texts(
        ROW_LABEL_LENGTH,
        PREFERRED_ROWS_LIMIT,
        load_default=list,
        metadata={"description": "Labels of the preferred rows.", "example": ["E", "F"]},
    )


class LayoutSeat(RoomSeat):
    class Meta:
        exclude = ("room_id",)

    id = fields.Integer(
        required=True,
        metadata={
            "description": "Ignored in a request: row and number tell seats apart.",
            "example": 42,
        },
    )


class SeatEntries(fields.List[Any]):
    """The seats of a room. `api.catalogue.layout_rules` checks them; schemas would take seconds."""

    def __init__(self) -> None:
        super().__init__(
            fields.Nested(LayoutSeat(partial=("id",))),
            required=True,
            validate=validate.Length(max=SEATS_PER_PAGE, error=f"A room has at most {SEATS_PER_PAGE} seats."),
        )

    def _deserialize(self, value: object, attr: str | None, data: Any, **_: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return value

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> Any:
        return value


class Layout(RequestSchema):
    """A room as it is drawn."""

    version = fields.Integer(
        strict=True,
        required=True,
        metadata={
            "description": "Version that the layout was made from; a newer one is not overwritten.",
            "example": 1,
        },
    )
    screen = fields.Nested(Screen, load_default=None, allow_none=True)
    sections = fields.List(
        fields.Nested(Section), load_default=list, validate=validate.Length(max=SECTIONS_LIMIT)
    )
    aisles = fields.List(fields.Nested(Area), load_default=list, validate=validate.Length(max=AISLES_LIMIT))
    focus = fields.Nested(
        Focus,
        load_default=None,
        allow_none=True,
        metadata={"description": "null: the middle of the room, two thirds of the way to the back."},
    )
    seats = SeatEntries()


class Publication(RequestSchema):
    dry_run = fields.Boolean(
        load_default=False,
        metadata={"description": "Only report what would change, and what stands in the way."},
    )


class CsvPublication(Publication):
    version = fields.Integer(
        required=True, metadata={"description": "Version of the room's layout that the file was made from."}
    )


class TakenSeat(Schema):
    row_label = fields.String(required=True)
    seat_number = fields.Integer(required=True)
    status = fields.String(required=True, validate=validate.OneOf(("reserved", "booked", "blocked")))


class Obstacle(Schema):
    """A screening with sold, reserved or blocked seats that the layout lacks."""

    screening_id = fields.Integer(required=True)
    title = fields.String(required=True)
    starts_at = fields.String(required=True)
    time_zone = TimeZoneName(required=True)
    seats = fields.List(fields.Nested(TakenSeat), required=True)


class LayoutChanges(Schema):
    """The changes by publishing a layout, as numbers of seats."""

    version = fields.Integer(required=True, metadata={"description": "Version of the room's layout now."})
    added = fields.Integer(required=True)
    removed = fields.Integer(required=True)
    moved = fields.Integer(required=True, metadata={"description": "Seats with other coordinates."})
    retyped = fields.Integer(required=True, metadata={"description": "Seats of another type."})
    screenings = fields.Integer(required=True, metadata={"description": "Number of screenings to come."})
    taken = fields.Integer(
        required=True,
        metadata={
            "description": "Sold, reserved or blocked seats that would be removed, counted once per "
            "screening. The layout can only be published if there are none. Blocks of the kind `kill` do not "
            "count."
        },
    )
    obstacles = fields.List(fields.Nested(Obstacle), required=True)


class SeatType(Schema):
    name = fields.String(required=True, metadata={"example": "vip"})
    surcharge = Money(required=True, metadata={"description": "Added to the price of a screening."})


@layouts.get(
    "/{room_id}/layout",
    access=Access.PUBLIC,
    answers=Layout,
    refusals=(NotFound,),
    headers={"ETag": "Version of the layout; send it as If-None-Match."},
)
async def get_layout(call: Call, room_id: int) -> Answer:
    """Get the layout of a room: its seats, screen, sections, aisles and focal point.

    The same document is the body for publishing it.
    """
    layout = await call.services.catalogue.layouts.read(room_id)
    around = {"screen": None, "sections": [], "aisles": [], "focus": None, **layout.surroundings}
    document = {"version": layout.version, **around, "seats": layout.seats}
    return Answer.of(document, headers=_versioned(layout.version))


@layouts.put(
    "/{room_id}/layout",
    access=Access.ADMIN,
    query=Publication,
    body=Layout,
    answers=LayoutChanges,
    refusals=(NotFound, LayoutChanged, SeatsTaken),
    body_limit_bytes=LAYOUT_LIMIT_BYTES,
    durable=True,
)
async def publish_layout(
    call: Call, room_id: int, version: int, dry_run: bool, seats: Sequence[Any], **around: Any
) -> Document:
    """Publish the layout of a room, all of it or nothing.

    Seats that are not in it are removed, unless they are sold, reserved or kept back for a screening to come;
    that is refused, and the screenings and seats are named. Seats that nobody can have (`kill` blocks) may be
    removed. Seats may move and change their type at any time. Row and
    number tell seats apart, and a seat that returns is the same as before. Sales of the room's screenings
    pause for a moment, and pages that show them are told.
    """
    return await _published(call, room_id, version, dry_run, seats, around)


@layouts.get(
    "/{room_id}/layout.csv",
    access=Access.PUBLIC,
    refusals=(NotFound,),
    media_type=CSV_TYPE,
    headers={"ETag": "Version of the layout; send it as If-None-Match."},
)
async def export_seats(call: Call, room_id: int) -> Answer:
    """Get the seats of a room as CSV, with the columns `row,number,type,x,y`."""
    layout = await call.services.catalogue.layouts.read(room_id)
    headers = {
        **_versioned(layout.version),
        "Content-Disposition": f'attachment; filename="room-{room_id}.csv"',
    }
    return Answer(200, Body(layout_csv.written(layout.seats)), headers, CSV_TYPE)


@layouts.put(
    "/{room_id}/layout.csv",
    access=Access.ADMIN,
    query=CsvPublication,
    upload=Upload((CSV_TYPE,)),
    answers=LayoutChanges,
    refusals=(NotFound, LayoutChanged, SeatsTaken),
    durable=True,
)
async def import_seats(call: Call, room_id: int, version: int, dry_run: bool, file: UploadedFile) -> Document:
    """Publish the seats of a room from a CSV file, as `PUT …/layout` does.

    Send the file as the body itself or as the part `file` of a multipart form. The screen, the sections and
    the aisles stay as they are. `type`, `x` and `y` may be left out.
    """
    try:
        seats = await call.services.workers.run(layout_csv.parsed, file.content, SEATS_PER_PAGE)
    except InvalidLayout as error:
        raise InvalidInput({"file": error.faults}) from error
    return await _published(call, room_id, version, dry_run, seats, None)


@seat_types.get("/", access=Access.PUBLIC, answers=SeatType(many=True))
async def list_seat_types(call: Call) -> Document:
    """List the types that seats can have, the cheapest first."""
    return dump_all(SeatType, await call.services.catalogue.layouts.seat_types())


def _versioned(version: int) -> Mapping[str, str]:
    return {"Cache-Control": "no-cache", "ETag": f'"{version}"'}


async def _published(
    call: Call,
    room_id: int,
    version: int,
    dry_run: bool,
    entries: Sequence[Any],
    around: Mapping[str, Any] | None,
) -> Document:
    rows = call.services.catalogue.layouts
    aisles = (around or (await rows.read(room_id)).surroundings).get("aisles", ())
    known_types = [kind["name"] for kind in await rows.seat_types()]
    try:
        seats = await call.services.workers.run(checked_seats, entries, known_types, aisles)
    except InvalidLayout as error:
        raise InvalidInput({"seats": error.faults}) from error
    if unknown := _unknown_rows((around or {}).get("focus"), seats):
        raise InvalidInput({"focus": [f"There is no row {', '.join(unknown)}."]})
    if dry_run:
        await call.flushed()
        difference = await rows.compare(room_id, seats)
        _require_version(version, difference)
        return dump(LayoutChanges, difference)

    def accept(difference: LayoutDifference) -> None:
        _require_version(version, difference)
        if difference.taken:
            raise SeatsTaken(difference.taken, difference.obstacles)

    async def write(to_come: Sequence[int]) -> Document:
        return dump(LayoutChanges, await rows.publish(room_id, seats, around, to_come, accept))

    for attempt in range(_ATTEMPTS):
        to_come = await call.services.catalogue.screenings.to_come(room_id)
        try:
            return await told_to_watchers(call, to_come, partial(call.kept, partial(write, to_come)))
        except OwnershipLost:
            # A screening was added to the room meanwhile.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _unknown_rows(focus: Mapping[str, Any] | None, seats: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(set(focus["rows"]).difference(seat["row_label"] for seat in seats)) if focus else []


def _require_version(version: int, difference: LayoutDifference) -> None:
    if version != difference.version:
        raise LayoutChanged(difference.version)
