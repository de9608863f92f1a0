"""The engine without any I/O: seats held by many holders, in a hall that is large enough.

Once by the pure core, two seats at a time and one, and once through its actor, mailbox and futures, with
ports that do nothing. Garbage is collected as in the server.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bench.load.process import LoadProcess
from bench.load.tally import Stopwatch, Tally
from bench.rounds import Contender, Figures
from bench.stage import Stage
from engine.clock import SystemClock
from engine.commands import HoldSeats
from engine.directory import Screenings
from engine.memory import MemoryDatabase, MemoryIds, MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import Entry, LoadedScreening, Settled
from engine.records import IdempotencyRecord, Layout, ScreeningInfo, Seat
from engine.screening import Screening
from engine.views import SeatsChanged
from frontrow.collector import spare_the_collector

HELD = 1
"""The one outcome: a hold."""

_SCREENING = 1
_SEATS_PER_ROW = 100
_STARTS_AT = SystemClock().now() + 86_400
_INFO = ScreeningInfo(_SCREENING, _STARTS_AT, _STARTS_AT + 7200, 1250, {"standard": 0})
_AT_ONCE = 200
"""Commands that wait in the mailbox together, as from so many connections."""


class NoJournal:
    """`engine.ports.Journal` that forgets."""

    full, depth, lag_seconds = False, 0, 0.0

    def append(self, entry: Entry) -> None:
        """Settle what wants to be settled."""
        if entry.settled is not None:
            entry.settled(None)

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Nothing."""

    async def flushed(self, screening_id: int | None = None) -> None:
        """Always."""

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Never."""


class NoAudience:
    """`engine.ports.Publisher` that nobody listens to."""

    def publish(self, change: SeatsChanged) -> None:
        """Nothing."""


def commands(holds: int, seats: int) -> list[HoldSeats]:
    """As many holds of so many seats, which nobody has."""
    return [
        HoldSeats(_SCREENING, f"user:{place}", tuple(range(place * seats + 1, place * seats + seats + 1)))
        for place in range(holds)
    ]


def hall_for(holds: int, seats: int) -> Layout:
    """A hall with room for them."""
    rows = math.ceil(holds * seats / _SEATS_PER_ROW)
    return Layout(
        1,
        1,
        (
            Seat(row * _SEATS_PER_ROW + number, 1, str(row), number, "standard", float(number), float(row))
            for row in range(rows)
            for number in range(1, _SEATS_PER_ROW + 1)
        ),
    )


@dataclass(frozen=True)
class Core:
    """A load on `Screening.handle`."""

    holds: int
    seats: int

    async def run(self) -> Tally:
        """Hold, one after the other."""
        hall = hall_for(self.holds, self.seats)
        loaded = LoadedScreening(_INFO, hall, 1, (), ())
        screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        now, wanted, tally = SystemClock().now(), commands(self.holds, self.seats), Tally()
        spare_the_collector()
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
    seats: int

    async def run(self) -> Tally:
        """Hold, many at a time."""
        database = MemoryDatabase()
        hall = hall_for(self.holds, self.seats)
        database.add_screening(_INFO, hall)
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
        wanted, tally = iter(commands(self.holds, self.seats)), Tally()

        async def client() -> None:
            for command in wanted:
                await screenings.ask(command)

        spare_the_collector()
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
    loads: dict[str, Core | Actors] = {
        "core": Core(holds, 2),
        "core-one-seat": Core(holds, 1),
        "actors": Actors(holds, 2),
    }
    with LoadProcess(stage.placement.server, collecting=True) as process:
        yield [Contender(name, partial(_play, process, load)) for name, load in loads.items()]


async def _play(process: LoadProcess, load: Core | Actors) -> Figures:
    tally = await process.run(load)
    return {"rate": tally.per_second, "microseconds": 1e6 / tally.per_second}
