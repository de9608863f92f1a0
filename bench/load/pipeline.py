"""The closed loop of one connection: which requests are in flight, since when, and which is sent next."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Self, cast

from bench.load.http import Address, BadResponse
from bench.load.tally import Tally

CONNECTED_AT_ONCE = 100
"""Connections that are opened at the same time: fewer than a server's backlog of 128."""

DRAIN_SECONDS = 10.0
"""Time to wait for responses after the last request."""


class Connection(asyncio.Protocol):
    """A raw TCP connection."""

    _transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def itself(self) -> Self:
        """Return the connection, as the factory that an event loop asks for."""
        return self

    def write(self, written: bytes) -> None:
        """Send bytes."""
        assert self._transport is not None
        self._transport.write(written)

    def close(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class Pipeline:
    """Keeps a fixed number of requests in flight.

    Args:
        requests: the requests, in order.
        depth: how many are in flight at the same time.
        tally: where responses are counted.
        write: sends some requests.
        every_seconds: further requests are sent at most this often, in the mean; 0 if at once.

    Attributes:
        sent: number of requests sent.
        finished: done when everything that was sent is answered and nothing more will be sent.
    """

    def __init__(
        self,
        requests: Iterator[bytes],
        depth: int,
        tally: Tally,
        write: Callable[[bytes], None],
        every_seconds: float = 0.0,
    ) -> None:
        self._requests = requests
        self._depth = depth
        self._tally = tally
        self._write = write
        self._every_seconds = every_seconds
        self._due_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._sent_at: deque[float] = deque()
        self._ended = False
        self.sent = 0
        self.finished = self._loop.create_future()

    def start(self) -> None:
        """Send the first requests."""
        self._due_at = self._loop.time()
        self._send(self._depth)

    def answered(self, outcomes: list[int]) -> None:
        """Count responses, and send as many requests.

        Raises:
            BadResponse: there were fewer requests.
        """
        now = time.perf_counter()
        tally, sent_at = self._tally, self._sent_at
        if len(outcomes) > len(sent_at):
            raise BadResponse(f"{len(outcomes)} responses came to {len(sent_at)} requests")
        for outcome in outcomes:
            tally.outcomes[outcome] += 1
            tally.latencies.append(now - sent_at.popleft())
        self._due_at += self._every_seconds
        pause = self._due_at - self._loop.time() if self._every_seconds else 0.0
        if pause > 0:
            self._loop.call_later(pause, self._send, len(outcomes))
        else:
            self._send(len(outcomes))

    def stop(self) -> None:
        """Send nothing more."""
        self._ended = True
        self._finish_if_done()

    def broken(self) -> None:
        """Count the requests in flight as unanswered, because the connection is lost."""
        self._tally.unanswered += len(self._sent_at)
        self._sent_at.clear()
        self.stop()

    def _send(self, count: int) -> None:
        if not self._ended:
            batch = list(islice(self._requests, count))
            self._ended = len(batch) < count
            if batch:
                self.sent += len(batch)
                self._sent_at.extend([time.perf_counter()] * len(batch))
                self._write(batch[0] if len(batch) == 1 else b"".join(batch))
        if self._ended:
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        if self._ended and not self._sent_at and not self.finished.done():
            self.finished.set_result(None)


async def drive(pipelines: Sequence[Pipeline], seconds: float) -> None:
    """Run pipelines for a time, and until everything that they sent is answered."""
    for pipeline in pipelines:
        pipeline.start()
    finished = [pipeline.finished for pipeline in pipelines]
    _, unfinished = await asyncio.wait(finished, timeout=seconds)
    if unfinished:
        for pipeline in pipelines:
            pipeline.stop()
        await asyncio.wait(finished, timeout=DRAIN_SECONDS)


async def connect_all(address: Address, protocols: Sequence[Connection]) -> None:
    """Give every protocol a connection.

    Raises:
        OSError: the server accepts no more.
    """
    loop = asyncio.get_running_loop()
    for first in range(0, len(protocols), CONNECTED_AT_ONCE):
        some = protocols[first : first + CONNECTED_AT_ONCE]
        try:
            async with asyncio.TaskGroup() as group:
                for protocol in some:
                    group.create_task(loop.create_connection(protocol.itself, *address))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
