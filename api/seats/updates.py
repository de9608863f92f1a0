"""Encodes changes of a screening as WebSocket frames, once for all receivers of identical bytes.

Almost all sockets get identical bytes; only the holder of a seat in the update gets different ones, with
`is_mine` true. Each seat is encoded once, and the message formats of both guides are assembled from these
fragments. A holder is also warned before its holds expire, and told of news from the waiting list.

A long message is split into parts. All but the last have `"more": true` and no `seq`, so a client that
resumes after the last `seq` it saw never misses a part.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache, partial
from typing import Any

import orjson

from api.seats.messages import UpdateForm
from api.wire import price, timestamp, timestamp_or_none, user_id_of
from api.ws.expiring import Expiring, expiring_holds
from api.ws.feed import Changes, Encoder, Frames, Position
from api.ws.news import News, news_of
from api.ws.outbox import text_frame
from api.ws.sales import SALES
from engine.views import ALTERING, SeatsChanged, SeatView, StateHashed, view_with

PART_LIMIT_BYTES = 32 * 1024
_LARGEST_SAFE_INTEGER = 2**53 - 1
"""Largest integer that JavaScript does not round; ids of guests are larger."""

_ENVELOPE_BYTES = 256
_ENCODERS_KEPT = 4096


class SeatUpdates:
    """An update with the new states of seats, encoded per receiver.

    Args:
        form: message format.
        changes: changes, oldest first, at least one. Only the last state of each seat is sent.
        access: keys of the blocks whose seats are available to the receivers.
        hashed: the receivers get hashes of what they should see.
    """

    __slots__ = (
        "_altered",
        "_at",
        "_audiences",
        "_expiring",
        "_form",
        "_hash",
        "_news",
        "_owners",
        "_position",
        "_sales",
        "_screening_id",
        "_views",
    )

    def __init__(
        self,
        form: UpdateForm,
        changes: Sequence[SeatsChanged],
        access: tuple[str, ...] = (),
        *,
        hashed: bool = False,
    ) -> None:
        last = changes[-1]
        self._altered = next((change for change in reversed(changes) if change.cause in ALTERING), None)
        self._sales = [change for change in changes if change.cause in SALES]
        views = {view.seat_id: view for change in changes for view in change.views}
        self._form = form
        self._position = Position(last.epoch, last.seq)
        self._at = last.at
        self._views = tuple([view_with(access, view) for view in views.values()])
        self._screening_id = last.screening_id
        # A hash is that of all changes before it, so it must be the last one.
        self._hash = last if hashed and isinstance(last, StateHashed) else None
        self._expiring = expiring_holds(changes)
        self._news = news_of(changes)
        self._owners: Set[str | None] = {view.holder for view in self._views}.union(
            self._expiring, self._news
        )
        self._audiences: dict[str | None, Frames] = {}

    def frames(self, holder: str | None) -> Frames:
        """Return the frames for a watcher. Watchers who get identical bytes share one object.

        Args:
            holder: holder whose seats are marked `is_mine`; None for none.
        """
        owner = holder if holder in self._owners else None
        frames = self._audiences.get(owner)
        if frames is None:
            parts = tuple(self.parts(owner))
            frames = self._audiences[owner] = Frames(b"".join(parts), len(parts))
        return frames

    @property
    def owners(self) -> Set[str | None]:
        """The holders whose frames differ from everybody else's."""
        return self._owners

    def parts(self, holder: str | None) -> Iterator[bytes]:
        """Yield the frames one by one, for a watcher that catches up at its own pace."""
        if self._altered is not None:
            yield _screening_changed(self._altered, self._position)
        for change in self._sales:
            yield _sales_changed(change)
        states = [seat_state(view, holder) for view in self._views]
        if states:
            yield from self._states(states)
        if self._hash is not None:
            yield _state_hash(self._hash)
        for expiring in self._expiring.get(holder or "", ()):
            yield _hold_expiring(self._screening_id, expiring, self._position)
        for news in self._news.get(holder or "", ()):
            yield _waitlist_news(news, self._position)

    def _states(self, states: Sequence[bytes]) -> Iterator[bytes]:
        if self._form is UpdateForm.SINGLE or (self._form is UpdateForm.BOTH and len(states) == 1):
            yield from finished(map(_single, states), self._position, self._at)
        if self._form is not UpdateForm.SINGLE:
            yield from finished(bulks(states), self._position, self._at)


class SeriesOfSeatUpdates:
    """Several updates that are sent together. Implements `api.ws.feed.Encoder`.

    Args:
        form: message format.
        access: keys of the blocks whose seats are available to the receivers.
        hashed: the receivers get hashes of what they should see.
        batches: the changes of each update.
    """

    __slots__ = ("_audiences", "_owners", "_updates")

    def __init__(
        self, form: UpdateForm, access: tuple[str, ...], hashed: bool, batches: Sequence[Changes]
    ) -> None:
        self._updates = [SeatUpdates(form, batch, access, hashed=hashed) for batch in batches]
        self._owners = {owner for update in self._updates for owner in update.owners}
        self._audiences: dict[str | None, Frames] = {}

    def frames(self, holder: str) -> Frames:
        """Return the frames of all updates for a watcher."""
        owner = holder if holder in self._owners else None
        frames = self._audiences.get(owner)
        if frames is None:
            frames = Frames.joined([update.frames(owner) for update in self._updates])
            self._audiences[owner] = frames
        return frames


@lru_cache(_ENCODERS_KEPT)
def seat_encoder(form: UpdateForm, access: tuple[str, ...] = (), hashed: bool = False) -> Encoder:
    """Return the encoder for a message format; the same object to all who have the same access to blocks."""
    return partial(SeriesOfSeatUpdates, form, access, hashed)


def finished(messages: Iterator[bytes], position: Position, at: float, **flags: bool) -> Iterator[bytes]:
    """Complete the messages of one update and frame them; only the last one gets `seq`."""
    common = {"timestamp": timestamp(at), "epoch": position.epoch, **flags}
    unfinished = b"," + orjson.dumps({**common, "more": True})[1:]
    final = b"," + orjson.dumps({**common, "seq": position.seq})[1:]
    message = next(messages)
    for following in messages:
        yield text_frame(message + unfinished)
        message = following
    yield text_frame(message + final)


def _screening_changed(change: SeatsChanged, position: Position) -> bytes:
    """Encode the message that a screening's seats, times, price or room have changed."""
    message = {
        "type": "screening_changed",
        "screening_id": change.screening_id,
        "seats": change.capacity,
        "available": change.available,
        "timestamp": timestamp(change.at),
        "epoch": position.epoch,
    }
    return text_frame(orjson.dumps(message))


def _sales_changed(change: SeatsChanged) -> bytes:
    """Encode the message that sales have opened or closed, or that the screening is cancelled."""
    message = {
        "type": change.cause,
        "screening_id": change.screening_id,
        "timestamp": timestamp(change.at),
        "epoch": change.epoch,
        "seq": change.seq,
    }
    return text_frame(orjson.dumps(message))


def _state_hash(change: StateHashed) -> bytes:
    """Encode the hash of what everybody sees."""
    message = {
        "type": "state_hash",
        "screening_id": change.screening_id,
        "hash": change.hash,
        "taken": change.taken,
        "timestamp": timestamp(change.at),
        "epoch": change.epoch,
        "seq": change.seq,
    }
    return text_frame(orjson.dumps(message))


def _hold_expiring(screening_id: int, expiring: Expiring, position: Position) -> bytes:
    """Encode the message that some of the receiver's holds will expire soon."""
    message = {
        "type": "hold_expiring",
        "screening_id": screening_id,
        "seat_ids": sorted(hold.seat_id for hold in expiring.holds),
        "expires_at": timestamp(expiring.expires_at),
        "remaining_seconds": expiring.remaining_seconds,
        "timestamp": timestamp(expiring.at),
        "epoch": position.epoch,
        "seq": position.seq,
    }
    return text_frame(orjson.dumps(message))


def _waitlist_news(news: News, position: Position) -> bytes:
    """Encode the message that the receiver is offered seats, or that a seat is free."""
    entry = news.entry
    message: dict[str, Any] = {"type": "seat_free", "screening_id": entry.screening_id, "id": entry.id}
    if entry.seat_id is not None:
        message["seat_id"] = entry.seat_id
    else:
        message |= {
            "type": "waitlist_offered",
            "seat_ids": sorted(entry.seat_ids),
            "reservation_id": entry.reservation_id,
            "expires_at": timestamp_or_none(entry.expires_at),
            "remaining_seconds": news.remaining_seconds,
        }
    message |= {"timestamp": timestamp(news.at), "epoch": position.epoch, "seq": position.seq}
    return text_frame(orjson.dumps(message))


def _single(state: bytes) -> bytes:
    """Return the first part of a `seat_update`, without its closing brace."""
    return b'{"type":"seat_update",' + state[1:-1]


def bulks(states: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first parts of `bulk_seat_update` messages, split by the size limit; at least one."""
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
    """Return the first part of a `bulk_seat_update`, without its closing brace."""
    return b'{"type":"bulk_seat_update","updates":[' + b",".join(states) + b"]"


def seat_state(view: SeatView, holder: str | None) -> bytes:
    """Encode an `api.seats.messages.SeatState`, omitting fields without a value."""
    is_mine = view.holder is not None and view.holder == holder
    state: dict[str, Any] = {"seat_id": view.seat_id, "status": view.status, "is_mine": is_mine}
    if view.blocked:
        state["blocked"] = True
    if is_mine and view.price_cents is not None:
        state["price"] = price(view.price_cents)
    owner = user_id_of(view.holder)
    if owner is not None:
        state["booked_by" if view.status == "booked" else "reserved_by"] = owner
        if owner > _LARGEST_SAFE_INTEGER:
            state["holder"] = view.holder
    if view.expires_at is not None:
        state["expires_at"] = timestamp(view.expires_at)
    previous = user_id_of(view.previous_holder)
    if previous is not None:
        state["previously_reserved_by"] = previous
    return orjson.dumps(state)
