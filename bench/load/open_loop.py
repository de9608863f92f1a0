"""Open loop: requests arrive at a fixed rate, whatever becomes of those before.

Users do not wait for each other. So the moments at which requests should start are fixed beforehand, and a
request's latency counts from that moment, however long it then waited for a free connection. A server that
stalls for a second is charged with everything that should have begun within it; a closed loop would have
asked it nothing (coordinated omission).
"""

import asyncio
import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from bench.load.connections import connect_all, finished_within
from bench.load.http import Address, Answers, Requests
from bench.load.tally import Stopwatch, Tally

DRAIN_SECONDS = 5.0
"""How long answers are waited for after the last arrival. What has none then counts with its age."""

TICK_SECONDS = 100e-6
"""How often it is looked whether a request is due. Timers of event loops are no finer than a millisecond."""


class Arrivals:
    """The moments at which requests should start, and what happens to them.

    Args:
        rate: per second.
        seconds: how long they go on.
        tally: where answers are counted.
    """

    def __init__(self, rate: float, seconds: float, tally: Tally) -> None:
        self._interval_seconds = 1 / rate
        self._left = max(1, round(rate * seconds))
        self._tally = tally
        self._next_at = 0.0
        self._waiting: deque[float] = deque()
        self._in_flight = 0
        self._idle: deque[OpenLoopConnection] = deque()
        self.finished = asyncio.get_running_loop().create_future()

    def begin(self, idle: list["OpenLoopConnection"]) -> None:
        """The first request is due now."""
        self._idle.extend(idle)
        self._next_at = time.perf_counter()

    def release_due(self) -> None:
        """Send what is due, as far as there are connections."""
        now = time.perf_counter()
        while self._left and self._next_at <= now:
            self._waiting.append(self._next_at)
            self._next_at += self._interval_seconds
            self._left -= 1
        while self._waiting and self._idle:
            self._in_flight += 1
            self._idle.popleft().send(self._waiting.popleft())
        if not (self._left or self._waiting or self._in_flight) and not self.finished.done():
            self.finished.set_result(None)

    def answered(self, connection: "OpenLoopConnection", due_at: float, status: int) -> None:
        """An answer has come."""
        self._tally.outcomes[status] += 1
        self._tally.latencies.add(time.perf_counter() - due_at)
        self._in_flight -= 1
        self._idle.append(connection)
        self.release_due()

    def lost(self, connection: "OpenLoopConnection", due_at: float | None) -> None:
        """A connection has gone, and with it perhaps a request. Without any there is nothing to wait for."""
        if due_at is None:
            self._idle.remove(connection)
        else:
            self._in_flight -= 1
            self._give_up(due_at)
        if not (self._idle or self._in_flight or self.finished.done()):
            self.finished.set_result(None)

    def abandon(self, in_flight: list[float]) -> None:
        """Nothing more is waited for: what has no answer is at least as old as it is."""
        for due_at in (*in_flight, *self._waiting):
            self._give_up(due_at)
        self._tally.unanswered += self._left
        self._left = 0
        self._waiting.clear()

    def _give_up(self, due_at: float) -> None:
        self._tally.unanswered += 1
        self._tally.latencies.add(time.perf_counter() - due_at)


class OpenLoopConnection(asyncio.Protocol):
    """One connection, with one request on its way at a time.

    Args:
        requests: what it sends.
        arrivals: when.
    """

    def __init__(self, requests: Iterator[bytes], arrivals: Arrivals) -> None:
        self._requests = requests
        self._arrivals = arrivals
        self._answers = Answers()
        self._transport: asyncio.Transport | None = None
        self._leaving = False
        self.due_at: float | None = None
        self.sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, due_at: float) -> None:
        """Send the next request, which should have started at `due_at`."""
        assert self._transport is not None
        self.due_at = due_at
        self.sent += 1
        self._transport.write(next(self._requests))

    def data_received(self, received: bytes) -> None:
        """Report the answer, if it is complete."""
        for answer in self._answers.feed(received):
            due_at, self.due_at = self.due_at, None
            assert due_at is not None, "an answer that nothing was asked for"
            self._arrivals.answered(self, due_at, answer.status)

    def connection_lost(self, error: Exception | None) -> None:
        """The server has hung up."""
        if not self._leaving:
            due_at, self.due_at = self.due_at, None
            self._arrivals.lost(self, due_at)

    def close(self) -> None:
        """Hang up."""
        self._leaving = True
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True)
class OpenLoop:
    """A load.

    Attributes:
        address: whom to ask.
        server_pid: whose processor time is looked at.
        requests: what to ask; there must be enough.
        connections: how many requests can be on their way at the same time.
        rate: arrivals per second.
        seconds: how long they go on.
    """

    address: Address
    server_pid: int
    requests: Requests
    connections: int
    rate: float
    seconds: float

    async def run(self) -> Tally:
        """Carry the load out.

        Raises:
            OSError: the server takes no connections.
        """
        tally = Tally()
        arrivals = Arrivals(self.rate, self.seconds, tally)
        connections = [
            OpenLoopConnection(self.requests.of(number, self.connections), arrivals)
            for number in range(self.connections)
        ]
        await connect_all(self.address, connections)
        try:
            watch = Stopwatch(tally, self.server_pid)
            with ticking(TICK_SECONDS, arrivals.release_due):
                arrivals.begin(connections)
                await finished_within(self.seconds + DRAIN_SECONDS, [arrivals.finished])
            watch.stop()
            arrivals.abandon([at for connection in connections if (at := connection.due_at) is not None])
        finally:
            for connection in connections:
                connection.close()
        tally.sent = tuple(connection.sent for connection in connections)
        return tally


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSetting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


@contextmanager
def ticking(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call something again and again at a fine interval, by a timer of the kernel (timerfd_create(2)).

    Python offers these timers from 3.13 on, hence the call by way of libc.

    Args:
        seconds: the interval, below one second.
        call: what is called; several ticks that are late together are one call.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "no timer to be had")
    interval = _Timespec(0, round(seconds * 1e9))
    loop = asyncio.get_running_loop()

    def tick() -> None:
        os.read(descriptor, 8)
        call()

    try:
        libc.timerfd_settime(descriptor, 0, ctypes.byref(_TimerSetting(interval, interval)), None)
        loop.add_reader(descriptor, tick)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
