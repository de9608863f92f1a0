"""The WebSocket handshake: turns an HTTP request into a `SocketConnection`.

Tornado validates the request and sends the response. After that its handler is discarded, so that an open
socket keeps nothing of the request in memory. With our own HTTP layer the transport switches its protocol;
with Tornado's server the socket is handed over to a new transport.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from time import monotonic
from typing import Any, cast

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from api.errors import ApiError, InternalError, MethodNotAllowed
from api.http1.common_headers import COMMON_HEADERS, REQUEST_ID_HEADER, new_request_id, request_id_given
from api.http1.connection import RequestConnection
from api.http1.errors import MalformedRequest
from api.identity.errors import OriginRefused
from api.json_log import log_refused_caller
from api.limiter import TokenBucket
from api.ws import compression
from api.ws.connection import SocketConnection
from api.ws.frames import FrameReader
from api.ws.heartbeat import Heartbeat
from api.ws.socket import ClientSocket, HandshakeRequest, SocketServices

_READ_BYTES = 65_536


class UpgradeRequired(ApiError):
    """A request without an upgrade to WebSocket was sent to a WebSocket endpoint."""

    status, code = 400, "upgrade_required"
    detail = "This is a WebSocket endpoint; connect to it with a WebSocket client"


class Handshake(WebSocketHandler):
    """Handles requests to WebSocket endpoints.

    Attributes:
        route: name of the route in the access log and the HTTP metrics.
    """

    route: str

    def initialize(
        self, route: str, services: SocketServices, heartbeat: Heartbeat, handler: Callable[[], ClientSocket]
    ) -> None:
        """Set the collaborators.

        Args:
            route: name of the route in the access log and the HTTP metrics.
            services: collaborators of all sockets.
            heartbeat: pings all sockets.
            handler: creates the object that handles the socket's messages.
        """
        self.route = route
        self._services = services
        self._heartbeat = heartbeat
        self._handler = handler
        self._deflates = False

    @cached_property
    def request_id(self) -> str:
        """Id of the request in the log and in the response."""
        return request_id_given(self.request.headers.get(REQUEST_ID_HEADER)) or new_request_id()

    def set_default_headers(self) -> None:
        for name, value in COMMON_HEADERS.fields.items():
            self.set_header(name, value)
        self.set_header(REQUEST_ID_HEADER, self.request_id)

    def prepare(self) -> None:
        """Refuse handshakes from pages whose origin is not allowed, and requests without an upgrade."""
        headers = self.request.headers
        origin, host = headers.get("Origin"), headers.get("Host")
        scheme: str | None = cast(Any, self.request.connection).context.scheme
        if not self._services.allowed_origins.admits(origin, host, scheme):
            log_refused_caller(host=host, origin=origin, request_id=self.request_id)
            self._refuse(OriginRefused())
        elif self.request.method == "GET" and headers.get("Upgrade", "").lower() != "websocket":
            self._refuse(UpgradeRequired())
        elif not (overload := self._services.overload).admits_handshake():
            self._refuse(overload.refusal())

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer requests that Tornado refuses."""
        if status_code == MethodNotAllowed.status:
            self._refuse(MethodNotAllowed(("GET",)))
        elif status_code == MalformedRequest.status:
            self._refuse(MalformedRequest("the path is not valid"))
        else:
            self._refuse(InternalError(self.request_id))

    def _refuse(self, error: ApiError) -> None:
        document, status, headers = error.problem
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(document)

    def check_origin(self, origin: str) -> bool:
        """Return True, since `prepare` has checked the origin."""
        return True

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Return the protocol that answers the handshake; accepts compression if the client offers it."""
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return protocol
        self._deflates = compression.agreed(self.request.headers.get("Sec-WebSocket-Extensions", ""))
        if self._deflates:
            self.set_header("Sec-WebSocket-Extensions", compression.ANSWER)
        return _HandshakeOnly(self, False, protocol.params)

    def detach(self) -> IOStream | None:  # type: ignore[override]
        """Return the connection's stream; None with our own HTTP layer, whose transport `open` hands over."""
        return None if isinstance(self.request.connection, RequestConnection) else super().detach()

    async def open(self, *path: str) -> None:
        """Replace the handler by a socket connection; called after the response has been written."""
        limits = self._services.limits
        rate = TokenBucket(limits.socket_frames_per_second, limits.socket_frames_at_once, monotonic)
        reader = FrameReader(rate, limits.socket_message_limit_bytes, inflates=self._deflates)
        handler = self._handler()
        connection = SocketConnection(handler, reader, self._heartbeat, limits.socket_outbox_limit_bytes)
        if await self._hand_over(connection):
            handler.attach(connection, limits.socket_deflate_from_bytes if self._deflates else None)
            query = self.request.query_arguments.items()
            # Invalid UTF-8 is replaced; validation then refuses it like any other wrong value.
            last_values = {name: values[-1].decode("utf-8", "replace") for name, values in query}
            named = request_id_given(self.request.headers.get(REQUEST_ID_HEADER)) is not None
            handshake = HandshakeRequest(
                path, last_values, self.request.remote_ip or "", self.request_id, named
            )
            connection.begin(handler.open(handshake))
        # Breaks the reference cycle between handler and connection, so that both are freed immediately.
        self.ws_connection = None
        self.on_connection_close()

    async def _hand_over(self, connection: SocketConnection) -> bool:
        """Give the connection its transport. Returns False if the client has disconnected."""
        request = self.request.connection
        if isinstance(request, RequestConnection):
            return request.hand_over(connection)
        stream = cast(_HandshakeOnly, self.ws_connection).stream
        try:
            await stream.write(b"")  # returns once everything written before has been sent
        except StreamClosedError:
            return False
        taken = socket.socket(fileno=os.dup(stream.socket.fileno()))
        connection.data_received(_buffered_bytes(stream))
        stream.close()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, taken)
        return True


def _buffered_bytes(stream: IOStream) -> bytes:
    """Return the bytes that a stream has already read from its socket."""
    pieces: list[bytes] = []
    with suppress(StreamClosedError):
        while (piece := asyncio.ensure_future(stream.read_bytes(_READ_BYTES, partial=True))).done():
            pieces.append(piece.result())
    return b"".join(pieces)


class _HandshakeOnly(WebSocketProtocol13):
    """Tornado's handshake without its pings and its receive loop, which `SocketConnection` replaces."""

    def start_pinging(self) -> None:
        pass

    async def _receive_frame_loop(self) -> None:
        pass
