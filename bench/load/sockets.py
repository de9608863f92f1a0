"""Loads by WebSocket: many raw sockets in one process, which listen, send commands, or keep silent."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import cast

from bench.load import MeasurementFailed
from bench.load.closed_loop import ClosedLoopConnection
from bench.load.frames import PING, PONG, TEXT, Frames, client_frame, count_texts, handshake
from bench.load.http import Address, Requests
from bench.load.pipeline import CONNECTED_AT_ONCE, Connection, Pipeline, connect_all, drive
from bench.load.tally import Tally, measured

READY_SECONDS = 120.0
"""Time after which a load that opens no further sockets fails."""

REFUSED = 0x100
"""Outcome of a command that the server refused; outcomes of other frames are their opcodes."""

_READ_EVERY_SECONDS = 0.01
_READ_AT_ONCE = 20
_READ_BYTES = 262_144

PING_MESSAGE = client_frame(b'{"type":"ping"}')


class SocketRefused(MeasurementFailed):
    """A server did not open a WebSocket, or closed one."""


class Socket(Connection):
    """A WebSocket that answers pings.

    Args:
        path: of the handshake.
        ready_by: part of the first text from the server; None if it sends none.
        first: frames to be sent when the socket is open.

    Attributes:
        ready: done when the socket is open and the first text has come.
        lost: whether the connection is lost.
    """

    def __init__(self, path: str, ready_by: bytes | None = None, first: bytes = b"") -> None:
        self._path = path
        self._ready_by = ready_by
        self._first = first
        self._frames: Frames | None = None
        self._head = b""
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        super().connection_made(transport)
        self.write(handshake(self._path))

    def data_received(self, received: bytes) -> None:
        """Receive the response to the handshake, then frames."""
        if self._frames is None:
            self._head += received
            head, end, received = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._fail(f"the server answered {head[:80]!r} to a handshake")
                return
            self._frames = Frames()
            if self._first:
                self.write(self._first)
            if self._ready_by is None:
                self.ready.set_result(None)
        texts = []
        for opcode, payload in self._frames.feed(received):
            if opcode == TEXT:
                texts.append(payload)
            elif opcode == PING:
                self.write(client_frame(payload, PONG))
        if texts and self.ready.done():
            self.heard(texts)
        elif any(cast(bytes, self._ready_by) in text for text in texts):
            self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the loss."""
        self.lost = True
        self._fail("the server closed the connection")

    def heard(self, texts: list[bytes]) -> None:
        """Receive texts that came after the first."""

    def _fail(self, reason: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(SocketRefused(f"{self._path.partition('?')[0]}: {reason}"))


class Listener(Socket):
    """A socket that counts what it receives, and then reads only when `read` is called.

    Until then the kernel buffers the frames. To wake the event loop for every frame would make this process
    the bottleneck instead of the server.
    """

    def __init__(self, path: str, ready_by: bytes | None, tally: Tally) -> None:
        super().__init__(path, ready_by)
        self._tally = tally

    def read_later(self) -> None:
        """Read nothing more by itself; only for a socket that is ready."""
        assert self._transport is not None
        self._transport.pause_reading()
        self._descriptor = self._transport.get_extra_info("socket").fileno()

    def read(self) -> None:
        """Count what has arrived."""
        if self.lost:
            return
        try:
            received = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            received = b""
        frames = self._frames
        assert frames is not None
        stream, frames.rest = frames.rest + received, b""
        number, size, stop = count_texts(stream)
        self._tally.outcomes[TEXT] += number
        self._tally.received_bytes += size
        if not received:
            self.connection_lost(None)
        elif stop < len(stream):
            self.data_received(stream[stop:])

    def heard(self, texts: list[bytes]) -> None:
        """Count texts and their bytes."""
        self._tally.outcomes[TEXT] += len(texts)
        self._tally.received_bytes += sum(map(len, texts))


class Commander(Socket):
    """A socket that keeps a number of commands in flight; every text is the reply to one."""

    def __init__(
        self,
        path: str,
        messages: Sequence[bytes],
        depth: int,
        tally: Tally,
        ready_by: bytes | None = None,
        first: bytes = b"",
    ) -> None:
        super().__init__(path, ready_by, first)
        self.pipeline = Pipeline(cycle(map(client_frame, messages)), depth, tally, self.write)

    def heard(self, texts: list[bytes]) -> None:
        """Count replies."""
        self.pipeline.answered([REFUSED if b'"error"' in text else TEXT for text in texts])

    def connection_lost(self, error: Exception | None) -> None:
        """Count commands in flight as unanswered."""
        super().connection_lost(error)
        self.pipeline.broken()


async def open_sockets(address: Address, sockets: Sequence[Socket]) -> None:
    """Open sockets, and wait until all are ready.

    Raises:
        OSError, SocketRefused, TimeoutError: the server refuses them, or takes too long.
    """
    # The kernel connects faster than a server accepts, and a refused connection tries again after a second.
    for first in range(0, len(sockets), CONNECTED_AT_ONCE):
        some = sockets[first : first + CONNECTED_AT_ONCE]
        async with asyncio.timeout(READY_SECONDS):
            await connect_all(address, some)
            await asyncio.gather(*(socket.ready for socket in some))


@dataclass(frozen=True)
class Silence:
    """A load: sockets that are open and send nothing, until the load process is killed."""

    address: Address
    paths: Sequence[str]
    ready_by: bytes

    async def run(self) -> Tally:
        """Open the sockets, and keep them; raises what `open_sockets` does."""
        sockets = [Socket(path, self.ready_by) for path in self.paths]
        await open_sockets(self.address, sockets)
        await asyncio.Event().wait()
        return Tally()


async def _read_again_and_again(listeners: Sequence[Listener]) -> None:
    while True:
        for first in range(0, len(listeners), _READ_AT_ONCE):
            for listener in listeners[first : first + _READ_AT_ONCE]:
                listener.read()
            # Whoever makes changes must not wait long for its next turn.
            await asyncio.sleep(0)
        await asyncio.sleep(_READ_EVERY_SECONDS)


@dataclass(frozen=True)
class FanOut:
    """A load: sockets listen while changes are made as fast as the server carries them out.

    Outcomes are the text frames that listeners received.

    Attributes:
        paths, ready_by: of the listeners; see `Socket`.
        changes: requests, each from a connection of its own; or a message, sent again whenever it comes back.
        ahead: how many changes are in flight.
    """

    address: Address
    server_pid: int
    paths: Sequence[str]
    ready_by: bytes | None
    changes: Requests | bytes
    ahead: int
    seconds: float

    async def run(self) -> Tally:
        """Carry it out; raises what `open_sockets` does."""
        tally = Tally()
        listeners = [Listener(path, self.ready_by, tally) for path in self.paths]
        changing: Sequence[ClosedLoopConnection | Commander] = ()
        try:
            await open_sockets(self.address, listeners)
            for listener in listeners:
                listener.read_later()
            changing = await self._changing()
            pipelines = [connection.pipeline for connection in changing]
            with measured(tally, self.server_pid):
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(_read_again_and_again(listeners))
                    await drive(pipelines, self.seconds)
                    reading.cancel()
                for listener in listeners:
                    listener.read()
            tally.unanswered = sum(listener.lost for listener in listeners)
        finally:
            for connection in (*listeners, *changing):
                connection.close()
        return tally

    async def _changing(self) -> Sequence[ClosedLoopConnection | Commander]:
        # Every socket receives every message, so a single one sends them.
        if isinstance(self.changes, bytes):
            commander = Commander("/", [self.changes], self.ahead, Tally())
            await open_sockets(self.address, [commander])
            return [commander]
        requests = [self.changes.of(number, self.ahead) for number in range(self.ahead)]
        connections = [ClosedLoopConnection(each, Tally()) for each in requests]
        await connect_all(self.address, connections)
        return connections


@dataclass(frozen=True)
class Commands:
    """A load: sockets that send commands and count replies, as `TEXT` or `REFUSED`.

    Attributes:
        first: messages that each socket sends first, before a ping whose reply makes it ready; empty if the
            server does not reply to pings.
        messages: what each socket then sends in turns.
        depth: messages in flight on each socket.
    """

    address: Address
    server_pid: int
    paths: Sequence[str]
    first: Sequence[Sequence[bytes]]
    messages: Sequence[Sequence[bytes]]
    depth: int
    seconds: float

    async def run(self) -> Tally:
        """Carry it out; raises what `open_sockets` does."""
        tally = Tally()
        sockets = [self._socket(number, tally) for number in range(len(self.paths))]
        try:
            await open_sockets(self.address, sockets)
            with measured(tally, self.server_pid):
                await drive([socket.pipeline for socket in sockets], self.seconds)
        finally:
            for socket in sockets:
                socket.close()
        await asyncio.sleep(0)
        return tally

    def _socket(self, number: int, tally: Tally) -> Commander:
        path, messages = self.paths[number], self.messages[number]
        if not self.first:
            return Commander(path, messages, self.depth, tally)
        first = b"".join(chain(map(client_frame, self.first[number]), [PING_MESSAGE]))
        return Commander(path, messages, self.depth, tally, b'"pong"', first)
