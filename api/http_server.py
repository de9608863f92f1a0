"""What speaks HTTP: our own layer, or Tornado's server, with the same bounds as far as it knows them."""

import socket
from collections.abc import Iterable
from typing import Protocol

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate

from api.exchange import DISCARDED_BODY_BYTES
from api.http1.refusal import RefusalReport
from api.http1.server import Http1Server
from api.limits import Limits

HTTPTOOLS, TORNADO = "httptools", "tornado"


class HttpServer(Protocol):
    """What both layers offer."""

    def add_socket(self, listening: socket.socket, /) -> None:
        """Accept clients on a listening socket."""

    def add_sockets(self, sockets: Iterable[socket.socket], /) -> None:
        """Accept clients on several."""

    def stop(self) -> None:
        """Accept no more."""

    async def close_all_connections(self) -> None:
        """Return when all connections have ended; WebSockets are none of them."""


def make_http_server(
    application: HTTPServerConnectionDelegate, limits: Limits, report: RefusalReport, layer: str
) -> HttpServer:
    """A server that is ready to listen.

    Args:
        application: what it serves.
        limits: bounds of requests. The bound on bodies is the exchange's to keep, since the connection
            itself could only close; its own bound is what the exchange is willing to discard.
        report: told of requests that are refused before the application sees them. Tornado's server tells
            nobody.
        layer: HTTPTOOLS or TORNADO.
    """
    if layer == HTTPTOOLS:
        return Http1Server(application, limits, DISCARDED_BODY_BYTES, report)
    return HTTPServer(
        application,
        max_header_size=limits.header_bytes,
        idle_connection_timeout=limits.header_timeout_seconds,
        body_timeout=limits.body_timeout_seconds,
        max_body_size=DISCARDED_BODY_BYTES,
        max_buffer_size=DISCARDED_BODY_BYTES + limits.header_bytes,
    )
