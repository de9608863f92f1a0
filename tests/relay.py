"""A TCP relay on loopback, for tests in which the network between two programs fails.

The base class forwards everything. Subclasses choose the destination and what happens to the bytes.
"""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import NamedTuple

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK_BYTES = 1 << 20


class Circuit(NamedTuple):
    """The two ends of a connection through the relay."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter


class Relay(ABC):
    """Listens on a free port.

    Attributes:
        admitting: whether new connections are accepted; otherwise they are closed immediately.
    """

    def __init__(self) -> None:
        self._server: asyncio.Server
        self._pipes: set[asyncio.Task[None]] = set()
        self._circuits: set[Circuit] = set()
        self.admitting = True

    async def listen(self) -> int:
        """Start. Returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections."""
        for circuit in self._circuits:
            circuit.client.transport.abort()
            circuit.server.transport.abort()

    @abstractmethod
    async def connect(self) -> Stream:
        """Connect to the server behind the relay."""

    def passes(self, circuit: Circuit, chunk: bytes, *, to_server: bool) -> bool:
        """Forward a chunk; subclasses may do something else with it.

        Returns:
            Whether the connection stays open.
        """
        (circuit.server if to_server else circuit.client).write(chunk)
        return True

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if not self.admitting:
            to_client.close()
            return
        try:
            from_server, to_server = await self.connect()
        except OSError:
            to_client.transport.abort()
            return
        circuit = Circuit(to_client, to_server)
        pipes = {
            asyncio.create_task(self._pump(from_client, circuit, to_server=True)),
            asyncio.create_task(self._pump(from_server, circuit, to_server=False)),
        }
        self._circuits.add(circuit)
        self._pipes |= pipes
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        self._pipes -= pipes
        self._circuits.discard(circuit)
        for pipe in pipes:
            pipe.cancel()
        to_client.close()
        to_server.close()

    async def _pump(self, source: asyncio.StreamReader, circuit: Circuit, *, to_server: bool) -> None:
        target = circuit.server if to_server else circuit.client
        with suppress(OSError):
            while (chunk := await source.read(_CHUNK_BYTES)) and self.passes(
                circuit, chunk, to_server=to_server
            ):
                await target.drain()
