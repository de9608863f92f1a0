"""The decision which seats are the best for a party, in half full halls, without I/O.

A hall is full where its parties have chosen the best seats before, or in places as chance had it.
"""

import gc
import random
from contextlib import closing
from dataclasses import dataclass
from functools import partial
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
from engine.screening import Screening
from frontrow.collector import freeze_startup_objects

_LARGEST_PARTY = 6
_SEED = 1


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
        loaded = LoadedScreening(INFO, hall_of(self.seats), 1, (), ())
        screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        self._fill(screening, chance, now)
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

    def _fill(self, screening: Screening, chance: random.Random, now: float) -> None:
        if self.scattered:
            for seat_id in chance.sample(range(1, self.seats + 1), self.seats // 2):
                screening.handle(HoldSeats(1, f"seat:{seat_id}", (seat_id,)), now)
            return
        sold = 0
        while sold < self.seats // 2:
            size = chance.randint(1, _LARGEST_PARTY)
            screening.handle(HoldBest(1, f"party:{sold}", size), now)
            sold += size


async def prepare(stage: Stage) -> Contenders:
    """Prepare a hall of 5,000 seats and one of 50,000, each filled in both ways."""
    process = stage.stack.enter_context(closing(LoadProcess(stage.placement.server)))
    contenders = {}
    for seats in stage.plan.best_halls:
        for scattered in (False, True):
            name = f"{seats}-scattered" if scattered else str(seats)
            contenders[name] = partial(_play, process, Parties(seats, stage.plan.parties, scattered))
    return contenders


async def _play(process: LoadProcess, load: Parties) -> Figures:
    tally = await process.run(load)
    median, high, highest = tally.percentiles_ms(50, 99, 100)
    return {"rate": tally.per_second, "p50_ms": median, "p99_ms": high, "max_ms": highest}
