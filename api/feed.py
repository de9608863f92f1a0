"""The hub: carries every visible change of a screening to the sockets that watch it.

A screening that nobody watches costs one dictionary lookup per change. For one that is watched, a change
is only noted while its command runs; sending is left to the next turn of the event loop, so a hold costs
the same however many watch. The first change goes out at once. Those that follow are gathered for a tick
and sent as one update, in which the last state of each seat counts.

A socket that joins passes through three stages, so that nothing is lost or sent twice on the way:

    joined ──hold_back()──▶ held back ──follow(position)──▶ live
       ▲                        │
       └───────── pause() ──────┘

Joined, it is counted and gets nothing. Held back, updates are kept for it while the engine is asked what
it has missed. Then it follows from the position of that answer, and whatever was kept and is newer goes
out first. What took place before it was held back is in the engine's answer, never in here.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from api.seat_updates import Position, SeatUpdates
from api.socket_messages import UpdateForm
from engine.ports import Clock, Timer
from engine.replies import SeatsChanged

_NEVER = Position(2**63, 0)


class FeedObserver(Protocol):
    """Counts what is sent; called once per update, not per socket."""

    def frames_sent(self, count: int) -> None:
        """Frames were handed to sockets."""


class TooManySockets(Exception):
    """The server's bound on sockets is reached."""


class TooManyOfHolder(Exception):
    """The holder's bound on sockets is reached."""


class Watcher:
    """One socket in the audience of a screening.

    Args:
        screening_id: what it watches.
        holder: whose socket it is.
        form: which messages it wants.
        send: takes whole frames; never blocks and never raises.
        close: ends the socket with a close code and a reason.
    """

    __slots__ = ("_kept", "_position", "_send", "close", "form", "holder", "screening_id")

    def __init__(
        self,
        screening_id: int,
        holder: str,
        form: UpdateForm,
        send: Callable[[bytes], None],
        close: Callable[[int, str], None],
    ) -> None:
        self.screening_id = screening_id
        self.holder = holder
        self.form = form
        self.close = close
        self._send = send
        self.pause()

    def pause(self) -> None:
        """Get nothing, until held back again."""
        self._position = _NEVER
        self._kept: list[SeatUpdates] | None = None

    def hold_back(self) -> None:
        """Keep updates from now on."""
        self._kept = []

    def follow(self, position: Position) -> int:
        """Go live after `position`: get what was kept and is newer, then everything as it comes.

        Returns:
            How many frames were sent.
        """
        kept, self._kept, self._position = self._kept or (), None, position
        return sum(map(self.take, kept))

    def take(self, updates: SeatUpdates) -> int:
        """Send an update, keep it, or pass it over. Returns how many frames were sent."""
        if self._kept is not None:
            self._kept.append(updates)
        elif updates.position > self._position:
            frames = updates.frames(self.holder, self.form)
            self._send(frames.wire)
            return frames.number
        return 0


class _Audience:
    """Everybody who watches one screening, and the changes that wait for the next tick."""

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
            self._timer = self._clock.call_at(self._clock.now(), self._tick)

    def _tick(self) -> None:
        if not self._gathered:
            self._timer = None
            return
        updates = SeatUpdates.merged(self._gathered)
        self._gathered.clear()
        self._observer.frames_sent(sum(watcher.take(updates) for watcher in self.watchers))
        # Counted from the end of the sending, so that a large audience leaves time for all else.
        self._timer = self._clock.call_at(self._clock.now() + self._tick_seconds, self._tick)

    def dissolve(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()


class SeatFeed:
    """`engine.ports.Publisher` that sends to WebSockets.

    Args:
        clock: the time.
        observer: counts frames.
        tick_seconds: how long changes are gathered after an update went out.
        socket_limit: sockets in all.
        sockets_per_holder: sockets of one holder.
    """

    def __init__(
        self,
        clock: Clock,
        observer: FeedObserver,
        *,
        tick_seconds: float = 0.020,
        socket_limit: int = 20_000,
        sockets_per_holder: int = 50,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._tick_seconds = tick_seconds
        self._socket_limit = socket_limit
        self._sockets_per_holder = sockets_per_holder
        self._audiences: dict[int, _Audience] = {}
        self._sockets_of: dict[str, int] = {}
        self._socket_count = 0
        self._closing: tuple[int, str] | None = None

    def publish(self, change: SeatsChanged) -> None:
        """Note a change; it goes out at the next turn of the event loop or at the next tick."""
        audience = self._audiences.get(change.screening_id)
        if audience is not None:
            audience.gather(change)

    def join(self, watcher: Watcher) -> None:
        """Admit a socket. It counts, and gets nothing until it is held back.

        Raises:
            TooManySockets, TooManyOfHolder: the bound is reached.
        """
        if self._socket_count >= self._socket_limit:
            raise TooManySockets
        mine = self._sockets_of.get(watcher.holder, 0)
        if mine >= self._sockets_per_holder:
            raise TooManyOfHolder
        audience = self._audiences.get(watcher.screening_id)
        if audience is None:
            audience = _Audience(self._clock, self._observer, self._tick_seconds)
            self._audiences[watcher.screening_id] = audience
        audience.watchers.add(watcher)
        self._sockets_of[watcher.holder] = mine + 1
        self._socket_count += 1
        if self._closing is not None:
            watcher.close(*self._closing)

    def leave(self, watcher: Watcher) -> None:
        """Let a socket go. Does nothing for one that is not there."""
        audience = self._audiences.get(watcher.screening_id)
        if audience is None or watcher not in audience.watchers:
            return
        audience.watchers.remove(watcher)
        if not audience.watchers:
            audience.dissolve()
            del self._audiences[watcher.screening_id]
        self._sockets_of[watcher.holder] -= 1
        if not self._sockets_of[watcher.holder]:
            del self._sockets_of[watcher.holder]
        self._socket_count -= 1

    @property
    def connections(self) -> Mapping[int, int]:
        """How many sockets watch each screening that has any."""
        return {screening_id: len(audience.watchers) for screening_id, audience in self._audiences.items()}

    @property
    def socket_count(self) -> int:
        """How many sockets there are."""
        return self._socket_count

    def close_all(self, code: int, reason: str) -> None:
        """Close every socket, and from now on every one that joins.

        Args:
            code: WebSocket close code (RFC 6455 section 7.4).
            reason: for people, at most 123 bytes.
        """
        self._closing = (code, reason)
        for audience in self._audiences.values():
            for watcher in audience.watchers:
                watcher.close(code, reason)
