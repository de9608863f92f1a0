"""The outgoing frames of one WebSocket, bounded in bytes.

Frames are built once and shared by all sockets that get them. While a client keeps up, its frames go straight
to the kernel. When the kernel's buffer is full, the transport keeps the rest of the current write and further
frames are queued here by reference. Past the limit the queue is dropped and the owner closes the connection;
the client reconnects and catches up. No other client ever waits for a slow one.

Frames sent while the client's messages are being handled are sent together, in one write.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tornado.websocket import WebSocketClosedError

from api.ws.frames import FINAL, Opcode, frame

_WHOLE_TEXT = FINAL | int(Opcode.TEXT)
_SHORT_HEADERS = [bytes((_WHOLE_TEXT, size)) for size in range(126)]


def text_frame(payload: bytes) -> bytes:
    """Encode an unmasked text frame.

    Args:
        payload: UTF-8 text.
    """
    size = len(payload)
    return _SHORT_HEADERS[size] + payload if size < 126 else frame(_WHOLE_TEXT, payload)


def _ignore() -> None:
    pass


class Outbox:
    """The outgoing frames of one socket.

    Args:
        transport: transport to the client.
        limit_bytes: most unsent bytes.
        on_overflow: called when the limit is exceeded; must close the connection.

    Attributes:
        sent: number of calls of `send`; frames sent together count once.
    """

    __slots__ = (
        "_corked",
        "_drained",
        "_ended",
        "_limit_bytes",
        "_on_overflow",
        "_pong",
        "_queue",
        "_queued_bytes",
        "_straight",
        "_stuck",
        "_transport",
        "sent",
    )

    def __init__(
        self, transport: asyncio.Transport, limit_bytes: int, on_overflow: Callable[[], None]
    ) -> None:
        # The transport calls pause_writing as soon as the kernel does not accept all bytes.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self.sent = 0
        self._limit_bytes = limit_bytes
        self._on_overflow = on_overflow
        # Whether frames go straight to the transport: neither corked nor stuck nor ended.
        self._straight = True
        self._corked = self._stuck = self._ended = False
        # Created when needed: most sockets never queue frames, and an empty deque takes 600 bytes.
        self._queue: deque[bytes] | None = None
        self._queued_bytes = 0
        self._pong: bytes | None = None
        self._drained: asyncio.Future[None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes not accepted by the kernel yet."""
        return self._transport.get_write_buffer_size() + self._queued_bytes

    def send(self, frames: bytes) -> None:
        """Send or queue frames. Does nothing once the connection is closing. Never raises.

        If nothing is queued, frames of any size are accepted: their bytes are shared with other sockets, and
        a client must not be dropped for one large update that it had no time to read.

        Args:
            frames: one or more whole frames.
        """
        self.sent += 1
        if self._straight:
            # `_write`, without a call of its own: a change is sent to thousands of sockets.
            if not self._transport.is_closing():
                self._transport.write(frames)
        elif not self._ended:
            if self._queue is None:
                self._queue = deque()
            self._queue.append(frames)
            self._queued_bytes += len(frames)
            if self._stuck and self.waiting_bytes > self._limit_bytes:
                self._drop()
                self._on_overflow()

    def ping(self) -> None:
        """Send a ping, ahead of queued frames."""
        if not self._ended:
            self._write(frame(FINAL | Opcode.PING, b""))

    def pong(self, payload: bytes) -> None:
        """Answer a ping. While the client does not read, only the latest ping is answered.

        RFC 6455, section 5.5.3, allows that.
        """
        answer = frame(FINAL | Opcode.PONG, payload)
        if self._stuck:
            self._pong = answer
        else:
            self.send(answer)

    def end(self, close_frame: bytes) -> None:
        """Send a close frame and nothing after it. If the client does not read, queued frames are dropped."""
        if self._ended:
            return
        if not self._stuck:
            self._flush()
        self._write(close_frame)
        self.lost()

    def lost(self) -> None:
        """Discard everything, because the connection is closed or closing."""
        self._ended = True
        self._straight = False
        # Breaks the reference cycle with the owner, so that both are freed without the garbage collector.
        self._on_overflow = _ignore
        self._drop()
        self._wake_drained()

    def cork(self) -> None:
        """Queue frames from now on, until `uncork`."""
        self._corked = True
        self._straight = False

    def uncork(self) -> None:
        """Send the frames queued since `cork` in one write."""
        self._corked = False
        self._straight = not (self._stuck or self._ended)
        if self._straight:
            self._flush()

    async def drained(self) -> None:
        """Wait until all frames have been accepted by the kernel.

        Raises:
            WebSocketClosedError: the connection is closing.
        """
        while self._stuck and not self._ended:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._drained,))
        if self._ended or self._transport.is_closing():
            raise WebSocketClosedError

    # Called by the connection for the transport's flow control.

    def pause(self) -> None:
        """Queue frames from now on, because the kernel's buffer is full."""
        self._stuck = True
        self._straight = False

    def resume(self) -> None:
        """Send the queued frames, because the kernel has accepted everything."""
        self._stuck = False
        pong, self._pong = self._pong, None
        if pong is not None and not self._ended:
            self._write(pong)
        # A write may fill the kernel's buffer again (`_stuck`); then the rest stays queued.
        while self._queue and not self._stuck:
            frames = self._queue.popleft()
            self._queued_bytes -= len(frames)
            self._write(frames)
        self._straight = not (self._corked or self._stuck or self._ended)
        if not self._stuck:
            self._wake_drained()

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

    def _wake_drained(self) -> None:
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
