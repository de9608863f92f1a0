"""An HTTP client of one user, with the calls of the two seat guides. A request may remain unanswered."""

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any, NamedTuple

import aiohttp
import orjson

from tests.acceptance.server_process import ServerProcess
from tests.topology import topology

ANSWER_SECONDS = 60.0
"""Client-side timeout. The server answers much sooner, so this is only reached if it is dead or frozen."""


class Unanswered(Exception):
    """The connection failed or no response came, so it is unknown whether the request was executed."""


class Answer(NamedTuple):
    """A response.

    Attributes:
        status: HTTP status.
        document: the decoded JSON body; None if there is none.
        headers: case-insensitive.
    """

    status: int
    document: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The stable code of an error response."""
        return self.document.get("code") if isinstance(self.document, dict) else None


async def _note_sending(_: object, context: Any, __: object) -> None:
    if isinstance(client := context.trace_request_ctx, Client):
        client.sent_at = time.monotonic()


_SENDING = aiohttp.TraceConfig()
_SENDING.on_request_headers_sent.append(_note_sending)


@asynccontextmanager
async def http_session(
    *, new_connections: bool | None = None, answer_seconds: float = ANSWER_SECONDS
) -> AsyncIterator[aiohttp.ClientSession]:
    """An aiohttp session for any number of clients.

    Args:
        new_connections: whether each request has its own connection and so may reach another node; by
            default, if the environment names a cluster.
        answer_seconds: timeout of a request.
    """
    if new_connections is None:
        new_connections = topology().is_cluster
    # Shorter than the server's keep-alive, so that requests do not meet a connection that is being closed.
    connections: Any = {"force_close": True} if new_connections else {"keepalive_timeout": 5.0}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, **connections),
        timeout=aiohttp.ClientTimeout(total=answer_seconds),
        headers={"Content-Type": "application/json"},
        trace_configs=[_SENDING],
    ) as session:
        yield session


class Client:
    """One user of a server; follows the server's address across restarts.

    Args:
        server: the server to send requests to.
        session: the aiohttp session.
        user_id: the user.
        admin: whether the user is an administrator.

    Attributes:
        sent_at: when the latest request left, by the monotonic clock; infinity if it has not, because there
            was no connection yet.
    """

    def __init__(
        self, server: ServerProcess, session: aiohttp.ClientSession, user_id: int, *, admin: bool = False
    ) -> None:
        self.user_id = user_id
        self.holder = f"user:{user_id}"
        self.server = server
        self.sent_at = inf
        self._session = session
        self.token = server.token(user_id, admin=admin)
        self._headers = {"Authorization": f"Bearer {self.token}"}

    async def send(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """Send a request; `key` becomes the Idempotency-Key.

        Raises:
            Unanswered: there was no complete response.
        """
        payload = None if body is None else orjson.dumps(body)
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        url = self.server.url + path
        self.sent_at = inf
        try:
            async with self._session.request(
                method, url, data=payload, headers=headers, trace_request_ctx=self
            ) as answer:
                content = await answer.read()
                return Answer(answer.status, orjson.loads(content) if content else None, answer.headers)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Unanswered from error

    async def reserve(self, screening_id: int, seat_ids: Sequence[int]) -> Answer:
        return await self._select("/api/v1/seat-reservations/reserve", screening_id, seat_ids)

    async def toggle(self, screening_id: int, seat_ids: Sequence[int]) -> Answer:
        """Hold free seats and release one's own."""
        return await self._select("/api/v1/seat-reservations/toggle", screening_id, seat_ids)

    async def release_all(self, screening_id: int) -> Answer:
        """Release all one's holds of a screening."""
        return await self.send("DELETE", f"/api/v1/seat-reservations/cancel/{screening_id}")

    async def book(self, screening_id: int, seat_ids: Sequence[int], payment_id: str) -> Answer:
        """Buy seats that are free or held by this user."""
        return await self._select("/api/v1/tickets/book", screening_id, seat_ids, payment_id=payment_id)

    async def availability(self, screening_id: int) -> list[dict[str, Any]]:
        """Return all seats as everybody sees them."""
        return await self._listed(f"/api/v1/seat-reservations/screening/{screening_id}/availability")

    async def own_availability(self, screening_id: int) -> list[dict[str, Any]]:
        """Return all seats as this user sees them."""
        return await self._listed(f"/api/v1/seat-reservations/screening/{screening_id}/availability/me")

    async def clean_up(self) -> Answer:
        """Release expired holds now."""
        return await self.send("POST", "/api/v1/seat-reservations/cleanup")

    async def metrics(self, name: str) -> dict[str, float]:
        """Return the values of a metric by their labels, in the format of the metrics page.

        The values of all nodes and workers are added.
        """
        values: dict[str, float] = {}
        for url in self.server.node_urls:
            async with self._session.get(url + "/metrics") as answer:
                lines = (await answer.text()).splitlines()
            samples = (line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith(name))
            for labels, value in samples:
                if labels[:1] in ("", "{"):
                    labels = re.sub(r',?worker="\d+"', "", labels).replace("{,", "{").replace("{}", "")
                    values[labels] = values.get(labels, 0) + float(value)
        return values

    async def metric(self, name: str) -> float:
        """Return the value of a metric without labels."""
        return (await self.metrics(name))[""]

    async def _select(self, path: str, screening_id: int, seat_ids: Sequence[int], **more: object) -> Answer:
        body = {"screening_id": screening_id, "seat_ids": list(seat_ids), **more}
        return await self.send("POST", path, body)

    async def _listed(self, path: str) -> list[dict[str, Any]]:
        answer = await self.send("GET", path)
        assert answer.status == 200, answer
        listed: list[dict[str, Any]] = answer.document
        return listed
