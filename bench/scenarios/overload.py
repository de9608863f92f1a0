"""Three times as many requests as the server can answer: how many it answers, and what becomes of the others.

One round: the capacity is found by a closed loop; then requests come at half of it, at three times as many,
and at half again. The capacity is found again at the end, and the mean of both counts, because machines do
not stay as fast as they were. Everybody looks, some hold and a few buy, on connections that send their next
request at once when one was refused, which clients that obey `Retry-After` do not.

Looks are at all seats of a large hall, and holds are of the best seats for a party, so that all kinds cost
the server about the same, and much more than the process that sends them. `frontrow-patient` refuses nothing;
its goodput says whether the capacity is right.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.load.closed_loop import ClosedLoop
from bench.load.http import CREATED, NO_CONTENT, OK
from bench.load.surge import Surge, SurgeTally
from bench.load.tally import Tally
from bench.plan import Contenders, Figures
from bench.seats import InTurns, Parties, Repeated, SeatPairs, Walk, availability
from bench.stage import Frontrow, Stage

LOOK, HOLD, SALE = range(3)
_ORDER = (*(LOOK, LOOK, HOLD) * 16, LOOK, SALE)
"""Order of the kinds of requests. Sales are so few that PostgreSQL, beside the load process, has time for
three times as many."""

_PARTY = 4
_HELD_SEATS = 1000
"""The limit per user. Giving back is refused too, and then a connection holds more."""

_FACTOR = 3.0
_BEFORE, _AFTER = 0.5, 0.5
"""Shares of the capacity before and after the surge."""

_CALM_SECONDS = 1.0
_AFTER_SECONDS = 6.0
_WINDOW_SECONDS = 0.25
_SAMPLE_SECONDS = 0.25
_REFUSED = 503
_WAIT_MS = 100
"""The default of `FRONTROW_OVERLOAD_WAIT_MS`."""

_GOOD = frozenset({OK, CREATED, NO_CONTENT})
_NORMAL_FACTOR = 3.0
"""After the surge, p99 is normal again below this multiple of p99 before it, or below `_NORMAL_MS`."""

_NORMAL_MS = 20.0


@dataclass
class Shop:
    """The server and its visitors."""

    stage: Stage
    server: Frontrow
    pairs: SeatPairs
    looks: Repeated
    parties: Parties
    sold: int = 0

    def kinds(self, connections: int) -> tuple[Repeated, Parties, Walk]:
        """Return the requests of all kinds; no pair that was sold is asked for again."""
        return self.looks, self.parties, Walk(self.pairs, SeatPairs.book, self.sold)

    async def play(self) -> Figures:
        """Play one round."""
        plan, load, server = self.stage.plan, self.stage.load, self.server
        connections = plan.surge_connections
        capacity = await self._capacity()
        steps = (
            (_BEFORE * capacity, _CALM_SECONDS),
            (_FACTOR * capacity, plan.seconds),
            (_AFTER * capacity, _AFTER_SECONDS),
        )
        surge = Surge(server.address, server.pid, self.kinds(connections), _ORDER, connections, steps)
        async with self._watched_memory() as sizes:
            tally = await load.run(surge)
        self.sold += self._asked(tally, connections)
        await server.flushed()
        assert isinstance(tally, SurgeTally)
        capacities = capacity, await self._capacity()
        return {
            **_figures(tally, sum(capacities) / 2, plan.seconds),
            "capacity_before": capacities[0],
            "capacity_after": capacities[1],
            **_growth_mb(sizes),
            "load_cpu": tally.load_cpu,
        }

    async def _capacity(self) -> float:
        """Return the requests answered per second if each connection waits for its previous response."""
        plan, server = self.stage.plan, self.server
        visits = InTurns(self.kinds(plan.connections), _ORDER)
        peak = await self.stage.load.run(
            ClosedLoop(server.address, server.pid, visits, plan.connections, plan.seconds)
        )
        peak.require(OK, CREATED, NO_CONTENT)
        sales = math.ceil(max(peak.sent) * _ORDER.count(SALE) / len(_ORDER))
        self.sold += sales * plan.connections
        await server.flushed()
        return peak.per_second

    @asynccontextmanager
    async def _watched_memory(self) -> AsyncIterator[list[int]]:
        """Yield a list to which the memory of the server, in bytes, is appended in the block."""
        sizes = [self.server.process.resident_bytes]

        async def watch() -> None:
            while True:
                await asyncio.sleep(_SAMPLE_SECONDS)
                sizes.append(self.server.process.resident_bytes)

        watching = asyncio.create_task(watch())
        try:
            yield sizes
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    def _asked(self, tally: Tally, connections: int) -> int:
        assert isinstance(tally, SurgeTally)
        # Each connection goes its own way through the pairs, so the longest way counts.
        return connections * math.ceil(2 * (tally.kinds.count(SALE) + 1) / connections)


def _figures(tally: SurgeTally, capacity: float, seconds: float) -> Figures:
    entries = list(zip(tally.due_at, tally.kinds, tally.statuses, tally.latencies, strict=True))
    surge = [entry for entry in entries if _CALM_SECONDS <= entry[0] < _CALM_SECONDS + seconds]
    refused = [entry[3] for entry in surge if entry[2] == _REFUSED]
    # What is answered after the surge does not count: then there is time for it.
    ends_at = _CALM_SECONDS + seconds
    good = [entry for entry in surge if entry[2] in _GOOD and entry[0] + entry[3] < ends_at]
    shares = [_ORDER.count(kind) / len(_ORDER) for kind in (LOOK, HOLD, SALE)]
    rates = [sum(entry[1] == kind for entry in good) / seconds for kind in (LOOK, HOLD, SALE)]
    looks, holds, sales = (rate / (share * capacity) for rate, share in zip(rates, shares, strict=True))
    calm_ms = _p99_ms([entry[3] for entry in entries if entry[0] < _CALM_SECONDS])
    return {
        "capacity": capacity,
        "offered": len(surge) / seconds / capacity,
        "goodput": len(good) / seconds / capacity,
        "looks": looks,
        "holds": holds,
        "sales": sales,
        "good_p99_ms": _p99_ms([entry[3] for entry in good]),
        "refused_p50_ms": _p99_ms(refused, 50),
        "refused_p99_ms": _p99_ms(refused),
        "errors": float(sum(entry[2] not in (*_GOOD, _REFUSED) for entry in surge) + tally.unanswered),
        "calm_p99_ms": calm_ms,
        "normal_after_s": _normal_after(entries, ends_at, calm_ms),
    }


def _growth_mb(sizes: Sequence[int]) -> Figures:
    """Return the growth of memory in megabytes, and the part of it after half of the time."""
    half = (len(sizes) + 1) // 2
    earlier, later = sizes[:half], sizes[half:] or sizes
    return {
        "memory_mb": (max(sizes) - sizes[0]) / 1e6,
        "memory_second_half_mb": (max(later) - max(earlier)) / 1e6,
    }


def _normal_after(
    entries: Sequence[tuple[float, int, int, float]], surge_end: float, calm_ms: float
) -> float:
    """Return the seconds from the end of the surge to the last window that was not normal."""
    wanted_ms = max(_NORMAL_FACTOR * calm_ms, _NORMAL_MS)
    windows = range(math.ceil(_AFTER_SECONDS / _WINDOW_SECONDS))
    of_window: list[list[tuple[int, float]]] = [[] for _ in windows]
    for due_at, _, status, latency in entries:
        if due_at >= surge_end:
            of_window[min(int((due_at - surge_end) / _WINDOW_SECONDS), len(windows) - 1)].append(
                (status, latency)
            )
    abnormal = [
        number
        for number, window in enumerate(of_window)
        if any(status == _REFUSED for status, _ in window)
        or _p99_ms([latency for _, latency in window]) > wanted_ms
    ]
    return (abnormal[-1] + 1) * _WINDOW_SECONDS if abnormal else 0.0


def _p99_ms(latencies: Sequence[float], percent: float = 99) -> float:
    ascending = sorted(latencies)
    if not ascending:
        return 0.0
    return ascending[math.ceil(len(ascending) * percent / 100) - 1] * 1e3


async def prepare(stage: Stage) -> Contenders:
    """Prepare a server that refuses, and one that does not."""
    contenders = {}
    for name, limit_ms in (("frontrow", _WAIT_MS), ("frontrow-patient", 0)):
        server = await stage.start(overload_wait_ms=limit_ms, held_seats_limit=_HELD_SEATS)
        bought, held = await stage.seeded(server), await stage.seeded(server)
        looks = Repeated([availability(screening.id) for screening in held])
        parties = Parties(stage.tokens, held, _PARTY)
        contenders[name] = Shop(stage, server, SeatPairs(stage.tokens, bought), looks, parties).play
    return contenders
