"""The hub: carries every visible change of a screening to the sockets that watch it.

A screening that nobody watches costs one dictionary lookup per change. For one that is watched, a change
is only noted while its command runs; sending is left to the next turn of the event loop, so a hold costs
the same however many watch. The first change goes out at once. Those that follow are gathered for a tick
and sent as one update; without a tick, all that were decided while the last update was being sent. A socket
costs one system call per update, so under load updates grow longer, not more.

Each door tells the same changes in words of its own: a watcher brings its `Wording`, and what a wording makes
of an update is made once for all who share it. A large audience is served in slices, and between two of them
everything else has its turn.

A watcher that joins passes through three stages, so that nothing is lost or sent twice on the way:

    joined ──hold_back()──▶ held back ──follow(position)──▶ live
       ▲                        │
       └───────── pause() ──────┘

Joined, it gets nothing. Held back, updates are kept for it while the engine is asked what
it has missed. Then it follows from the position of that answer, and whatever was kept and is newer goes
out first. What took place before it was held back is in the engine's answer, never in here.

A defect ends the watchers that it concerns; their clients reconnect and catch up. All others get what they
would have got without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol, Self

from api.ws.compression import deflated
from engine.guards import DefectLog, guarded
from engine.ports import Clock, Timer
from engine.views import SeatsChanged


class Position(NamedTuple):
    """A point in the history of a screening; positions compare in the order of time."""

    epoch: int
    seq: int


_NEVER = Position(2**63, 0)

_SLICE = 512
"""Sockets that are written to in one turn of the event loop: some milliseconds."""

_defects = DefectLog("telling a change")


class Frames:
    """Whole frames, ready to be sent.

    Args:
        wire: the frames, one after the other.
        number: how many they are.
    """

    __slots__ = ("_deflated", "number", "wire")

    def __init__(self, wire: bytes, number: int) -> None:
        self.wire = wire
        self.number = number
        self._deflated: bytes | None = None

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Some frames as one piece."""
        if len(several) == 1:
            return several[0]
        return cls(b"".join([frames.wire for frames in several]), sum(frames.number for frames in several))

    def deflated(self, from_bytes: int) -> bytes:
        """The same for those who take compressed frames, made once for all of them.

        Args:
            from_bytes: from which size on frames are compressed; the same for everybody.
        """
        if self._deflated is None:
            self._deflated = deflated(self.wire, from_bytes)
        return self._deflated


class Telling(Protocol):
    """Some changes in one door's words."""

    def frames(self, holder: str) -> Frames:
        """What a watcher gets; the same object for all who get the same."""


Batch = Sequence[SeatsChanged]
"""Changes of one screening, oldest first, at least one, that may be told as one."""

Wording = Callable[[Sequence[Batch]], Telling]
"""Tells batches, oldest first, of one screening. One object per wording, so that tellings are shared."""


class FeedObserver(Protocol):
    """Counts what is sent; called once per update, not per socket."""

    def frames_sent(self, count: int) -> None:
        """Frames were handed to sockets."""


class Update:
    """Changes that go out together.

    Args:
        batches: oldest first, at least one, and none of them empty.
    """

    __slots__ = ("_batches", "_tellings", "first", "position")

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.first = _position_of(batches[0])
        self.position = _position_of(batches[-1])
        self._batches = batches
        self._tellings: dict[Wording, Telling] = {}

    def told(self, wording: Wording) -> Telling:
        """The changes in somebody's words."""
        telling = self._tellings.get(wording)
        if telling is None:
            telling = self._tellings[wording] = wording(self._batches)
        return telling

    def after(self, position: Position) -> "Update":
        """What of it is newer than a position that lies within it."""
        return Update([batch for batch in self._batches if _position_of(batch) > position])


def _position_of(batch: Batch) -> Position:
    return Position(batch[-1].epoch, batch[-1].seq)


class Watcher:
    """A place in the audience of a screening.

    Args:
        screening_id: what it watches.
        holder: in whose name.
        wording: how changes are told.
        send: takes whole frames; never blocks.
        failed: called when an update cannot be sent to this watcher, which gets nothing from then on.
        deflate_from_bytes: from which size on frames are sent compressed; None for never.

    Attributes:
        due: an update that is being sent to the audience, and has not reached this watcher yet.
    """

    __slots__ = (
        "_deflate_from_bytes",
        "_failed",
        "_kept",
        "_position",
        "_send",
        "due",
        "holder",
        "screening_id",
        "wording",
    )

    def __init__(
        self,
        screening_id: int,
        holder: str,
        wording: Wording,
        send: Callable[[bytes], None],
        failed: Callable[[], None],
        deflate_from_bytes: int | None = None,
    ) -> None:
        self.screening_id = screening_id
        self.holder = holder
        self.wording = wording
        self._send = send
        self._failed = failed
        self._deflate_from_bytes = deflate_from_bytes
        self.pause()

    def pause(self) -> None:
        """Get nothing, until held back again."""
        self._position = _NEVER
        self._kept: list[Update] | None = None
        self.due: Update | None = None

    def hold_back(self) -> None:
        """Keep updates from now on."""
        self._kept = []

    def follow(self, position: Position) -> int:
        """Go live after `position`: get what was kept and is newer, then everything as it comes.

        Returns:
            How many frames were sent.
        """
        kept, self._kept, self._position = self._kept or (), None, position
        return sum(map(self._take, kept))

    def serve(self) -> int:
        """Get what is due, if anything is. Returns how many frames were sent.

        Who is answered about a later change has to get it before the answer.
        """
        update, self.due = self.due, None
        return 0 if update is None else self._take(update)

    def _take(self, update: Update) -> int:
        """Send an update, keep it, or pass it over."""
        try:
            if self._kept is not None:
                self._kept.append(update)
            elif update.position > self._position:
                if update.first <= self._position:
                    update = update.after(self._position)
                frames = update.told(self.wording).frames(self.holder)
                if frames.number:
                    from_bytes = self._deflate_from_bytes
                    self._send(frames.wire if from_bytes is None else frames.deflated(from_bytes))
                return frames.number
        except Exception as defect:
            self.fail(defect)
        return 0

    def fail(self, defect: Exception) -> None:
        """Get nothing any more, because an update cannot be told. Never raises."""
        _defects.report(defect)
        self.pause()
        try:
            self._failed()
        except Exception as another:
            _defects.report(another)


class _Audience:
    """Everybody who watches one screening, and the changes that wait for the next update."""

    __slots__ = ("_clock", "_gathered", "_observer", "_tick_seconds", "_timer", "watchers")

    def __init__(self, clock: Clock, observer: FeedObserver, tick_seconds: float) -> None:
        self._clock = clock
        self._observer = observer
        self._tick_seconds = tick_seconds
        self._gathered: list[SeatsChanged] = []
        self._timer: Timer | None = None
        self.watchers: set[Watcher] = set()

    def gather(self, change: SeatsChanged) -> None:
        """Note a change that has to be sent."""
        self._gathered.append(change)
        if self._timer is None:
            self._in_a_turn(self._tick)

    def _in_a_turn(self, step: Callable[[], None]) -> None:
        self._timer = self._clock.call_later(0, partial(self._take, step))

    def _take(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as defect:
            # It is unknown who got what, so all watchers have to reconnect.
            self._gathered.clear()
            self._timer = None
            for watcher in tuple(self.watchers):
                watcher.fail(defect)

    def _tick(self) -> None:
        if not self._gathered:
            self._timer = None
            return
        changes, self._gathered = self._gathered, []
        # Where there is no tick to merge them in, every change is told by itself.
        batches = [changes] if self._tick_seconds else [[change] for change in changes]
        # A turn later, so that whoever asked for one of these changes has had his answer: on a socket that
        # gets both, what others did to a seat after him must not be told before it.
        self._in_a_turn(partial(self._send, Update(batches)))

    def _send(self, update: Update) -> None:
        watchers = tuple(self.watchers)
        for watcher in watchers:
            watcher.due = update
        self._serve(iter(watchers))

    def _serve(self, watchers: Iterator[Watcher]) -> None:
        """Send what is due to the next of them; whoever joins meanwhile is told by the engine."""
        sent = [watcher.serve() for watcher in islice(watchers, _SLICE)]
        self._observer.frames_sent(sum(sent))
        if len(sent) == _SLICE:
            self._in_a_turn(partial(self._serve, watchers))
            return
        # Counted from the end of the sending, so that a large audience leaves time for all else.
        self._timer = self._clock.call_later(self._tick_seconds, partial(self._take, self._tick))

    def dissolve(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()


class SeatFeed:
    """`engine.ports.Publisher` that sends to WebSockets.

    Args:
        clock: the time.
        observer: counts frames.
        tick_seconds: how long changes are gathered after an update went out, to be merged; 0 to merge none.
    """

    def __init__(self, clock: Clock, observer: FeedObserver, *, tick_seconds: float = 0.020) -> None:
        self._clock = clock
        self._observer = guarded(observer)
        self._tick_seconds = tick_seconds
        self._audiences: dict[int, _Audience] = {}

    def publish(self, change: SeatsChanged) -> None:
        """Note a change; it goes out at the next turn of the event loop or at the next tick."""
        audience = self._audiences.get(change.screening_id)
        if audience is not None:
            audience.gather(change)

    def join(self, watcher: Watcher) -> None:
        """Take a watcher into the audience. It gets nothing until it is held back."""
        audience = self._audiences.get(watcher.screening_id)
        if audience is None:
            audience = _Audience(self._clock, self._observer, self._tick_seconds)
            self._audiences[watcher.screening_id] = audience
        audience.watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        """Let a watcher go. Does nothing for one that is not there."""
        audience = self._audiences.get(watcher.screening_id)
        if audience is None or watcher not in audience.watchers:
            return
        audience.watchers.remove(watcher)
        watcher.pause()
        if not audience.watchers:
            audience.dissolve()
            del self._audiences[watcher.screening_id]

    @property
    def connections(self) -> Mapping[int, int]:
        """How many watch each screening that anybody watches."""
        return {screening_id: len(audience.watchers) for screening_id, audience in self._audiences.items()}
