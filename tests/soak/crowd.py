"""Shared by the clients of a soak test: the server, what is on sale, the pace, and the count of answers."""

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import aiohttp

from tests.acceptance.client import Answer, Client
from tests.acceptance.server_process import ServerProcess

SCREENINGS = "/api/v1/screenings"
SHOWN = 12
"""Screenings on sale at one time; the oldest is cancelled or deleted when a new one is made."""

ROWS, SEATS_PER_ROW = "ABCD", 10
FIRST_USER, USERS = 10**9, 5000
"""Apart from those who register, whose tokens are revoked when they leave."""

WANTED_SHARE = 0.5
RETRY_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


class Hall(NamedTuple):
    """A screening on sale."""

    id: int
    seat_ids: Sequence[int]


class Crowd:
    """The shared state.

    Args:
        server: the server.
        session: of all clients.
        seed: of their choices.

    Attributes:
        draw: makes choices.
        halls: on sale.
        event_id, ticket_type_id: an event with tickets without seats.
        answers: number of answers by deed and status.
        over: set when the clients should end.
    """

    def __init__(self, server: ServerProcess, session: aiohttp.ClientSession, seed: int) -> None:
        self.server = server
        self.session = session
        self.draw = random.Random(seed)
        self.halls: deque[Hall] = deque()
        self.event_id = self.ticket_type_id = 0
        self.answers: Counter[tuple[str, int]] = Counter()
        self.over = asyncio.Event()
        self.admin = Client(server, session, FIRST_USER, admin=True)
        self.numbers = itertools.count(1)
        self._pause_seconds = 0.05
        self._clients: dict[int, tuple[Client, float]] = {}
        self._rooms: list[tuple[int, list[int]]] = []

    @property
    def operations(self) -> int:
        """Number of things that were done."""
        return self.answers.total()

    async def open(self) -> None:
        """Make rooms, screenings and an event."""
        cinema = await self._made("/api/v1/cinemas/", {"name": "Odeon"})
        numbers = range(1, SEATS_PER_ROW + 1)
        places = [{"row_label": row, "seat_number": number} for row in ROWS for number in numbers]
        for name in ("Great Hall", "Small Hall"):
            room = await self._made(f"/api/v1/cinemas/{cinema['id']}/rooms/", {"name": name})
            seats = await self._made(f"/api/v1/rooms/{room['id']}/seats/bulk", {"seats": places})
            self._rooms.append((room["id"], [seat["id"] for seat in seats]))
        begin = (datetime.now(UTC) + timedelta(days=300)).isoformat()
        event = (await self._made("/api/admin/events", {"title": "The Fight", "startDate": begin}))["data"]
        kind = {"eventId": event["id"], "name": "Standing", "price": 10, "capacity": 1_000_000}
        made = await self._made("/api/admin/ticket-types", kind)
        self.event_id, self.ticket_type_id = event["id"], made["data"]["id"]
        for _ in range(SHOWN):
            await self.put_on_sale()

    async def put_on_sale(self) -> None:
        """Make another screening, which overlaps with none."""
        number = next(self.numbers)
        room_id, seat_ids = self._rooms[number % len(self._rooms)]
        starts_at = datetime.now(UTC) + timedelta(days=1, hours=3 * number)
        body = {
            "room_id": room_id,
            "title": f"Brass and Thunder {number}",
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
            "price": 12.5,
        }
        made = await self._made(f"{SCREENINGS}/", body)
        self.halls.append(Hall(made["id"], seat_ids))

    async def retire(self) -> None:
        """Take the oldest screening off sale: its tickets are cancelled and owed."""
        hall = self.halls.popleft()
        answer = await self.admin.send("DELETE", f"{SCREENINGS}/{hall.id}?cancel_bookings=true")
        self.note("retire", answer.status)

    def client(self) -> Client:
        """Return somebody, who has perhaps been here before.

        Everybody keeps a token for half an hour. The server remembers those of the last ten minutes, so with
        a new one each time its memory would grow for that long, on a fast machine by 50 MB.
        """
        number, half_hour = self.draw.randrange(USERS), time.monotonic() // 1800
        client, since = self._clients.get(number, (None, half_hour))
        if client is None or since != half_hour:
            client = Client(self.server, self.session, FIRST_USER + 1 + number)
            self._clients[number] = client, half_hour
        return client

    def hall(self) -> Hall:
        """Choose a screening; newer ones are more popular."""
        return self.draw.choice(list(self.halls)[self.draw.randrange(len(self.halls)) :])

    def note(self, deed: str, status: int) -> None:
        """Count an answer. A server refuses, also because its database is busy, but it never fails."""
        assert status < 500 or status == 503, f"{deed} was answered with {status}"
        self.answers[deed, status] += 1

    async def do(self, deed: str, client: Client, method: str, path: str, body: object = None) -> Answer:
        """Send a request and count the answer."""
        key = f"{self.draw.getrandbits(64):x}" if method != "GET" and self.draw.random() < 0.3 else None
        answer = await client.send(method, path, body, key=key)
        self.note(deed, answer.status)
        return answer

    async def repeat(self, deeds: Sequence[tuple[int, Callable[[], Awaitable[None]]]]) -> None:
        """Do one thing after the other, by weight, until all is over."""
        weights, functions = zip(*deeds, strict=True)
        while not self.over.is_set():
            (deed,) = self.draw.choices(functions, weights)
            await deed()
            await asyncio.sleep(self.draw.uniform(0, 2 * self._pause_seconds))

    def keep_pace(self, processor_share: float) -> None:
        """Make the pauses longer or shorter, so that the server is half busy.

        Args:
            processor_share: the share of a core that it has used.
        """
        factor = min(max(processor_share / WANTED_SHARE, 0.7), 1.5)
        self._pause_seconds = min(max(self._pause_seconds * factor, 0.005), _LONGEST_PAUSE_SECONDS)

    async def _made(self, path: str, body: object) -> Any:
        key = f"{self.draw.getrandbits(64):x}"
        answer = await self.admin.send("POST", path, body, key=key)
        while answer.status == 503:
            await asyncio.sleep(RETRY_SECONDS)
            answer = await self.admin.send("POST", path, body, key=key)
        assert answer.status == 201, (path, answer)
        return answer.document
