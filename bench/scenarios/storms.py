"""Effects on others while many clients read nothing, finish no handshake, or come back after a restart.

Each contender has a calm phase first, on the same server, whose p99 is `calm_p99_ms`. Servers have their
default limits, but for what the contender is about and for the limit on open files.
"""

import asyncio
import math
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, NamedTuple, cast

from bench.load import MeasurementFailed
from bench.load.frames import handshake
from bench.load.http import OK, Address, framed, head
from bench.load.process import Load, LoadProcess
from bench.load.sockets import READY_SECONDS
from bench.load.storms import Readers, SlowHeads, Storm, StormTally, Visits
from bench.load.tally import Tally, TooManyFailures
from bench.machine import confined_to
from bench.plan import Contenders, Figures
from bench.seats import TOGGLE, Repeated, SeatPairs
from bench.stage import GREETING, Frontrow, Stage, watching_paths
from frontrow.settings import TABLE

_HALL = (15, 20)
_CHANGED_SEATS = 100
_CHANGE_EVERY_SECONDS = 0.1
_READING_FACTOR = 4.0
"""Multiple of a round for which readers are watched: a server drops no socket before its outbox is full."""

_SWITCHING = 101
_FULL_SECONDS = 2.0
"""Time for which slow clients stay before others come. A server makes room only after a second."""

_VISITS_FACTOR = 2.0
_VISITS_PER_SECOND = 50.0
_VISITORS = 50
_OTHER_DESCRIPTORS = 1000
_CLIENTS_PER_PROCESS = 10_000
_POLL_SECONDS = 0.1
_STORM_SECONDS = 300.0
_MANY_TRIES = 3
_SNAPSHOT = b'"bulk_seat_update"'
_DROPPED = "frontrow_slow_clients_dropped_total"
_SOCKETS_OPEN = "frontrow_sockets_open"

_DEFAULTS = {
    name: TABLE[name].default
    for name in ("overload_wait_ms", "socket_handshakes_per_second", "connections_limit", "sockets_limit")
}


async def prepare(stage: Stage) -> Contenders:
    """Prepare the contenders, which start a server in each round."""
    storms = Storms(stage)
    return {
        "stopped-readers": storms.stopped_readers,
        "slow-handshakes": storms.slow_handshakes,
        "reconnect-storm": storms.reconnect_storm,
    }


@dataclass
class Storms:
    """The contenders; each method plays one round."""

    stage: Stage

    async def stopped_readers(self) -> Figures:
        """Watch deliveries while all sockets read, then while a tenth of them has stopped."""
        plan = self.stage.plan
        # All sockets come at once, and none is refused.
        unbounded = {"overload_wait_ms": 0, "socket_handshakes_per_second": 1_000_000}
        settings = {"socket_tick_ms": 0, "held_seats_limit": _CHANGED_SEATS, **unbounded}
        async with self._server(**settings) as server:
            (screening,) = await self.stage.activated(server, await server.process.seed(1, *_HALL))
            seats = ",".join(map(str, screening.seat_ids[:_CHANGED_SEATS]))
            body = f'{{"screening_id":{screening.id},"seat_ids":[{seats}]}}'.encode()
            changes = Repeated([head("POST", TOGGLE, self.stage.tokens[0]) + framed(body)])
            paths = watching_paths(self.stage.tokens, screening.id, _fitting(plan.readers))
            load = Readers(
                server.address,
                server.pid,
                paths,
                GREETING,
                changes,
                _CHANGE_EVERY_SECONDS,
                _READING_FACTOR * plan.seconds,
                stop=False,
            )
            calm = await self.stage.load.run(load)
            before_bytes = server.process.resident_bytes
            tally = await self.stage.load.run(replace(load, stop=True))
            grown_bytes = server.process.resident_bytes - before_bytes
            calm.require(OK)
            tally.require(OK)
            dropped = sum((await server.client.metrics(_DROPPED)).values())
        figures = _compared(calm, tally)
        return {
            **figures,
            "p99_ratio": figures["p99_ms"] / figures["calm_p99_ms"],
            "clients": float(len(paths)),
            "dropped": dropped / len(paths[1::10]),
            "memory_mb": grown_bytes / 1e6,
            "server_cpu": tally.server_cpu,
            "load_cpu": tally.load_cpu,
        }

    async def slow_handshakes(self) -> Figures:
        """Watch visitors before and while more connections than are allowed finish no handshake."""
        stage, number = self.stage, self.stage.plan.slow_heads
        limit = _fitting(min(_DEFAULTS["connections_limit"], number * 9 // 10))
        async with self._server(connections_limit=limit) as server:
            visits = await self._visits(server)
            paths = watching_paths(stage.tokens, visits.screening_id, _VISITORS)
            opening = replace(visits.load, requests=Repeated([handshake(path) for path in paths]))
            calm = await stage.load.run(visits.load)
            before, before_bytes = await _descriptors(server), server.process.resident_bytes
            async with self._slow_heads(server.address, number) as heads:
                await _reached(partial(_descriptors, server), before + limit * 9 // 10, heads)
                await asyncio.sleep(_FULL_SECONDS)
                holds = await stage.load.run(visits.load)
                sockets = await stage.load.run(opening)
                grown_bytes = server.process.resident_bytes - before_bytes
        (sockets_p99_ms,) = sockets.percentiles_ms(99)
        return {
            **_compared(calm, holds),
            "answered": _share(holds, OK),
            "sockets": _share(sockets, _SWITCHING),
            "sockets_p99_ms": sockets_p99_ms,
            "clients": float(number),
            "connections_limit": float(limit),
            "memory_mb": grown_bytes / 1e6,
            "server_cpu": holds.server_cpu,
            "load_cpu": holds.load_cpu,
        }

    async def reconnect_storm(self) -> Figures:
        """Restart the server under clients with sockets, and wait until all are back."""
        stage, number = self.stage, _fitting(self.stage.plan.storm_clients)
        async with self._server() as server:
            visits = await self._visits(server)
            calm = await stage.load.run(visits.load)
            paths = watching_paths(stage.tokens, visits.screening_id, number)
            parts = [paths[first :: _processes(number)] for first in range(_processes(number))]
            storms = [
                Storm(server.address, source, [f"{path}&since=0" for path in part], _SNAPSHOT, _STORM_SECONDS)
                for source, part in zip(_sources(), parts, strict=False)
            ]
            async with self._beside(storms) as storming:
                await _reached(partial(_open_sockets, server), number, storming)
                await server.process.terminate()
                with confined_to(stage.placement.server):
                    await stage.restart(server, server.address.port)
                listening_at = server.process.announced_at
                await asyncio.sleep(listening_at + stage.plan.storm_seconds - time.perf_counter())
                holds = await stage.load.run(replace(visits.load, server_pid=server.pid))
                tallies = [cast(StormTally, tally) for tally in await asyncio.gather(*storming)]
        if away := sum(tally.unanswered for tally in tallies):
            raise TooManyFailures(f"{away} of {number} clients did not come back")
        attempts = [attempts for tally in tallies for attempts in tally.attempts]
        return {
            **_compared(calm, holds),
            "answered": _share(holds, OK),
            "back_seconds": max(max(tally.back_at) for tally in tallies) - listening_at,
            "clients": float(number),
            "refused": float(sum(tally.refused for tally in tallies)),
            "many_tries": sum(tries > _MANY_TRIES for tries in attempts) / number,
            "server_cpu": holds.server_cpu,
            "load_cpu": holds.load_cpu,
        }

    @asynccontextmanager
    async def _server(self, **settings: Any) -> AsyncIterator[Frontrow]:
        async with self.stage.frontrow(**{**_DEFAULTS, **settings}) as server:
            yield server

    async def _visits(self, server: Frontrow) -> "_Visitors":
        watched, bought = await self.stage.activated(server, await server.process.seed(2, *_HALL))
        pairs = SeatPairs(self.stage.tokens, [bought])
        toggles = Repeated([pairs.toggle(pair) for pair in range(_VISITORS)])
        rate, seconds = _VISITS_PER_SECOND, _VISITS_FACTOR * self.stage.plan.seconds
        return _Visitors(watched.id, Visits(server.address, server.pid, toggles, _VISITORS, rate, seconds))

    @asynccontextmanager
    async def _slow_heads(self, address: Address, number: int) -> AsyncIterator[list[asyncio.Task[Tally]]]:
        processes = _processes(number)
        shares = [number // processes + (extra < number % processes) for extra in range(processes)]
        heads = [SlowHeads(address, source, share) for source, share in zip(_sources(), shares, strict=False)]
        async with self._beside(heads) as running:
            yield running

    @asynccontextmanager
    async def _beside(self, loads: Sequence[Load]) -> AsyncIterator[list[asyncio.Task[Tally]]]:
        """Carry out loads, each in a process of its own, as long as the block lasts."""
        with ExitStack() as stack:
            processes = [stack.enter_context(closing(LoadProcess(self.stage.placement.load))) for _ in loads]
            running = [
                asyncio.create_task(process.run(load)) for process, load in zip(processes, loads, strict=True)
            ]
            try:
                yield running
            finally:
                for task in running:
                    task.cancel()
                await asyncio.wait(running)


class _Visitors(NamedTuple):
    """Visitors who hold seats, and a screening that is only watched."""

    screening_id: int
    load: Visits


def _fitting(number: int) -> int:
    """Return the wanted number of connections, or as many as one process may have if those are fewer."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(number, allowed - _OTHER_DESCRIPTORS)


def _processes(number: int) -> int:
    return math.ceil(number / _CLIENTS_PER_PROCESS)


def _sources() -> Iterator[str]:
    return (f"127.0.0.{number}" for number in count(2))


async def _descriptors(server: Frontrow) -> float:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


async def _open_sockets(server: Frontrow) -> float:
    return sum((await server.client.metrics(_SOCKETS_OPEN)).values())


async def _reached(
    count_open: Callable[[], Awaitable[float]], wanted: float, loads: Sequence[asyncio.Task[Tally]]
) -> None:
    """Wait until `wanted` connections are open.

    Raises:
        MeasurementFailed: there are no more of them for `READY_SECONDS`, or a load has ended.
    """
    loop = asyncio.get_running_loop()
    most, since = -1.0, loop.time()
    while (now_open := await count_open()) < wanted:
        for load in loads:
            if load.done():
                load.result()
                raise MeasurementFailed("a load ended before all of its connections were open")
        if now_open > most:
            most, since = now_open, loop.time()
        elif loop.time() - since > READY_SECONDS:
            raise MeasurementFailed(f"only {most:,.0f} of {wanted:,} connections are open")
        await asyncio.sleep(_POLL_SECONDS)


def _compared(calm: Tally, tally: Tally) -> dict[str, float]:
    (calm_ms,), (p99_ms,) = calm.percentiles_ms(99), tally.percentiles_ms(99)
    return {"p99_ms": p99_ms, "calm_p99_ms": calm_ms}


def _share(tally: Tally, expected: int) -> float:
    return tally.outcomes[expected] / (tally.answered + tally.unanswered)
