"""What has come from a client and has not been used yet, and no more of it than may wait."""

from asyncio import Transport

from api.http1.body import BodyReader
from api.http1.errors import HeadersTooLarge, MalformedRequest
from api.http1.head import find_fault

_END_OF_HEAD = b"\r\n\r\n"
_PIPELINE_BYTES = 65_536
# Of a body, so much is decoded in one step: it may be in chunks of one byte.
_STEP_BYTES = 16_384


class Inflow:
    """The receiving half of a connection.

    Args:
        transport: where octets come from.
        head_limit_bytes: what the head of a request may not exceed.

    Attributes:
        ended: whether the client has said that it sends no more.
    """

    __slots__ = (
        "_at",
        "_checked",
        "_head_limit_bytes",
        "_octets",
        "_paused",
        "_transport",
        "_waiting_limit_bytes",
        "ended",
    )

    def __init__(self, transport: Transport, head_limit_bytes: int) -> None:
        self._transport = transport
        self._head_limit_bytes = head_limit_bytes
        self._waiting_limit_bytes = max(_PIPELINE_BYTES, 2 * head_limit_bytes)
        # What is left begins at `_at`; up to `_checked` a head has been found to be none yet.
        self._octets = b""
        self._at = self._checked = 0
        self._paused = False
        self.ended = False

    @property
    def waiting(self) -> bool:
        """Whether something has come that has not been used."""
        return self._at < len(self._octets)

    def append(self, octets: bytes) -> None:
        """More has come."""
        if self._at == len(self._octets):
            self._octets = octets
            self._checked = 0
        else:
            self._octets = self._octets[self._at :] + octets
            self._checked = max(0, self._checked - self._at)
        self._at = 0

    def take_head(self) -> bytes | None:
        """The head of the next request, or None if it has not come whole.

        Raises:
            MalformedRequest: it holds what no head may hold. That is told early, because a head with bare
                line feeds never ends for us, and its sender would wait for the answer till it times out.
            HeadersTooLarge: it is longer than it may be.
        """
        octets, at = self._octets, self._at
        # Some clients end a body with a line break of their own (RFC 9112, section 2.2).
        while octets.startswith(b"\r\n", at):
            at += 2
        self._at = at
        end = octets.find(_END_OF_HEAD, max(at, self._checked - 3)) + len(_END_OF_HEAD)
        if len(_END_OF_HEAD) <= end <= at + self._head_limit_bytes:
            self._at = end
            self._checked = 0
            return octets[at:end]
        limit = at + self._head_limit_bytes
        if find_fault(octets, at, self._checked, min(len(octets), limit)):
            raise MalformedRequest("control characters, or lines that do not end in CRLF")
        if len(octets) >= limit:
            raise HeadersTooLarge(f"The head of a request may not exceed {self._head_limit_bytes} bytes")
        self._checked = len(octets)
        return None

    def has(self, content_bytes: int) -> bool:
        """Whether so much has come, and may be taken in one step."""
        return content_bytes <= min(len(self._octets) - self._at, _STEP_BYTES)

    def put_back(self, head: bytes) -> None:
        """Take the last head again later."""
        self._at -= len(head)

    def take_body(self, body: BodyReader) -> tuple[bytes, bool]:
        """Decode a part of a body.

        Returns:
            Its content, and whether anything could be done: a line of the coding may not have come whole.

        Raises:
            MalformedRequest, BodyTooLarge: it cannot be read.
        """
        start = self._at
        content, self._at = body.take(self._octets, start, min(len(self._octets), start + _STEP_BYTES))
        return content, self._at > start

    def take_all(self) -> bytes:
        """Everything that has come."""
        octets, self._octets = self._octets[self._at :], b""
        self._at = self._checked = 0
        return octets

    def regulate(self) -> None:
        """Stop or resume reading, so that no more waits than may."""
        much = len(self._octets) - self._at > self._waiting_limit_bytes
        if much == self._paused or self.ended or self._transport.is_closing():
            return
        self._paused = much
        if much:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
