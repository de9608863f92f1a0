"""What is kept with a seat that was selected in a room: who selected it, and what others may know of him.

The note stands with the hold, so it survives a restart with it. A seat that was taken through another door
has none; then others see a name that tells such owners apart and nothing else.
"""

import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from api.rooms.plain_text import plain_text
from api.ws.messages import BadMessage

ANOTHER_DOOR = "~box_office"
"""Stands where a `client_id` is expected and nobody is to be named. No client can have it for its own."""

_KEYS_LIMIT = 10
_KEY_CHARACTERS = 40
_REMEMBERED_ALIASES = 4096
_ALIAS_BYTES = 8


class SelectionNote(NamedTuple):
    """What is kept with a selected seat.

    Attributes:
        seat: the seat's name in its room.
        client_id: who selected it.
        user_info: what the client wants others to know.
    """

    seat: str
    client_id: str
    user_info: Mapping[str, Any]

    def encoded(self) -> str:
        """As it is kept."""
        kept = {"seat": self.seat, "client_id": self.client_id, "user_info": self.user_info}
        return orjson.dumps(kept).decode()


def note_of(kept: str | None) -> SelectionNote | None:
    """What was kept with a hold, if it was made in a room: other doors keep other things."""
    if kept is None:
        return None
    try:
        return SelectionNote(**orjson.loads(kept))
    except (orjson.JSONDecodeError, TypeError):
        return None


class Aliases:
    """Names for holders whose own are not for everybody: the same for the same holder, while we run."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self.of = lru_cache(maxsize=_REMEMBERED_ALIASES)(self._of)

    def _of(self, holder: str | None) -> str:
        """The alias of a holder."""
        if holder is None:
            return ANOTHER_DOOR
        return "~" + blake2b(holder.encode(), key=self._key, digest_size=_ALIAS_BYTES).hexdigest()


def harmless_user_info(given: object, limit_bytes: int) -> dict[str, Any]:
    """What a client says about its user, fit for others' eyes.

    Args:
        given: a flat object, in which texts are made plain, or nothing.
        limit_bytes: its length as JSON.

    Raises:
        BadMessage: it is something else, or too much.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _KEYS_LIMIT:
        raise BadMessage("invalid_user_info", f"user_info is an object of at most {_KEYS_LIMIT} values")
    info: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict | list):
            raise BadMessage("invalid_user_info", "user_info must not contain objects or lists")
        if len(key) > _KEY_CHARACTERS:
            raise BadMessage("invalid_user_info", f"Names in user_info have {_KEY_CHARACTERS} characters")
        info[plain_text(key)] = plain_text(value) if isinstance(value, str) else value
    if len(orjson.dumps(info)) > limit_bytes:
        raise BadMessage("invalid_user_info", f"user_info must not exceed {limit_bytes} bytes")
    return info
