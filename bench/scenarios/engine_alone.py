"""The engine without any I/O: two seats held by each of many holders, in a hall that is large enough.

Once by the pure core, and once through its actor, mailbox and futures, with ports that do nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bench.halls import hall_of, screening_info
from bench.load.process import LoadProcess
from bench.load.tally import Stopwatch, Tally
from bench.rounds import Contender, Figures
from bench.stage import Stage
from engine.clock import SystemClock
from engine.commands import HoldSeats
from engine.directory import Screenings
from engine.memory import MemoryDatabase, MemoryIds, MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import Entry, LoadedScreening
from engine.records import IdempotencyRecord
from engine.replies import SeatsChanged
from engine.screening import Screening

HELD = 1
"""The one outcome: a hold."""

_SCREENING = 1
_SEATS_PER_ROW = 100
_AT_ONCE = 200
"""Commands that wait in the mailbox together, as from so many connections."""


class NoJournal:
    """`engine.ports.Journal` that forgets."""

    full, depth, lag_seconds = False, 0, 0.0

    def append(self, entry: Entry) -> None:
        """Settle what wants to be settled."""
        if entry.settled is not None:
            entry.settled(None)

    def remember(self, record: IdempotencyRecord) -> None:
        """Nothing."""

    async def flushed(self) -> None:
        """Always."""

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Never."""


class NoAudience:
    """`engine.ports.Publisher` that nobody listens to."""

    def publish(self, change: SeatsChanged) -> None:
        """Nothing."""


def commands(holds: int) -> list[HoldSeats]:
    """As many holds, of seats that nobody has."""
    return [HoldSeats(_SCREENING, f"user:{pair}", (2 * pair + 1, 2 * pair + 2)) for pair in range(holds)]


@dataclass(frozen=True)
class Core:
    """A load on `Screening.handle`."""

    holds: int

    async def run(self) -> Tally:
        """Hold, one after the other."""
        hall = hall_of(-(-2 * self.holds // _SEATS_PER_ROW), _SEATS_PER_ROW)
        loaded = LoadedScreening(screening_info(_SCREENING), hall, 1, (), ())
        screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        now, wanted, tally = SystemClock().now(), commands(self.holds), Tally()
        watch = Stopwatch(tally, os.getpid())
        for command in wanted:
            screening.handle(command, now)
        watch.stop()
        tally.outcomes[HELD] = self.holds
        return tally


@dataclass(frozen=True)
class Actors:
    """A load on `Screenings.ask`."""

    holds: int

    async def run(self) -> Tally:
        """Hold, many at a time."""
        database = MemoryDatabase()
        hall = hall_of(-(-2 * self.holds // _SEATS_PER_ROW), _SEATS_PER_ROW)
        database.add_screening(screening_info(_SCREENING), hall)
        screenings = Screenings(
            MemoryStore(database),
            NoJournal(),
            NoAudience(),
            NullObserver(),
            SystemClock(),
            MemoryIds(),
            MemoryIds(),
            Policy(),
        )
        wanted, tally = iter(commands(self.holds)), Tally()

        async def client() -> None:
            for command in wanted:
                await screenings.ask(command)

        watch = Stopwatch(tally, os.getpid())
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(client())
        watch.stop()
        await screenings.stop()
        tally.outcomes[HELD] = self.holds
        return tally


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """The core, and the core in its actor."""
    holds = stage.sizes.engine_holds
    with LoadProcess(stage.placement.server) as process:
        yield [
            Contender(name, partial(_play, process, load))
            for name, load in (("core", Core(holds)), ("actors", Actors(holds)))
        ]


async def _play(process: LoadProcess, load: Core | Actors) -> Figures:
    tally = await process.run(load)
    return {"rate": tally.per_second, "microseconds": 1e6 / tally.per_second}
