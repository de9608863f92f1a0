"""Visible changes of a screening as WebSocket frames, encoded once for everybody who gets the same.

Almost all sockets get identical bytes. Only whoever owns a seat in the update gets bytes of their own,
with `is_mine` true there. Each seat is encoded once and both forms of the guides are assembled from these
fragments; the rest of a message is constant.

A long message is cut into parts. All but the last say `"more": true` and carry no `seq`, so a client that
resumes after the last `seq` it saw never misses the parts it did not get.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

import orjson

from api.seats.messages import UpdateForm
from api.wire import timestamp, user_id_of
from api.ws.feed import Batch, Frames, Position, Wording
from api.ws.outbox import text_frame
from engine.replies import SeatMap, SeatsChanged, SeatView

PART_LIMIT_BYTES = 32 * 1024
_ENVELOPE_BYTES = 256


class SeatUpdates:
    """The new state of some seats, as frames for every audience.

    Args:
        form: which messages are wanted.
        changes: oldest first; of each seat only the last state counts.
    """

    __slots__ = ("_at", "_audiences", "_form", "_owners", "_position", "_views")

    def __init__(self, form: UpdateForm, changes: Sequence[SeatsChanged]) -> None:
        last = changes[-1]
        views = {view.seat_id: view for change in changes for view in change.views}
        self._form = form
        self._position = Position(last.epoch, last.seq)
        self._at = last.at
        self._views = tuple(views.values())
        self._owners: Set[str | None] = {view.holder for view in self._views}
        self._audiences: dict[str | None, Frames] = {}

    def frames(self, holder: str | None) -> Frames:
        """The frames for a watcher, as one piece that is made once for all who get the same.

        Args:
            holder: whose seats are "mine"; None for somebody who has none.
        """
        owner = holder if holder in self._owners else None
        frames = self._audiences.get(owner)
        if frames is None:
            parts = tuple(self.parts(owner))
            frames = self._audiences[owner] = Frames(b"".join(parts), len(parts))
        return frames

    @property
    def owners(self) -> Set[str | None]:
        """Who gets frames of his own."""
        return self._owners

    def parts(self, holder: str | None) -> Iterator[bytes]:
        """The same frames one by one, for a watcher who has much to catch up with."""
        states = [_seat_state(view, holder) for view in self._views]
        if not states:
            return
        if self._form is UpdateForm.SINGLE or (self._form is UpdateForm.BOTH and len(states) == 1):
            yield from _cut(map(_single, states), self._position, self._at)
        if self._form is not UpdateForm.SINGLE:
            yield from _cut(_bulks(states), self._position, self._at)


class SeriesOfSeatUpdates:
    """Updates that leave together, each told by itself. Fits `api.ws.feed.Wording`.

    Args:
        form: which messages are wanted.
        batches: what each update tells.
    """

    __slots__ = ("_audiences", "_owners", "_updates")

    def __init__(self, form: UpdateForm, batches: Sequence[Batch]) -> None:
        self._updates = [SeatUpdates(form, batch) for batch in batches]
        self._owners = {owner for update in self._updates for owner in update.owners}
        self._audiences: dict[str | None, Frames] = {}

    def frames(self, holder: str) -> Frames:
        """As those of each update."""
        owner = holder if holder in self._owners else None
        frames = self._audiences.get(owner)
        if frames is None:
            frames = Frames.joined([update.frames(owner) for update in self._updates])
            self._audiences[owner] = frames
        return frames


SEAT_WORDINGS: Mapping[UpdateForm, Wording] = {
    form: partial(SeriesOfSeatUpdates, form) for form in UpdateForm
}
"""How the seats of a screening are told to those who watch them."""


def snapshot_frames(seat_map: SeatMap, holder: str, at: float) -> Iterator[bytes]:
    """All seats of a screening as bulk updates, made one by one as they are asked for.

    Args:
        seat_map: the seats; the last frame's position is its.
        holder: whose seats are "mine".
        at: now, in seconds since the epoch.
    """
    views = seat_map.views
    states = (
        _seat_state(views.get(seat.id) or SeatView(seat.id, "available"), holder)
        for seat in seat_map.layout.seats
    )
    return _cut(_bulks(states), Position(seat_map.epoch, seat_map.seq), at, snapshot=True)


def _cut(messages: Iterator[bytes], position: Position, at: float, **flags: bool) -> Iterator[bytes]:
    """Finish messages that belong together: the last one says which position they lead to."""
    common = {"timestamp": timestamp(at), "epoch": position.epoch, **flags}
    unfinished = b"," + orjson.dumps({**common, "more": True})[1:]
    final = b"," + orjson.dumps({**common, "seq": position.seq})[1:]
    message = next(messages)
    for following in messages:
        yield text_frame(message + unfinished)
        message = following
    yield text_frame(message + final)


def _single(state: bytes) -> bytes:
    """The beginning of a `seat_update`."""
    return b'{"type":"seat_update",' + state[1:-1]


def _bulks(states: Iterable[bytes]) -> Iterator[bytes]:
    """The beginnings of as many `bulk_seat_update` messages as the size limit asks for, at least one."""
    part: list[bytes] = []
    part_bytes = _ENVELOPE_BYTES
    for state in states:
        if part_bytes + len(state) > PART_LIMIT_BYTES:
            yield _bulk(part)
            part, part_bytes = [], _ENVELOPE_BYTES
        part.append(state)
        part_bytes += len(state) + 1
    yield _bulk(part)


def _bulk(states: Iterable[bytes]) -> bytes:
    """The beginning of a `bulk_seat_update`."""
    return b'{"type":"bulk_seat_update","updates":[' + b",".join(states) + b"]"


def _seat_state(view: SeatView, holder: str | None) -> bytes:
    """`api.seats.messages.SeatState`; a field that has nothing to say is left out."""
    state: dict[str, Any] = {
        "seat_id": view.seat_id,
        "status": view.status,
        "is_mine": view.holder is not None and view.holder == holder,
    }
    owner = user_id_of(view.holder)
    if owner is not None:
        state["booked_by" if view.status == "booked" else "reserved_by"] = owner
    if view.expires_at is not None:
        state["expires_at"] = timestamp(view.expires_at)
    previous = user_id_of(view.previous_holder)
    if previous is not None:
        state["previously_reserved_by"] = previous
    return orjson.dumps(state)
