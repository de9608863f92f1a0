"""Python clients of a server that moves to another port at every restart."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from frontrow_client import AsyncFrontrow, Retries
from tests.acceptance.client import ANSWER_SECONDS
from tests.acceptance.server_process import ServerProcess
from tests.topology import topology

PATIENT = Retries(attempts=2000, first_pause_seconds=0.05, longest_pause_seconds=2.0)
"""Until the server has been restarted, however long that takes."""


class Buyer(AsyncFrontrow):
    """A user of the server. Requests are repeated until they are answered for good.

    Args:
        server: the server.
        http: sends the requests.
        user_id: the user.
    """

    def __init__(self, server: ServerProcess, http: httpx.AsyncClient, user_id: int) -> None:
        self._server = server
        token = server.token(user_id)
        super().__init__(server.url, token, retries=PATIENT, timeout_seconds=ANSWER_SECONDS, http=http)

    @property
    def base_url(self) -> str:
        """The present address of the server."""
        return self._server.url

    @base_url.setter
    def base_url(self, _: str) -> None:
        """The server knows it better."""


@asynccontextmanager
async def buyers_of(server: ServerProcess) -> AsyncIterator[Callable[[int], Buyer]]:
    """Makes buyers by their user ids, who share connections."""
    # As for `http_session`: in a cluster each request may reach another node.
    kept = 0 if topology().is_cluster else None
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=5.0)
    async with httpx.AsyncClient(limits=limits) as http:
        yield lambda user_id: Buyer(server, http, user_id)
