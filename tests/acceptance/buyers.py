"""Users of a server that moves to another port at every restart, with the clients that users have."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import httpx

from frontrow_client import AsyncFrontrow, Retries
from tests.acceptance.client import ANSWER_SECONDS
from tests.topology import topology

PATIENT = Retries(attempts=2000, first_pause_seconds=0.05, longest_pause_seconds=2.0)
"""Retries until the server has been restarted, however long that takes."""

ONCE = Retries(attempts=1)
"""No retries, for tests of the outcome of a single request."""


class Addressed(Protocol):
    """A server, or anything that leads to one."""

    @property
    def url(self) -> str:
        """The present address."""


class Serving(Addressed, Protocol):
    """A server, or a cluster."""

    def token(self, user_id: int, *, admin: bool = False) -> str:
        """Return a token of a user."""


BuyerOf = Callable[..., "Buyer"]
"""Makes the buyer with a user id; takes the options of `Buyer`."""

_NONE_IS_KEPT = httpx.Limits(max_keepalive_connections=0)
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Saves httpx the time to read certificates."""


class Buyer(AsyncFrontrow):
    """A user of a server, with connections of their own.

    Args:
        server: the server.
        user_id: the user.
        admin: whether the user is an administrator.
        retries: by default requests are repeated until they are answered for good.
        network: leads to the server; by default the server itself.
        timeout_seconds: of a request. The server answers sooner, unless it is dead or frozen.
        new_connections: whether each request has its own connection and so may reach another node; by
            default, if the environment names a cluster.
    """

    def __init__(
        self,
        server: Serving,
        user_id: int,
        *,
        admin: bool = False,
        retries: Retries = PATIENT,
        network: Addressed | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
        new_connections: bool | None = None,
    ) -> None:
        self.server = server
        self._address = server if network is None else network
        self.user_id = user_id
        self.holder = f"user:{user_id}"
        if new_connections is None:
            new_connections = topology().is_cluster
        http = httpx.AsyncClient(limits=_NONE_IS_KEPT, verify=_NO_TLS) if new_connections else None
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
async def buyers_of(server: Serving, retries: Retries = PATIENT, **options: Any) -> AsyncIterator[BuyerOf]:
    """Makes buyers by their user ids, and closes them in the end.

    Args:
        server: the server.
        retries: of the buyers.
        options: others of `Buyer`, which may also be given for each.
    """
    async with AsyncExitStack() as opened:

        def buyer(user_id: int, **more: Any) -> Buyer:
            made = Buyer(server, user_id, **{"retries": retries, **options, **more})
            opened.push_async_exit(made)
            return made

        yield buyer
