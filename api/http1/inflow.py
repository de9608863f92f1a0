"""Bytes received from a client that have not been consumed yet; reading pauses when there are too many."""

from asyncio import Transport

from api.http1.body import BodyReader
from api.http1.errors import HeadersTooLarge, MalformedRequest
from api.http1.head import has_invalid_bytes

_END_OF_HEAD = b"\r\n\r\n"
_PIPELINE_BYTES = 65_536
# Most bytes of a body to decode in one step, because a body may be in chunks of one byte.
_STEP_BYTES = 16_384


class Inflow:
    """The receiving half of a connection.

    Args:
        transport: source of the bytes.
        head_limit_bytes: largest head of a request.

    Attributes:
        ended: whether the client has closed its sending side.
        waiting: whether there are unconsumed bytes.
    """

    __slots__ = (
        "_at",
        "_checked",
        "_data",
        "_head_limit_bytes",
        "_paused",
        "_transport",
        "_waiting_limit_bytes",
        "ended",
        "waiting",
    )

    def __init__(self, transport: Transport, head_limit_bytes: int) -> None:
        self._transport = transport
        self._head_limit_bytes = head_limit_bytes
        self._waiting_limit_bytes = max(_PIPELINE_BYTES, 2 * head_limit_bytes)
        # Unconsumed bytes begin at `_at`; up to `_checked` no head ends and no byte is invalid.
        self._data = b""
        self._at = self._checked = 0
        self._paused = False
        self.ended = self.waiting = False

    def append(self, data: bytes) -> None:
        if self._at == len(self._data):
            self._data = data
            self._checked = 0
        else:
            self._data = self._data[self._at :] + data
            self._checked = max(0, self._checked - self._at)
        self._consumed(0)

    def take_head(self) -> bytes | None:
        """The head of the next request, or None if it is incomplete.

        Raises:
            MalformedRequest: the head has invalid bytes, even if it is incomplete.
            HeadersTooLarge: the head exceeds its limit.
        """
        data, at = self._data, self._at
        # Some clients end a body with a line break of their own (RFC 9112, section 2.2).
        while data.startswith(b"\r\n", at):
            at += 2
        self._consumed(at)
        end = data.find(_END_OF_HEAD, max(at, self._checked - 3)) + len(_END_OF_HEAD)
        if len(_END_OF_HEAD) <= end <= at + self._head_limit_bytes:
            self._consumed(end)
            self._checked = 0
            return data[at:end]
        limit = at + self._head_limit_bytes
        if has_invalid_bytes(data, at, self._checked, min(len(data), limit)):
            raise MalformedRequest("control characters, or lines that do not end in CRLF")
        if len(data) >= limit:
            raise HeadersTooLarge(f"The head of the request must not exceed {self._head_limit_bytes} bytes")
        self._checked = len(data)
        return None

    def has(self, content_bytes: int) -> bool:
        """Return whether this many bytes have arrived and can be decoded in one step."""
        return content_bytes <= min(len(self._data) - self._at, _STEP_BYTES)

    def put_back(self, head: bytes) -> None:
        """Undo the last `take_head`, so that it returns this head again."""
        self._consumed(self._at - len(head))

    def take_body(self, body: BodyReader) -> tuple[bytes, bool]:
        """Decode a part of a body.

        Returns:
            The content, and whether any bytes were consumed; if not, more are needed.

        Raises:
            MalformedRequest: the framing is invalid.
            BodyTooLarge: the body exceeds its limit.
        """
        start = self._at
        content, stop = body.take(self._data, start, min(len(self._data), start + _STEP_BYTES))
        self._consumed(stop)
        return content, stop > start

    def take_all(self) -> bytes:
        """Return and remove all unconsumed bytes."""
        data, self._data = self._data[self._at :], b""
        self._checked = 0
        self._consumed(0)
        return data

    def _consumed(self, at: int) -> None:
        """Note that the bytes before this place have been consumed."""
        self._at = at
        self.waiting = at < len(self._data)

    def regulate(self) -> None:
        """Pause or resume reading, to bound the unconsumed bytes."""
        full = len(self._data) - self._at > self._waiting_limit_bytes
        if full == self._paused or self.ended or self._transport.is_closing():
            return
        self._paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
