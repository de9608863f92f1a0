"""Closed loop: every connection sends its next request when it has a response. It finds a server's capacity.

It does not find out how long users wait: a server that stalls is asked less meanwhile (coordinated omission).
`bench.load.open_loop` is for that.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from bench.load.http import OK, Address, Requests, Responses, entity_tag
from bench.load.pipeline import Connection, Pipeline, connect_all, drive
from bench.load.tally import Tally, measured


class ClosedLoopConnection(Connection):
    """A connection with one request in flight."""

    def __init__(
        self,
        requests: Iterator[bytes],
        tally: Tally,
        every_seconds: float = 0.0,
        *,
        revalidates: bool = False,
    ) -> None:
        self.pipeline = Pipeline(requests, 1, tally, self._send, every_seconds)
        self._tally = tally
        self._revalidates = revalidates
        self._entity_tag = b""
        self._responses = Responses()

    def data_received(self, received: bytes) -> None:
        """Count the responses."""
        self._tally.received_bytes += len(received)
        if responses := self._responses.feed(received):
            if self._revalidates and responses[-1][0] == OK:
                self._entity_tag = entity_tag(responses[-1][1])
            self.pipeline.answered([status for status, _ in responses])

    def connection_lost(self, error: Exception | None) -> None:
        """Count the requests in flight as unanswered."""
        self.pipeline.broken()

    def _send(self, requests: bytes) -> None:
        if self._entity_tag:
            condition = b"\r\nIf-None-Match: " + self._entity_tag + b"\r\n\r\n"
            requests = requests.removesuffix(b"\r\n\r\n") + condition
        self.write(requests)


@dataclass(frozen=True)
class ClosedLoop:
    """A load: connections send requests for a time, or until they end.

    With `revalidates`, each connection sends the ETag of its latest response (RFC 9110 section 13.1.2).
    With `more_addresses`, the connections are divided among all addresses. With `rate`, they send at most
    that many requests a second together, all at the same times.
    """

    address: Address
    server_pid: int
    requests: Requests
    connections: int
    seconds: float
    revalidates: bool = False
    more_addresses: tuple[Address, ...] = ()
    rate: float = 0.0

    async def run(self) -> Tally:
        """Carry it out; raises `OSError` if the server accepts no connections."""
        tally = Tally()
        every_seconds = self.connections / self.rate if self.rate else 0.0
        connections = [
            ClosedLoopConnection(
                self.requests.of(number, self.connections),
                tally,
                every_seconds,
                revalidates=self.revalidates,
            )
            for number in range(self.connections)
        ]
        addresses = (self.address, *self.more_addresses)
        for first, address in enumerate(addresses):
            await connect_all(address, connections[first :: len(addresses)])
        pipelines = [connection.pipeline for connection in connections]
        try:
            with measured(tally, self.server_pid):
                await drive(pipelines, self.seconds)
        finally:
            for connection in connections:
                connection.close()
        # Protocols learn of an aborted connection in the next turn, and count what is unanswered then.
        await asyncio.sleep(0)
        tally.sent = tuple(pipeline.sent for pipeline in pipelines)
        return tally
