"""An integrator's server in this process, which gets webhooks."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from standardwebhooks import Webhook
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

PATIENCE_SECONDS = 60


class Got(NamedTuple):
    """A request that was received."""

    path: str
    headers: dict[str, str]
    body: str
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return self.message["type"]

    @property
    def data(self) -> Any:
        return self.message["data"]

    @property
    def place(self) -> tuple[int, int]:
        return self.data["epoch"], self.data["seq"]

    def verified_with(self, secret: str) -> Any:
        """Return the message if the library accepts its signature; raises otherwise."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """Listens on a free port of 127.0.0.1.

    Attributes:
        got: all requests.
        respond: returns the status for a request.
        answer: the body of responses.
        headers: further headers of responses.
        before: awaited before a request is answered.
    """

    def __init__(self, respond: Callable[[Got], int] = lambda got: 204, ssl: Any = None) -> None:
        self.got: list[Got] = []
        self.respond = respond
        self.answer = b""
        self.headers: dict[str, str] = {}
        self.before: Callable[[Got], Awaitable[None]] | None = None
        self._changed = asyncio.Condition()
        self._server = HTTPServer(Application([(".*", _Handler, {"receiver": self})]), ssl_options=ssl)
        (self._socket,) = bind_sockets(0, "127.0.0.1")
        self._server.add_sockets([self._socket])
        self.port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def accepted(self) -> Sequence[Got]:
        """The requests that were answered with success."""
        return [got for got in self.got if 200 <= got.status < 300]

    def of(self, kind: str) -> list[Got]:
        return [got for got in self.accepted if got.type == kind]

    async def until(self, done: Callable[[], object]) -> None:
        """Wait until the requests satisfy a condition."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
                await self._changed.wait_for(done)
        except TimeoutError:
            raise AssertionError([(got.type, got.status, got.data) for got in self.got]) from None

    async def close(self) -> None:
        self._server.stop()
        await self._server.close_all_connections()

    async def receive(self, got: Got) -> int:
        if self.before is not None:
            await self.before(got)
        got = got._replace(status=self.respond(got))
        self.got.append(got)
        async with self._changed:
            self._changed.notify_all()
        return got.status


class _Handler(RequestHandler):
    def initialize(self, receiver: Receiver) -> None:
        self.receiver = receiver

    async def post(self) -> None:
        request = self.request
        headers = {name.lower(): value for name, value in request.headers.get_all()}
        self.set_status(await self.receiver.receive(Got(request.path, headers, request.body.decode(), 0)))
        for name, value in self.receiver.headers.items():
            self.set_header(name, value)
        if self.get_status() != 204:
            self.write(self.receiver.answer)

    def _log(self) -> None:
        """Log no requests; many of them are meant to fail."""

    def log_exception(self, *_: Any) -> None:
        """The client may have hung up."""
