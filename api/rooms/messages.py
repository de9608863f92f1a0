"""Schemas of the messages on the rooms WebSocket, and parsing of their fields.

Messages and fields are those of the rooms guide, except `error` and `seat_booked` (docs/websocket.md).
"""

from typing import Annotated, Any, Literal

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from api.rooms.directory import ROOM_NAME
from api.rooms.plain_text import plain_text
from api.sales.parties import Party
from api.sales.seat_maps import blocked_field
from api.ws.messages import BadMessage, access_code_field, message_type, timestamp_field
from api.ws.sales import sales_end_field, sales_start_field, server_time_field

_ROOM, _SEAT, _CLIENT = "funcion_123", "A1", "user_1234567890"
_SEAT_NAME_CHARACTERS = 20
_USER_INFO = {"name": "Ada Lovelace", "email": "ada@home.example"}
_AT, _UNTIL = "2026-01-26T18:25:00.000Z", "2026-01-26T18:30:00.000Z"


def _room(**options: Any) -> fields.String:
    return fields.String(
        validate=validate.Regexp(rf"^{ROOM_NAME.pattern}$"),
        metadata={
            "description": "`funcion_` followed by a screening's id, or any other name",
            "example": _ROOM,
        },
        **options,
    )


def _seat(**options: Any) -> fields.String:
    return fields.String(
        validate=validate.Length(1, _SEAT_NAME_CHARACTERS),
        metadata={"description": "Row and seat number; in a free room any name", "example": _SEAT},
        **options,
    )


def _seats(description: str) -> fields.List[Any]:
    return fields.List(fields.String(metadata={"example": "A1"}), metadata={"description": description})


def _client() -> fields.String:
    return fields.String(
        required=True,
        metadata={
            "description": "Id of the client; an alias starting with ~ if the seat was taken elsewhere",
            "example": _CLIENT,
        },
    )


def _number(description: str) -> fields.Integer:
    return fields.Integer(metadata={"description": description, "example": 4})


def _user_info(**options: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        metadata={"description": "User data sent by the client, as plain text", "example": _USER_INFO},
        **options,
    )


class _RoomCommand(Schema):
    class Meta:
        unknown = EXCLUDE

    room_id = _room(required=True)


class JoinRoom(_RoomCommand):
    """Receive the messages of a room. A free room is created if it does not exist."""

    type = message_type("join_room")


class LeaveRoom(_RoomCommand):
    """Stop receiving the messages of a room. Selected seats stay selected."""

    type = message_type("leave_room")


class SelectSeat(_RoomCommand):
    """Select a seat until it expires. Selecting one's own seat again changes nothing."""

    type = message_type("select_seat")
    seat_id = _seat(required=True)
    user_info = _user_info()


class SelectBest(Party):
    """Select the best free seats that are next to each other; see `POST …/best-available`."""

    class Meta:
        unknown = EXCLUDE

    type = message_type("select_best")
    room_id = _room(required=True)
    user_info = _user_info()


class ReleaseSeat(_RoomCommand):
    """Release one's own seat."""

    type = message_type("release_seat")
    seat_id = _seat(required=True)


class _OfClient(Schema):
    room_id = _room(required=True)
    client_id = _client()


class _OfSeat(_OfClient):
    seat_id = _seat(required=True)


class RoomJoined(_OfClient):
    """The client has joined the room; `current_selections` follows."""

    type = message_type("room_joined")
    server_time = server_time_field()
    sales_start = sales_start_field()
    sales_end = sales_end_field()


class RoomLeft(_OfClient):
    """The client has left the room."""

    type = message_type("room_left")


class Selection(_OfSeat):
    """A selected or sold seat."""

    user_info = _user_info(required=True)
    timestamp = timestamp_field("When the seat was selected, if known", _AT, required=True, allow_none=True)
    expires_at = timestamp_field(
        "When the selection expires; null for a sold seat", _UNTIL, required=True, allow_none=True
    )
    status = fields.String(
        validate=validate.Equal("booked"),
        metadata={"description": "Present if the seat is sold", "example": "booked"},
    )
    blocked = blocked_field()


class CurrentSelections(Schema):
    """All selected and sold seats of the room."""

    type = message_type("current_selections")
    selections = fields.List(fields.Nested(Selection), required=True)


class SeatSelected(_OfSeat):
    """A seat was selected. The response to the client that selected it has no `user_info`."""

    type = message_type("seat_selected")
    user_info = _user_info()
    stranded = _seats("Free seats that the selection leaves alone; only if the screening warns of that")
    alternatives = fields.List(
        _seats("Seats to select instead"), metadata={"description": "With `stranded`: what would not"}
    )


class BestSelected(_OfClient):
    """The seats that were selected for the client's party. Others get a `seat_selected` for each."""

    type = message_type("best_selected")
    seat_ids = fields.List(fields.String(metadata={"example": "A1"}), required=True)
    expires_at = timestamp_field("When the selection expires", _UNTIL, required=True)
    stranded = _seats("As in `seat_selected`")


class SeatReleased(_OfSeat):
    """A seat is available again: it was released, its selection expired, or its ticket was cancelled."""

    type = message_type("seat_released")


class SeatBooked(_OfSeat):
    """A seat was sold through another API, or is kept back."""

    type = message_type("seat_booked")
    blocked = blocked_field()


class RoomChanged(Schema):
    """The room's seats, or the screening's times or price, have changed: join again."""

    type = message_type("room_changed")
    room_id = _room()


class _RoomSales(Schema):
    room_id = _room(required=True)
    timestamp = timestamp_field("The server's time", _AT, required=True)


class RoomSalesOpened(_RoomSales):
    """Sales have opened: seats can be selected."""

    type = message_type("sales_opened")


class RoomSalesEnded(_RoomSales):
    """Sales have closed: no more seats can be selected."""

    type = message_type("sales_ended")


class RoomScreeningCancelled(_RoomSales):
    """The venue has cancelled or deleted the screening. Reservations have ended, tickets are cancelled."""

    type = message_type("screening_cancelled")


class SelectionExpiring(_OfClient):
    """Some of the receiver's selections expire soon. Sent once for every deadline, to the holder alone."""

    type = message_type("hold_expiring")
    seat_ids = fields.List(fields.String(metadata={"example": "A1"}), required=True)
    expires_at = timestamp_field("When the selection expires", "2024-01-15T10:30:00.000Z", required=True)
    remaining_seconds = fields.Integer(
        required=True, metadata={"description": "Time between `timestamp` and `expires_at`", "example": 60}
    )
    timestamp = timestamp_field("Time of the warning", "2024-01-15T10:29:00.000Z", required=True)


class RoomError(Schema):
    """A message had no effect."""

    type = message_type("error")
    code = fields.String(required=True, metadata={"example": "seats_unavailable"})
    message = fields.String(required=True, metadata={"example": "Seat A1 is selected by another client"})
    timestamp = timestamp_field("The server's time", _AT, required=True)
    room_id = _room()
    seat_id = _seat()
    limit = _number("Most seats that a person may have, with `person_limit_exceeded`")
    held = _number("Seats that the person holds, with `person_limit_exceeded`")
    bought = _number("Seats that the person has bought, with `person_limit_exceeded`")
    request = fields.String(
        validate=validate.Equal("select_best"),
        metadata={"description": "Present if it was a `select_best`", "example": "select_best"},
    )
    largest = fields.Integer(
        metadata={"description": "Largest party that fits, with `no_adjacent_seats`", "example": 3}
    )
    sales_start = timestamp_field("When sales open, with `sales_closed`", _AT, allow_none=True)
    sales_end = timestamp_field("When sales close, with `sales_closed`", _UNTIL, allow_none=True)
    stranded = _seats("With `would_strand_seat`: free seats that the selection would leave alone")
    alternatives = fields.List(
        _seats("Seats to select instead"), metadata={"description": "With `would_strand_seat`"}
    )


class RoomQuery(Schema):
    """Query parameters of `/ws/{client_id}`."""

    class Meta:
        unknown = EXCLUDE

    token = fields.String(
        metadata={
            "description": "JSON Web Token of the user who selects seats; without it the client is a guest"
        }
    )
    access_code = access_code_field()


ROOM_SERVER_MESSAGES: tuple[type[Schema], ...] = (
    RoomJoined,
    RoomLeft,
    CurrentSelections,
    SeatSelected,
    BestSelected,
    SeatReleased,
    SeatBooked,
    RoomChanged,
    RoomSalesOpened,
    RoomSalesEnded,
    RoomScreeningCancelled,
    SelectionExpiring,
    RoomError,
)
ROOM_CLIENT_MESSAGES: tuple[type[Schema], ...] = (
    JoinRoom,
    LeaveRoom,
    SelectSeat,
    SelectBest,
    ReleaseSeat,
)


_Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class UsualSeatMessage(Struct, forbid_unknown_fields=True, gc=False):
    """A `select_seat` or `release_seat` whose fields have the right types; their values are not checked."""

    type: Literal["select_seat", "release_seat"]
    room_id: str
    seat_id: str
    user_info: dict[str, str | _Integer | float | bool | None] | None = None


_decode_usual = Decoder(UsualSeatMessage).decode


def usual_seat_message(message: str | bytes) -> UsualSeatMessage | None:
    """Decode a message about a seat in one step; None if it is anything else or has unusual fields."""
    try:
        return _decode_usual(message) if isinstance(message, str) else None
    except DecodeError:
        return None


def room_of(message: dict[str, Any]) -> str:
    """Return the `room_id` of a client's message.

    Raises:
        BadMessage: the field is missing or invalid.
    """
    room = message.get("room_id")
    if not isinstance(room, str) or not ROOM_NAME.fullmatch(room):
        raise BadMessage("invalid_message", "room_id must be 1 to 64 letters, digits or characters of _.:-")
    return room


_load_party = Party(unknown=EXCLUDE).load


def party_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return the party of a client's message, as arguments of `best_for`.

    Raises:
        BadMessage: a field is missing or invalid.
    """
    try:
        party: dict[str, Any] = _load_party(message)
    except ValidationError as error:
        faults: dict[str, Any] = error.messages_dict
        said = "; ".join(f"{name}: {' '.join(map(str, reasons))}" for name, reasons in faults.items())
        raise BadMessage("invalid_message", said) from error
    return party


def seat_of(message: dict[str, Any]) -> str:
    """Return the `seat_id` of a client's message.

    Raises:
        BadMessage: the field is missing or invalid.
    """
    seat = message.get("seat_id")
    if not isinstance(seat, str) or not 0 < len(seat) <= _SEAT_NAME_CHARACTERS or plain_text(seat) != seat:
        raise BadMessage(
            "invalid_message", f"seat_id must be 1 to {_SEAT_NAME_CHARACTERS} characters of plain text"
        )
    return seat
