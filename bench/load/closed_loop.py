"""Closed loop: every connection sends its next request when an answer has come.

It finds out how much a server can do. It does not tell how long users wait, since a server that stalls is
simply asked less (coordinated omission); that is what `bench.load.open_loop` is for.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from bench.load.connections import connect_all, finished_within
from bench.load.http import OK, Address, Answer, Answers, Requests
from bench.load.pipeline import Pipeline
from bench.load.tally import Stopwatch, Tally

DRAIN_SECONDS = 10.0
"""How long answers are waited for after the last request."""


class ClosedLoopConnection(asyncio.Protocol):
    """One connection.

    Args:
        requests: what it sends.
        depth: how many requests are on their way at the same time.
        tally: where answers are counted.
    """

    def __init__(self, requests: Iterator[bytes], depth: int, tally: Tally) -> None:
        self.pipeline = Pipeline(requests, depth, tally, self._write)
        self._tally = tally
        self._answers = Answers()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is sent before the pipeline is started."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, received: bytes) -> None:
        """Cut it into answers."""
        self._tally.received_bytes += len(received)
        if answers := self._answers.feed(received):
            self._heard(answers[-1])
            self.pipeline.answered([answer.status for answer in answers])

    def connection_lost(self, error: Exception | None) -> None:
        """The server has hung up."""
        self.pipeline.broken()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _heard(self, newest: Answer) -> None:
        """An answer, for those whose next request depends on it."""

    def _write(self, requests: list[bytes]) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(requests))


class RevalidatingConnection(ClosedLoopConnection):
    """One that knows the version it was given last, and asks for a newer one (RFC 9110 section 13.1.2)."""

    _entity_tag = b""

    def _heard(self, newest: Answer) -> None:
        if newest.status == OK:
            self._entity_tag = newest.entity_tag

    def _write(self, requests: list[bytes]) -> None:
        if self._entity_tag:
            condition = b"\r\nIf-None-Match: " + self._entity_tag + b"\r\n\r\n"
            requests = [request.removesuffix(b"\r\n\r\n") + condition for request in requests]
        super()._write(requests)


@dataclass(frozen=True)
class ClosedLoop:
    """A load.

    Attributes:
        address: whom to ask.
        server_pid: whose processor time is looked at.
        requests: what to ask.
        connections: how many there are.
        depth: requests on their way per connection.
        seconds: for how long requests are sent, unless they end before.
        revalidates: whether connections send the ETag of their last answer; for GET.
    """

    address: Address
    server_pid: int
    requests: Requests
    connections: int
    depth: int
    seconds: float
    revalidates: bool = False

    async def run(self) -> Tally:
        """Carry the load out.

        Raises:
            OSError: the server takes no connections.
        """
        tally = Tally()
        kind = RevalidatingConnection if self.revalidates else ClosedLoopConnection
        connections = [
            kind(self.requests.of(number, self.connections), self.depth, tally)
            for number in range(self.connections)
        ]
        await connect_all(self.address, connections)
        pipelines = [connection.pipeline for connection in connections]
        try:
            watch = Stopwatch(tally, self.server_pid)
            await drive(pipelines, self.seconds)
            watch.stop()
        finally:
            for connection in connections:
                connection.close()
        # Aborted connections tell their protocols in the next turn: what had no answer is counted then.
        await asyncio.sleep(0)
        tally.sent = tuple(pipeline.sent for pipeline in pipelines)
        return tally


async def drive(pipelines: list[Pipeline], seconds: float) -> None:
    """Run pipelines for a time, and until all that they sent is answered.

    Args:
        pipelines: of connections that stand.
        seconds: for how long they send.
    """
    for pipeline in pipelines:
        pipeline.start()
    finished = [pipeline.finished for pipeline in pipelines]
    if not await finished_within(seconds, finished):
        for pipeline in pipelines:
            pipeline.stop()
        await finished_within(DRAIN_SECONDS, finished)
