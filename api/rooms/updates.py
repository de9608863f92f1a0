"""Encodes changes as messages of the rooms guide, once for all clients in a room.

The client that requested a change has got its own response, so it does not get the broadcast. Nor does it get
earlier changes of the same seat by others: these would arrive after its response, and the last message about
a seat must be its current state.

After changes were lost between the servers of a cluster, clients get the room's selections as if they had
joined again.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any, NamedTuple

import orjson

from api.rooms.notes import SelectionNote, parse_note
from api.rooms.room import Room
from api.wire import timestamp, timestamp_or_none
from api.ws.expiring import Expiring, expiring_holds
from api.ws.feed import Changes, Encoder, Frames
from api.ws.outbox import text_frame
from api.ws.sales import SALES, window_fields
from engine.records import Hold
from engine.sale_rules import ALWAYS, Window
from engine.views import ALL_SEATS_SHOWN, ALTERING, SeatsChanged, SeatView, view_with

AVAILABLE, RESERVED, BOOKED = "available", "reserved", "booked"
_SELECTING = frozenset({"seats_held", "booking_started", "seats_reloaded"})
"""Causes that make a seat reserved. After other causes a reserved seat was reserved before."""

_NOTHING = Frames(b"", 0)
_ENCODERS_KEPT = 4096


class RoomClient(NamedTuple):
    """A client in a room; `holder` is its holder in the engine."""

    client_id: str
    holder: str


class RoomUpdates:
    """Changes in a room, encoded lazily per receiver.

    Args:
        room: the room.
        access: keys of the blocks whose seats are available to the receivers.
        batches: changes, oldest first. Nothing is merged: every change of a seat has its own message.
    """

    __slots__ = (
        "_access",
        "_all_seats",
        "_altered",
        "_changes",
        "_everybody",
        "_expiring",
        "_origins",
        "_own",
        "_room",
        "_seat_changes",
    )

    def __init__(self, room: Room, access: tuple[str, ...], batches: Sequence[Changes]) -> None:
        self._room = room
        self._access = access
        self._changes = list(chain.from_iterable(batches))
        self._altered = not room.free and any(change.cause in ALTERING for change in self._changes)
        self._all_seats: bytes | None = None
        for n, change in reversed(list(enumerate(self._changes))):
            if change.cause == ALL_SEATS_SHOWN:
                self._all_seats = selections_frame(room, [view_with(access, view) for view in change.views])
                del self._changes[: n + 1]
                break
        self._expiring = expiring_holds(self._changes)
        self._origins = {change.origin for change in self._changes}
        self._seat_changes: list[_SeatChange] | None = None
        self._everybody: Frames | None = None
        self._own: dict[str, Frames] = {}

    def frames(self, holder: RoomClient) -> Frames:
        """Return a client's frames. Clients with identical frames share one object."""
        client_id = holder.client_id
        if self._expiring and holder.holder in self._expiring:
            own = [self._expiring_frame(client_id, warning) for warning in self._expiring[holder.holder]]
            return Frames.joined([self._frames_of(client_id), Frames(b"".join(own), len(own))])
        return self._frames_of(client_id)

    def _frames_of(self, client_id: str) -> Frames:
        if self._all_seats is not None:
            # They replace what the client was told, including the responses about its own later changes.
            joined = joined_frame(self._room, client_id) + self._all_seats
            return Frames.joined([Frames(joined, 2), self._frames_of_everybody()])
        if client_id in self._origins:
            if len(self._origins) == 1:
                return _NOTHING  # all changes are the client's own
            if client_id not in self._own:
                self._own[client_id] = self._together(self._after_own(client_id))
            return self._own[client_id]
        return self._frames_of_everybody()

    def _expiring_frame(self, client_id: str, expiring: Expiring) -> bytes:
        """Encode the message that some of a client's selections will expire soon."""
        names = [self._room.seat_name(hold.seat_id, parse_note(hold.note)) for hold in expiring.holds]
        message = {
            "type": "hold_expiring",
            "room_id": self._room.name,
            "client_id": client_id,
            "seat_ids": [name for name in names if name is not None],
            "expires_at": timestamp(expiring.expires_at),
            "remaining_seconds": expiring.remaining_seconds,
            "timestamp": timestamp(expiring.at),
        }
        return text_frame(orjson.dumps(message))

    def _frames_of_everybody(self) -> Frames:
        if self._everybody is None:
            self._everybody = self._together(self._all())
        return self._everybody

    def _all(self) -> "list[_SeatChange]":
        if self._seat_changes is None:
            changes = (_seat_changes_of(change, self._access) for change in self._changes)
            self._seat_changes = list(chain.from_iterable(changes))
        return self._seat_changes

    def _after_own(self, client_id: str) -> "list[_SeatChange]":
        """Return the changes to send to a client that has caused some of them.

        For each seat, these are the changes after the client's own last change.
        """
        seat_changes = self._all()
        last_own = {
            seat_change.view.seat_id: n
            for n, seat_change in enumerate(seat_changes)
            if seat_change.change.origin == client_id
        }
        return [
            seat_change
            for n, seat_change in enumerate(seat_changes)
            if n > last_own.get(seat_change.view.seat_id, -1)
        ]

    def _together(self, several: "list[_SeatChange]") -> Frames:
        frames = [frame for seat_change in several if (frame := seat_change.frame(self._room))]
        frames += [sales for change in self._changes if (sales := _sales_frame(self._room, change))]
        if self._altered:
            frames.append(text_frame(orjson.dumps({"type": "room_changed", "room_id": self._room.name})))
        return Frames(b"".join(frames), len(frames))


class _SeatChange:
    """A change of one seat, with the hold that ended by it, if any."""

    __slots__ = ("_ended", "_frame", "change", "view")

    def __init__(self, change: SeatsChanged, view: SeatView, ended: Hold | None) -> None:
        self.change = change
        self.view = view
        self._ended = ended
        self._frame: bytes | None = None

    def frame(self, room: Room) -> bytes:
        """Return the message, encoded once; empty if there is nothing to send or the seat has no name."""
        if self._frame is None:
            self._frame = self._encoded(room)
        return self._frame

    def _encoded(self, room: Room) -> bytes:
        view, hold = self.view, self._ended
        note = parse_note(hold.note if hold else view.note)
        name = room.seat_name(view.seat_id, note)
        kind = _message_type(view, self.change.cause)
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
        if view.blocked:
            message["blocked"] = True
        return text_frame(orjson.dumps(message))


def _seat_changes_of(change: SeatsChanged, access: tuple[str, ...]) -> Iterator[_SeatChange]:
    ended = {hold.seat_id: hold for hold in change.ended}
    return (_SeatChange(change, view_with(access, view), ended.get(view.seat_id)) for view in change.views)


@lru_cache(_ENCODERS_KEPT)
def room_encoder(room: Room, access: tuple[str, ...] = ()) -> Encoder:
    """Return the encoder for a room; the same object to all clients with the same access to blocks."""
    return partial(RoomUpdates, room, access)


def _sales_frame(room: Room, change: SeatsChanged) -> bytes | None:
    """Encode the message that sales have opened or closed; None for other changes."""
    if change.cause not in SALES:
        return None
    message = {"type": change.cause, "room_id": room.name, "timestamp": timestamp(change.at)}
    return text_frame(orjson.dumps(message))


def joined_frame(room: Room, client_id: str, window: Window = ALWAYS, server_time: str = "") -> bytes:
    """Encode the message that confirms that a client is in a room.

    Args:
        room: the room.
        client_id: the client.
        window: when its seats are on sale.
        server_time: the current time, formatted.
    """
    message = {"type": "room_joined", "room_id": room.name, "client_id": client_id}
    return text_frame(orjson.dumps(message | window_fields(window, server_time)))


def selections_frame(room: Room, views: Iterable[SeatView]) -> bytes:
    """Encode the message that lists all selected and sold seats of a room."""
    return text_frame(orjson.dumps({"type": "current_selections", "selections": selections(room, views)}))


def selections(room: Room, views: Iterable[SeatView]) -> list[dict[str, Any]]:
    """Return all selected and sold seats, as the guide lists selections.

    Seats taken through another API have no `user_info`; sold seats have a `status`.
    """
    taken: list[dict[str, Any]] = []
    for view in views:
        note = parse_note(view.note)
        name = room.seat_name(view.seat_id, note)
        if view.status == AVAILABLE or name is None:
            continue
        entry: dict[str, Any] = {
            "client_id": _client_id(room, view.holder, note),
            "seat_id": name,
            "room_id": room.name,
            "user_info": note.user_info if note else {},
            "timestamp": timestamp_or_none(view.reserved_at),
            "expires_at": timestamp_or_none(view.expires_at),
        }
        if view.status == BOOKED:
            entry["status"] = BOOKED
        if view.blocked:
            entry["blocked"] = True
        taken.append(entry)
    return taken


def _message_type(view: SeatView, cause: str) -> str | None:
    """Return the type of the message about a change; None if there is nothing to send."""
    match view.status:
        case "available":
            return "seat_released"
        case "booked":
            return None if cause == "operation_aborted" else "seat_booked"
        case _:
            return "seat_selected" if cause in _SELECTING else None


def _client_id(room: Room, holder: str | None, note: SelectionNote | None) -> str:
    return note.client_id if note else room.aliases.of(holder)
