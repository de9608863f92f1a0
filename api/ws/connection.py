"""The server side of a WebSocket connection (RFC 6455), as an asyncio protocol.

An idle connection has no task and no timer: messages are parsed when bytes arrive, and one timer pings all
connections (`api.ws.heartbeat`). Protocol violations are answered with a close code before the connection
ends (`api.ws.frames`).

While an answer is pending, no further message is read, and a bounded number of bytes is buffered. A client
that sends much cannot starve others: only so many of its messages are handled in one turn of the event loop.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Coroutine
from typing import Any, NamedTuple, Protocol, cast

from api.ws.frames import FINAL, Fault, FrameReader, Opcode, frame, text_of
from api.ws.heartbeat import Heartbeat, Monitored
from api.ws.outbox import Outbox

log = logging.getLogger("frontrow.sockets")

NORMAL_CLOSURE, INTERNAL_ERROR = 1000, 1011
NO_STATUS, NO_CLOSE_FRAME = 1005, 1006

_UNREAD_BYTES = 64 * 1024
_MESSAGES_IN_A_TURN = 64
# Time for the client to answer a close frame, and to read the one that reports a protocol violation.
_CLOSE_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 256 * 1024
# Enum attribute lookup is slow, so the values are cached.
_TEXT, _BINARY = int(Opcode.TEXT), int(Opcode.BINARY)


class MessageHandler(Protocol):
    """Handles the messages of a connection."""

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Handle a message. If an awaitable is returned, no further message is read until it is done."""

    def on_overflow(self) -> None:
        """Handle a client that does not read: close the connection."""

    def on_close(self) -> None:
        """Handle the end of the connection; called after the last awaitable is done."""


class Ending(NamedTuple):
    """The end of a connection.

    Attributes:
        code: code of the close frame; 1005 if it had none, 1006 without a close frame (RFC 6455, section
            7.1.5).
        reason: reason in the close frame.
        by: "server", "client" or "network".
    """

    code: int
    reason: str
    by: str


class SocketConnection(asyncio.Protocol):
    """One connection, after its handshake.

    Args:
        handler: handles the messages.
        reader: parses messages and enforces limits.
        heartbeat: calls `beat` regularly.
        outbox_bytes: most unsent bytes.

    Attributes:
        ending: how the connection ended; None while it is open.
        outbox: sends frames; set by `connection_made`.
        received: number of messages received.
        transport: transport to the client; set by `connection_made`.
    """

    __slots__ = (
        "_alive",
        "_begun",
        "_client_ended",
        "_continuing",
        "_ended",
        "_handler",
        "_heartbeat",
        "_linger_bytes",
        "_lost",
        "_outbox_bytes",
        "_reader",
        "_spoke",
        "_timer",
        "_waiting",
        "ending",
        "outbox",
        "received",
        "transport",
    )

    outbox: Outbox
    transport: asyncio.Transport

    def __init__(
        self, handler: MessageHandler, reader: FrameReader, heartbeat: Heartbeat, outbox_bytes: int
    ) -> None:
        self._handler = handler
        self._reader = reader
        self._heartbeat = heartbeat
        self._outbox_bytes = outbox_bytes
        self._begun = self._continuing = self._ended = self._client_ended = self._lost = False
        self._alive = True
        self.ending: Ending | None = None
        self.received = 0
        self._linger_bytes = -1
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._spoke: set[Monitored] | None = None

    def begin(self, admission: Coroutine[Any, Any, None]) -> None:
        """Start the connection: run `admission`, then read messages.

        Args:
            admission: admits the client or closes the connection.
        """
        self._begun = True
        if not self._lost:
            self._spoke = self._heartbeat.join(self)
        self._wait_for(admission)

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and abort the connection if the client does not close it in time. Idempotent.

        Args:
            code: close code (RFC 6455, section 7.4); 0 for none.
            reason: at most 123 bytes.
        """
        if self._ended:
            return
        self._ended = True
        self.ending = self.ending or Ending(code, reason, "server")
        payload = code.to_bytes(2, "big") + reason.encode() if code else b""
        self.outbox.end(frame(FINAL | Opcode.CLOSE, payload))
        self._abort_after(_CLOSE_SECONDS)

    def beat(self) -> None:
        """Close the connection if the last ping was not answered; otherwise send the next ping."""
        if not self._alive:
            self.close(NORMAL_CLOSURE, "ping timed out")
        elif not self._ended:
            self._alive = False
            self.outbox.ping()

    def fail(self, defect: BaseException) -> None:
        """Log a bug in the server, and end the connection, with a close frame if possible."""
        log.error("handling a message failed", exc_info=defect)
        try:
            self.close(INTERNAL_ERROR, "Internal error")
        except Exception:
            log.exception("sending a close frame failed")
            self.transport.abort()

    # Called by the event loop (asyncio.Protocol).

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # By default the kernel's buffer would grow to megabytes for a client that does not read.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._outbox_bytes)
        self.outbox = Outbox(self.transport, self._outbox_bytes, self._handler.on_overflow)

    def data_received(self, data: bytes) -> None:
        if self._linger_bytes >= 0:
            self._linger_bytes += len(data)
            if self._linger_bytes > _LINGER_BYTES:
                # A client that sends this much ignores the close frame. TCP flow control stops the rest.
                self.transport.pause_reading()
            return
        self._reader.feed(data)
        if self._begun and self._waiting is None and not self._continuing:
            self._read()
        elif self._begun and self._reader.unread_bytes > _UNREAD_BYTES:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.outbox.pause()

    def resume_writing(self) -> None:
        self.outbox.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._ended = True
        self.ending = self.ending or Ending(NO_CLOSE_FRAME, "", "network")
        self.outbox.lost()
        if self._timer is not None:
            self._timer.cancel()
        if self._spoke is not None:
            self._spoke.discard(self)
        self._notify_closed()

    # Messages.

    def _read(self) -> None:
        """Handle messages until none is left, one has to be awaited, or the turn's budget is spent."""
        self._continuing = False
        self.outbox.cork()
        next_message, on_message = self._reader.message, self._handler.on_message
        try:
            for _ in range(_MESSAGES_IN_A_TURN):
                message = next_message()
                if message is None:
                    self.transport.resume_reading()
                    return
                opcode, payload = message
                if opcode != _TEXT and opcode != _BINARY:
                    self._take_control(opcode, payload)
                elif not self._ended:
                    self.received += 1
                    answer = on_message(text_of(payload) if opcode == _TEXT else payload)
                    if answer is not None:
                        self._wait_for(answer)
                if self._waiting is not None or self._client_ended or self._lost:
                    return
            self._continuing = True
            asyncio.get_running_loop().call_soon(self._continue)
        except Fault as fault:
            self._close_for_fault(fault)
        except Exception as defect:
            self.fail(defect)
        finally:
            self.outbox.uncork()

    def _continue(self) -> None:
        if self._waiting is None and not self._lost and self._linger_bytes < 0:
            self._read()

    def _take_control(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.PING:
            self.outbox.pong(payload)
        elif opcode == Opcode.PONG:
            self._alive = True
        else:
            # Echo the client's close code (section 5.5.1).
            self._client_ended = True
            code, reason = int.from_bytes(payload[:2], "big"), payload[2:]
            self.ending = self.ending or Ending(
                code or NO_STATUS, reason.decode("utf-8", "replace"), "client"
            )
            self.close(code)
            self.transport.close()

    def _wait_for(self, answer: Awaitable[None]) -> None:
        self._waiting = asyncio.ensure_future(answer)
        self._waiting.add_done_callback(self._waited)

    def _waited(self, answer: "asyncio.Future[None]") -> None:
        self._waiting = None
        if answer.cancelled():
            self.transport.abort()
        elif (defect := answer.exception()) is not None:
            self.fail(defect)
        if self._lost:
            self._notify_closed()
        elif not self.transport.is_closing():
            self._read()

    # The end.

    def _close_for_fault(self, fault: Fault) -> None:
        """Send the fault's close code so that it reaches the client.

        Closing a connection with unread bytes resets it, and the client may never see the close frame. So
        only the sending direction is closed immediately; bytes that still arrive are discarded, up to a
        limit.
        """
        self._linger_bytes = 0
        self.close(fault.code, fault.reason)
        if not self.transport.is_closing():
            self.transport.write_eof()
            self.transport.resume_reading()
        self._abort_after(_LINGER_SECONDS)

    def _abort_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def _notify_closed(self) -> None:
        """Call the handler's `on_close`, unless an awaitable is still pending."""
        if self._waiting is None and self._begun:
            self._begun = False
            try:
                self._handler.on_close()
            finally:
                # Breaks the reference cycle, so that handler and reader are freed immediately.
                del self._handler
