"""The WebSocket handshake (RFC 6455, section 4.2): turns an HTTP request into a `SocketConnection`.

Tornado's handler of WebSockets is not used: what it costs per handshake decides how long it takes until all
clients are back after a restart. With our own HTTP layer the transport switches its protocol; with Tornado's
server the socket is handed over to a new transport. Nothing of the request stays in memory.
"""

import asyncio
import logging
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from hashlib import sha1
from http.client import responses
from time import monotonic, time
from typing import Any, cast

import orjson
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.routing import Router

from api.bodies import MEDIA_TYPE
from api.errors import ApiError, MethodNotAllowed
from api.http1.common_headers import (
    COMMON_HEADERS,
    REQUEST_ID_HEADER,
    http_date,
    new_request_id,
    request_id_given,
)
from api.http1.connection import RequestConnection, send_answer
from api.http1.errors import MalformedRequest
from api.identity.errors import OriginRefused
from api.json_log import log_refused_caller
from api.limiter import TokenBucket
from api.ws import compression
from api.ws.connection import SocketConnection
from api.ws.frames import FrameReader
from api.ws.heartbeat import Heartbeat
from api.ws.socket import ClientSocket, HandshakeRequest, SocketServices

log = logging.getLogger("frontrow.api")

_READ_BYTES = 65_536
_VERSION = "13"
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class UpgradeRequired(ApiError):
    """A request without an upgrade to WebSocket was sent to a WebSocket endpoint."""

    status, code = 400, "upgrade_required"
    detail = "This is a WebSocket endpoint; connect to it with a WebSocket client"


class VersionRefused(ApiError):
    """The client does not speak the version of the protocol that RFC 6455 defines."""

    status, code = 426, "upgrade_required"
    detail = f"Only version {_VERSION} of the WebSocket protocol is served"
    headers = {"Sec-WebSocket-Version": _VERSION}  # noqa: RUF012 - as in the base class


class SocketEndpoint(Router):
    """A WebSocket endpoint, as a target of Tornado's routing.

    Args:
        route: name of the route in the access log and the HTTP metrics.
        services: collaborators of all sockets.
        heartbeat: pings all sockets.
        handler: creates the object that handles the socket's messages.
    """

    def __init__(
        self, route: str, services: SocketServices, heartbeat: Heartbeat, handler: Callable[[], ClientSocket]
    ) -> None:
        self.route = route
        self.services = services
        self._heartbeat = heartbeat
        self._handler = handler
        self._handing_over: set[asyncio.Task[None]] = set()

    def find_handler(
        self, request: HTTPServerRequest, path_args: Sequence[bytes] = (), **_: Any
    ) -> "Handshake":
        """Return the object that answers a request."""
        return Handshake(self, request, path_args)

    def new_socket(self, *, deflates: bool) -> tuple[ClientSocket, SocketConnection]:
        """Return a socket, and its connection, which has no transport yet."""
        limits = self.services.limits
        rate = TokenBucket(limits.socket_frames_per_second, limits.socket_frames_at_once, monotonic)
        reader = FrameReader(rate, limits.socket_message_limit_bytes, inflates=deflates)
        handler = self._handler()
        return handler, SocketConnection(handler, reader, self._heartbeat, limits.socket_outbox_limit_bytes)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Hand a connection of Tornado's server over, in a task."""
        task = asyncio.create_task(work)
        self._handing_over.add(task)
        task.add_done_callback(self._handing_over.discard)


class Handshake(HTTPMessageDelegate):
    """Answers one request to an endpoint, when its turn has come (`api.overload`).

    Args:
        endpoint: the endpoint.
        request: the request, without its body, which is ignored.
        path: the path parameters.
    """

    def __init__(self, endpoint: SocketEndpoint, request: HTTPServerRequest, path: Sequence[bytes]) -> None:
        self._endpoint = endpoint
        self._request = request
        self._raw_path = path
        given = request_id_given(request.headers.get(REQUEST_ID_HEADER))
        self._named = given is not None
        self._request_id = given or new_request_id()

    def finish(self) -> None:
        """Check the request; open the socket at its turn, or answer why not."""
        try:
            self._path = self._decoded_path()
            self._require_allowed_origin()
            self._require_handshake()
            wait_seconds = self._endpoint.services.overload.handshake_wait_seconds()
        except ApiError as refusal:
            self._refuse(refusal)
        else:
            if wait_seconds > 0:
                asyncio.get_running_loop().call_later(wait_seconds, self._open)
            else:
                self._open()

    # Whether the client may open a socket

    def _decoded_path(self) -> tuple[str, ...]:
        try:
            return tuple([parameter.decode() for parameter in self._raw_path])
        except UnicodeDecodeError:
            raise MalformedRequest("the path is not valid") from None

    def _require_allowed_origin(self) -> None:
        headers = self._request.headers
        origin, host = headers.get("Origin"), headers.get("Host")
        scheme: str | None = cast(Any, self._request.connection).context.scheme
        if not self._endpoint.services.allowed_origins.admits(origin, host, scheme):
            log_refused_caller(host=host, origin=origin, request_id=self._request_id)
            raise OriginRefused

    def _require_handshake(self) -> None:
        headers = self._request.headers
        if self._request.method != "GET":
            raise MethodNotAllowed(("GET",))
        options = [option.strip() for option in headers.get("Connection", "").lower().split(",")]
        if headers.get("Upgrade", "").lower() != "websocket" or "upgrade" not in options:
            raise UpgradeRequired
        if headers.get("Sec-Websocket-Version") != _VERSION:
            raise VersionRefused
        if not headers.get("Sec-Websocket-Key"):
            raise MalformedRequest("the field Sec-WebSocket-Key is missing")

    # Answering

    def _open(self) -> None:
        try:
            self._accept()
        except Exception:
            # Nobody else would answer, or end the connection.
            log.exception("handshake %s failed", self._request_id)
            connection = cast(Any, self._request.connection)
            if isinstance(connection, RequestConnection):
                connection.break_off()
            else:
                connection.close()

    def _accept(self) -> None:
        headers, connection = self._request.headers, cast(Any, self._request.connection)
        self._deflates = compression.agreed(headers.get("Sec-Websocket-Extensions", ""))
        fields = {
            **self._usual_fields,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": _accept_value(headers["Sec-Websocket-Key"]),
        }
        if self._deflates:
            fields["Sec-WebSocket-Extensions"] = compression.ANSWER
        handler, successor = self._endpoint.new_socket(deflates=self._deflates)
        if not isinstance(connection, RequestConnection):
            self._endpoint.run(self._take_over(connection, fields, handler, successor))
        elif connection.switch(COMMON_HEADERS, fields, successor):
            self._begin(handler, successor)
        self._log(101)

    def _begin(self, handler: ClientSocket, connection: SocketConnection) -> None:
        request = self._request
        # Invalid UTF-8 is replaced; validation then refuses it like any other wrong value.
        query = {
            name: values[-1].decode("utf-8", "replace") for name, values in request.query_arguments.items()
        }
        handshake = HandshakeRequest(
            self._path, query, request.remote_ip or "", self._request_id, self._named
        )
        from_bytes = self._endpoint.services.limits.socket_deflate_from_bytes
        handler.attach(connection, from_bytes if self._deflates else None)
        connection.begin(handler.open(handshake))

    async def _take_over(
        self,
        connection: HTTP1Connection,
        fields: dict[str, str],
        handler: ClientSocket,
        successor: SocketConnection,
    ) -> None:
        """Answer on Tornado's connection, and take its socket."""
        line = ResponseStartLine("HTTP/1.1", 101, responses[101])
        try:
            await connection.write_headers(line, HTTPHeaders({**COMMON_HEADERS.fields, **fields}))
            connection.finish()
            stream = connection.detach()
            await stream.write(b"")  # returns once everything written before has been sent
        except StreamClosedError:
            return
        taken = socket.socket(fileno=os.dup(stream.socket.fileno()))
        successor.data_received(_buffered_bytes(stream))
        stream.close()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: successor, taken)
        self._begin(handler, successor)

    def _refuse(self, error: ApiError) -> None:
        document, status, headers = error.problem
        content = orjson.dumps(document)
        fields = {
            **headers,
            **self._usual_fields,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(content)),
        }
        if self._request.method == "HEAD":
            content = b""
        send_answer(cast(Any, self._request.connection), status, COMMON_HEADERS, fields, content)
        self._log(status)

    @property
    def _usual_fields(self) -> dict[str, str]:
        return {"Date": http_date(int(time())), REQUEST_ID_HEADER: self._request_id}

    def _log(self, status: int) -> None:
        request = self._request
        self._endpoint.services.access_log.finished(
            method=request.method or "",
            route=self._endpoint.route,
            path=request.path,
            status=status,
            seconds=request.request_time(),
            address=request.remote_ip or "",
            request_id=self._request_id,
        )


def _accept_value(key: str) -> str:
    """Return the proof that the server speaks the protocol (RFC 6455, section 4.2.2)."""
    return b64encode(sha1(key.encode("latin-1") + _KEY_SUFFIX, usedforsecurity=False).digest()).decode()


def _buffered_bytes(stream: IOStream) -> bytes:
    """Return the bytes that a stream has already read from its socket."""
    pieces: list[bytes] = []
    with suppress(StreamClosedError):
        while (piece := asyncio.ensure_future(stream.read_bytes(_READ_BYTES, partial=True))).done():
            pieces.append(piece.result())
    return b"".join(pieces)
