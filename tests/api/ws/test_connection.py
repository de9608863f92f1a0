"""A connection after its handshake, over a real pair of sockets on either event loop."""

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
_HEARD = 20


class Parrot:
    """Says how what it hears begins; at "wait" it makes the connection wait, at "fall" it falls."""

    def __init__(self) -> None:
        self.connection: SocketConnection | None = None
        self.patience: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.patience.set_result(None)
        self.closed = 0

    async def open(self) -> None:
        """Let the client in."""

    def on_message(self, message: str | bytes) -> "asyncio.Future[None] | None":
        if message == "fall":
            raise RuntimeError("off the perch")
        self.connection.outbox.send(text_frame(str(message)[:_HEARD].encode()))
        if message != "wait":
            return None
        self.patience = asyncio.get_running_loop().create_future()
        return self.patience

    def on_overflow(self) -> None:
        self.connection.close(1013, "slow")

    def on_close(self) -> None:
        self.closed += 1
        self.connection = None


class Line:
    """A connection, and the client at its other end."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.parrot = Parrot()
        self._near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self._client = Protocol(CLIENT, max_size=None)

    async def open(self) -> "Line":
        reader = FrameReader(TokenBucket(0, 1e9, lambda: 0.0), 16_384, inflates=False)
        connection = SocketConnection(self.parrot, reader, Heartbeat(self.clock, PING_SECONDS), 65_536)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: connection, self._near)
        self.parrot.connection = connection
        connection.begin(self.parrot.open())
        await asyncio.sleep(0)
        return self

    @property
    def connection(self) -> SocketConnection:
        assert self.parrot.connection is not None
        return self.parrot.connection

    async def say(self, *texts: str) -> None:
        await self.write(b"".join(said(text) for text in texts))

    async def write(self, octets: bytes | memoryview) -> None:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_sendall(self.far, octets)

    async def octets(self) -> bytes:
        """What comes in one piece."""
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.far, 1_000_000)

    async def hear(self, count: int) -> list[str | Opcode]:
        """Texts, and the kinds of other frames, until there are so many or the server has ended."""
        heard: list[str | Opcode] = []
        while len(heard) < count and (octets := await self.octets()):
            self._client.receive_data(octets)
            for frame in self._client.events_received():
                heard.append(bytes(frame.data).decode() if frame.opcode is Opcode.TEXT else frame.opcode)
        return heard

    @property
    def farewell(self) -> Close | None:
        """The server's, when it has been heard."""
        return self._client.close_rcvd

    async def gone(self) -> None:
        """Return when the connection has told that it is no more."""
        async with asyncio.timeout(5):
            while not self.parrot.closed:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        self.far.close()
        if not self.parrot.patience.done():
            self.parrot.patience.set_result(None)
        await self.gone()


def said(text: str, opcode: Opcode = Opcode.TEXT) -> bytes:
    """A frame as a client sends it."""
    return Frame(opcode, text.encode()).serialize(mask=True, extensions=[])


def farewell(code: int, reason: str) -> bytes:
    """A close frame of a client."""
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
    await line.say(*texts)
    assert await line.octets() == b"".join(text_frame(text.encode()) for text in texts)


async def test_a_busy_client_is_answered_in_order_and_does_not_starve_others(line: Line) -> None:
    texts = [str(number) for number in range(1000)]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(count_turns())
    await line.say(*texts)
    assert await line.hear(1000) == texts
    other.cancel()
    assert turns > 10


async def test_messages_received_during_a_pending_answer_are_handled_afterwards(line: Line) -> None:
    await line.say("before", "wait", "after")
    assert await line.hear(2) == ["before", "wait"]
    await line.say("later")
    await asyncio.sleep(0.01)
    with pytest.raises(BlockingIOError):
        line.far.recv(1)
    line.parrot.patience.set_result(None)
    assert await line.hear(2) == ["after", "later"]


async def test_bytes_received_during_a_pending_answer_are_bounded(line: Line) -> None:
    await line.say("wait")
    text = "x" * 10_000
    octets = memoryview(said(text) * 500)
    taken = 0
    for _ in range(20):
        with suppress(BlockingIOError):
            taken += line.far.send(octets[taken:])
        await asyncio.sleep(0.002)
    assert 0 < taken < len(octets) / 4
    line.parrot.patience.set_result(None)
    _, heard = await asyncio.gather(line.write(octets[taken:]), line.hear(501))
    assert heard == ["wait"] + [text[:_HEARD]] * 500


async def test_a_client_is_only_disconnected_if_it_stops_answering_pings(line: Line) -> None:
    for _ in range(3):
        line.clock.advance(PING_SECONDS)
        assert await line.hear(1) == [Opcode.PING]
        await line.write(said("", Opcode.PONG))
        await line.say("here")
        assert await line.hear(1) == ["here"]
    line.clock.advance(2 * PING_SECONDS)
    assert await line.hear(2) == [Opcode.PING, Opcode.CLOSE]
    assert line.farewell == Close(1000, "ping timed out")


async def test_a_close_frame_is_echoed_and_ends_the_connection(line: Line) -> None:
    await line.write(
        said("before") + Frame(Opcode.CLOSE, Close(4321, "bye").serialize()).serialize(mask=True)
    )
    assert await line.hear(3) == ["before", Opcode.CLOSE]
    assert line.farewell == Close(4321, "")
    await line.gone()


async def test_nothing_is_answered_after_the_server_has_sent_a_close_frame(
    line: Line,
) -> None:
    line.connection.close(1001, "going")
    line.connection.close(1008, "only the first counts")
    line.connection.outbox.send(text_frame(b"too late"))
    await line.say("nobody listens")
    assert await line.hear(1) == [Opcode.CLOSE]
    assert line.farewell == Close(1001, "going")
    await line.write(farewell(1001, ""))
    assert await line.octets() == b""
    await line.gone()


async def test_a_failing_speaker_only_ends_its_own_connection(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    await line.say("before", "fall", "after")
    assert await line.hear(2) == ["before", Opcode.CLOSE]
    assert line.farewell == Close(1011, "Internal error")
    await line.write(farewell(1011, ""))
    assert await line.octets() == b""
    await line.gone()
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == [
        "frontrow.sockets"
    ]


async def test_on_close_is_called_once_after_the_pending_answer(line: Line) -> None:
    await line.say("wait")
    assert await line.hear(1) == ["wait"]
    line.far.close()
    await asyncio.sleep(0.01)
    assert line.parrot.closed == 0
    line.parrot.patience.set_result(None)
    await line.gone()
    assert line.parrot.closed == 1


async def test_a_closed_connection_is_freed_without_the_garbage_collector(line: Line) -> None:
    def connections() -> int:
        return sum(isinstance(kept, SocketConnection) for kept in gc.get_objects())

    gc.collect()
    assert connections() == 1
    gc.disable()
    try:
        await line.say("one")
        assert await line.hear(1) == ["one"]
        line.far.close()
        await line.gone()
        line.clock.advance(PING_SECONDS)
        await asyncio.sleep(0.01)
        assert connections() == 0
    finally:
        gc.enable()
