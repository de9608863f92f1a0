"""Loads by WebSocket: many raw sockets in one process, which listen, or send commands, or keep silent."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import cast

from bench.load.closed_loop import ClosedLoopConnection, drive
from bench.load.connections import AT_ONCE, connect_all
from bench.load.frames import PING, PONG, TEXT, Frames, client_frame, handshake
from bench.load.http import Address, Requests
from bench.load.pipeline import Pipeline
from bench.load.tally import Stopwatch, Tally

READY_SECONDS = 120.0
"""How long all sockets together may take until they are open and have been greeted."""

REFUSED = 0x100
"""Outcome of a command that the server did not carry out; frames' own outcomes are their opcodes."""

PING_MESSAGE = client_frame(b'{"type":"ping"}')
PONG_TYPE = b'"pong"'
ERROR_TYPE = b'"error"'


class SocketRefused(Exception):
    """A server did not open a WebSocket, or closed one."""


class Socket(asyncio.Protocol):
    """A WebSocket that answers pings.

    Args:
        path: where it connects.
        ready_by: part of the text that says that the server is ready for it; None if it says nothing.
        first: frames to be sent as soon as it is open.
    """

    def __init__(self, path: str, ready_by: bytes | None = None, first: bytes = b"") -> None:
        self._path = path
        self._ready_by = ready_by
        self._first = first
        self._frames: Frames | None = None
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(handshake(self._path))

    def data_received(self, received: bytes) -> None:
        """First the answer to the handshake, then frames."""
        if self._frames is None:
            self._head += received
            head, end, received = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._fail(f"the server answered {head[:80]!r} to a handshake")
                return
            self._frames = Frames()
            self.write(self._first)
            if self._ready_by is None:
                self.ready.set_result(None)
        texts = []
        for frame in self._frames.feed(received):
            if frame.opcode == TEXT:
                texts.append(frame.payload)
            elif frame.opcode == PING:
                self.write(client_frame(frame.payload, PONG))
        if texts:
            if not self.ready.done():
                self._await_greeting(texts)
            else:
                self.heard(texts)

    def connection_lost(self, error: Exception | None) -> None:
        """The server has hung up, or we have."""
        self.lost = True
        self._fail("the server hung up")

    def heard(self, texts: list[bytes]) -> None:
        """Text frames that came after the greeting."""

    def write(self, frames: bytes) -> None:
        """Send whole frames."""
        assert self._transport is not None
        if frames:
            self._transport.write(frames)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _await_greeting(self, texts: list[bytes]) -> None:
        assert self._ready_by is not None
        if any(self._ready_by in text for text in texts):
            self.ready.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(SocketRefused(f"{self._path.partition('?')[0]}: {reason}"))


class Listener(Socket):
    """One that counts what it is sent."""

    def __init__(self, path: str, ready_by: bytes | None, tally: Tally) -> None:
        super().__init__(path, ready_by)
        self._tally = tally

    def heard(self, texts: list[bytes]) -> None:
        """Count."""
        self._tally.outcomes[TEXT] += len(texts)
        self._tally.received_bytes += sum(map(len, texts))


class Commander(Socket):
    """One that sends commands, a number of them ahead of their replies."""

    def __init__(
        self,
        path: str,
        messages: Iterator[bytes],
        depth: int,
        tally: Tally,
        ready_by: bytes | None = None,
        first: bytes = b"",
    ) -> None:
        super().__init__(path, ready_by, first)
        self.pipeline = Pipeline(messages, depth, tally, lambda frames: self.write(b"".join(frames)))

    def heard(self, texts: list[bytes]) -> None:
        """Every text is the reply to a command."""
        self.pipeline.answered([REFUSED if ERROR_TYPE in text else TEXT for text in texts])

    def connection_lost(self, error: Exception | None) -> None:
        """The server has hung up, or we have."""
        super().connection_lost(error)
        self.pipeline.broken()


async def open_sockets(address: Address, sockets: Sequence[Socket]) -> None:
    """Connect sockets and wait until the server is ready for all of them.

    Raises:
        OSError, SocketRefused: it is not.
        TimeoutError: it takes too long.
    """
    # The kernel connects faster than a server accepts: who is turned away tries again a second later.
    async with asyncio.timeout(READY_SECONDS):
        for first in range(0, len(sockets), AT_ONCE):
            some = sockets[first : first + AT_ONCE]
            await connect_all(address, some)
            await asyncio.gather(*(socket.ready for socket in some))


@dataclass(frozen=True)
class ByRequests:
    """Changes that are made by REST, each by somebody else.

    Attributes:
        requests: what makes them.
        ahead: changes that are on their way together.
    """

    requests: Requests
    ahead: int

    async def connected(self, address: Address, tally: Tally) -> list[ClosedLoopConnection]:
        """Connections that make them."""
        connections = [
            ClosedLoopConnection(self.requests.of(number, self.ahead), 1, tally)
            for number in range(self.ahead)
        ]
        await connect_all(address, connections)
        return connections


@dataclass(frozen=True)
class ByMessage:
    """A message that is sent again whenever it has come back.

    Attributes:
        text: of the message.
        ahead: how many are on their way together.
    """

    text: bytes
    ahead: int

    async def connected(self, address: Address, tally: Tally) -> list[Commander]:
        """The connection that sends it; others would be told what this one sends, and it would be one more
        who is told."""
        commander = Commander("/", cycle([client_frame(self.text)]), self.ahead, tally)
        await open_sockets(address, [commander])
        return [commander]


@dataclass(frozen=True)
class FanOut:
    """A load: many listen while changes are made as fast as the server takes them.

    Outcomes are the text frames that listeners got.

    Attributes:
        paths: of the listeners.
        ready_by: part of the first message to each; None if there is none.
        changes: what makes changes.
        seconds: for how long.
    """

    address: Address
    server_pid: int
    paths: Sequence[str]
    ready_by: bytes | None
    changes: ByRequests | ByMessage
    seconds: float

    async def run(self) -> Tally:
        """Carry the load out.

        Raises:
            OSError, SocketRefused, TimeoutError: the sockets cannot be opened.
        """
        tally = Tally()
        listeners = [Listener(path, self.ready_by, tally) for path in self.paths]
        changing: Sequence[ClosedLoopConnection | Commander] = ()
        try:
            await open_sockets(self.address, listeners)
            changing = await self.changes.connected(self.address, Tally())
            watch = Stopwatch(tally, self.server_pid)
            await drive([connection.pipeline for connection in changing], self.seconds)
            watch.stop()
            tally.unanswered = sum(listener.lost for listener in listeners)
        finally:
            for connection in (*listeners, *changing):
                connection.close()
        return tally


@dataclass(frozen=True)
class Commands:
    """A load: sockets that send commands and wait for replies.

    Outcomes are replies: `TEXT`, or `REFUSED`.

    Attributes:
        paths: of the sockets.
        first: messages that each socket sends at the beginning, before a ping that must be answered; none
            if the server does not answer pings.
        messages: what each socket then sends in turns.
        depth: messages on their way per socket.
        seconds: for how long.
    """

    address: Address
    server_pid: int
    paths: Sequence[str]
    first: Sequence[Sequence[bytes]]
    messages: Sequence[Sequence[bytes]]
    depth: int
    seconds: float

    async def run(self) -> Tally:
        """Carry the load out.

        Raises:
            OSError, SocketRefused, TimeoutError: the sockets cannot be opened.
        """
        tally = Tally()
        sockets = [self._socket(number, tally) for number in range(len(self.paths))]
        try:
            await open_sockets(self.address, sockets)
            watch = Stopwatch(tally, self.server_pid)
            await drive([socket.pipeline for socket in sockets], self.seconds)
            watch.stop()
        finally:
            for socket in sockets:
                socket.close()
        await asyncio.sleep(0)
        return tally

    def _socket(self, number: int, tally: Tally) -> Commander:
        messages = cycle([client_frame(message) for message in self.messages[number]])
        if not self.first:
            return Commander(self.paths[number], messages, self.depth, tally)
        first = b"".join(chain(map(client_frame, self.first[number]), [PING_MESSAGE]))
        return Commander(self.paths[number], messages, self.depth, tally, PONG_TYPE, first)
