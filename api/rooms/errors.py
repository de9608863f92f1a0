"""Error messages of the rooms WebSocket: the engine's errors, with names of seats instead of ids."""

from typing import Any

from api.errors import ApiError
from api.rest.errors import client_message
from api.rooms.room import Room
from api.wire import timestamp_or_none
from engine.errors import EngineError
from engine.rule_errors import PersonLimitExceeded, WouldStrandSeat
from engine.selling_errors import (
    BookingInProgress,
    HoldLifeSpent,
    NoAdjacentSeats,
    NotHeld,
    SalesClosed,
    ScreeningNotFound,
    SeatsNotFound,
    SeatsUnavailable,
)


class TooManyRooms(EngineError):
    """The socket has reached its limit of rooms."""

    code = "too_many_rooms"

    def __init__(self, limit: int) -> None:
        super().__init__(f"Leave a room first; the limit is {limit} rooms")


class NotInRoom(EngineError):
    """The client has not joined the room that it wants to leave."""

    code = "not_in_room"
    detail = "You are not in this room"


def refusal_of(
    error: BaseException, timestamp: str, *, room_id: str, seat_id: str = "", request: str = ""
) -> dict[str, Any]:
    """Return the `error` message for a client's message.

    Args:
        error: the cause.
        timestamp: current time, formatted.
        room_id: room of the client's message.
        seat_id: seat of the client's message; empty if it has none.
        request: type of the client's message, if it is no message of the guide.
    """
    code = error.code if isinstance(error, EngineError | ApiError) else "internal_error"
    message = {
        "type": "error",
        "code": code,
        "message": _text_of(error, room_id, seat_id),
        "room_id": room_id,
        "timestamp": timestamp,
        **_details_of(error),
    }
    about = {"seat_id": seat_id, "request": request}
    return message | {name: value for name, value in about.items() if value}


def _details_of(error: BaseException) -> dict[str, Any]:
    """Return the details of a refusal that a client can show."""
    match error:
        case PersonLimitExceeded():
            return {"limit": error.limit, "held": error.held, "bought": error.bought}
        case NoAdjacentSeats():
            return {"largest": error.largest}
        case SalesClosed():
            return {
                "sales_start": timestamp_or_none(error.sales_start),
                "sales_end": timestamp_or_none(error.sales_end),
            }
        case _:
            return {}


def about_stranded(error: WouldStrandSeat, seat_id: str, room: Room) -> dict[str, Any]:
    """Return the fields of the `error` message for a selection that would leave seats of a room alone."""
    stranded = room.seat_names(error.stranded)
    alternatives = [room.seat_names(seat_ids) for seat_ids in error.alternatives]
    instead = " or ".join([*map(" and ".join, alternatives), "another seat"])
    chosen = f"Seat {seat_id}" if seat_id else "Every choice of so many such seats"
    return {
        "message": f"{chosen} would leave {' and '.join(stranded)} without a free seat beside it; "
        f"select {instead} instead",
        "stranded": stranded,
        "alternatives": alternatives,
    }


def _text_of(error: BaseException, room_id: str, seat_id: str) -> str:
    """Return the message for people; the engine's own message unless that names seats by id."""
    match error:
        case SeatsUnavailable(blocked=blocked) if blocked:
            return f"Seat {seat_id} is kept back by the organiser"
        case SeatsUnavailable():
            return f"Seat {seat_id} is {'booked' if error.booked else 'selected by another client'}"
        case SeatsNotFound():
            return f"Room {room_id} has no seat {seat_id}"
        case NotHeld():
            return f"Seat {seat_id} is not selected by you"
        case HoldLifeSpent():
            return error.words(f"Seat {seat_id}")
        case BookingInProgress():
            return f"Seat {seat_id} is being booked"
        case ScreeningNotFound():
            return f"There is no room {room_id}"
        case EngineError() | ApiError():
            return client_message(error)
        case _:
            return "Internal error"
