"""The engine without I/O: seats held in a large hall by the core, and through its actor.

Ports do nothing. Garbage is collected as in the server.
"""

import asyncio
import gc
import math
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from bench.load.process import LoadProcess
from bench.load.tally import Tally, measured
from bench.plan import Contenders, Figures
from bench.stage import Stage
from engine.clock import SystemClock
from engine.commands import HoldSeats
from engine.directory import ScreeningDirectory
from engine.memory import MemoryDatabase, MemoryIds, MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import Entry, LoadedScreening, Settled
from engine.records import IdempotencyRecord, Layout, ScreeningInfo, Seat
from engine.screening import Screening
from engine.views import SeatsChanged
from frontrow.collector import freeze_startup_objects

HELD = 1
"""The only outcome of these loads."""

_SEATS_PER_ROW = 100
_AT_ONCE = 200
"""Clients whose commands wait in the mailbox together."""

_STARTS_AT = SystemClock().now() + 86_400
INFO = ScreeningInfo(1, _STARTS_AT, _STARTS_AT + 7200, 1250, {"standard": 0})


class NoJournal:
    """An `engine.ports.Journal` that forgets."""

    full, depth, lag_seconds = False, 0, 0.0

    def append(self, entry: Entry) -> None:
        """Settle the entry at once."""
        if entry.settled is not None:
            entry.settled(None)

    def remember(self, record: IdempotencyRecord, settled: Settled | None = None) -> None:
        """Do nothing."""

    async def flushed(self, screening_id: int | None = None) -> None:
        """Return at once."""

    def on_ownership_lost(self, handler: Callable[[int, int], None]) -> None:
        """Never call."""


class NoAudience:
    """An `engine.ports.Publisher` without subscribers."""

    def publish(self, change: SeatsChanged) -> None:
        """Do nothing."""

    def wants_hashes(self, screening_id: int) -> bool:
        """Return False: there are no subscribers."""
        return False


@dataclass(frozen=True)
class Holds:
    """A load on the engine: holds of some free seats each, by the actor or by the core alone."""

    holds: int
    seats: int
    by_actor: bool = False

    async def run(self) -> Tally:
        """Carry it out."""
        gc.enable()
        freeze_startup_objects()
        seats, tally = self.seats, Tally()
        commands = [
            HoldSeats(1, f"user:{place}", tuple(range(place * seats + 1, place * seats + seats + 1)))
            for place in range(self.holds)
        ]
        await (self._ask(commands, tally) if self.by_actor else self._handle(commands, tally))
        tally.outcomes[HELD] = self.holds
        return tally

    async def _handle(self, commands: list[HoldSeats], tally: Tally) -> None:
        loaded = LoadedScreening(INFO, hall_of(self.holds * self.seats), 1, (), ())
        screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        now = SystemClock().now()
        with measured(tally, os.getpid()):
            for command in commands:
                screening.handle(command, now)

    async def _ask(self, commands: list[HoldSeats], tally: Tally) -> None:
        database = MemoryDatabase()
        database.add_screening(INFO, hall_of(self.holds * self.seats))
        screenings = ScreeningDirectory(
            MemoryStore(database),
            NoJournal(),
            NoAudience(),
            NullObserver(),
            SystemClock(),
            MemoryIds(),
            MemoryIds(),
            Policy(),
        )
        wanted = iter(commands)

        async def client() -> None:
            for command in wanted:
                await screenings.ask(command)

        with measured(tally, os.getpid()):
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(client())
        await screenings.stop()


def hall_of(seats: int) -> Layout:
    """Return a room with rows of a hundred seats, of which at least `seats` have the ids from 1 on."""
    return Layout(
        1,
        1,
        (
            Seat(row * _SEATS_PER_ROW + number, 1, str(row), number, "standard", float(number), float(row))
            for row in range(math.ceil(seats / _SEATS_PER_ROW))
            for number in range(1, _SEATS_PER_ROW + 1)
        ),
    )


async def prepare(stage: Stage) -> Contenders:
    """Prepare the core with two seats per hold and with one, and the core in its actor."""
    process = stage.stack.enter_context(closing(LoadProcess(stage.placement.server)))
    holds = stage.plan.engine_holds
    loads = {
        "core": Holds(holds, 2),
        "core-one-seat": Holds(holds, 1),
        "actors": Holds(holds, 2, by_actor=True),
    }
    return {name: partial(_play, process, load) for name, load in loads.items()}


async def _play(process: LoadProcess, load: Holds) -> Figures:
    tally = await process.run(load)
    return {"rate": tally.per_second, "microseconds": 1e6 / tally.per_second}
