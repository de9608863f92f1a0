"""The server's end of a WebSocket (RFC 6455) on a transport of the event loop.

No task and no timer belongs to a connection that is silent: messages are taken out of what has come when it
comes, and one timer pings all (`api.ws.heartbeat`). Frames of every kind are counted, and whatever a client
may not send is answered with a close code before the connection ends (`api.ws.frames`).

While an answer is being waited for no other message is read, and what comes meanwhile is kept within a bound.
A client that sends much leaves time to others, since only so many of its messages are answered in one turn of
the event loop.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Coroutine
from typing import Any, NamedTuple, Protocol, cast

from api.ws.frames import FINAL, Fault, FrameReader, Message, Opcode, frame, text_of
from api.ws.heartbeat import Beating, Heartbeat
from api.ws.outbox import Outbox

log = logging.getLogger("frontrow.sockets")

NORMAL_CLOSURE, INTERNAL_ERROR = 1000, 1011
NO_STATUS, NO_CLOSE_FRAME = 1005, 1006

_UNREAD_BYTES = 64 * 1024
_MESSAGES_IN_A_TURN = 64
# How long the client may take to answer a close frame, and to read the one that tells what it did wrong.
_FAREWELL_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 256 * 1024
# Members of an enumeration are dear to look up.
_TEXT, _BINARY = int(Opcode.TEXT), int(Opcode.BINARY)


class Speaker(Protocol):
    """Whoever answers what comes on a connection."""

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """A message has come. While an awaitable that is returned is not done, no other message is read."""

    def on_overflow(self) -> None:
        """The client does not read; it has to be closed."""

    def on_close(self) -> None:
        """The connection has ended, and nothing is being waited for any more."""


class Ending(NamedTuple):
    """How a connection has ended.

    Attributes:
        code: of the close frame; 1005 if it had none, 1006 if there was no frame (RFC 6455, section 7.1.5).
        reason: in words.
        by: who ended it: "server", "client" or "network".
    """

    code: int
    reason: str
    by: str


class SocketConnection(asyncio.Protocol):
    """One connection, from the end of its handshake on.

    Args:
        speaker: who answers.
        reader: makes messages of what arrives, and knows the bounds.
        heartbeat: says when to look whether the client is still there.
        outbox_bytes: how much may wait to be sent.

    Attributes:
        ending: how it has ended; None while it has not.
        outbox: where frames are sent; there is one when the transport has been given.
        received: how many messages have come.
        transport: what leads to the client.
    """

    __slots__ = (
        "_alive",
        "_begun",
        "_client_ended",
        "_continuing",
        "_ended",
        "_heartbeat",
        "_linger_bytes",
        "_lost",
        "_outbox_bytes",
        "_reader",
        "_speaker",
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
        self, speaker: Speaker, reader: FrameReader, heartbeat: Heartbeat, outbox_bytes: int
    ) -> None:
        self._speaker = speaker
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
        self._spoke: set[Beating] | None = None

    def begin(self, opening: Coroutine[Any, Any, None]) -> None:
        """Read messages as soon as a client has been let in.

        Args:
            opening: lets it in, or closes.
        """
        self._begun = True
        if not self._lost:
            self._spoke = self._heartbeat.join(self)
        self._wait_for(opening)

    def close(self, code: int, reason: str = "") -> None:
        """Say farewell, and see that the connection ends soon. Does nothing if that has been said.

        Args:
            code: of the close frame (RFC 6455, section 7.4); 0 for none.
            reason: in words, at most 123 bytes.
        """
        if self._ended:
            return
        self._ended = True
        self.ending = self.ending or Ending(code, reason, "server")
        payload = code.to_bytes(2, "big") + reason.encode() if code else b""
        self.outbox.end(frame(FINAL | Opcode.CLOSE, payload))
        self._cut_after(_FAREWELL_SECONDS)

    def beat(self) -> None:
        """Look whether the client has answered the last ping, and send the next one."""
        if not self._alive:
            self.close(NORMAL_CLOSURE, "ping timed out")
        elif not self._ended:
            self._alive = False
            self.outbox.ping()

    def fail(self, defect: BaseException) -> None:
        """Log a defect of ours, and end the connection, by a close frame if that can be sent."""
        log.error("a client could not be answered", exc_info=defect)
        try:
            self.close(INTERNAL_ERROR, "Internal error")
        except Exception:
            log.exception("a client could not be told that its connection ends")
            self.transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Here is the transport."""
        self.transport = cast(asyncio.Transport, transport)
        # The kernel's own buffer would grow to megabytes for a client that does not read.
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._outbox_bytes)
        self.outbox = Outbox(self.transport, self._outbox_bytes, self._speaker.on_overflow)

    def data_received(self, data: bytes) -> None:
        """Octets have come."""
        if self._linger_bytes >= 0:
            self._linger_bytes += len(data)
            if self._linger_bytes > _LINGER_BYTES:
                # Whoever sends that much does not listen; TCP holds the rest back.
                self.transport.pause_reading()
            return
        self._reader.feed(data)
        if self._begun and self._waiting is None and not self._continuing:
            self._read()
        elif self._begun and self._reader.unread_bytes > _UNREAD_BYTES:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self.outbox.pause()

    def resume_writing(self) -> None:
        """It does again."""
        self.outbox.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is no connection any more."""
        self._lost = self._ended = True
        self.ending = self.ending or Ending(NO_CLOSE_FRAME, "", "network")
        self.outbox.lost()
        if self._timer is not None:
            self._timer.cancel()
        if self._spoke is not None:
            self._spoke.discard(self)
        self._depart()

    # Messages.

    def _read(self) -> None:
        """Have messages answered, until none is there or one has to be waited for."""
        self._continuing = False
        self.outbox.cork()
        try:
            for _ in range(_MESSAGES_IN_A_TURN):
                message = self._reader.message()
                if message is None:
                    self.transport.resume_reading()
                    return
                self._take(message)
                if self._waiting is not None or self._client_ended or self._lost:
                    return
            self._continuing = True
            asyncio.get_running_loop().call_soon(self._go_on)
        except Fault as fault:
            self._part(fault)
        except Exception as defect:
            self.fail(defect)
        finally:
            self.outbox.uncork()

    def _go_on(self) -> None:
        if self._waiting is None and not self._lost and self._linger_bytes < 0:
            self._read()

    def _take(self, message: Message) -> None:
        opcode = message.opcode
        if opcode == _TEXT or opcode == _BINARY:
            if not self._ended:
                self.received += 1
                content = text_of(message) if opcode == _TEXT else message.payload
                answer = self._speaker.on_message(content)
                if answer is not None:
                    self._wait_for(answer)
        elif opcode == Opcode.PING:
            self.outbox.pong(message.payload)
        elif opcode == Opcode.PONG:
            self._alive = True
        else:
            # The code is given back (section 5.5.1).
            self._client_ended = True
            code, reason = int.from_bytes(message.payload[:2], "big"), message.payload[2:]
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
            self._depart()
        elif not self.transport.is_closing():
            self._read()

    # The end.

    def _part(self, fault: Fault) -> None:
        """Say what was wrong, and see that it arrives.

        Closing a connection with octets unread resets it, and the client may never see the close frame. So
        only our direction is closed at once; what still comes is thrown away, within bounds.
        """
        self._linger_bytes = 0
        self.close(fault.code, fault.reason)
        if not self.transport.is_closing():
            self.transport.write_eof()
            self.transport.resume_reading()
        self._cut_after(_LINGER_SECONDS)

    def _cut_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def _depart(self) -> None:
        """Tell the speaker, when nothing is being waited for."""
        if self._waiting is None and self._begun:
            self._begun = False
            try:
                self._speaker.on_close()
            finally:
                # The speaker has this connection, and the reader goes with it: both are freed at once.
                del self._speaker
