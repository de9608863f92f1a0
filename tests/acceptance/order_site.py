"""The server that orders are made at: it is killed now and then, and its users wait until it is back."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple
from uuid import uuid4

from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from tests.acceptance.seeding import SeededScreening, seeded
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import Caller, Response
from tests.database import execute
from tests.durable_requests import is_passing

ADMIN = 1
FIRST_USER = 1_000_000
SEATS = 4
ANSWER_SECONDS = 120.0
_UNANSWERED = 599
_RETRY_SECONDS = 0.05

_ADD_USERS = """
INSERT INTO users (id, email, password_hash) SELECT id, 'user-' || id || '@home.example', ''
FROM unnest(%s) AS id
"""
_PRICES = "SELECT id, price FROM screenings WHERE id = ANY(%s)"


class Ground(NamedTuple):
    """Setting of a walk: a screening of its own, two users with mail addresses, and the price of a seat."""

    screening: SeededScreening
    buyer: int
    rival: int
    price_cents: int


class Site:
    """A server that is killed now and then.

    Args:
        server: the process.
        walks_at_a_time: how many use it; all of them meet each crash.
        walks_per_crash: how many walks begin between two crashes.
    """

    def __init__(self, server: ServerProcess, walks_at_a_time: int, walks_per_crash: int) -> None:
        self.server = server
        self.crashes = 0
        self._walks_per_crash = self._walks_since_crash = walks_per_crash
        self._users = itertools.count(FIRST_USER)
        self._is_up = asyncio.Event()
        self._is_up.set()
        # All callers of this event loop share the client, which sends ten requests at a time by default.
        AsyncHTTPClient(max_clients=2 * walks_at_a_time)

    async def crash(self) -> None:
        """Kill the server while others use it, and start it again, unless it was killed a short while ago."""
        if self._is_up.is_set() and self._walks_since_crash >= self._walks_per_crash:
            self._walks_since_crash = 0
            self.crashes += 1
            self._is_up.clear()
            await self.server.kill()
            await self.server.start()
            self._is_up.set()

    def caller(self, user_id: int) -> Caller:
        """Return a caller for one request; the server's address changes at every start."""
        return Caller(self.server.url, self.server.token(user_id, admin=user_id == ADMIN))

    async def send(
        self, user_id: int, method: str, path: str, body: object = None, *, once: bool = True
    ) -> Response:
        """Send a request until it is answered for good.

        Args:
            user_id: the sender.
            method, path, body: of the request.
            once: whether to repeat it under an idempotency key.
        """
        key = uuid4().hex if once and method != "GET" else None
        return await self.answered(lambda: self.caller(user_id).send(method, path, body, key=key))

    async def answered(self, send: Callable[[], Awaitable[Response]]) -> Response:
        """Repeat a request until its answer is final."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                await self._is_up.wait()
                with suppress(OSError, HTTPClientError):
                    answer = await send()
                    if answer.status != _UNANSWERED and not is_passing(answer):
                        assert answer.status < 500, answer.body
                        return answer
                await asyncio.sleep(_RETRY_SECONDS)

    async def prepare(self, walks: int) -> list[Ground]:
        """Prepare some walks."""
        url = self.server.database.url
        self._walks_since_crash += walks
        screenings = await seeded(url, walks, 1, SEATS)
        buyers = [next(self._users) for _ in screenings]
        rivals = [next(self._users) for _ in screenings]
        execute(url, _ADD_USERS, buyers + rivals)
        prices = dict(execute(url, _PRICES, [screening.id for screening in screenings]))
        return [
            Ground(screening, buyer, rival, cents(prices[screening.id]))
            for screening, buyer, rival in zip(screenings, buyers, rivals, strict=True)
        ]


def address(user_id: int) -> str:
    """The mail address of a user."""
    return f"user-{user_id}@home.example"


def cents(amount: float) -> int:
    return round(amount * 100)
