"""What speaks HTTP: our own layer, or Tornado's server, with the same bounds as far as it knows them."""

import socket
from collections.abc import Iterable
from typing import Protocol

from tornado.httputil import HTTPServerConnectionDelegate

from api.http1.refusal import RefusalReport
from api.http1.server import Http1Server
from api.http1.tornado_server import TornadoServer
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.limits import Limits

HTTPTOOLS, TORNADO = "httptools", "tornado"

DISCARDED_BODY_BYTES = 1024 * 1024
"""A body beyond its limit is read and thrown away up to here, or to twice its limit, so that its sender gets
to read the 413; a larger one is answered at once and its connection closed."""


class HttpServer(Protocol):
    """What both layers offer."""

    def add_sockets(self, sockets: Iterable[socket.socket], /, *, proxied: bool = False) -> None:
        """Accept clients on listening sockets.

        Args:
            sockets: bound and listening.
            proxied: whether each connection begins with a header of the PROXY protocol.
        """

    def stop(self) -> None:
        """Accept no more."""

    async def close_all_connections(self) -> None:
        """Return when all connections have ended; WebSockets are none of them."""


def make_http_server(
    application: HTTPServerConnectionDelegate,
    limits: Limits,
    report: RefusalReport,
    layer: str,
    proxies: TrustedProxies = NO_PROXIES,
) -> HttpServer:
    """A server that is ready to listen.

    Args:
        application: what it serves.
        limits: bounds of requests. The bound on bodies is the exchange's to keep, since the connection
            itself could only close; its own bound is what the exchange is willing to discard.
        report: told of requests that are refused before the application sees them. Tornado's server tells
            nobody.
        layer: HTTPTOOLS or TORNADO.
        proxies: whose word on a client's address is believed.
    """
    if layer == HTTPTOOLS:
        return Http1Server(application, limits, DISCARDED_BODY_BYTES, report, proxies)
    return TornadoServer(application, limits, DISCARDED_BODY_BYTES, proxies)
