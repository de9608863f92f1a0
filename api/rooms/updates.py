"""What happens in a room, in the words of the rooms guide: encoded once for everybody in the room.

Who asked for a change has had an answer of his own, so he is not told again. Nor is he told what others did
to the same seat before him: his answer came first, and the last word on a seat must be the true one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import orjson

from api.rooms.notes import Aliases, SelectionNote, note_of
from api.wire import timestamp_or_none
from api.ws.feed import Batch, Frames
from api.ws.outbox import text_frame
from engine.records import Hold
from engine.views import SeatMap, SeatsChanged, SeatView

AVAILABLE, RESERVED, BOOKED = "available", "reserved", "booked"
_SELECTING = frozenset({"seats_held", "booking_started"})
"""Causes by which a seat becomes reserved; by others it remains so, which is no news."""


class NamedSeats(Protocol):
    """A room, as far as it is told about.

    Attributes:
        name: of the room.
        aliases: how holders are called who are not to be named.
    """

    name: str
    aliases: Aliases

    def seat_name(self, seat_id: int, note: SelectionNote | None) -> str | None:
        """What a seat is called; None if that is not known."""


class RoomUpdates:
    """Changes in a room, as frames for everybody in it. What nobody gets is not encoded.

    Args:
        room: where it happened.
        batches: oldest first. How they are cut makes no difference here: every change is told by itself.
    """

    __slots__ = ("_everybody", "_news", "_own", "_room")

    def __init__(self, room: NamedSeats, batches: Sequence[Batch]) -> None:
        self._room = room
        self._news = [news for batch in batches for change in batch for news in _news_of(change)]
        self._everybody: Frames | None = None
        self._own: dict[str, Frames | None] = {
            news.change.origin: None for news in self._news if news.change.origin
        }

    def frames(self, holder: str) -> Frames:
        """The frames for one client, the same piece for all who get the same.

        Args:
            holder: the `client_id`.
        """
        if holder not in self._own:
            if self._everybody is None:
                self._everybody = self._together(self._news)
            return self._everybody
        frames = self._own[holder]
        if frames is None:
            frames = self._own[holder] = self._together(self._after_own(holder))
        return frames

    def _after_own(self, client_id: str) -> "list[_News]":
        """What is news to a client that caused some of it."""
        last_own = {
            news.view.seat_id: n for n, news in enumerate(self._news) if news.change.origin == client_id
        }
        return [news for n, news in enumerate(self._news) if n > last_own.get(news.view.seat_id, -1)]

    def _together(self, several: "list[_News]") -> Frames:
        frames = [frame for news in several if (frame := news.frame(self._room))]
        return Frames(b"".join(frames), len(frames))


class _News:
    """What became of one seat, and the hold on it that ended by that, if any did."""

    __slots__ = ("_ended", "_frame", "change", "view")

    def __init__(self, change: SeatsChanged, view: SeatView, ended: Hold | None) -> None:
        self.change = change
        self.view = view
        self._ended = ended
        self._frame: bytes | None = None

    def frame(self, room: NamedSeats) -> bytes:
        """The message about it, made once; nothing if it is no news, or the seat has no name there."""
        if self._frame is None:
            self._frame = self._told(room)
        return self._frame

    def _told(self, room: NamedSeats) -> bytes:
        view, hold = self.view, self._ended
        note = note_of(hold.note if hold else view.note)
        name = room.seat_name(view.seat_id, note)
        kind = _kind(view, self.change.cause)
        if name is None or kind is None:
            return b""
        message: dict[str, Any] = {
            "type": kind,
            "seat_id": name,
            "room_id": room.name,
            "client_id": _client_id(room, hold.holder if hold else view.holder, note),
        }
        if view.status == RESERVED:
            message["user_info"] = note.user_info if note else {}
        return text_frame(orjson.dumps(message))


def _news_of(change: SeatsChanged) -> Iterator[_News]:
    ended = {hold.seat_id: hold for hold in change.ended}
    return (_News(change, view, ended.get(view.seat_id)) for view in change.views)


def selections(room: NamedSeats, seat_map: SeatMap) -> list[dict[str, Any]]:
    """All seats that are taken, as the guide lists selections.

    A seat that is taken through another door has no `user_info`, and one that is sold says so by its status.
    """
    taken: list[dict[str, Any]] = []
    for view in seat_map.views.values():
        note = note_of(view.note)
        name = room.seat_name(view.seat_id, note)
        if view.status == AVAILABLE or name is None:
            continue
        entry = {
            "client_id": _client_id(room, view.holder, note),
            "seat_id": name,
            "room_id": room.name,
            "user_info": note.user_info if note else {},
            "timestamp": timestamp_or_none(view.reserved_at),
            "expires_at": timestamp_or_none(view.expires_at),
        }
        if view.status == BOOKED:
            entry["status"] = BOOKED
        taken.append(entry)
    return taken


def _kind(view: SeatView, cause: str) -> str | None:
    """The type of the message that tells it; None if it is no news."""
    match view.status:
        case "available":
            return "seat_released"
        case "booked":
            return None if cause == "operation_aborted" else "seat_booked"
        case _:
            return "seat_selected" if cause in _SELECTING else None


def _client_id(room: NamedSeats, holder: str | None, note: SelectionNote | None) -> str:
    return note.client_id if note else room.aliases.of(holder)
