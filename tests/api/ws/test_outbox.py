"""The outbox over a socket pair whose far end only reads when the test does."""

import asyncio
import os
import socket

import pytest
from tornado.websocket import WebSocketClosedError
from websockets.frames import Close, Opcode
from websockets.protocol import CLIENT, Protocol

from api.ws.frames import FINAL, frame
from api.ws.outbox import Outbox, text_frame
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, on_both_loops]

LIMIT_BYTES = 64 * 1024
CLOSE_FRAME = frame(FINAL | Opcode.CLOSE, Close(1013, "slow").serialize())


class Line(asyncio.Protocol):
    """An outbox under test, and a client at its other end."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.far.setblocking(False)
        self.overflows = 0
        self._client = Protocol(CLIENT, max_size=None)

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.outbox = Outbox(transport, LIMIT_BYTES, self._overflow)

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()

    def connection_lost(self, exc) -> None:
        self.outbox.lost()

    def _overflow(self) -> None:
        self.overflows += 1
        self.outbox.end(CLOSE_FRAME)

    def stall(self) -> int:
        """Send frames until the kernel's buffer is full. Returns their number."""
        sent = 0
        while self.outbox.waiting_bytes == 0:
            self.outbox.send(text_frame(b"%06d" % sent + b"." * 994))
            sent += 1
        return sent

    async def read(self, until_close: bool = False, count: int = 0) -> list:
        """Read frames, until there are `count` or a close frame arrives."""
        loop = asyncio.get_running_loop()
        frames = []
        async with asyncio.timeout(60):
            while len(frames) < count or (until_close and not frames[-1:] == [Opcode.CLOSE]):
                data = await loop.sock_recv(self.far, 65_536)
                if not data:
                    break
                self._client.receive_data(data)
                for frame in self._client.events_received():
                    frames.append(bytes(frame.data) if frame.opcode is Opcode.TEXT else frame.opcode)
        return frames

    async def close(self) -> None:
        self.transport.abort()
        self.far.close()
        await asyncio.sleep(0)


@pytest.fixture
def line(io_loop):
    async def open_line():
        line = Line()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: line, line.near)
        return line

    line = io_loop.run_sync(open_line)
    yield line
    io_loop.run_sync(line.close)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_a_frame_of_any_size_arrives_whole(line, size):
    payload = os.urandom(size // 2).hex().encode().ljust(size, b".")
    line.outbox.send(text_frame(payload))
    assert await line.read(count=1) == [payload]


async def test_nothing_is_queued_while_the_client_keeps_up(line):
    for number in range(100):
        line.outbox.send(text_frame(b"%d" % number))
        assert line.outbox.waiting_bytes == 0
        assert await line.read(count=1) == [b"%d" % number]


async def test_queued_frames_arrive_complete_and_in_order(line):
    sent = line.stall()
    for number in range(sent, sent + 20):
        line.outbox.send(text_frame(b"%06d" % number + b"." * 994))
    assert 0 < line.outbox.waiting_bytes <= LIMIT_BYTES
    frames = await line.read(count=sent + 20)
    assert [int(frame[:6]) for frame in frames] == list(range(sent + 20))
    await line.outbox.drained()
    assert line.outbox.waiting_bytes == 0


async def test_control_frames_never_interrupt_a_frame(line):
    sent = line.stall()
    line.outbox.ping()
    line.outbox.send(text_frame(b"after the ping"))
    frames = await line.read(count=sent + 2)
    assert [frame for frame in frames if frame is Opcode.PING] == [Opcode.PING]
    assert frames[-1] == b"after the ping"


async def test_only_the_last_ping_is_answered_while_nothing_can_be_sent(line):
    line.outbox.pong(b"0")
    assert await line.read(count=1) == [Opcode.PONG]
    sent = line.stall()
    before = line.outbox.waiting_bytes
    for number in range(1000):
        line.outbox.pong(b"%d" % number)
    assert line.outbox.waiting_bytes == before
    frames = await line.read(count=sent + 1)
    assert frames.count(Opcode.PONG) == 1


async def test_corked_frames_are_sent_in_one_write_and_in_order(line):
    line.outbox.cork()
    for number in range(10):
        line.outbox.send(text_frame(b"%d" % number))
    with pytest.raises(BlockingIOError):
        line.far.recv(1)
    line.outbox.uncork()
    assert line.far.recv(1000) == b"".join(text_frame(b"%d" % number) for number in range(10))
    line.outbox.send(text_frame(b"at once"))
    assert line.far.recv(1000) == text_frame(b"at once")


async def test_corked_frames_are_sent_before_the_close_frame(line):
    line.outbox.cork()
    line.outbox.send(text_frame(b"what was wrong"))
    line.outbox.end(CLOSE_FRAME)
    line.outbox.uncork()
    assert await line.read(until_close=True) == [b"what was wrong", Opcode.CLOSE]


async def test_uncorking_queues_frames_while_the_client_does_not_read(line):
    sent = line.stall()
    line.outbox.cork()
    line.outbox.send(text_frame(b"late"))
    line.outbox.uncork()
    assert line.outbox.waiting_bytes > len(b"late")
    assert (await line.read(count=sent + 1))[-1] == b"late"


async def test_past_the_limit_the_queue_is_dropped_and_the_close_code_still_arrives(line):
    sent = line.stall()
    most = 0
    while line.overflows == 0:
        most = max(most, line.outbox.waiting_bytes)
        line.outbox.send(text_frame(b"%06d" % sent + b"." * 994))
        sent += 1
    assert most <= LIMIT_BYTES
    line.outbox.send(text_frame(b"ignored"))
    assert line.overflows == 1
    frames = await line.read(until_close=True)
    assert frames[-1] is Opcode.CLOSE
    assert (line._client.close_rcvd.code, line._client.close_rcvd.reason) == (1013, "slow")
    # Only the kernel's buffer and the frame begun before the close frame precede it.
    assert [int(frame[:6]) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert len(frames) - 1 <= sent - LIMIT_BYTES // 1010


async def test_one_update_over_the_limit_is_accepted_if_nothing_is_queued(line):
    line.outbox.send(text_frame(b"x" * 3 * LIMIT_BYTES))
    assert line.overflows == 0
    assert await line.read(count=1) == [b"x" * 3 * LIMIT_BYTES]


async def test_drained_returns_once_everything_is_sent(line):
    sent = line.stall()
    waiting = asyncio.create_task(line.outbox.drained())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await line.read(count=sent)
    await waiting


async def test_drained_raises_if_the_client_disconnects(line):
    line.stall()
    waiting = asyncio.create_task(line.outbox.drained())
    await asyncio.sleep(0)
    line.far.close()
    with pytest.raises(WebSocketClosedError):
        await waiting
    line.outbox.send(text_frame(b"to nobody"))


async def test_sending_to_a_closed_peer_does_not_raise(line):
    line.far.close()
    for _ in range(3):
        line.outbox.send(text_frame(b"to nobody"))
        await asyncio.sleep(0)
    assert line.transport.is_closing()
