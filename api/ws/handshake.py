"""The way from an HTTP request to a WebSocket.

Tornado judges the request and answers it. Then its handler is done: the connection goes on without it, and
nothing of the request is kept for as long as the socket is open. On our HTTP layer the transport changes its
protocol; from Tornado's own server the socket is taken over by a new transport.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
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
from api.ws.socket import ClientSocket, Opening, SocketServices

_READ_BYTES = 65_536


class UpgradeRequired(ApiError):
    """Only WebSockets are served at this path."""

    status, code = 400, "upgrade_required"

    def __init__(self) -> None:
        super().__init__("Connect here with a WebSocket")


class Handshake(WebSocketHandler):
    """A request that wants to become a WebSocket.

    Attributes:
        route: how the access log and the metrics of HTTP call it.
    """

    route: str

    def initialize(
        self, route: str, services: SocketServices, heartbeat: Heartbeat, speaker: Callable[[], ClientSocket]
    ) -> None:
        """Take the collaborators.

        Args:
            route: how the access log and the metrics of HTTP call it.
            services: what sockets work with.
            heartbeat: of all sockets.
            speaker: makes the client's end at its door.
        """
        self.route = route
        self._services = services
        self._heartbeat = heartbeat
        self._speaker = speaker
        self._deflates = False

    @cached_property
    def request_id(self) -> str:
        """The id of the request in the log and in the answer."""
        return request_id_given(self.request.headers.get(REQUEST_ID_HEADER)) or new_request_id()

    def set_default_headers(self) -> None:
        """Set the header fields that all answers have in common."""
        for name, value in COMMON_HEADERS.fields.items():
            self.set_header(name, value)
        self.set_header(REQUEST_ID_HEADER, self.request_id)

    def prepare(self) -> None:
        """Admit handshakes from pages of this server and of the allow-list."""
        headers = self.request.headers
        origin, host = headers.get("Origin"), headers.get("Host")
        scheme: str | None = cast(Any, self.request.connection).context.scheme
        if not self._services.allowed_origins.admits(origin, host, scheme):
            log_refused_caller(host=host, origin=origin, request_id=self.request_id)
            self._refuse(OriginRefused())
        elif self.request.method == "GET" and headers.get("Upgrade", "").lower() != "websocket":
            self._refuse(UpgradeRequired())

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer what Tornado refuses."""
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
        """Always true: `prepare` has checked the origin."""
        return True

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """What answers the handshake, and agrees to compression if the client offers it."""
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return protocol
        self._deflates = compression.agreed(self.request.headers.get("Sec-WebSocket-Extensions", ""))
        if self._deflates:
            self.set_header("Sec-WebSocket-Extensions", compression.ANSWER)
        return _HandshakeOnly(self, False, protocol.params)

    def detach(self) -> IOStream | None:  # type: ignore[override]
        """The connection as a stream, where it is one; ours is handed over by `open`."""
        return None if isinstance(self.request.connection, RequestConnection) else super().detach()

    async def open(self, *path: str) -> None:
        """The answer is on its way: go on with a socket."""
        limits = self._services.limits
        time = asyncio.get_running_loop().time
        rate = TokenBucket(limits.socket_frames_per_second, limits.socket_frames_at_once, time)
        reader = FrameReader(rate, limits.socket_message_limit_bytes, inflates=self._deflates)
        speaker = self._speaker()
        connection = SocketConnection(speaker, reader, self._heartbeat, limits.socket_outbox_limit_bytes)
        if await self._hand_over(connection):
            speaker.attach(connection, limits.socket_deflate_from_bytes if self._deflates else None)
            query = self.request.query_arguments.items()
            # Bytes that are no text are replaced, so that they are refused as any other wrong value.
            words = {name: values[-1].decode("utf-8", "replace") for name, values in query}
            opening = Opening(path, words, self.request.remote_ip or "", self.request_id)
            connection.begin(speaker.open(opening))
        # A handler and its connection hold each other; so they go at once.
        self.ws_connection = None
        self.on_connection_close()

    async def _hand_over(self, connection: SocketConnection) -> bool:
        """Give a socket its transport. Returns whether the client is still there."""
        request = self.request.connection
        if isinstance(request, RequestConnection):
            return request.hand_over(connection)
        stream = cast(_HandshakeOnly, self.ws_connection).stream
        try:
            await stream.write(b"")  # returns when what was written before has been sent
        except StreamClosedError:
            return False
        taken = socket.socket(fileno=os.dup(stream.socket.fileno()))
        connection.data_received(_read_already(stream))
        stream.close()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, taken)
        return True


def _read_already(stream: IOStream) -> bytes:
    """What has come on a stream without having been asked for."""
    pieces: list[bytes] = []
    with suppress(StreamClosedError):
        while (piece := asyncio.ensure_future(stream.read_bytes(_READ_BYTES, partial=True))).done():
            pieces.append(piece.result())
    return b"".join(pieces)


class _HandshakeOnly(WebSocketProtocol13):
    """Tornado's handshake, after which it has no more to do."""

    def start_pinging(self) -> None:
        """Others do that."""

    async def _receive_frame_loop(self) -> None:
        """Others do that."""
