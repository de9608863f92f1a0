"""Connections on a PROXY protocol port: reads the header, then hands the transport to `Http1Protocol`."""

import asyncio
import logging
from typing import cast

from api.http1.deadline import Deadline
from api.http1.host import Admission, Host
from api.http1.peer import Peer
from api.http1.protocol import Http1Protocol
from api.http1.proxy_protocol import HEAD, HEAD_LIMIT_BYTES, MalformedProxyHeader, header_bytes, source_of

log = logging.getLogger("frontrow.http")


class ProxiedProtocol(asyncio.Protocol):
    """Reads the PROXY header and hands the transport over; closes connections that no trusted proxy made.

    Args:
        host: the server.

    Attributes:
        peer: the proxy.
    """

    peer: Peer
    busy = False

    def __init__(self, host: Host) -> None:
        self._host = host
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = self._host.proxies.peer(transport.get_extra_info("peername"))
        self._deadline = Deadline(asyncio.get_running_loop(), self.break_off)
        self._deadline.set(self._host.limits.header_timeout_seconds)
        if self._host.joined(self) is not Admission.SERVED:
            self.break_off()
        elif not self.peer.relays:
            self._reject("the peer is not a trusted proxy")

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._received += data
        try:
            source, length = self._read()
        except MalformedProxyHeader as error:
            self._reject(str(error))
            return
        if length:
            self._hand_over(source, self._received[length:])

    def _read(self) -> tuple[str | None, int]:
        """The client's address, if the header has one, and the header's length; 0 until it is complete."""
        head = HEAD.match(self._received)
        if head is None:
            if len(self._received) > HEAD_LIMIT_BYTES:
                raise MalformedProxyHeader("its PROXY line is too long")
            return None, 0
        length = header_bytes(head[0])
        if len(self._received) < length:
            return None, 0
        return source_of(self._received[:length]), length

    def _hand_over(self, source: str | None, unread: bytes) -> None:
        self._deadline.cancel()
        successor = Http1Protocol(self._host, self._host.proxies.announced(self.peer, source))
        self._transport.set_protocol(successor)
        self._host.left(self)
        successor.connection_made(self._transport)
        if unread:
            successor.data_received(unread)

    def _reject(self, reason: str) -> None:
        log.info("closed a connection from %s to a PROXY protocol port: %s", self.peer, reason)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._host.left(self)

    # Called by the server.

    @property
    def proven(self) -> bool:
        """False: the connection that succeeds this one gets the requests."""
        return False

    def retire(self) -> None:
        """Do nothing: the connection that succeeds this one is retired when it joins."""

    def wind_down(self) -> None:
        """Close: there is no request to finish."""
        self._transport.close()

    def break_off(self) -> None:
        """Abort the connection."""
        self._transport.abort()
