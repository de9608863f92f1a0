"""Why a message on the rooms socket has had no effect: the engine's reasons, with the names clients use."""

from typing import Any

from api.errors import TooManyAttempts
from api.rest.errors import words_of
from engine.errors import (
    BookingInProgress,
    EngineError,
    HoldLifeSpent,
    NotHeld,
    ScreeningNotFound,
    SeatsNotFound,
    SeatsUnavailable,
)


class TooManyRooms(EngineError):
    """The socket is in as many rooms as it may be."""

    code = "too_many_rooms"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A client may be in {limit} rooms; leave one first")


class NotInRoom(EngineError):
    """The client wants to leave a room in which it is not."""

    code = "not_in_room"

    def __init__(self) -> None:
        super().__init__("You are not in this room")


def refusal_of(error: BaseException, timestamp: str, *, room_id: str, seat_id: str = "") -> dict[str, Any]:
    """The message that tells a client why nothing has come of what it wanted.

    Args:
        error: the reason.
        timestamp: the time as messages tell it.
        room_id: the room that was meant.
        seat_id: the seat that was meant, if one was.
    """
    code = error.code if isinstance(error, EngineError | TooManyAttempts) else "internal_error"
    message = {
        "type": "error",
        "code": code,
        "message": _in_words(error, room_id, seat_id),
        "room_id": room_id,
        "timestamp": timestamp,
    }
    return {**message, "seat_id": seat_id} if seat_id else message


def _in_words(error: BaseException, room_id: str, seat_id: str) -> str:
    """The reason, for people. What the engine says where it names no seats by their ids."""
    match error:
        case SeatsUnavailable():
            return f"Seat {seat_id} is {'booked' if error.booked else 'selected by somebody else'}"
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
        case EngineError() | TooManyAttempts():
            return words_of(error)
        case _:
            return "Internal error"
