"""Makes the HTTP server: our own, or Tornado's with the same limits as far as it has them."""

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
"""A body beyond its limit is read and discarded up to this size, or twice its limit, so that the client gets
to read the 413. A larger one is answered immediately and its connection closed."""


class HttpServer(Protocol):
    """The methods that both servers have."""

    def add_sockets(self, sockets: Iterable[socket.socket], /, *, proxied: bool = False) -> None:
        """Accept clients on listening sockets.

        Args:
            sockets: bound and listening.
            proxied: whether each connection begins with a PROXY protocol header.
        """

    def stop(self) -> None:
        """Accept no more connections."""

    async def close_all_connections(self) -> None:
        """Return when all connections have ended, WebSockets excepted."""


def make_http_server(
    application: HTTPServerConnectionDelegate,
    limits: Limits,
    report: RefusalReport,
    layer: str,
    proxies: TrustedProxies = NO_PROXIES,
) -> HttpServer:
    """Make a server that is ready to listen.

    Args:
        application: serves the requests.
        limits: of requests. The limit on bodies is enforced by the application, since the server could only
            close the connection; the server's own limit is DISCARDED_BODY_BYTES.
        report: called for requests refused before they reach the application; not by Tornado's server.
        layer: HTTPTOOLS or TORNADO.
        proxies: trusted to report the client's address.
    """
    if layer == HTTPTOOLS:
        return Http1Server(application, limits, DISCARDED_BODY_BYTES, report, proxies)
    return TornadoServer(application, limits, DISCARDED_BODY_BYTES, proxies)
