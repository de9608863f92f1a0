"""One request's side of a connection: what Tornado's handlers and our exchange write their answer to.

It frames the answer (RFC 9112, section 6) and knows nothing of other requests; when its turn is, and what
becomes of the connection afterwards, is the protocol's to decide.
"""

from asyncio import Future
from asyncio import Protocol as StreamProtocol
from collections.abc import Callable
from http.client import responses
from typing import Protocol

from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPOutputError, RequestStartLine, ResponseStartLine

from api.http1.common_headers import FieldLines
from api.http1.head import RequestHead
from api.http1.peer import Peer

_SWITCHING_PROTOCOLS = 101
# Up to here it costs less to put content behind its head than to send the two side by side.
_COPIED_BYTES = 4096
_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n" for status, reason in responses.items()}


class Wire(Protocol):
    """What the protocol does for a request."""

    peer: Peer

    def send(self, *pieces: bytes) -> "Future[None]":
        """Send octets, after all that was sent before. The future tells that more may be sent."""

    def answered(self, request: "RequestConnection") -> None:
        """The request's answer is complete."""

    def break_off(self) -> None:
        """Close at once: what was sent cannot be completed."""

    def hand_over(self, unsent: bytes, successor: StreamProtocol) -> bool:
        """Have another protocol go on with the transport. Returns whether there still is a client."""


class RequestConnection(HTTPConnection):
    """The connection as one request sees it.

    Args:
        wire: where octets go.
        head: the request's head.
        persistent: whether the connection may be kept after this request.
        max_body_bytes: what its body may not exceed, until the handler says otherwise.
        body_timeout_seconds: how long its body may take, until the handler says otherwise.

    Attributes:
        head: the request's head.
        persistent: whether it is kept, as things stand.
        switching: whether the answer said that another protocol follows.
        begun: whether the answer's head has been sent.
        finished: whether the answer is complete.
    """

    switching = begun = finished = False
    _on_close: Callable[[], None] | None = None
    _chunked = False
    _left: int | None = None
    # The answer 101 leaves by the stream that follows it, lest what is written there overtake it.
    _held = b""

    def __init__(
        self,
        wire: Wire,
        head: RequestHead,
        persistent: bool,
        max_body_bytes: int,
        body_timeout_seconds: float,
    ) -> None:
        self._wire = wire
        self.head = head
        self.context = wire.peer
        self.persistent = persistent
        self.max_body_bytes = max_body_bytes
        self.body_timeout_seconds = body_timeout_seconds

    # What Tornado's handlers expect beside the interface itself.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have something called if the client goes away before the answer is complete."""
        self._on_close = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Bound the body, in bytes; while its headers are being received."""
        self.max_body_bytes = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """Bound the time for the body, in seconds; while its headers are being received."""
        self.body_timeout_seconds = timeout

    def break_off(self) -> None:
        """Close at once, because the answer cannot be completed."""
        self._wire.break_off()

    def hand_over(self, successor: StreamProtocol) -> bool:
        """Let another protocol go on with the transport, after 101. Nothing more is done with it here.

        Args:
            successor: is given the transport, and what has come on it already.

        Returns:
            Whether the client is still there.
        """
        self._on_close = None
        return self._wire.hand_over(self._held, successor)

    def client_left(self) -> None:
        """Tell the handler, once, that its client may not be there any more."""
        callback, self._on_close = self._on_close, None
        if callback is not None:
            callback()

    # The answer.

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "Future[None]":
        """Send the head of the answer, and the first part of its body.

        Raises:
            ValueError: a field holds a line break. Nothing is sent then, and the connection is closed.
            HTTPOutputError: the body is longer than was announced.
        """
        _, status, reason = start_line
        status = int(status)
        self.begun = True
        self._frame(status, headers)
        lines = [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        octets = self._encoded("", [f"HTTP/1.1 {status} {reason}\r\n", *lines])
        if self.switching:
            self._held, octets = octets, b""
        return self._wire.send(octets + self._framed(chunk) if chunk else octets)

    def answer(self, status: int, shared: FieldLines, fields: dict[str, str], content: bytes) -> None:
        """Send a whole answer, whose content is all there.

        Args:
            status: of the answer; not 101.
            shared: fields of its head that other answers have as well.
            fields: those that are its own, `Content-Length` among them where there is content or might be.
            content: nothing if the request was HEAD.

        Raises:
            ValueError: a field holds a line break. Nothing is sent then, and the connection is closed.
        """
        self.begun = self.finished = True
        if "Connection" in fields:
            self.persistent = False
        elif not self.persistent:
            fields["Connection"] = "close"
        elif self.head.line.version == "HTTP/1.0":
            fields["Connection"] = "keep-alive"
        head = self._encoded(
            _STATUS_LINES[status] + shared.text, [f"{name}: {value}\r\n" for name, value in fields.items()]
        )
        if len(content) > _COPIED_BYTES:
            self._wire.send(head, content)
        else:
            self._wire.send(head + content)
        self._wire.answered(self)

    def write(self, chunk: bytes) -> "Future[None]":
        """Send a part of the body.

        Raises:
            HTTPOutputError: it is longer than was announced.
        """
        return self._wire.send(self._framed(chunk))

    def finish(self) -> None:
        """The answer is complete.

        Raises:
            HTTPOutputError: the body is shorter than was announced.
        """
        if self._left:
            self._wire.break_off()
            raise HTTPOutputError(f"the body of the answer ended {self._left} bytes early")
        if self._chunked:
            self._wire.send(b"0\r\n\r\n")
        self.finished = True
        self._wire.answered(self)

    def _frame(self, status: int, headers: HTTPHeaders) -> None:
        """Decide how the client learns where the answer ends, and whether another may follow."""
        if status == _SWITCHING_PROTOCOLS:
            self.switching = True
            return
        if headers.get("Connection", "").lower() == "close":
            self.persistent = False
        bodiless = self.head.line.method == "HEAD" or status < 200 or status in (204, 304)
        length = headers.get("Content-Length")
        if bodiless:
            self._left = 0
        elif length is not None:
            self._left = int(length)
        elif self.head.line.version == "HTTP/1.1":
            self._chunked = True
            headers["Transfer-Encoding"] = "chunked"
        else:
            # To a client of 1.0 the end of the connection is the end of the body.
            self.persistent = False
        if not self.persistent:
            headers["Connection"] = "close"
        elif self.head.line.version == "HTTP/1.0":
            headers["Connection"] = "keep-alive"

    def _encoded(self, beginning: str, lines: list[str]) -> bytes:
        """A head: lines that are known to be right, and lines that are looked at."""
        fields = "".join(lines)
        if fields.count("\n") != len(lines) or fields.count("\r") != len(lines):
            self._wire.break_off()
            raise ValueError("a header field of the answer holds a line break")
        return f"{beginning}{fields}\r\n".encode("latin-1")

    def _framed(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self._wire.break_off()
                raise HTTPOutputError("the body of the answer is longer than was announced")
        elif self._chunked and chunk:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk
