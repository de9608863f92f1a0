"""Open loop: requests are due at fixed times, however long earlier ones take.

Users do not wait for each other. So the times are fixed beforehand, and the latency of a request counts from
the time it was due, even if it then waited for a free connection. A server that stalls for a second is
charged with every request that was due then; a closed loop would have sent none (coordinated omission).
"""

import asyncio
import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.load.http import Address, Requests, Responses
from bench.load.pipeline import Connection, connect_all
from bench.load.tally import Tally, measured

DRAIN_SECONDS = 5.0
"""Time to wait for responses after the last request is due. Unanswered requests count with their age."""

TICK_SECONDS = 100e-6
"""Interval of looking for due requests. Timers of event loops are no finer than a millisecond."""


class Schedule:
    """The times at which requests are due, at a rate per second, and what became of them."""

    def __init__(self, rate: float, seconds: float, tally: Tally) -> None:
        self._interval_seconds = 1 / rate
        self._left = max(1, round(rate * seconds))
        self._tally = tally
        self._next_at = 0.0
        self._waiting: deque[float] = deque()
        self._in_flight = 0
        self._idle: deque[OpenLoopConnection] = deque()
        self.finished = asyncio.get_running_loop().create_future()

    def begin(self, connections: Sequence["OpenLoopConnection"]) -> None:
        """Make the first request due now."""
        self._idle.extend(connections)
        self._next_at = time.perf_counter()

    def send_due(self) -> None:
        """Send the requests that are due, as far as connections are idle."""
        now = time.perf_counter()
        while self._left and self._next_at <= now:
            self._waiting.append(self._next_at)
            self._next_at += self._interval_seconds
            self._left -= 1
        while self._waiting and self._idle:
            self._in_flight += 1
            self._idle.popleft().send(self._waiting.popleft())
        if not (self._left or self._waiting or self._in_flight):
            self.finish()

    def answered(self, connection: "OpenLoopConnection", due_at: float, status: int) -> None:
        """Count a response; its connection is idle again."""
        self._tally.outcomes[status] += 1
        self._tally.latencies.append(time.perf_counter() - due_at)
        self._in_flight -= 1
        self._idle.append(connection)
        self.send_due()

    def finish(self) -> None:
        """Send nothing more."""
        if not self.finished.done():
            self.finished.set_result(None)

    def abandon(self, in_flight: Sequence[float]) -> None:
        """Count requests in flight, waiting or not yet due as unanswered, the first two with their age."""
        now, late = time.perf_counter(), (*in_flight, *self._waiting)
        self._tally.latencies.extend(now - due_at for due_at in late)
        self._tally.unanswered = len(late) + self._left


class OpenLoopConnection(Connection):
    """One connection, with at most one request in flight."""

    def __init__(self, requests: Iterator[bytes], schedule: Schedule) -> None:
        self._requests = requests
        self._schedule = schedule
        self._responses = Responses()
        self.due_at: float | None = None
        self.sent = 0

    def send(self, due_at: float) -> None:
        """Send the next request, which was due at `due_at`."""
        self.due_at = due_at
        self.sent += 1
        self.write(next(self._requests))

    def data_received(self, received: bytes) -> None:
        """Report the response when it is complete."""
        for status, _ in self._responses.feed(received):
            due_at, self.due_at = self.due_at, None
            assert due_at is not None, "a response without a request"
            self._schedule.answered(self, due_at, status)

    def connection_lost(self, error: Exception | None) -> None:
        """End the load: a server that closes connections fails."""
        self._schedule.finish()


@dataclass(frozen=True)
class OpenLoop:
    """A load: requests at a fixed rate per second, for a time; at most one in flight on each connection."""

    address: Address
    server_pid: int
    requests: Requests
    connections: int
    rate: float
    seconds: float

    async def run(self) -> Tally:
        """Carry it out; raises `OSError` if the server accepts no connections."""
        tally = Tally()
        schedule = Schedule(self.rate, self.seconds, tally)
        connections = [
            OpenLoopConnection(self.requests.of(number, self.connections), schedule)
            for number in range(self.connections)
        ]
        await connect_all(self.address, connections)
        try:
            with measured(tally, self.server_pid), ticking(TICK_SECONDS, schedule.send_due):
                schedule.begin(connections)
                await asyncio.wait((schedule.finished,), timeout=self.seconds + DRAIN_SECONDS)
            schedule.abandon([at for connection in connections if (at := connection.due_at) is not None])
        finally:
            for connection in connections:
                connection.close()
        tally.sent = tuple(connection.sent for connection in connections)
        return tally


@contextmanager
def ticking(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function at a fine interval below one second, by a timer of the kernel (timerfd_create(2)).

    Python has such timers from 3.13 on, hence libc. Ticks that are late together make one call.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "the kernel gives no timer")
    nanoseconds = round(seconds * 1e9)
    # struct itimerspec: interval and first tick, each in seconds and nanoseconds.
    setting = (ctypes.c_long * 4)(0, nanoseconds, 0, nanoseconds)
    loop = asyncio.get_running_loop()

    def tick() -> None:
        os.read(descriptor, 8)
        call()

    try:
        libc.timerfd_settime(descriptor, 0, setting, None)
        loop.add_reader(descriptor, tick)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
