"""Asks the owner of a screening for the changes that this node has missed.

A few screenings at a time: after the loss of a node or of NATS, all of them may have to be asked for. If one
cannot be asked now, it is asked again later.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from cluster.publishing import NOWHERE, Position
from engine.commands import Command, ReadChanges, ReadSeats, ReadStock
from engine.errors import EngineError, OwnershipLost
from engine.guards import DefectLog
from engine.ports import Clock
from engine.replies import Changes, Stock
from engine.selling_errors import ScreeningNotFound
from engine.views import ALL_SEATS_SHOWN, SeatMap, SeatsChanged, SeatsShown, SeatView

ASKED_AT_ONCE = 8
"""Screenings that are asked for at a time."""

ANSWER_SECONDS = 10.0
"""Time limit for asking about one screening."""

PAUSES_SECONDS = (0.1, 5.0)
"""The first and the longest pause before a screening is asked for again. Each is twice the previous one."""

NOT_FOUND_SECONDS = 60.0
"""Pause before a screening that does not exist is asked for again."""

READ_ATTEMPTS = 5
"""Number of attempts to read seats and counts together without a change in between."""

Ask = Callable[[Command], Awaitable[Any]]
"""Sends a command to the owner of its screening; raises EngineError."""


class Missed(NamedTuple):
    """The changes of a screening that this node has missed.

    Attributes:
        position: after everything that was missed.
        changes: oldest first. They may begin earlier than necessary.
        since: the position before them; None if all seats are shown, or all changes of an epoch.
        reloaded: True for a single change with all seats.
    """

    position: Position
    changes: tuple[SeatsChanged, ...]
    since: Position | None = None
    reloaded: bool = False


async def read_missed(
    ask: Ask, screening_id: int, known: Callable[[], Position | None], now: float
) -> Missed:
    """Ask the owner of a screening for the changes that were missed.

    Args:
        ask: asks.
        screening_id: the screening.
        known: returns the last position that is known by then; None to begin with the present epoch, if no
            socket has been shown an earlier one.
        now: seconds since the epoch.

    Raises:
        ScreeningNotFound: it does not exist.
        EngineError: it cannot be asked now.
    """
    try:
        since = known()
        changes: Changes = await ask(ReadChanges(screening_id, *(since or NOWHERE)))
        if changes.missed is None and since is None:
            changes = await ask(ReadChanges(screening_id, changes.epoch, 0))
        while changes.missed is None and since != (since := known()):
            # The last changes of a former owner have arrived meanwhile.
            changes = await ask(ReadChanges(screening_id, *(since or NOWHERE)))
    except ScreeningNotFound:
        # There may be counts without a seat map.
        return _reloaded(await ask(ReadStock(screening_id)), None, now)
    if changes.missed is not None:
        return Missed(Position(changes.epoch, changes.seq), changes.missed, since)
    for _ in range(READ_ATTEMPTS):
        stock, seat_map = await asyncio.gather(ask(ReadStock(screening_id)), ask(ReadSeats(screening_id)))
        if (stock.epoch, stock.seq) == (seat_map.epoch, seat_map.seq):
            return _reloaded(stock, seat_map, now)
    raise OwnershipLost(screening_id)


def _reloaded(stock: Stock, seat_map: SeatMap | None, now: float) -> Missed:
    """Make a change that shows everything."""
    seats: tuple[SeatView, ...] = ()
    if seat_map is not None:
        views = seat_map.views
        free = [SeatView(seat.id, "available") for seat in seat_map.layout.seats if seat.id not in views]
        seats = (*views.values(), *free)
    screening_id, epoch, seq, available, capacity = stock[:5]
    change = SeatsShown(screening_id, epoch, seq, now, ALL_SEATS_SHOWN, seats, available, capacity)
    return Missed(Position(epoch, seq), (change,), reloaded=True)


class Watched:
    """A screening that sockets of this node watch.

    Attributes:
        owner: the node that should own it; None if no node serves.
        position: after the last change that was passed on; None if it is not known.
        kept: while earlier changes are missing: the changes that have arrived, with the positions before them
            (None instead of a change that did not arrive whole). None otherwise.
        asked: True while the owner is asked what was missed.
        gap: True if changes have certainly been missed.
        left: True if no socket watches any more.
        failures: how often in a row the owner could not be asked.
    """

    __slots__ = ("asked", "failures", "gap", "kept", "left", "owner", "position", "screening_id")

    def __init__(self, screening_id: int, owner: str | None, position: Position | None) -> None:
        self.screening_id = screening_id
        self.owner = owner
        self.position = position
        self.kept: list[tuple[Position, SeatsChanged | None]] | None = None
        self.asked = self.gap = self.left = False
        self.failures = 0


class MissedChanges:
    """The screenings of which changes were missed.

    Args:
        ask: asks the owners.
        known: passes on the changes of a screening that have arrived without a gap, and returns the position
            after them.
        take: called with a screening and what was missed of it; returns whether nothing is missing any more.
        clock: the time of day, for what is shown to clients.
    """

    def __init__(
        self,
        ask: Ask,
        known: Callable[[Watched], Position | None],
        take: Callable[[Watched, Missed], bool],
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._known = known
        self._take = take
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Watched] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Watched, asyncio.TimerHandle] = {}
        self._stopped = False
        self._defects = DefectLog("filling a gap")

    def want(self, watched: Watched) -> None:
        """Ask for a screening, unless it is being asked for."""
        if not watched.asked:
            watched.asked = True
            self._queue(watched)

    def hurry(self) -> None:
        """Ask again now for those that could not be asked."""
        for watched, timer in list(self._timers.items()):
            timer.cancel()
            self._queue(watched)

    def stop(self) -> None:
        """Ask for nothing any more."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def _queue(self, watched: Watched) -> None:
        self._timers.pop(watched, None)
        self._waiting.append(watched)
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._tasks) < ASKED_AT_ONCE and not self._stopped:
            watched = self._waiting.popleft()
            if not watched.left:
                task = self._loop.create_task(self._read(watched))
                self._tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._begin()

    async def _read(self, watched: Watched) -> None:
        pause, longest = PAUSES_SECONDS
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                missed = await read_missed(
                    self._ask, watched.screening_id, partial(self._known, watched), self._clock.now()
                )
            if watched.left:
                return
            before = watched.position
            if self._take(watched, missed):
                watched.asked = watched.gap = False
                watched.failures = 0
                return
            if before != watched.position:
                self._queue(watched)
                return
        except ScreeningNotFound:
            pause = longest = NOT_FOUND_SECONDS
        except (EngineError, TimeoutError):
            pass
        except Exception as defect:
            self._defects.report(defect)
        watched.failures += 1
        pause = min(pause * 2 ** min(watched.failures - 1, 10), longest)
        self._timers[watched] = self._loop.call_later(pause, self._queue, watched)
