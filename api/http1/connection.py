"""The connection of one request: Tornado's handlers and our exchange write the response to it.

It frames the response (RFC 9112, section 6). `api.http1.protocol` decides about the order of requests, and
whether the connection stays open.
"""

from asyncio import Future
from asyncio import Protocol as StreamProtocol
from collections.abc import Callable
from http.client import responses
from typing import Protocol

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPOutputError, RequestStartLine, ResponseStartLine

from api.http1.common_headers import FieldLines
from api.http1.head import RequestHead
from api.http1.peer import Peer

# Up to this size, copying content behind its head is cheaper than sending two pieces.
_COPIED_BYTES = 4096
_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n" for status, reason in responses.items()}


class Wire(Protocol):
    """The protocol, as a request sees it."""

    peer: Peer

    def send(self, *pieces: bytes) -> "Future[None]":
        """Send bytes. The future completes when more may be sent."""

    def answered(self, request: "RequestConnection") -> None:
        """The response is complete."""

    def break_off(self) -> None:
        """Abort the connection, because the response cannot be completed."""

    def hand_over(self, unsent: bytes, successor: StreamProtocol) -> bool:
        """Send bytes and give the transport to another protocol. Returns whether the client is connected."""


class LaterAnswer:
    """A plain request that is answered later, in one piece (`api.http1.protocol`).

    Attributes:
        persistent: whether the connection stays open after the response, as far as is known.
    """

    __slots__ = ("persistent",)
    begun = False
    persistent: bool

    def client_left(self) -> None:
        """Do nothing: what was asked for continues, and its response is dropped."""


class RequestConnection(HTTPConnection):
    """The connection as one request sees it.

    Args:
        wire: the protocol.
        head: the request's head.
        persistent: whether the connection may stay open after this request.
        max_body_bytes: largest body, unless the handler sets another limit.
        body_timeout_seconds: time limit for the body, unless the handler sets another.

    Attributes:
        head: the request's head.
        persistent: whether the connection stays open after the response, as far as is known.
        begun: whether the response's head has been sent.
        finished: whether the response is complete.
    """

    begun = finished = False
    _on_close: Callable[[], None] | None = None
    _chunked = False
    _left: int | None = None

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

    # Tornado's handlers expect these methods, which HTTPConnection does not declare.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Set the function to call if the client disconnects before the response is complete."""
        self._on_close = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the body to this many bytes. Only has effect before the body is read."""
        self.max_body_bytes = max_body_size

    def break_off(self) -> None:
        """Abort the connection, because the response cannot be completed."""
        self._wire.break_off()

    def client_left(self) -> None:
        """Notify the handler, once, that the client may have disconnected."""
        callback, self._on_close = self._on_close, None
        if callback is not None:
            callback()

    # The response.

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "Future[None]":
        """Send the response's head, and the first part of its body.

        Raises:
            ValueError: a header field has a line break. Nothing is sent, and the connection is aborted.
            HTTPOutputError: the body is longer than its Content-Length.
        """
        _, status, reason = start_line
        status = int(status)
        self.begun = True
        self._frame(status, headers)
        lines = [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        head = self._encoded("", [f"HTTP/1.1 {status} {reason}\r\n", *lines])
        return self._wire.send(head + self._framed(chunk) if chunk else head)

    def answer(self, status: int, shared: FieldLines, fields: dict[str, str], content: bytes) -> None:
        """Send a complete response.

        Args:
            status: any but 101.
            shared: header fields that many responses have, already encoded.
            fields: the other header fields, including `Content-Length` unless the status forbids a body.
            content: the body; empty for HEAD.

        Raises:
            ValueError: a header field has a line break. Nothing is sent, and the connection is aborted.
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

    def switch(self, shared: FieldLines, fields: dict[str, str], successor: StreamProtocol) -> bool:
        """Answer 101 (Switching Protocols), and give the transport to another protocol.

        Args:
            shared: header fields that many responses have, already encoded.
            fields: the other header fields.
            successor: gets the transport, and the bytes that arrived after the request.

        Returns:
            Whether the client is still connected.

        Raises:
            ValueError: a header field has a line break. Nothing is sent, and the connection is aborted.
        """
        self.begun = self.finished = True
        self._on_close = None
        head = self._encoded(
            _STATUS_LINES[101] + shared.text, [f"{name}: {value}\r\n" for name, value in fields.items()]
        )
        return self._wire.hand_over(head, successor)

    def write(self, chunk: bytes) -> "Future[None]":
        """Send a part of the body.

        Raises:
            HTTPOutputError: the body is longer than its Content-Length.
        """
        return self._wire.send(self._framed(chunk))

    def finish(self) -> None:
        """Complete the response.

        Raises:
            HTTPOutputError: the body is shorter than its Content-Length.
        """
        if self._left:
            self._wire.break_off()
            raise HTTPOutputError(f"the response body is {self._left} bytes shorter than its Content-Length")
        if self._chunked:
            self._wire.send(b"0\r\n\r\n")
        self.finished = True
        self._wire.answered(self)

    def _frame(self, status: int, headers: HTTPHeaders) -> None:
        """Choose how the end of the response is marked, and whether the connection stays open."""
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
            # Closing the connection ends the body for an HTTP/1.0 client.
            self.persistent = False
        if not self.persistent:
            headers["Connection"] = "close"
        elif self.head.line.version == "HTTP/1.0":
            headers["Connection"] = "keep-alive"

    def _encoded(self, beginning: str, lines: list[str]) -> bytes:
        """The encoded head.

        Args:
            beginning: lines that are known to be valid.
            lines: further lines, which are checked for line breaks.
        """
        fields = "".join(lines)
        if fields.count("\n") != len(lines) or fields.count("\r") != len(lines):
            self._wire.break_off()
            raise ValueError("a header field of the response has a line break")
        return f"{beginning}{fields}\r\n".encode("latin-1")

    def _framed(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self._wire.break_off()
                raise HTTPOutputError("the response body is longer than its Content-Length")
        elif self._chunked and chunk:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk


def send_answer(
    connection: HTTP1Connection | RequestConnection,
    status: int,
    shared: FieldLines,
    fields: dict[str, str],
    content: bytes,
) -> None:
    """Send a complete response on Tornado's connection or ours; see `RequestConnection.answer`."""
    if isinstance(connection, RequestConnection):
        connection.answer(status, shared, fields, content)
    else:
        line = ResponseStartLine("HTTP/1.1", status, responses.get(status, ""))
        connection.write_headers(line, HTTPHeaders({**shared.fields, **fields}), content)
        connection.finish()
