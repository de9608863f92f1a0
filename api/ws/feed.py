"""The feed: sends every visible change of a screening to the sockets that watch it.

A screening without watchers costs one dictionary lookup per change. Otherwise a change is only queued while
its command runs, and sent in a later turn of the event loop, so a hold costs the same however many sockets
watch. The first change is sent immediately. Further changes are merged into one update per tick; with a tick
of 0, updates are sent one after another. A socket costs one system call per update, so under load updates get
larger, not more frequent.

Each endpoint has its own message format: a watcher has an `Encoder`, and an update is encoded once per
encoder and shared by its watchers. A large audience is served in slices, so that other work gets its turn in
between.

A new watcher passes through three states, so that no change is lost or sent twice:

    joined ──buffer()──▶ buffering ──follow(position)──▶ live
       ▲                        │
       └───────── pause() ──────┘

A joined watcher gets nothing. While it is buffering, updates are kept while the engine is asked for the
changes it missed. Then it follows from the position of the engine's reply: kept updates newer than that
position are sent first. Changes from before it started buffering are always in the engine's reply.

An exception closes the sockets it concerns; their clients reconnect and catch up. Others are not affected.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol, Self

from api.ws.compression import deflated
from engine.guards import DefectLog, guarded
from engine.ports import Clock, Timer
from engine.views import STATE_HASHED, SeatsChanged


class Position(NamedTuple):
    """A point in the history of a screening; positions sort by time."""

    epoch: int
    seq: int


_NEVER = Position(2**63, 0)

_SLICE = 512
"""Sockets written to in one turn of the event loop; takes a few milliseconds."""

_defects = DefectLog("sending a change")


class Frames:
    """Encoded frames.

    Args:
        wire: bytes of the frames, concatenated.
        number: number of frames.
    """

    __slots__ = ("_deflated", "number", "wire")

    def __init__(self, wire: bytes, number: int) -> None:
        self.wire = wire
        self.number = number
        self._deflated: bytes | None = None

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Concatenate frames."""
        if len(several) == 1:
            return several[0]
        return cls(b"".join([frames.wire for frames in several]), sum(frames.number for frames in several))

    def deflated(self, from_bytes: int) -> bytes:
        """Return the frames for clients that support compression. Compressed once and cached.

        Args:
            from_bytes: smallest frame to compress; must be the same in every call.
        """
        if self._deflated is None:
            self._deflated = deflated(self.wire, from_bytes)
        return self._deflated


class EncodedUpdate(Protocol):
    """Changes encoded in the message format of one endpoint."""

    def frames(self, holder: Any) -> Frames:
        """Return the frames for `Watcher.holder`; the same object for all watchers with identical frames."""


Told = Callable[[int, Position, int], None]

Changes = Sequence[SeatsChanged]
"""Changes of one screening that may be merged into one message: oldest first, at least one."""

Encoder = Callable[[Sequence[Changes]], EncodedUpdate]
"""Encodes changes of one screening, oldest first. Watchers share encodings if they share this object."""


class FeedObserver(Protocol):
    """Counts what is sent; called once per update, not per socket."""

    def frames_sent(self, count: int) -> None:
        """Count frames handed to sockets."""

    def update_sent(self, age_seconds: float) -> None:
        """An update has been handed to all sockets; its oldest change was decided `age_seconds` ago."""


class AudienceObserver(Protocol):
    """Learns which screenings have watchers."""

    def watched(self, screening_id: int) -> None:
        """The first watcher has joined; it asks the engine for what it missed afterwards."""

    def unwatched(self, screening_id: int) -> None:
        """The last watcher has left."""


class Update:
    """Changes that are sent together.

    Args:
        batches: oldest first, at least one, none of them empty.

    Attributes:
        first, position: the positions after the first batch and after the last.
        decided_at: when its oldest change was decided, in seconds since the epoch.
        encoded: by encoder, once it has been needed.
    """

    __slots__ = ("_batches", "decided_at", "encoded", "first", "position")

    def __init__(self, batches: Sequence[Changes]) -> None:
        self.position = _position_of(batches[-1])
        self.first = _position_of(batches[0])
        self.decided_at = batches[0][0].at
        self._batches = batches
        self.encoded: dict[Encoder, EncodedUpdate] = {}

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Return one update for several, oldest first."""
        return cls([batch for update in several for batch in update._batches])

    def encoded_by(self, encoder: Encoder) -> EncodedUpdate:
        """Encode the update; done once per encoder, and then found in `encoded`."""
        encoded = self.encoded[encoder] = encoder(self._batches)
        return encoded

    def after(self, position: Position) -> "Update":
        """Return the part of the update that is newer than a position within it."""
        return Update([batch for batch in self._batches if _position_of(batch) > position])


def _position_of(batch: Changes) -> Position:
    return Position(batch[-1].epoch, batch[-1].seq)


class Watcher:
    """A socket's subscription to a screening.

    Args:
        screening_id: the screening.
        holder: who has the socket, as `encoder` knows it: usually its holder in the engine.
        encoder: encodes changes.
        send: sends whole frames; never blocks.
        failed: called if an update cannot be sent to this watcher, which then gets no further updates.
        deflate_from_bytes: smallest frame to compress; None for no compression.

    Attributes:
        hashed: it wants hashes of what everybody sees (`engine.views.StateHashed`); set before it joins.
        due: an update that is being sent to the audience and has not been sent to this watcher yet.
        since: the position from which it was shown updates; later than all others until it goes live.
    """

    __slots__ = (
        "_deflate_from_bytes",
        "_failed",
        "_kept",
        "_live",
        "_send",
        "due",
        "encoder",
        "hashed",
        "holder",
        "screening_id",
        "since",
    )

    def __init__(
        self,
        screening_id: int,
        holder: Any,
        encoder: Encoder,
        send: Callable[[bytes], None],
        failed: Callable[[], None],
        deflate_from_bytes: int | None = None,
    ) -> None:
        self.screening_id = screening_id
        self.hashed = False
        self.holder = holder
        self.encoder = encoder
        self._send = send
        self._failed = failed
        self._deflate_from_bytes = deflate_from_bytes
        self.pause()

    def pause(self) -> None:
        """Stop receiving updates, until `buffer` is called again."""
        self._live = False
        self.since = _NEVER
        self._kept: list[Update] | None = None
        self.due: Update | None = None

    def buffer(self) -> None:
        """Keep updates from now on, without sending them."""
        self._kept = []

    def follow(self, position: Position) -> int:
        """Go live: send the kept updates newer than `position`, then all updates as they come.

        Returns:
            Number of frames sent.
        """
        kept, self._kept, self.since = self._kept or (), None, position
        return sum(map(self.take, kept))

    def take(self, update: Update) -> int:
        """Send an update, keep it, or skip it, depending on the watcher's state. Never raises.

        Returns:
            Number of frames sent.
        """
        try:
            if not self._live:
                if self._kept is not None:
                    self._kept.append(update)
                    return 0
                if update.position <= self.since:
                    return 0
                if update.first <= self.since:
                    update = update.after(self.since)
                # Updates come in order, so all further ones are newer.
                self._live = True
            encoded = update.encoded.get(self.encoder) or update.encoded_by(self.encoder)
            frames = encoded.frames(self.holder)
            if frames.number:
                from_bytes = self._deflate_from_bytes
                self._send(frames.wire if from_bytes is None else frames.deflated(from_bytes))
            return frames.number
        except Exception as defect:
            self.fail(defect)
            return 0

    def fail(self, defect: Exception) -> None:
        """Stop receiving updates, because one could not be sent. Never raises."""
        _defects.report(defect)
        self.pause()
        try:
            self._failed()
        except Exception as another:
            _defects.report(another)


def _merged(changes: list[SeatsChanged]) -> list[Changes]:
    """Merge changes into few batches. A hash ends one, since it is that of the changes before."""
    if not any([change.cause == STATE_HASHED for change in changes]):
        return [changes]
    batches: list[Changes] = []
    while changes:
        end = next((n for n, change in enumerate(changes, 1) if change.cause == STATE_HASHED), len(changes))
        batches.append(changes[:end])
        changes = changes[end:]
    return batches


class _Audience:
    """The watchers of one screening, and the changes queued for the next update.

    Attributes:
        watchers: all of them.
        hashed: number of those that want hashes.
    """

    __slots__ = ("_clock", "_gathered", "_observer", "_tick_seconds", "_timer", "_told", "hashed", "watchers")

    def __init__(self, clock: Clock, observer: FeedObserver, tick_seconds: float, told: Told | None) -> None:
        self._clock = clock
        self._told = told
        self._observer = observer
        self._tick_seconds = tick_seconds
        self._gathered: list[SeatsChanged] = []
        self._timer: Timer | None = None
        self.watchers: set[Watcher] = set()
        self.hashed = 0

    def gather(self, change: SeatsChanged) -> None:
        """Queue a change."""
        self._gathered.append(change)
        if self._timer is None:
            self._in_a_turn(self._tick)

    def _in_a_turn(self, step: Callable[[], None]) -> None:
        self._timer = self._clock.call_later(0, partial(self._take, step))

    def _take(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as defect:
            # It is unknown which watchers got the update, so all have to reconnect.
            self._gathered.clear()
            self._timer = None
            for watcher in tuple(self.watchers):
                watcher.fail(defect)

    def _tick(self) -> None:
        if not self._gathered:
            self._timer = None
            return
        changes, self._gathered = self._gathered, []
        # Without a tick nothing is merged: every change is its own batch.
        batches = _merged(changes) if self._tick_seconds else [[change] for change in changes]
        # Sent a turn later, so that a socket that asked for one of these changes gets its response first;
        # later changes of the same seat by others must not arrive before that response.
        self._in_a_turn(partial(self._send, Update(batches)))

    def _send(self, update: Update) -> None:
        watchers = tuple(self.watchers)
        for watcher in watchers:
            watcher.due = update
        if self._told is not None and watchers:
            self._told(watchers[0].screening_id, update.position, len(watchers))
        self._serve(iter(watchers), update.decided_at)

    def _serve(self, watchers: Iterator[Watcher], decided_at: float) -> None:
        """Send the due update to the next slice of watchers.

        Watchers that join meanwhile get the changes from the engine.
        """
        served = list(islice(watchers, _SLICE))
        sent = 0
        for watcher in served:
            if (update := watcher.due) is not None:
                watcher.due = None
                sent += watcher.take(update)
        self._observer.frames_sent(sent)
        if len(served) == _SLICE:
            self._in_a_turn(partial(self._serve, watchers, decided_at))
            return
        self._observer.update_sent(self._clock.now() - decided_at)
        # The tick starts when sending has ended, so that a large audience leaves time for other work.
        self._timer = self._clock.call_later(self._tick_seconds, partial(self._take, self._tick))

    def cancel(self) -> None:
        """Cancel the next update."""
        if self._timer is not None:
            self._timer.cancel()


class SeatFeed:
    """An `engine.ports.Publisher` that sends changes to WebSockets.

    Args:
        clock: timers.
        observer: counts frames.
        tick_seconds: pause after an update, during which changes are merged into the next one; 0 to merge
            none.
        told: called with the screening, the position and the number of sockets of each update; may be None.
    """

    def __init__(
        self,
        clock: Clock,
        observer: FeedObserver,
        *,
        tick_seconds: float = 0.020,
        told: Told | None = None,
    ) -> None:
        self._clock = clock
        self._observer = guarded(observer)
        self._tick_seconds = tick_seconds
        self._told = told
        self._audiences: dict[int, _Audience] = {}
        self._audience_observer: AudienceObserver | None = None

    def observe_audiences(self, observer: AudienceObserver) -> None:
        """Tell `observer` of each screening that gets its first watcher or loses its last one."""
        self._audience_observer = guarded(observer)

    def publish(self, change: SeatsChanged) -> None:
        """Queue a change; it is sent in a later turn of the event loop or at the next tick."""
        audience = self._audiences.get(change.screening_id)
        if audience is not None:
            audience.gather(change)

    def wants_hashes(self, screening_id: int) -> bool:
        """Return whether a socket that watches a screening has asked for hashes."""
        audience = self._audiences.get(screening_id)
        return audience is not None and audience.hashed > 0

    def oldest_since(self, screening_id: int) -> Position | None:
        """Return the oldest position from which watchers of a screening are shown updates, if any are."""
        audience = self._audiences.get(screening_id)
        since = min((watcher.since for watcher in audience.watchers), default=_NEVER) if audience else _NEVER
        return None if since is _NEVER else since

    def join(self, watcher: Watcher) -> None:
        """Add a watcher to its screening's audience. It gets no updates until it starts buffering."""
        audience = self._audiences.get(watcher.screening_id)
        is_first = audience is None
        if audience is None:
            audience = _Audience(self._clock, self._observer, self._tick_seconds, self._told)
            self._audiences[watcher.screening_id] = audience
        audience.watchers.add(watcher)
        audience.hashed += watcher.hashed
        if is_first and self._audience_observer is not None:
            self._audience_observer.watched(watcher.screening_id)

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher. Does nothing if it has not joined."""
        audience = self._audiences.get(watcher.screening_id)
        if audience is None or watcher not in audience.watchers:
            return
        audience.watchers.remove(watcher)
        audience.hashed -= watcher.hashed
        watcher.pause()
        if not audience.watchers:
            audience.cancel()
            del self._audiences[watcher.screening_id]
            if self._audience_observer is not None:
                self._audience_observer.unwatched(watcher.screening_id)

    @property
    def connections(self) -> Mapping[int, int]:
        """Number of watchers by screening; screenings without watchers are absent."""
        return {screening_id: len(audience.watchers) for screening_id, audience in self._audiences.items()}
