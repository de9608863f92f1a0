"""What waits to be sent to one WebSocket, bounded in bytes.

Tornado's `write_message` has no bound of its own: a client that stops reading makes the server keep a
task and a copy per message for ever. Here a message is a complete WebSocket frame, built once for all
sockets that get it. While a socket keeps up, its frames go straight to the kernel. When the kernel takes
no more, the rest of the one frame that was begun goes to Tornado's stream, and those that follow queue up
here by reference. Past the bound the queue is dropped at once and the owner is told to close: the client
comes back and asks for what it missed, and nobody else waited for it.

Control frames (ping, pong, close) are still written by Tornado, into the stream's own buffer. They may
stand between two of our frames but never inside one, which is why every write looks at that buffer first.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tornado.websocket import WebSocketClosedError, WebSocketProtocol13

from api.socket_frames import FINAL, Opcode, frame


def text_frame(payload: bytes) -> bytes:
    """A whole unmasked text frame.

    Args:
        payload: UTF-8 text.
    """
    return frame(FINAL | Opcode.TEXT, payload)


class Outbox:
    """The frames that one socket has still to be sent.

    Args:
        protocol: the connection, already upgraded.
        limit_bytes: how much may wait, in bytes.
        on_overflow: called once, when more than that would wait; closes the connection.
    """

    __slots__ = (
        "_in_flight",
        "_limit_bytes",
        "_on_overflow",
        "_protocol",
        "_queue",
        "_stream",
        "waiting_bytes",
    )

    def __init__(
        self, protocol: WebSocketProtocol13, limit_bytes: int, on_overflow: Callable[[], None]
    ) -> None:
        self._protocol = protocol
        self._stream = protocol.stream
        self._limit_bytes = limit_bytes
        self._on_overflow = on_overflow
        self._queue: deque[bytes] = deque()
        self._in_flight: asyncio.Future[None] | None = None
        self.waiting_bytes = 0

    def send(self, frames: bytes) -> None:
        """Send frames, or queue them. Does nothing once the connection is closing. Never raises.

        Where nothing waits, frames of any size are taken: their bytes are shared with other sockets, and
        a client must not be dropped for one large update that it had no time to read.

        Args:
            frames: one or more whole frames.
        """
        if self._protocol.is_closing():
            return
        if self._in_flight is None:
            self._write(frames)
            return
        self._queue.append(frames)
        self.waiting_bytes += len(frames)
        if self.waiting_bytes > self._limit_bytes:
            self._queue.clear()
            self._on_overflow()

    async def drained(self) -> None:
        """Return when nothing waits any more.

        Raises:
            WebSocketClosedError: the connection is closing, so nothing will be sent any more.
        """
        while self._in_flight is not None:
            await asyncio.wait((self._in_flight,))
        if self._protocol.is_closing():
            raise WebSocketClosedError

    def _write(self, frames: bytes) -> None:
        stream = self._stream
        sent = 0
        if not stream.writing():
            try:
                sent = stream.write_to_fd(memoryview(frames))
            except OSError:
                # The kernel is full or the peer is gone; the stream finds out which.
                sent = 0
        if sent < len(frames):
            rest = memoryview(frames)[sent:]
            self.waiting_bytes += len(rest)
            self._in_flight = stream.write(rest)
            self._in_flight.add_done_callback(self._on_written)

    def _on_written(self, written: asyncio.Future[None]) -> None:
        self._in_flight = None
        self.waiting_bytes = sum(map(len, self._queue))
        if self._protocol.is_closing():
            self._queue.clear()
        while self._queue and self._in_flight is None:
            frames = self._queue.popleft()
            self.waiting_bytes -= len(frames)
            self._write(frames)
