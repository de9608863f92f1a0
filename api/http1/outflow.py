"""Sends bytes to a client in few writes, and drops clients that stop reading."""

from asyncio import AbstractEventLoop, Future, TimerHandle, Transport
from collections.abc import Callable

from tornado.iostream import StreamClosedError

_SLOWEST_READER_BYTES_PER_SECOND = 1024
_CORKED_BYTES = 65_536
_JOINED_BYTES = 16_384


def _ignore() -> None: ...


class Outflow:
    """The sending half of a connection.

    Args:
        loop: the event loop.
        transport: destination of the bytes.
        patience_seconds: a client must read at least 1 KiB per second, on average over this time.
        stalled: called when the client is slower.
        flush_soon: calls `flush` at the end of this turn of the event loop.

    Attributes:
        writable: whether the client keeps up, so that more may be sent.
    """

    __slots__ = (
        "_corked",
        "_corked_bytes",
        "_ended",
        "_flush_soon",
        "_loop",
        "_open",
        "_patience_seconds",
        "_pieces",
        "_resumed",
        "_stalled",
        "_timer",
        "_transport",
        "_unsent_bytes",
        "writable",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        transport: Transport,
        patience_seconds: float,
        stalled: Callable[[], None],
        flush_soon: "Callable[[Outflow], None]",
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._patience_seconds = patience_seconds
        self._stalled = stalled
        self._flush_soon = flush_soon
        self._corked = self._ended = False
        self._corked_bytes = 0
        self._pieces: list[bytes] = []
        # Always done; returned to writers while the client keeps up, to save a future per write.
        self._open: Future[None] = loop.create_future()
        self._open.set_result(None)
        self._resumed: Future[None] | None = None
        self.writable = True
        self._timer: TimerHandle | None = None
        self._unsent_bytes = 0

    @property
    def waiting(self) -> bool:
        """True if there are unsent bytes."""
        return bool(self._pieces) or self._transport.get_write_buffer_size() > 0

    def send(self, *pieces: bytes) -> "Future[None]":
        """Send bytes. The future completes when more may be sent, or fails with StreamClosedError."""
        if self._ended or self._transport.is_closing():
            return self._failed()
        self._pieces += pieces
        self._corked_bytes += sum(map(len, pieces))
        if self._corked_bytes > _CORKED_BYTES or not self._corked:
            self.flush()
        return self._resumed or self._open

    def send_soon(self, data: bytes) -> None:
        """Send bytes at the end of this turn of the event loop, or before any others.

        Clients whose responses are sent together come back together, and the next turn serves them all. To
        send each response by itself wakes a client for each.
        """
        pieces = self._pieces
        pieces.append(data)
        self._corked_bytes += len(data)
        if len(pieces) == 1:
            self._flush_soon(self)

    def cork(self) -> None:
        """Collect bytes instead of sending them, until `uncork`."""
        self._corked = True

    def uncork(self) -> None:
        """Send the collected bytes, and send further ones directly."""
        self._corked = False
        self.flush()

    def flush(self) -> None:
        """Send the collected bytes; stay corked."""
        pieces = self._pieces
        if pieces:
            transport = self._transport
            if not transport.is_closing():
                if len(pieces) == 1:
                    transport.write(pieces[0])
                elif self._corked_bytes <= _JOINED_BYTES:
                    transport.write(b"".join(pieces))
                else:
                    # Not copied: the kernel gathers them.
                    transport.writelines(pieces)
            pieces.clear()
            self._corked_bytes = 0

    def end(self) -> None:
        """Send the collected bytes and accept no more."""
        self.flush()
        self._ended = True
        self._watch()

    # Called for the transport's events.

    def pause(self) -> None:
        """The transport's buffer is full."""
        self._resumed = self._loop.create_future()
        self.writable = False
        self._watch()

    def resume(self) -> None:
        """The transport's buffer has room again."""
        resumed, self._resumed = self._resumed, None
        self.writable = True
        self._stop_watching()
        if resumed is not None and not resumed.done():
            resumed.set_result(None)

    def lost(self) -> None:
        """The connection is closed or handed over: drop unsent bytes and wake writers with an error."""
        self._stop_watching()
        # The callback refers to this object's owner; breaking the cycle frees both without the collector.
        self._stalled = _ignore
        self._pieces.clear()
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_exception(StreamClosedError())
            self._resumed.exception()

    def _watch(self) -> None:
        """Check later how much the client has read, if there are unsent bytes."""
        self._unsent_bytes = self._transport.get_write_buffer_size()
        if self._timer is None and self._unsent_bytes:
            self._timer = self._loop.call_later(self._patience_seconds, self._check)

    def _check(self) -> None:
        self._timer = None
        before = self._unsent_bytes
        least_bytes = self._patience_seconds * _SLOWEST_READER_BYTES_PER_SECOND
        left = self._transport.get_write_buffer_size()
        if left and before - left < least_bytes:
            self._stalled()
        else:
            self._watch()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _failed(self) -> "Future[None]":
        failed: Future[None] = self._loop.create_future()
        failed.set_exception(StreamClosedError())
        # Marks the exception as retrieved; senders that do not wait ignore it.
        failed.exception()
        return failed
