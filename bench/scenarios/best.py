"""The choice of the best seats for a party, in half full halls, without I/O.

Either the better half of the seats is taken, as it is after many parties, or a half chosen by chance. Or one
to three seats are free and as many taken, in turns: then parties of six are refused, or split over two rows.
"""

import gc
import random
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from math import hypot
from time import perf_counter

from bench.load.process import LoadProcess
from bench.load.tally import Tally
from bench.plan import Contenders, Figures
from bench.scenarios.engine_alone import HELD, INFO, hall_of
from bench.stage import Stage
from engine.clock import SystemClock
from engine.commands import HoldBest, HoldSeats, ReleaseHolds
from engine.memory import MemoryIds
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Layout
from engine.screening import Screening
from engine.seat_ranking import default_focus
from engine.selling_errors import NoAdjacentSeats
from frontrow.collector import freeze_startup_objects

_LARGEST_PARTY = 6
_SEED = 1


_GAP = 3
"""Most free seats next to each other in a hall in which no party of `_LARGEST_PARTY` fits."""


@dataclass(frozen=True)
class TooLargeParties:
    """A load: parties of six in a hall of small gaps.

    Attributes:
        seats, parties: as in `Parties`.
        split: whether they may be split over two rows; otherwise they are refused.
    """

    seats: int
    parties: int
    split: bool = False

    async def run(self) -> Tally:
        """Carry it out."""
        gc.enable()
        freeze_startup_objects()
        chance, tally, now = random.Random(_SEED), Tally(), SystemClock().now()
        layout = hall_of(self.seats)
        screening = Screening(LoadedScreening(INFO, layout, 1, (), ()), Policy(), MemoryIds(), MemoryIds())
        is_taken, left, row_label = False, 0, ""
        for seat in layout.seats:
            if not left or seat.row_label != row_label:
                is_taken, left, row_label = not is_taken, chance.randint(1, _GAP), seat.row_label
            left -= 1
            if is_taken:
                screening.handle(HoldSeats(1, f"seat:{seat.id}", (seat.id,)), now)
        for party in range(1 + self.parties):
            command = HoldBest(1, f"user:{party}", _LARGEST_PARTY, allow_split=self.split)
            began_at = perf_counter()
            with suppress(NoAdjacentSeats):
                screening.handle(command, now)
            took = perf_counter() - began_at
            if party:  # the first one makes the rankings
                tally.latencies.append(took)
            screening.handle(ReleaseHolds(1, command.holder), now)
        tally.outcomes[HELD] = self.parties
        tally.seconds = sum(tally.latencies)
        return tally


@dataclass(frozen=True)
class Parties:
    """A load: parties of one to six that choose their seats one after the other and give them back.

    Attributes:
        seats: number of seats in the hall.
        parties: number of decisions that are timed.
        scattered: whether the taken half of the seats is chosen by chance.
    """

    seats: int
    parties: int
    scattered: bool = False

    async def run(self) -> Tally:
        """Carry it out."""
        gc.enable()
        freeze_startup_objects()
        chance, tally, now = random.Random(_SEED), Tally(), SystemClock().now()
        layout = hall_of(self.seats)
        screening = Screening(LoadedScreening(INFO, layout, 1, (), ()), Policy(), MemoryIds(), MemoryIds())
        self._fill(screening, layout, chance, now)
        for party in range(_LARGEST_PARTY + self.parties):
            # The first ones make the rankings, once for all screenings of a room.
            size = party + 1 if party < _LARGEST_PARTY else chance.randint(1, _LARGEST_PARTY)
            holder = f"user:{party}"
            began_at = perf_counter()
            screening.handle(HoldBest(1, holder, size), now)
            took = perf_counter() - began_at
            if party >= _LARGEST_PARTY:
                tally.latencies.append(took)
            screening.handle(ReleaseHolds(1, holder), now)
        tally.outcomes[HELD] = self.parties
        tally.seconds = sum(tally.latencies)
        return tally

    def _fill(self, screening: Screening, layout: Layout, chance: random.Random, now: float) -> None:
        focus = default_focus(layout)
        seats = list(layout.seats)
        if self.scattered:
            chance.shuffle(seats)
        else:
            seats.sort(key=lambda seat: hypot(seat.x - focus.x, seat.y - focus.y))
        for seat in seats[: self.seats // 2]:
            screening.handle(HoldSeats(1, f"seat:{seat.id}", (seat.id,)), now)


async def prepare(stage: Stage) -> Contenders:
    """Prepare halls, each filled in all ways."""
    process = stage.stack.enter_context(closing(LoadProcess(stage.placement.server)))
    contenders = {}
    for seats in stage.plan.best_halls:
        for scattered in (False, True):
            name = f"{seats}-scattered" if scattered else str(seats)
            contenders[name] = partial(_play, process, Parties(seats, stage.plan.parties, scattered))
        for split in (False, True):
            name = f"{seats}-split" if split else f"{seats}-refused"
            contenders[name] = partial(_play, process, TooLargeParties(seats, stage.plan.parties, split))
    return contenders


async def _play(process: LoadProcess, load: Parties | TooLargeParties) -> Figures:
    tally = await process.run(load)
    median, high, highest = tally.percentiles_ms(50, 99, 100)
    return {"rate": tally.per_second, "p50_ms": median, "p99_ms": high, "max_ms": highest}
