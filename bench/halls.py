"""What halls cost: nothing while nobody touches them, little when one opens, the same whatever their size.

`python -m bench.halls` starts a server of its own on a free port of the loopback interface, measures, prints
one figure per line, and ends within a few minutes. Where two things are compared, their rounds alternate, so
that whatever else the machine does meets both alike; the median of the rounds counts.
"""

import asyncio
import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from engine.commands import HoldSeats, ReadChanges, ReleaseHolds
from engine.directory import Screenings
from engine.memory import (
    ManualClock,
    MemoryDatabase,
    MemoryIds,
    MemoryJournal,
    MemoryStore,
    NullObserver,
    RecordingPublisher,
)
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Layout, ScreeningInfo, Seat
from engine.screening import Screening
from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import SeededScreening, ServerProcess

SMALL, LARGE = (10, 10), (250, 200)
"""Rows and seats per row of the halls that are compared."""

MANY, MANY_ROWS, MANY_SEATS_PER_ROW = 10_000, 15, 20
SCREENINGS_PER_ROOM = 50
OPENED = 50
ROUNDS = 21
CORE_HOLDS, REST_HOLDS = 2000, 100
ACTIVE = 1000

_STARTS_AT = 2_000_000_000.0


def hall_of(rows: int, seats_per_row: int) -> Layout:
    """A rectangle of standard seats."""
    return Layout(
        1,
        1,
        (
            Seat(row * seats_per_row + number, 1, str(row), number, "standard", float(number), float(row))
            for row in range(rows)
            for number in range(1, seats_per_row + 1)
        ),
    )


def screening_info(screening_id: int) -> ScreeningInfo:
    """A screening far in the future."""
    return ScreeningInfo(screening_id, _STARTS_AT, _STARTS_AT + 7200, 1250, {"standard": 0})


class BareCore:
    """A screening without actor, journal or sockets, in which seats are held and released."""

    def __init__(self, rows: int, seats_per_row: int) -> None:
        loaded = LoadedScreening(screening_info(1), hall_of(rows, seats_per_row), 1, (), ())
        self._screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        self._draw = random.Random(1)
        self._seat_count = rows * seats_per_row

    def seconds_per_hold(self, holds: int = CORE_HOLDS) -> float:
        """Time of one hold and its release, the mean of a round."""
        seat_ids = [self._draw.randint(1, self._seat_count) for _ in range(holds)]
        handle, now = self._screening.handle, _STARTS_AT - 86_400
        began = time.perf_counter()
        for seat_id in seat_ids:
            handle(HoldSeats(1, "user:7", (seat_id,)), now)
            handle(ReleaseHolds(1, "user:7", (seat_id,)), now)
        return (time.perf_counter() - began) / holds


async def alternating(*measurements: Callable[[], Awaitable[float]], rounds: int = ROUNDS) -> Sequence[float]:
    """Medians of measurements that take turns."""
    taken: list[list[float]] = [[] for _ in measurements]
    for _ in range(rounds):
        for seconds, measure in zip(taken, measurements, strict=True):
            seconds.append(await measure())
    return [median(seconds) for seconds in taken]


def report(figure: str, value: float, unit: str) -> None:
    """Print one figure."""
    click.echo(f"{figure:<64} {value:>12,.3f} {unit}")


async def compare_bare_cores() -> None:
    """Hold and release in memory, in a small and in a large hall."""

    def measured(core: BareCore) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            return core.seconds_per_hold()

        return measure

    small, large = await alternating(measured(BareCore(*SMALL)), measured(BareCore(*LARGE)))
    report("core: hold and release in a hall of 100", small * 1e6, "µs")
    report("core: hold and release in a hall of 50,000", large * 1e6, "µs")
    report("core: ratio", large / small, "")


async def compare_over_rest(server: ServerProcess, client: Client) -> None:
    """The same over HTTP, one request after the other on one connection."""

    def measured(hall: SeededScreening) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            seat_ids = random.Random(1).sample(hall.seat_ids, REST_HOLDS // 2)
            began = time.perf_counter()
            for seat_id in seat_ids:
                for _ in ("hold", "release"):
                    answer = await client.toggle(hall.id, [seat_id])
                    assert answer.status == 200, answer
            return (time.perf_counter() - began) / REST_HOLDS

        return measure

    halls = [(await server.seed(1, rows, seats_per_row))[0] for rows, seats_per_row in (SMALL, LARGE)]
    for hall in halls:
        await client.availability(hall.id)
    small, large = await alternating(*map(measured, halls))
    report("REST: one toggle in a hall of 100", small * 1e6, "µs")
    report("REST: one toggle in a hall of 50,000", large * 1e6, "µs")
    report("REST: ratio", large / small, "")


async def measure_untouched(server: ServerProcess, client: Client) -> None:
    """Many screenings in the database, of which some are opened for the first time."""
    before_bytes = server.resident_bytes
    began = time.perf_counter()
    screenings = await server.seed(MANY, MANY_ROWS, MANY_SEATS_PER_ROW)
    report("seeding 10,000 screenings of 300 seats", time.perf_counter() - began, "s")
    report("active screenings after that", await client.metric("frontrow_screenings_active"), "")
    report("growth of the server's memory", (server.resident_bytes - before_bytes) / 2**20, "MiB")

    rooms = range(0, MANY, SCREENINGS_PER_ROOM)
    for case, places in (
        ("the first of its room", [room + 1 for room in rooms[:OPENED]]),
        ("another of a known room", [room + 2 for room in rooms[:OPENED]]),
    ):
        seconds = []
        for place in places:
            began = time.perf_counter()
            await client.availability(screenings[place].id)
            seconds.append(time.perf_counter() - began)
        report(f"opening {case}, availability included: median", median(seconds) * 1e3, "ms")
        report(f"opening {case}, availability included: maximum", max(seconds) * 1e3, "ms")
    report("active screenings after that", await client.metric("frontrow_screenings_active"), "")


async def weigh_active_screenings() -> None:
    """Memory of an active screening that sells nothing yet, and of a layout that they share."""
    database = MemoryDatabase()
    tracemalloc.start()
    try:
        layout = hall_of(MANY_ROWS, MANY_SEATS_PER_ROW)
        layout_bytes, _ = tracemalloc.get_traced_memory()
        for screening_id in range(1, ACTIVE + 1):
            database.add_screening(screening_info(screening_id), layout)
        screenings = Screenings(
            MemoryStore(database),
            MemoryJournal(database),
            RecordingPublisher(),
            NullObserver(),
            ManualClock(),
            MemoryIds(),
            MemoryIds(),
            Policy(),
        )
        stored_bytes, _ = tracemalloc.get_traced_memory()
        for screening_id in range(1, ACTIVE + 1):
            await screenings.ask(ReadChanges(screening_id, 0, 0))
        active_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    report("memory of an active screening of 300 seats", (active_bytes - stored_bytes) / ACTIVE, "bytes")
    report("memory of a layout of 300 seats, one per room", layout_bytes, "bytes")


async def measure(directory: Path) -> None:
    """Everything, in order."""
    await compare_bare_cores()
    await weigh_active_screenings()
    async with ServerProcess(directory, log_level="warning") as server, http_session() as session:
        client = Client(server, session, user_id=7)
        await compare_over_rest(server, client)
        await measure_untouched(server, client)


@click.command()
def main() -> None:
    """Print what halls cost."""
    with TemporaryDirectory(prefix="frontrow-bench-") as path:
        asyncio.run(measure(Path(path)))


if __name__ == "__main__":
    main()
