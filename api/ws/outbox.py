"""What waits to be sent to one WebSocket, bounded in bytes.

A message is a complete WebSocket frame, built once for all sockets that get it. While a client keeps up, its
frames go straight to the kernel. When the kernel takes no more, the transport keeps the rest of what was
begun, and frames that follow queue up here by reference. Past the bound the queue is dropped at once and the
owner is told to close: the client comes back and asks for what it missed, and nobody else waited for it.

Frames that are sent while the client's own are being read leave together, when these have been read.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tornado.websocket import WebSocketClosedError

from api.ws.frames import FINAL, Opcode, frame


def text_frame(payload: bytes) -> bytes:
    """A whole unmasked text frame.

    Args:
        payload: UTF-8 text.
    """
    return frame(FINAL | Opcode.TEXT, payload)


def _tell_nobody() -> None:
    """After the end nothing overflows."""


class Outbox:
    """The frames that one socket has still to be sent.

    Args:
        transport: where they go.
        limit_bytes: how much may wait, in bytes.
        on_overflow: called when more than that would wait; closes the connection.

    Attributes:
        sent: how many times something has been sent; frames that were sent together count once.
    """

    __slots__ = (
        "_corked",
        "_ended",
        "_limit_bytes",
        "_on_overflow",
        "_pong",
        "_queue",
        "_queued_bytes",
        "_room",
        "_straight",
        "_stuck",
        "_transport",
        "sent",
    )

    def __init__(
        self, transport: asyncio.Transport, limit_bytes: int, on_overflow: Callable[[], None]
    ) -> None:
        # From the first octet that the kernel does not take, the transport says so.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self.sent = 0
        self._limit_bytes = limit_bytes
        self._on_overflow = on_overflow
        # Whether frames go to the transport at once: neither corked nor stuck nor ended.
        self._straight = True
        self._corked = self._stuck = self._ended = False
        # Made where it is needed: most sockets never wait, and an empty deque has 600 bytes.
        self._queue: deque[bytes] | None = None
        self._queued_bytes = 0
        self._pong: bytes | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """What the kernel has not taken yet."""
        return self._transport.get_write_buffer_size() + self._queued_bytes

    def send(self, frames: bytes) -> None:
        """Send frames, or queue them. Does nothing once the connection is closing. Never raises.

        Where nothing waits, frames of any size are taken: their bytes are shared with other sockets, and
        a client must not be dropped for one large update that it had no time to read.

        Args:
            frames: one or more whole frames.
        """
        self.sent += 1
        if self._straight:
            self._write(frames)
        elif not self._ended:
            if self._queue is None:
                self._queue = deque()
            self._queue.append(frames)
            self._queued_bytes += len(frames)
            if self._stuck and self.waiting_bytes > self._limit_bytes:
                self._drop()
                self._on_overflow()

    def ping(self) -> None:
        """Ask whether the client is still there, before all that waits."""
        if not self._ended:
            self._write(frame(FINAL | Opcode.PING, b""))

    def pong(self, payload: bytes) -> None:
        """Answer a ping. Of those that come while the client reads nothing, the last is answered (RFC 6455,
        section 5.5.3)."""
        answer = frame(FINAL | Opcode.PONG, payload)
        if self._stuck:
            self._pong = answer
        else:
            self.send(answer)

    def end(self, farewell: bytes) -> None:
        """Send a close frame and nothing after it. What waits for a client that does not read is dropped."""
        if self._ended:
            return
        if not self._stuck:
            self._flush()
        self._write(farewell)
        self.lost()

    def lost(self) -> None:
        """Nothing can be sent any more."""
        self._ended = True
        self._straight = False
        # Its owner has this outbox: so both are freed without the garbage collector.
        self._on_overflow = _tell_nobody
        self._drop()
        self._make_room()

    def cork(self) -> None:
        """Gather what is sent from now on."""
        self._corked = True
        self._straight = False

    def uncork(self) -> None:
        """Send what has been gathered."""
        self._corked = False
        self._straight = not (self._stuck or self._ended)
        if self._straight:
            self._flush()

    async def drained(self) -> None:
        """Return when nothing waits any more.

        Raises:
            WebSocketClosedError: the connection is closing, so nothing will be sent any more.
        """
        while self._stuck and not self._ended:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._room,))
        if self._ended or self._transport.is_closing():
            raise WebSocketClosedError

    # What the transport tells.

    def pause(self) -> None:
        """The kernel takes no more."""
        self._stuck = True
        self._straight = False

    def resume(self) -> None:
        """It has taken everything."""
        self._stuck = False
        pong, self._pong = self._pong, None
        if pong is not None and not self._ended:
            self._write(pong)
        # Writing may find it full again; then the rest goes on waiting.
        while self._queue and not self._stuck:
            frames = self._queue.popleft()
            self._queued_bytes -= len(frames)
            self._write(frames)
        self._straight = not (self._corked or self._stuck or self._ended)
        if not self._stuck:
            self._make_room()

    def _write(self, frames: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frames)

    def _flush(self) -> None:
        if self._queue:
            frames = b"".join(self._queue)
            self._drop()
            self._write(frames)

    def _drop(self) -> None:
        self._queue = None
        self._queued_bytes = 0

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
