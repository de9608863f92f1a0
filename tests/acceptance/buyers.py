"""Users of a server that moves to another port at every restart, with the clients that users have."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import httpx

from frontrow_client import AsyncFrontrow, Retries
from tests.acceptance.client import ANSWER_SECONDS
from tests.topology import topology

PATIENT = Retries(attempts=2000, first_pause_seconds=0.05, longest_pause_seconds=2.0)
"""Until the server has been restarted, however long that takes."""

ONCE = Retries(attempts=1)
"""For tests that want to know what becomes of a single request."""


class Addressed(Protocol):
    """Anything that leads to a server."""

    @property
    def url(self) -> str:
        """The present address."""


class Serving(Addressed, Protocol):
    """A server, or a cluster."""

    def token(self, user_id: int, *, admin: bool = False) -> str:
        """Return a token of a user."""


class Buyer(AsyncFrontrow):
    """A user of a server.

    Args:
        server: the server.
        http: sends the requests.
        user_id: the user.
        admin: whether the user is an administrator.
        retries: by default requests are repeated until they are answered for good.
        network: leads to the server; by default the server itself.
        timeout_seconds: of a request. The server answers sooner, unless it is dead or frozen.
    """

    def __init__(
        self,
        server: Serving,
        http: httpx.AsyncClient,
        user_id: int,
        *,
        admin: bool = False,
        retries: Retries = PATIENT,
        network: Addressed | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.server = server
        self._address = server if network is None else network
        self.user_id = user_id
        self.holder = f"user:{user_id}"
        token = server.token(user_id, admin=admin)
        super().__init__(self.base_url, token, retries=retries, timeout_seconds=timeout_seconds, http=http)

    @property
    def base_url(self) -> str:
        """The present address of the server."""
        return self._address.url

    @base_url.setter
    def base_url(self, _: str) -> None:
        """The server knows it better."""


@asynccontextmanager
async def http_client(*, new_connections: bool | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Connections that any number of buyers share.

    Args:
        new_connections: whether each request has its own connection and so may reach another node; by
            default, if the environment names a cluster.
    """
    if new_connections is None:
        new_connections = topology().is_cluster
    # Kept for less time than by the server, so that requests do not meet a connection that is being closed.
    kept = {"max_keepalive_connections": 0 if new_connections else None, "keepalive_expiry": 5.0}
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None, **kept)) as http:
        yield http


@asynccontextmanager
async def buyers_of(server: Serving, retries: Retries = PATIENT) -> AsyncIterator[Callable[..., Buyer]]:
    """Makes buyers by their user ids, who share connections."""
    async with http_client() as http:
        yield partial(Buyer, server, http, retries=retries)
