"""A user's client over HTTP, as the two seat guides describe it, which may remain without an answer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import orjson

from tests.acceptance.server_process import ServerProcess

ANSWER_SECONDS = 60.0
"""How long a client waits. The server promises an answer long before, so this is only met by the dead."""


class Unanswered(Exception):
    """The connection failed, or no answer came: whether the request was carried out is not known."""


class Answer(NamedTuple):
    """What the server said.

    Attributes:
        status: of HTTP.
        document: the body, decoded; None where there is none.
        headers: without regard to case.
    """

    status: int
    document: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The stable code of a refusal."""
        return self.document.get("code") if isinstance(self.document, dict) else None


@asynccontextmanager
async def http_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for any number of clients, kept alive between requests."""
    async with aiohttp.ClientSession(
        # Shorter than the server keeps an idle connection, or a request may meet its end.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=5.0),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        headers={"Content-Type": "application/json"},
    ) as session:
        yield session


class Client:
    """One user of a server, wherever it listens after its latest start.

    Args:
        server: whom to ask.
        session: connections.
        user_id: who asks.
        admin: whether that is an administrator.
    """

    def __init__(
        self, server: ServerProcess, session: aiohttp.ClientSession, user_id: int, *, admin: bool = False
    ) -> None:
        self.user_id = user_id
        self.holder = f"user:{user_id}"
        self.server = server
        self._session = session
        self._headers = {"Authorization": f"Bearer {server.token(user_id, admin=admin)}"}

    async def send(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """Make a request; `key` goes as Idempotency-Key.

        Raises:
            Unanswered: there was no whole answer.
        """
        payload = None if body is None else orjson.dumps(body)
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        try:
            async with self._session.request(
                method, self.server.url + path, data=payload, headers=headers
            ) as answer:
                content = await answer.read()
                return Answer(answer.status, orjson.loads(content) if content else None, answer.headers)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Unanswered from error

    async def reserve(self, screening_id: int, seat_ids: Sequence[int]) -> Answer:
        """Hold seats."""
        return await self._select("/api/v1/seat-reservations/reserve", screening_id, seat_ids)

    async def toggle(self, screening_id: int, seat_ids: Sequence[int]) -> Answer:
        """Hold free seats, release one's own."""
        return await self._select("/api/v1/seat-reservations/toggle", screening_id, seat_ids)

    async def release_all(self, screening_id: int) -> Answer:
        """Give back one's holds."""
        return await self.send("DELETE", f"/api/v1/seat-reservations/cancel/{screening_id}")

    async def book(self, screening_id: int, seat_ids: Sequence[int], payment_id: str) -> Answer:
        """Buy seats that are free or one's own."""
        return await self._select("/api/v1/tickets/book", screening_id, seat_ids, payment_id=payment_id)

    async def book_from_reservation(
        self, screening_id: int, seat_ids: Sequence[int], payment_id: str
    ) -> Answer:
        """Buy seats that one holds."""
        path = "/api/v1/tickets/book-from-reservation"
        return await self._select(path, screening_id, seat_ids, payment_id=payment_id)

    async def availability(self, screening_id: int) -> list[dict[str, Any]]:
        """All seats, as everybody sees them."""
        return await self._listed(f"/api/v1/seat-reservations/screening/{screening_id}/availability")

    async def own_availability(self, screening_id: int) -> list[dict[str, Any]]:
        """All seats, as this user sees them."""
        return await self._listed(f"/api/v1/seat-reservations/screening/{screening_id}/availability/me")

    async def clean_up(self) -> Answer:
        """Release what has expired, now."""
        return await self.send("POST", "/api/v1/seat-reservations/cleanup")

    async def metrics(self, name: str) -> dict[str, float]:
        """The values of a metric, by their labels as the page writes them."""
        async with self._session.get(self.server.url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
        samples = (line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith(name))
        return {labels: float(value) for labels, value in samples if labels[:1] in ("", "{")}

    async def metric(self, name: str) -> float:
        """The value of a metric that has no labels."""
        return (await self.metrics(name))[""]

    async def _select(self, path: str, screening_id: int, seat_ids: Sequence[int], **more: object) -> Answer:
        body = {"screening_id": screening_id, "seat_ids": list(seat_ids), **more}
        return await self.send("POST", path, body)

    async def _listed(self, path: str) -> list[dict[str, Any]]:
        answer = await self.send("GET", path)
        assert answer.status == 200, answer
        listed: list[dict[str, Any]] = answer.document
        return listed
