"""A connection without a network, so that the test decides which bytes arrive together."""

import asyncio
from typing import Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)
from tornado.routing import Router

from api.http1.protocol import Http1Protocol
from api.http1.server import Http1Server
from api.limits import Limits


class EchoRouter(Router):
    """Answers every request immediately with the parsed request."""

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate:
        return _Echo(request)


class _Echo(HTTPMessageDelegate):
    def __init__(self, request: HTTPServerRequest) -> None:
        self._request = request
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    def finish(self) -> None:
        request = self._request
        seen = (request.method, request.uri, request.version, list(request.headers.get_all()), self._body)
        body = repr(seen).encode()
        headers = HTTPHeaders({"Content-Length": str(len(body))})
        content = b"" if request.method == "HEAD" else body
        request.connection.write_headers(ResponseStartLine("", 200, "OK"), headers, content)
        request.connection.finish()


class MemoryTransport(asyncio.Transport):
    """Records the written bytes. Its buffer is never full."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def write(self, data: bytes) -> None:
        assert not self.ended, "written to after the end"
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing to pause: all input is already here."""

    def resume_reading(self) -> None:
        """Nothing to resume either."""


_ITERATIONS = 10
"""Iterations after which a connection has processed what it has received, also on a busy machine."""


async def conversation(server: Http1Server, *pieces: bytes) -> tuple[bytes, bool]:
    """Send bytes in these pieces; return the response bytes, and whether the server closed.

    A client without a response closes its sending side, which distinguishes an unfinished request from a
    refused one.
    """
    transport, protocol = MemoryTransport(), Http1Protocol(server)
    protocol.connection_made(transport)
    try:
        for piece in pieces:
            protocol.data_received(piece)
            # Upgrades, and turns that take long, continue in further iterations of the event loop.
            for _ in range(_ITERATIONS):
                await asyncio.sleep(0)
        return bytes(transport.written), transport.ended
    finally:
        if not protocol.eof_received():
            transport.close()
        await asyncio.sleep(0)
        assert transport.closed, "the server did not close the connection after the client had"
        protocol.connection_lost(None)


def memory_server(limits: Limits) -> Http1Server:
    """Return a server that does not listen."""
    return Http1Server(EchoRouter(), limits, 1024 * 1024, lambda refusal: None)
