"""More requests than a server can answer: an open loop of several kinds of requests, at changing rates.

Latency counts from the time a request was due. If all connections are busy, requests wait for one; so there
must be more connections than the server answers requests in the time that it may take to refuse one.
"""

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from bench.load.http import Address, Requests, Responses
from bench.load.open_loop import DRAIN_SECONDS, TICK_SECONDS, ticking
from bench.load.pipeline import Connection, connect_all
from bench.load.tally import Tally, measured


@dataclass
class SurgeTally(Tally):
    """The result of a surge: what became of each request, in the order of the responses.

    Attributes:
        due_at: when each was due, in seconds from the beginning.
        kinds: of which kind each was, by its place in `Surge.kinds`.
        statuses: how each was answered; `latencies` has the same order.
    """

    due_at: "array[float]" = field(default_factory=lambda: array("d"))
    kinds: "array[int]" = field(default_factory=lambda: array("b"))
    statuses: "array[int]" = field(default_factory=lambda: array("h"))


class _Surging(Connection):
    def __init__(self, requests: Sequence[Iterator[bytes]], answered: "_Crowd") -> None:
        self._requests = requests
        self._crowd = answered
        self._responses = Responses()
        self.kind = 0
        self.due_at: float | None = None

    def send(self, kind: int, due_at: float) -> None:
        """Send the next request of a kind."""
        self.kind, self.due_at = kind, due_at
        self.write(next(self._requests[kind]))

    def data_received(self, received: bytes) -> None:
        """Report the response when it is complete."""
        for status, _ in self._responses.feed(received):
            due_at, self.due_at = self.due_at, None
            assert due_at is not None, "a response without a request"
            self._crowd.answered(self, due_at, status)

    def connection_lost(self, error: Exception | None) -> None:
        """End the load: a server that closes connections fails."""
        self._crowd.finish()


class _Crowd:
    """Sends the requests that are due, as far as connections are idle."""

    def __init__(self, surge: "Surge", tally: SurgeTally) -> None:
        self._tally = tally
        self._kinds = cycle(surge.order)
        self._steps = iter(surge.steps)
        self._interval_seconds = self._until = self._next_at = self._began_at = 0.0
        self._waiting: deque[tuple[int, float]] = deque()
        self._idle: deque[_Surging] = deque()
        self.finished = asyncio.get_running_loop().create_future()

    def begin(self, connections: Sequence[_Surging]) -> None:
        self._idle.extend(connections)
        self._began_at = self._next_at = self._until = time.perf_counter()
        self._begin_step()

    def _begin_step(self) -> bool:
        step = next(self._steps, None)
        if step is not None:
            rate, seconds = step
            self._interval_seconds = 1 / rate
            self._until += seconds
        return step is not None

    def send_due(self) -> None:
        now = time.perf_counter()
        waiting, idle = self._waiting, self._idle
        while self._next_at <= now and not self.finished.done():
            if self._next_at >= self._until and not self._begin_step():
                self.finish()
                break
            waiting.append((next(self._kinds), self._next_at))
            self._next_at += self._interval_seconds
        while waiting and idle:
            idle.popleft().send(*waiting.popleft())

    def answered(self, connection: _Surging, due_at: float, status: int) -> None:
        tally = self._tally
        tally.outcomes[status] += 1
        tally.latencies.append(time.perf_counter() - due_at)
        tally.due_at.append(due_at - self._began_at)
        tally.kinds.append(connection.kind)
        tally.statuses.append(status)
        self._idle.append(connection)

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    @property
    def left(self) -> int:
        """Number of requests that were due and never sent."""
        return len(self._waiting)


@dataclass(frozen=True)
class Surge:
    """A load: requests of several kinds at a rate that changes.

    Attributes:
        kinds: the requests of each kind.
        order: the kinds of requests that follow one another, again and again, by their places in `kinds`.
        steps: rate per second, and seconds, of each part of the load.
    """

    address: Address
    server_pid: int
    kinds: Sequence[Requests]
    order: Sequence[int]
    connections: int
    steps: Sequence[tuple[float, float]]

    async def run(self) -> SurgeTally:
        """Carry it out; raises `OSError` if the server accepts no connections."""
        tally = SurgeTally()
        crowd = _Crowd(self, tally)
        connections = [
            _Surging([requests.of(number, self.connections) for requests in self.kinds], crowd)
            for number in range(self.connections)
        ]
        await connect_all(self.address, connections)
        seconds = sum(seconds for _, seconds in self.steps)
        try:
            with measured(tally, self.server_pid), ticking(TICK_SECONDS, crowd.send_due):
                crowd.begin(connections)
                await asyncio.wait((crowd.finished,), timeout=seconds + DRAIN_SECONDS)
            async with asyncio.timeout(DRAIN_SECONDS):
                while any(connection.due_at is not None for connection in connections):  # noqa: ASYNC110
                    await asyncio.sleep(TICK_SECONDS)
        except TimeoutError:
            pass
        finally:
            tally.unanswered = crowd.left + sum(each.due_at is not None for each in connections)
            for connection in connections:
                connection.close()
        return tally
