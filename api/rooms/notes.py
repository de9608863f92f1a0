"""Notes stored with seats that were selected in a room: the client's id and its public user data.

The note is stored with the hold, so it survives a restart. Seats taken through another API have no note;
clients then see an alias instead, which tells holders apart but does not identify them.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct
from msgspec.json import Encoder

from api.rooms.plain_text import plain_text
from api.ws.messages import BadMessage

_KEYS_LIMIT = 10
_KEY_CHARACTERS = 40

_encode = Encoder().encode


class SelectionNote(Struct, frozen=True):
    """The data stored with a selected seat.

    Attributes:
        seat: the seat's name in its room.
        client_id: id of the client that selected it.
        user_info: user data that the client shares with others.
    """

    seat: str
    client_id: str
    user_info: Mapping[str, Any]

    def encoded(self) -> str:
        """Return the note as stored."""
        return _encode(self).decode()


def parse_note(kept: str | None) -> SelectionNote | None:
    """Parse a hold's note; None if the hold was not made in a room (other APIs store other notes)."""
    if kept is None:
        return None
    try:
        return SelectionNote(**orjson.loads(kept))
    except (orjson.JSONDecodeError, TypeError):
        return None


def sanitized_user_info(given: object, limit_bytes: int) -> dict[str, Any]:
    """Validate and sanitize a client's `user_info`, which other clients see.

    Args:
        given: a flat object, whose strings are converted to plain text; None for an empty one.
        limit_bytes: largest size as JSON.

    Raises:
        BadMessage: it is not a flat object, or too large.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _KEYS_LIMIT:
        raise BadMessage(
            "invalid_user_info", f"user_info must be an object with at most {_KEYS_LIMIT} fields"
        )
    info: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict | list):
            raise BadMessage("invalid_user_info", "user_info must not contain objects or lists")
        if len(key) > _KEY_CHARACTERS:
            raise BadMessage(
                "invalid_user_info", f"Field names in user_info must not exceed {_KEY_CHARACTERS} characters"
            )
        info[plain_text(key)] = plain_text(value) if isinstance(value, str) else value
    if len(orjson.dumps(info)) > limit_bytes:
        raise BadMessage("invalid_user_info", f"user_info must not exceed {limit_bytes} bytes")
    return info
