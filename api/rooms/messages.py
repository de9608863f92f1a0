"""The messages on the rooms socket: what AsyncAPI shows, what tests hold us to, and how a client's are read.

Names and fields are those of the rooms guide; `error` and `seat_booked` are ours (docs/websocket.md).
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from api.rooms.directory import ROOM_NAME
from api.rooms.plain_text import plain_text
from api.ws.messages import BadMessage, message_type, moment

_ROOM, _SEAT, _CLIENT = "funcion_123", "A1", "user_1234567890"
_SEAT_NAME_CHARACTERS = 20
_USER_INFO = {"name": "Ada Lovelace", "email": "ada@home.example"}
_AT, _UNTIL = "2026-01-26T18:25:00.000Z", "2026-01-26T18:30:00.000Z"


def _room(**options: Any) -> fields.String:
    return fields.String(
        validate=validate.Regexp(rf"^{ROOM_NAME.pattern}$"),
        metadata={"description": "`funcion_` and a screening's id, or any other name", "example": _ROOM},
        **options,
    )


def _seat(**options: Any) -> fields.String:
    return fields.String(
        validate=validate.Length(1, _SEAT_NAME_CHARACTERS),
        metadata={"description": "Row and number; in a free room any name", "example": _SEAT},
        **options,
    )


def _client() -> fields.String:
    return fields.String(
        required=True,
        metadata={
            "description": "Who did it; an alias that begins with ~ for other doors",
            "example": _CLIENT,
        },
    )


def _user_info(**options: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        metadata={"description": "What the client told about its user, as plain text", "example": _USER_INFO},
        **options,
    )


class _RoomCommand(Schema):
    class Meta:
        unknown = EXCLUDE

    room_id = _room(required=True)


class JoinRoom(_RoomCommand):
    """Be told what happens in a room; a free room is made if it is not there."""

    type = message_type("join_room")


class LeaveRoom(_RoomCommand):
    """Be told no longer. Selected seats stay selected."""

    type = message_type("leave_room")


class SelectSeat(_RoomCommand):
    """Select a seat for a while. A seat of one's own stays as it is."""

    type = message_type("select_seat")
    seat_id = _seat(required=True)
    user_info = _user_info()


class ReleaseSeat(_RoomCommand):
    """Give a seat of one's own back."""

    type = message_type("release_seat")
    seat_id = _seat(required=True)


class RoomJoined(Schema):
    """The client is in the room; `current_selections` follows."""

    type = message_type("room_joined")
    room_id = _room(required=True)
    client_id = _client()


class RoomLeft(Schema):
    """The client is in the room no longer."""

    type = message_type("room_left")
    room_id = _room(required=True)
    client_id = _client()


class Selection(Schema):
    """A seat that is taken."""

    client_id = _client()
    seat_id = _seat(required=True)
    room_id = _room(required=True)
    user_info = _user_info(required=True)
    timestamp = moment("Since when; null where that is not told", _AT, required=True, allow_none=True)
    expires_at = moment("Until when; null for a seat that is sold", _UNTIL, required=True, allow_none=True)
    status = fields.String(
        validate=validate.Equal("booked"),
        metadata={"description": "Only of a seat that is sold", "example": "booked"},
    )


class CurrentSelections(Schema):
    """All seats of the room that are taken."""

    type = message_type("current_selections")
    selections = fields.List(fields.Nested(Selection), required=True)


class SeatSelected(Schema):
    """A seat was selected. Who selected it is answered without `user_info`."""

    type = message_type("seat_selected")
    seat_id = _seat(required=True)
    room_id = _room(required=True)
    client_id = _client()
    user_info = _user_info()


class SeatReleased(Schema):
    """A seat is free: it was given back, its time is over, or its ticket was cancelled."""

    type = message_type("seat_released")
    seat_id = _seat(required=True)
    room_id = _room(required=True)
    client_id = _client()


class SeatBooked(Schema):
    """A seat was sold, through another door."""

    type = message_type("seat_booked")
    seat_id = _seat(required=True)
    room_id = _room(required=True)
    client_id = _client()


class RoomError(Schema):
    """A message has had no effect."""

    type = message_type("error")
    code = fields.String(required=True, metadata={"example": "seats_unavailable"})
    message = fields.String(required=True, metadata={"example": "Seat A1 is selected by somebody else"})
    timestamp = moment("The server's time", _AT, required=True)
    room_id = _room()
    seat_id = _seat()


class RoomQuery(Schema):
    """Query of `/ws/{client_id}`."""

    class Meta:
        unknown = EXCLUDE

    token = fields.String(
        metadata={
            "description": "JSON Web Token of the user whose the seats are to be; else they are a guest's"
        }
    )


ROOM_SERVER_MESSAGES: tuple[type[Schema], ...] = (
    RoomJoined,
    RoomLeft,
    CurrentSelections,
    SeatSelected,
    SeatReleased,
    SeatBooked,
    RoomError,
)
ROOM_CLIENT_MESSAGES: tuple[type[Schema], ...] = (JoinRoom, LeaveRoom, SelectSeat, ReleaseSeat)


def room_of(message: dict[str, Any]) -> str:
    """The room that a client's message names.

    Raises:
        BadMessage: it names none.
    """
    room = message.get("room_id")
    if not isinstance(room, str) or not ROOM_NAME.fullmatch(room):
        raise BadMessage("invalid_message", "room_id is 1 to 64 letters, digits or characters of _.:-")
    return room


def seat_of(message: dict[str, Any]) -> str:
    """The seat that a client's message names.

    Raises:
        BadMessage: it names none.
    """
    seat = message.get("seat_id")
    if not isinstance(seat, str) or not 0 < len(seat) <= _SEAT_NAME_CHARACTERS or plain_text(seat) != seat:
        raise BadMessage("invalid_message", f"seat_id is 1 to {_SEAT_NAME_CHARACTERS} characters of text")
    return seat
