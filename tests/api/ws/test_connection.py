"""A connection after its handshake, over a socket pair, on asyncio's event loop and on uvloop."""

import asyncio
import gc
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tornado.ioloop import IOLoop
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, Protocol

from api.limiter import TokenBucket
from api.ws.connection import SocketConnection
from api.ws.frames import FrameReader
from api.ws.heartbeat import Heartbeat
from api.ws.outbox import text_frame
from engine.memory import ManualClock
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, on_both_loops]

PING_SECONDS = 20.0
_ECHOED_CHARACTERS = 20


class EchoSpeaker:
    """Echoes the first characters of messages; "wait" makes the connection wait, "fail" raises."""

    def __init__(self) -> None:
        self.connection: SocketConnection | None = None
        self.pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pending.set_result(None)
        self.closed = 0

    async def open(self) -> None:
        pass

    def on_message(self, message: str | bytes) -> "asyncio.Future[None] | None":
        if message == "fail":
            raise RuntimeError("broken handler")
        self.connection.outbox.send(text_frame(str(message)[:_ECHOED_CHARACTERS].encode()))
        if message != "wait":
            return None
        self.pending = asyncio.get_running_loop().create_future()
        return self.pending

    def on_overflow(self) -> None:
        self.connection.close(1013, "slow")

    def on_close(self) -> None:
        self.closed += 1
        self.connection = None


class Line:
    """A connection under test, and a client at its other end."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.handler = EchoSpeaker()
        self._near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self._client = Protocol(CLIENT, max_size=None)

    async def open(self) -> "Line":
        reader = FrameReader(TokenBucket(0, 1e9, lambda: 0.0), 16_384, inflates=False)
        connection = SocketConnection(self.handler, reader, Heartbeat(self.clock, PING_SECONDS), 65_536)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: connection, self._near)
        self.handler.connection = connection
        connection.begin(self.handler.open())
        await asyncio.sleep(0)
        return self

    @property
    def connection(self) -> SocketConnection:
        assert self.handler.connection is not None
        return self.handler.connection

    async def send(self, *texts: str) -> None:
        await self.write(b"".join(client_frame(text) for text in texts))

    async def write(self, data: bytes | memoryview) -> None:
        async with asyncio.timeout(60):
            await asyncio.get_running_loop().sock_sendall(self.far, data)

    async def receive(self) -> bytes:
        """Return the bytes of one read."""
        async with asyncio.timeout(60):
            return await asyncio.get_running_loop().sock_recv(self.far, 1_000_000)

    async def read(self, count: int) -> list[str | Opcode]:
        """Return up to `count` frames: the text of text frames, the opcode of others.

        Returns fewer if the server closes the connection.
        """
        received: list[str | Opcode] = []
        while len(received) < count and (data := await self.receive()):
            self._client.receive_data(data)
            for frame in self._client.events_received():
                received.append(bytes(frame.data).decode() if frame.opcode is Opcode.TEXT else frame.opcode)
        return received

    @property
    def close_received(self) -> Close | None:
        """The server's close frame, if received."""
        return self._client.close_rcvd

    async def wait_closed(self) -> None:
        """Wait until the connection has called `on_close`."""
        async with asyncio.timeout(60):
            while not self.handler.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        self.far.close()
        if not self.handler.pending.done():
            self.handler.pending.set_result(None)
        await self.wait_closed()


def client_frame(text: str, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Encode a frame as a client sends it."""
    return Frame(opcode, text.encode()).serialize(mask=True, extensions=[])


def client_close_frame(code: int, reason: str) -> bytes:
    """Encode a close frame as a client sends it."""
    return Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=True, extensions=[])


@pytest.fixture
def line(io_loop: IOLoop) -> Iterator[Line]:
    async def start() -> Line:
        return await Line().open()

    line = io_loop.run_sync(start)
    yield line
    io_loop.run_sync(line.close)


async def test_messages_received_together_are_answered_in_one_write(line: Line) -> None:
    texts = [str(number) for number in range(50)]
    await line.send(*texts)
    assert await line.receive() == b"".join(text_frame(text.encode()) for text in texts)


async def test_a_busy_client_is_answered_in_order_and_does_not_starve_others(line: Line) -> None:
    texts = [str(number) for number in range(1000)]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(count_turns())
    await line.send(*texts)
    assert await line.read(1000) == texts
    other.cancel()
    assert turns > 10


async def test_messages_received_during_a_pending_answer_are_handled_afterwards(line: Line) -> None:
    await line.send("before", "wait", "after")
    assert await line.read(2) == ["before", "wait"]
    await line.send("later")
    await asyncio.sleep(0.01)
    with pytest.raises(BlockingIOError):
        line.far.recv(1)
    line.handler.pending.set_result(None)
    assert await line.read(2) == ["after", "later"]


async def test_bytes_received_during_a_pending_answer_are_bounded(line: Line) -> None:
    await line.send("wait")
    text = "x" * 10_000
    data = memoryview(client_frame(text) * 500)
    taken = 0
    for _ in range(20):
        with suppress(BlockingIOError):
            taken += line.far.send(data[taken:])
        await asyncio.sleep(0.002)
    assert 0 < taken < len(data) / 4
    line.handler.pending.set_result(None)
    _, received = await asyncio.gather(line.write(data[taken:]), line.read(501))
    assert received == ["wait"] + [text[:_ECHOED_CHARACTERS]] * 500


async def test_a_client_is_only_disconnected_if_it_stops_answering_pings(line: Line) -> None:
    for _ in range(3):
        line.clock.advance(PING_SECONDS)
        assert await line.read(1) == [Opcode.PING]
        await line.write(client_frame("", Opcode.PONG))
        await line.send("here")
        assert await line.read(1) == ["here"]
    line.clock.advance(2 * PING_SECONDS)
    assert await line.read(2) == [Opcode.PING, Opcode.CLOSE]
    assert line.close_received == Close(1000, "ping timed out")


async def test_a_close_frame_is_echoed_and_ends_the_connection(line: Line) -> None:
    await line.write(
        client_frame("before") + Frame(Opcode.CLOSE, Close(4321, "bye").serialize()).serialize(mask=True)
    )
    assert await line.read(3) == ["before", Opcode.CLOSE]
    assert line.close_received == Close(4321, "")
    await line.wait_closed()


async def test_nothing_is_answered_after_the_server_has_sent_a_close_frame(
    line: Line,
) -> None:
    line.connection.close(1001, "going")
    line.connection.close(1008, "only the first counts")
    line.connection.outbox.send(text_frame(b"too late"))
    await line.send("nobody listens")
    assert await line.read(1) == [Opcode.CLOSE]
    assert line.close_received == Close(1001, "going")
    await line.write(client_close_frame(1001, ""))
    assert await line.receive() == b""
    await line.wait_closed()


async def test_a_failing_speaker_only_ends_its_own_connection(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    await line.send("before", "fail", "after")
    assert await line.read(2) == ["before", Opcode.CLOSE]
    assert line.close_received == Close(1011, "Internal error")
    await line.write(client_close_frame(1011, ""))
    assert await line.receive() == b""
    await line.wait_closed()
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == [
        "frontrow.sockets"
    ]


async def test_on_close_is_called_once_after_the_pending_answer(line: Line) -> None:
    await line.send("wait")
    assert await line.read(1) == ["wait"]
    line.far.close()
    await asyncio.sleep(0.01)
    assert line.handler.closed == 0
    line.handler.pending.set_result(None)
    await line.wait_closed()
    assert line.handler.closed == 1


async def test_a_closed_connection_is_freed_without_the_garbage_collector(line: Line) -> None:
    def connections() -> int:
        # Not `isinstance`, which asks weak proxies of others for their class.
        return sum(issubclass(type(kept), SocketConnection) for kept in gc.get_objects())

    gc.collect()
    others = connections() - 1  # what earlier tests of this process have left
    gc.disable()
    try:
        await line.send("one")
        assert await line.read(1) == ["one"]
        line.far.close()
        await line.wait_closed()
        line.clock.advance(PING_SECONDS)
        await asyncio.sleep(0.01)
        assert connections() == others
    finally:
        gc.enable()
