"""Listening for clients, and going down without cutting anybody off in the middle of an answer."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterable

from tornado.httputil import HTTPServerConnectionDelegate

from api.http1.host import Admission, AnswerPlain, HostedConnection, leave_plain
from api.http1.protocol import Http1Protocol
from api.http1.proxied import ProxiedProtocol
from api.http1.refusal import RefusalReport
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.limiter import network_of
from api.limits import Limits

_GRACE_SECONDS = 1.0
_REFUSED_AT_ONCE = 256
"""Connections beyond the bound that get a 503 before they are closed; more are closed without an answer."""


class Http1Server:
    """A server with those methods of Tornado's `HTTPServer` that are used here.

    Args:
        delegate: what requests are given to, e.g. a Tornado application.
        limits: bounds of requests.
        max_body_bytes: what a body may not exceed, unless the handler says otherwise.
        report: told of each request that was refused before it reached the delegate.
        proxies: whose word on a client's address is believed.
    """

    def __init__(
        self,
        delegate: HTTPServerConnectionDelegate,
        limits: Limits,
        max_body_bytes: int,
        report: RefusalReport,
        proxies: TrustedProxies = NO_PROXIES,
    ) -> None:
        self.delegate = delegate
        self.answer_plain: AnswerPlain = getattr(delegate, "answer_plain", leave_plain)
        self.limits = limits
        self.max_body_bytes = max_body_bytes
        self.report = report
        self.proxies = proxies
        self._stopping = self._closing = False
        self._connections: set[HostedConnection] = set()
        # Those that are told that there are too many, and then closed.
        self._refused: set[HostedConnection] = set()
        self._number_of: Counter[str] = Counter()
        self._deserted = asyncio.Event()
        self._deserted.set()
        self._starts: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    def add_sockets(self, sockets: Iterable[socket.socket], *, proxied: bool = False) -> None:
        """Accept clients on listening sockets, which are the server's from now on.

        Those who come before the event loop turns to it wait in the socket's backlog.

        Args:
            sockets: bound and listening.
            proxied: whether each connection begins with a header of the PROXY protocol.
        """
        for listening in sockets:
            start = asyncio.create_task(self._start(listening, proxied))
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)

    async def _start(self, listening: socket.socket, proxied: bool) -> None:
        if self._stopping:
            listening.close()
            return
        kind = ProxiedProtocol if proxied else Http1Protocol
        server = await asyncio.get_running_loop().create_server(lambda: kind(self), sock=listening)
        if self._stopping:
            server.close()
        else:
            self._servers.append(server)

    def stop(self) -> None:
        """Accept no more clients. Those who are here are served on, till their connections are closed."""
        self._stopping = True
        for server in self._servers:
            server.close()

    async def close_all_connections(self) -> None:
        """Return when all connections have ended; WebSockets are none of them.

        Answers that are on their way, or being made, get a moment; after it they are cut off.
        """
        self._closing = True
        for connection in list(self._connections):
            connection.wind_down()
            if not connection.busy:
                connection.break_off()
        if not await self._deserted_soon():
            for connection in list(self._connections):
                connection.break_off()
            await self._deserted_soon()

    async def _deserted_soon(self) -> bool:
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._deserted.wait()
        except TimeoutError:
            return False
        return True

    # What connections call.

    def joined(self, connection: HostedConnection) -> Admission:
        """A connection has been made.

        Returns:
            SERVED; or REFUSED beyond a bound, and CUT when many are being refused already.
        """
        limits, network = self.limits, self._counted_network(connection)
        full = len(self._connections) - len(self._refused) >= limits.connections_limit
        self._connections.add(connection)
        self._deserted.clear()
        if full or (network and self._number_of[network] >= limits.connections_per_address_limit):
            admission = Admission.REFUSED if len(self._refused) < _REFUSED_AT_ONCE else Admission.CUT
            self._refused.add(connection)
            return admission
        if network:
            self._number_of[network] += 1
        if self._closing:
            connection.wind_down()
        return Admission.SERVED

    def left(self, connection: HostedConnection) -> None:
        """A connection is none of the server's any more."""
        if connection in self._refused:
            self._refused.remove(connection)
            self._connections.remove(connection)
        elif connection in self._connections:
            self._connections.remove(connection)
            if network := self._counted_network(connection):
                self._number_of[network] -= 1
                if not self._number_of[network]:
                    del self._number_of[network]
        if not self._connections:
            self._deserted.set()
        self.delegate.on_close(connection)

    def _counted_network(self, connection: HostedConnection) -> str | None:
        """The network on which a connection is counted; None if there is no bound, or none for this peer."""
        if not self.limits.connections_per_address_limit or connection.peer.relays:
            return None
        return network_of(connection.peer.remote_ip)
