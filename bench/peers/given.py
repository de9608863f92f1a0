"""The parameters of a peer, and the code that peers share."""

import asyncio
import socket
from typing import Any, NamedTuple

from tornado.httpserver import HTTPServer
from tornado.web import Application

from api.identity.tokens import InvalidToken, Tokens


class Given(NamedTuple):
    """The parameters of a peer. Sent to its process as JSON.

    Attributes:
        descriptor: of the socket that it listens on.
        secret: the key of tokens.
        database_url: a PostgreSQL database of its own, if it needs one.
    """

    descriptor: int
    secret: str
    database_url: str = ""

    @property
    def listening(self) -> socket.socket:
        """The socket, bound and listening."""
        return socket.socket(fileno=self.descriptor)


class Callers:
    """Identifies callers by the value of their Authorization header."""

    def __init__(self, given: Given) -> None:
        self._tokens = Tokens(given.secret)

    def user_id(self, authorization: str) -> int | None:
        """Return the id of the caller; None if the token is missing or invalid."""
        scheme, _, token = authorization.partition(" ")
        try:
            return self._tokens.verify(token).user_id if scheme.lower() == "bearer" else None
        except InvalidToken:
            return None


async def serve_tornado(route: tuple[Any, ...], given: Given) -> None:
    """Serve an application with one route by Tornado's own server, without an access log."""
    server = HTTPServer(Application([route], log_function=lambda handler: None))
    server.add_socket(given.listening)
    await asyncio.Event().wait()


async def serve_asgi(application: Any, given: Given, **options: Any) -> None:
    """Serve an ASGI application by uvicorn, with further options of `uvicorn.Config`."""
    import uvicorn  # the other peers run without it

    config = uvicorn.Config(
        application, http="httptools", ws="none", access_log=False, log_level="warning", **options
    )
    await uvicorn.Server(config).serve(sockets=[given.listening])
