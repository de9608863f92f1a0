"""Listens for clients, and shuts down without cutting off responses that are being sent."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, NamedTuple

from tornado.httputil import HTTPServerConnectionDelegate

from api.http1.host import Admission, AnswerPlain, HostedConnection, leave_plain
from api.http1.outflow import Outflow
from api.http1.protocol import Http1Protocol
from api.http1.proxied import ProxiedProtocol
from api.http1.refusal import RefusalReport
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.limiter import network_of
from api.limits import Limits

_GRACE_SECONDS = 1.0
_FLUSHED_TOGETHER = 16
"""Responses that are sent before the end of a turn, so that clients work while the turn goes on."""

BACKLOG = 4096
"""Clients that wait to be accepted; the kernel lets more try again after 1, 3, 7, 15 and 31 seconds."""

_BACKLOG_LIMIT = 2 * BACKLOG
"""Clients that are accepted at most when the server stops: more than a backlog holds."""

_REFUSED_AT_ONCE = 256
"""Connections beyond the limit that get a 503 before they are closed; more are closed without a response."""


_NEWCOMER_SECONDS = 1.0
"""At the limit on connections, one that has sent no complete request for this long is closed for another."""


class _Listening(NamedTuple):
    """A listening socket, what accepts its clients, and what makes a connection for one."""

    server: asyncio.Server
    socket: socket.socket
    connection: Callable[[], asyncio.Protocol]


def _backlog(listening: socket.socket) -> Iterator[socket.socket]:
    """Accept the clients that wait to be accepted."""
    for _ in range(_BACKLOG_LIMIT):
        try:
            waiting, _address = listening.accept()
        except OSError:  # usually BlockingIOError: there are no more
            return
        waiting.setblocking(False)
        yield waiting


class Http1Server:
    """A server with the methods of Tornado's `HTTPServer` that are used here.

    Args:
        delegate: takes the requests, e.g. a Tornado application.
        limits: of requests and connections.
        max_body_bytes: largest body, unless the handler sets another limit.
        report: called for every request refused before it reached the delegate.
        proxies: trusted to report the client's address.
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
        # Connections beyond the limit, open only until their 503 is sent.
        self._refused: set[HostedConnection] = set()
        # Those that may not have sent a request yet, the oldest first, with the time when they came.
        self._newcomers: dict[HostedConnection, float] = {}
        self._number_of: Counter[str] = Counter()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._starts: set[asyncio.Task[object]] = set()
        self._listening: list[_Listening] = []
        self._unflushed: list[Outflow] = []

    def add_sockets(self, sockets: Iterable[socket.socket], *, proxied: bool = False) -> None:
        """Accept clients on listening sockets, which the server owns from now on.

        Accepting begins with the event loop's next iteration; until then clients wait in the backlog.

        Args:
            sockets: bound and listening.
            proxied: whether each connection begins with a PROXY protocol header.
        """
        kind = ProxiedProtocol if proxied else Http1Protocol
        for listening in sockets:
            self._spawn(self._start(listening, lambda: kind(self)))

    async def _start(self, listening: socket.socket, connection: Callable[[], asyncio.Protocol]) -> None:
        if self._stopping:
            listening.close()
            return
        server = await asyncio.get_running_loop().create_server(connection, sock=listening, backlog=BACKLOG)
        if self._stopping:
            server.close()
        else:
            self._listening.append(_Listening(server, listening, connection))

    def stop(self) -> None:
        """Accept no more connections. Until `close_all_connections`, open ones get one more response each.

        So do those that wait in the backlog, which the kernel would reset.
        """
        self._stopping = True
        loop = asyncio.get_running_loop()
        for server, listening, connection in self._listening:
            for waiting in _backlog(listening):
                self._spawn(loop.connect_accepted_socket(connection, waiting))
            server.close()
        self._listening.clear()
        for connected in self._connections:
            connected.retire()

    def _spawn(self, start: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(start)
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def close_all_connections(self) -> None:
        """Return when all connections have ended, WebSockets excepted.

        Unfinished responses get a second; then their connections are aborted.
        """
        self._closing = True
        await asyncio.gather(*self._starts, return_exceptions=True)
        for connection in list(self._connections):
            connection.wind_down()
            if not connection.busy:
                connection.break_off()
        if not await self._all_closed_soon():
            for connection in list(self._connections):
                connection.break_off()
            await self._all_closed_soon()

    async def _all_closed_soon(self) -> bool:
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._all_closed.wait()
        except TimeoutError:
            return False
        return True

    # Called by connections.

    def flush_soon(self, outflow: Outflow) -> None:
        """Flush an outflow at the end of this turn of the event loop."""
        if not self._unflushed:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unflushed.append(outflow)
        if len(self._unflushed) >= _FLUSHED_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for outflow in unflushed:
            outflow.flush()

    def joined(self, connection: HostedConnection) -> Admission:
        """Register a new connection.

        Returns:
            SERVED; REFUSED beyond a limit; CUT if many are being refused already.
        """
        limits, network = self.limits, self._counted_network(connection)
        full = len(self._connections) - len(self._refused) >= limits.connections_limit
        full = full and not self._make_room()
        self._connections.add(connection)
        self._all_closed.clear()
        if full or (network and self._number_of[network] >= limits.connections_per_address_limit):
            admission = Admission.REFUSED if len(self._refused) < _REFUSED_AT_ONCE else Admission.CUT
            self._refused.add(connection)
            return admission
        self._newcomers[connection] = asyncio.get_running_loop().time()
        if network:
            self._number_of[network] += 1
        if self._closing:
            connection.wind_down()
        elif self._stopping:
            connection.retire()
        return Admission.SERVED

    def _make_room(self) -> bool:
        """End the oldest connection that still owes its first request. Returns whether there was one.

        Otherwise clients that send their heads byte by byte, on purpose or not, would keep all others away.
        """
        now = asyncio.get_running_loop().time()
        while self._newcomers:
            connection, joined_at = next(iter(self._newcomers.items()))
            if connection.proven:
                del self._newcomers[connection]
            elif now - joined_at < _NEWCOMER_SECONDS:
                return False
            else:
                connection.break_off()
                self.left(connection)
                return True
        return False

    def left(self, connection: HostedConnection) -> None:
        """Unregister a connection that was closed or handed over; may be called again."""
        self._newcomers.pop(connection, None)
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
            self._all_closed.set()
        self.delegate.on_close(connection)

    def _counted_network(self, connection: HostedConnection) -> str | None:
        """The network that a connection counts for; None if there is no limit, or none for this peer."""
        if not self.limits.connections_per_address_limit or connection.peer.relays:
            return None
        return network_of(connection.peer.remote_ip)
