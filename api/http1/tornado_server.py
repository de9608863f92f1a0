"""Tornado's HTTP server, with the client's address behind proxies."""

import asyncio
import logging
import socket
from collections.abc import Iterable
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.iostream import IOStream, StreamClosedError

from api.http1.peer import Peer
from api.http1.proxy_protocol import HEAD, HEAD_LIMIT_BYTES, MalformedProxyHeader, header_bytes, source_of
from api.http1.trusted_proxies import TrustedProxies
from api.limits import Limits

log = logging.getLogger("frontrow.http")


class TornadoServer(HTTPServer):
    """Tornado's server with our limits, as far as it has them.

    Args:
        application: serves the requests.
        limits: of requests.
        max_body_bytes: largest body, unless the handler sets another limit.
        proxies: trusted to report the client's address.
    """

    def initialize(  # type: ignore[override]
        self,
        application: HTTPServerConnectionDelegate,
        limits: Limits,
        max_body_bytes: int,
        proxies: TrustedProxies,
    ) -> None:
        """Tornado's `Configurable` calls this in place of a constructor."""
        super().initialize(
            application,
            max_header_size=limits.header_bytes,
            idle_connection_timeout=limits.header_timeout_seconds,
            body_timeout=limits.body_timeout_seconds,
            max_body_size=max_body_bytes,
            max_buffer_size=max_body_bytes + limits.header_bytes,
        )
        self._proxies = proxies
        self._header_seconds = limits.header_timeout_seconds
        self._proxied_ports: set[int] = set()

    def add_sockets(self, sockets: Iterable[socket.socket], *, proxied: bool = False) -> None:
        """Accept clients on listening sockets.

        Args:
            sockets: bound and listening.
            proxied: whether each connection begins with a PROXY protocol header.
        """
        listening = list(sockets)
        if proxied:
            self._proxied_ports.update(one.getsockname()[1] for one in listening)
        super().add_sockets(listening)

    async def handle_stream(  # type: ignore[override]  # Tornado awaits what is returned
        self, stream: IOStream, address: tuple[Any, ...]
    ) -> None:
        """Serve a connection."""
        peer: Peer | None = self._proxies.peer(address)
        if peer and self._proxied_ports and stream.socket.getsockname()[1] in self._proxied_ports:
            peer = await self._announced(stream, peer)
        if peer is not None:
            connection = HTTP1ServerConnection(stream, self.conn_params, peer)
            self._connections.add(connection)
            connection.start_serving(self)

    async def _announced(self, stream: IOStream, proxy: Peer) -> Peer | None:
        """The client named by the PROXY header; None if the connection was closed."""
        reason = "it did not begin with a PROXY header in time"
        try:
            if not proxy.relays:
                raise MalformedProxyHeader("it is not a trusted proxy's")
            async with asyncio.timeout(self._header_seconds):
                header = await stream.read_until_regex(HEAD.pattern, max_bytes=HEAD_LIMIT_BYTES)
                if rest := header_bytes(header) - len(header):
                    header += await stream.read_bytes(rest)
            return self._proxies.announced(proxy, source_of(header))
        except MalformedProxyHeader as error:
            reason = str(error)
        except (TimeoutError, StreamClosedError):
            pass
        log.info("closed a connection from %s to a port of the PROXY protocol: %s", proxy, reason)
        stream.close()
        return None
