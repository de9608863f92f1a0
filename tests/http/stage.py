"""A small application on either HTTP layer, and a client that sends and reads raw bytes.

The client has its own parser of responses, so that no code of the server is on both ends of the connection.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
import uvloop
from tornado.iostream import StreamClosedError
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler, stream_request_body
from websockets.frames import Opcode

from api.access_log import AccessLog
from api.http1.http_server import HTTPTOOLS, TORNADO, make_http_server
from api.http1.refusal import RejectedRequest
from api.http1.trusted_proxies import NO_PROXIES, TrustedProxies
from api.identity.origins import AllowedOrigins
from api.limits import Limits, SocketLimits
from api.overload import Overload
from api.ws.connection import SocketConnection
from api.ws.frames import FINAL, frame
from api.ws.handshake import SocketEndpoint
from api.ws.heartbeat import Heartbeat
from api.ws.socket import HandshakeRequest
from engine.memory import ManualClock
from tests.api.venue import RecordingHttpObserver

LAYERS = (HTTPTOOLS, TORNADO)
LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)

on_both_loops = pytest.mark.parametrize("io_loop", LOOPS, ids=["asyncio", "uvloop"], indirect=True)
"""Runs a test on both event loops, if its behaviour depends partly on the loop."""

LONG_RESPONSE_BYTES = 16 * 1024 * 1024
PATIENCE_SECONDS = 60


class Echo(RequestHandler):
    """Answers with the request that it received."""

    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PURGE")

    def prepare(self) -> None:
        request = self.request
        fields = {name: values for name in request.headers if (values := request.headers.get_list(name))}
        body = request.body.decode("latin-1")
        document = {"method": request.method, "target": request.uri, "body": body, "fields": fields}
        document |= {"address": request.remote_ip}
        self.finish(document if request.method != "HEAD" else "")


class Status(RequestHandler):
    """Answers with a status, and without a body if that status has none."""

    def get(self, status: str) -> None:
        self.set_status(int(status))
        self.finish()


class Parts(RequestHandler):
    """Answers in parts without announcing their number."""

    async def get(self) -> None:
        for part in ("one ", "two ", "three"):
            self.write(part)
            await self.flush()


class Long(RequestHandler):
    """Sends a long response as fast as the client reads."""

    sent_bytes = 0
    cut_off = asyncio.Event()

    async def get(self) -> None:
        part = b"x" * 65_536
        self.set_header("Content-Length", LONG_RESPONSE_BYTES)
        try:
            for _ in range(LONG_RESPONSE_BYTES // len(part)):
                self.write(part)
                await self.flush()
                Long.sent_bytes += len(part)
        except StreamClosedError:
            Long.cut_off.set()


class Later(RequestHandler):
    """Answers when the test sets `go_on`."""

    begun = asyncio.Event()
    go_on = asyncio.Event()
    client_left = asyncio.Event()

    async def get(self) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.write("at last")

    def on_connection_close(self) -> None:
        self.client_left.set()


class Defect(RequestHandler):
    """Announces a longer body than it sends."""

    def get(self) -> None:
        self.set_header("Content-Length", 10)
        self.write("short")
        self.flush()


class Torn(RequestHandler):
    """Writes a line break into a header field."""

    def get(self) -> None:
        self._headers["X-Torn"] = "a\r\n\r\nb"


@stream_request_body
class Upload(RequestHandler):
    """Reads its body in pieces, at its own speed."""

    def prepare(self) -> None:
        self.sizes: list[int] = []
        self.request.connection.set_max_body_size(10_000_000)

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self.sizes.append(len(chunk))

    def post(self) -> None:
        self.write({"bytes": sum(self.sizes), "pieces": len(self.sizes)})


@stream_request_body
class Hasty(RequestHandler):
    """Answers before the body has arrived."""

    def prepare(self) -> None:
        self.set_status(403)
        self.finish("no")

    def data_received(self, chunk: bytes) -> None:
        raise AssertionError("the body was not requested")


class Echoing:
    """Echoes every message."""

    connection: SocketConnection

    def attach(self, connection: SocketConnection, deflate_from_bytes: int | None) -> None:
        self.connection = connection

    async def open(self, handshake: HandshakeRequest) -> None:
        """Admit the client."""

    def on_message(self, message: str | bytes) -> None:
        binary = isinstance(message, bytes)
        opcode = Opcode.BINARY if binary else Opcode.TEXT
        self.connection.outbox.send(frame(FINAL | opcode, message if binary else message.encode()))

    def on_overflow(self) -> None:
        raise AssertionError("the client reads")

    def on_close(self) -> None:
        """Nothing to do."""


def defective() -> Echoing:
    """Make no handler of a socket."""
    raise ZeroDivisionError


@dataclass
class Sockets:
    """The services that a handshake needs."""

    access_log = AccessLog(RecordingHttpObserver())
    overload = Overload()
    allowed_origins = AllowedOrigins(())
    limits = SocketLimits(
        socket_message_limit_bytes=1_000_000, socket_outbox_limit_bytes=1_000_000, socket_frames_at_once=1000
    )


@dataclass
class Answer:
    """A response, final or interim.

    Attributes:
        fields: names in lower case; values of repeated fields are joined.
        ended_by_close: whether the body only ends with the connection.
    """

    status: int
    version: str
    fields: dict[str, str]
    body: bytes
    ended_by_close: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A client that sends raw bytes and parses responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_in_pieces(self, *pieces: bytes) -> None:
        """Send each piece after the server has had time to read the previous ones."""
        for piece in pieces:
            self.writer.write(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    def end(self) -> None:
        """Close the sending side and continue to read."""
        self.writer.write_eof()

    async def answer(self, *, to_head: bool = False) -> Answer | None:
        """Return the next response, or None if the connection has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                assert error.partial == b"", "the connection ended within a head"
                return None
            except ConnectionResetError:
                return None
            answer = _parsed(head)
            if to_head or answer.status < 200 or answer.status in (204, 304):
                return answer
            if "transfer-encoding" in answer.fields:
                assert answer.fields["transfer-encoding"] == "chunked"
                assert "content-length" not in answer.fields
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    answer.body += await self.reader.readexactly(size)
                    assert await self.reader.readexactly(2) == b"\r\n"
                assert await self.reader.readexactly(2) == b"\r\n"
            elif "content-length" in answer.fields:
                answer.body = await self.reader.readexactly(int(answer.fields["content-length"]))
            else:
                answer.body = await self.reader.read()
                answer.ended_by_close = True
            return answer

    async def answers(self) -> list[Answer]:
        """Return all responses until the connection ends."""
        found = []
        while answer := await self.answer():
            found.append(answer)
        return found

    async def ended(self) -> bool:
        """Return whether the connection ends without further bytes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


def _parsed(head: bytes) -> Answer:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    version, status, _ = first.split(" ", 2)
    fields: dict[str, str] = {}
    for line in lines:
        name, value = line.split(": ", 1)
        name = name.lower()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Answer(int(status), version, fields, b"")


class Stage:
    """The application, listening.

    Args:
        layer: the HTTP layer.
        limits: limits of requests.
        proxies: the trusted proxies.
    """

    def __init__(
        self, layer: str, limits: Limits | None = None, proxies: TrustedProxies = NO_PROXIES
    ) -> None:
        self.refusals: list[RejectedRequest] = []
        heartbeat = Heartbeat(ManualClock(), 20.0)
        services = cast(Any, Sockets())
        sockets = SocketEndpoint("/socket", services, heartbeat, cast(Any, Echoing))
        no_sockets = SocketEndpoint("/no-socket", services, heartbeat, cast(Any, defective))
        application = Application(
            [
                ("/status/([0-9]+)", Status),
                ("/parts", Parts),
                ("/long", Long),
                ("/later", Later),
                ("/defect", Defect),
                ("/torn", Torn),
                ("/upload", Upload),
                ("/hasty", Hasty),
                ("/socket", sockets),
                ("/no-socket", no_sockets),
                (".*", Echo),
            ]
        )
        Later.begun, Later.go_on, Later.client_left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        Long.sent_bytes, Long.cut_off = 0, asyncio.Event()
        self.server = make_http_server(application, limits or Limits(), self.refusals.append, layer, proxies)
        listening, self.port = bind_unused_port()
        self.server.add_sockets([listening])
        listening, self.proxied_port = bind_unused_port()
        self.server.add_sockets([listening], proxied=True)

    @asynccontextmanager
    async def connected(
        self, *, buffer_bytes: int = 65_536, proxied: bool = False
    ) -> AsyncIterator[Connection]:
        """Connect a client with buffers of about this size, to either port."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(
                sock, ("127.0.0.1", self.proxied_port if proxied else self.port)
            )
        except OSError:
            sock.close()
            raise
        connection = Connection(*await asyncio.open_connection(sock=sock, limit=buffer_bytes))
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        self.server.stop()
        await self.server.close_all_connections()
