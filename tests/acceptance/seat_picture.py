"""A seat map that is built from WebSocket frames only, across disconnects and resumption."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import aiohttp
import orjson

from frontrow_client import SeatState
from tests.acceptance.server_process import ServerProcess

CONNECT_SECONDS = 120.0
CATCH_UP_SECONDS = 120.0
TOO_SLOW = 1013


class SeatSeen(NamedTuple):
    """A seat as one user sees it."""

    status: str
    is_mine: bool


class SeatPicture:
    """The seats of a screening according to the received frames.

    Attributes:
        seats: by id.
        epoch: epoch of the last complete update.
        seq: sequence number of that update.
        snapshots: number of snapshots received.
    """

    def __init__(self) -> None:
        self.seats: dict[int, SeatSeen] = {}
        self.epoch = 0
        self.seq = 0
        self.snapshots = 0

    def take(self, frame: str | bytes) -> dict[str, Any]:
        """Apply a frame like the guides' `onmessage`. Returns the message."""
        message: dict[str, Any] = orjson.loads(frame)
        match message["type"]:
            case "seat_update":
                self._paint(message)
            case "bulk_seat_update":
                for update in message["updates"]:
                    self._paint(update)
        if "seq" in message:
            position = (message["epoch"], message["seq"])
            assert message["type"] == "connection_confirmed" or position >= (self.epoch, self.seq), message
            self.epoch, self.seq = position
            self.snapshots += message.get("snapshot", False)
        return message

    def _paint(self, update: dict[str, Any]) -> None:
        self.seats[update["seat_id"]] = SeatSeen(update["status"], update["is_mine"])


class SeatWatcher:
    """A socket that keeps a seat map up to date.

    Args:
        server: the server to connect to.
        session: the aiohttp session.
        screening_id: the screening.
        user_id: the user.

    Attributes:
        returns: number of reconnections after the server found it too slow.
    """

    def __init__(
        self, server: ServerProcess, session: aiohttp.ClientSession, screening_id: int, user_id: int
    ) -> None:
        self.picture = SeatPicture()
        self._session = session
        self._server = server
        self._query = {"token": server.token(user_id), "updates": "bulk"}
        self._screening_id = screening_id
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._leaving = False
        self.returns = 0
        self._painted = asyncio.Event()

    @property
    def close_code(self) -> int | None:
        """The code that the server closed the socket with."""
        assert self._socket is not None
        return self._socket.close_code

    async def connect(self) -> None:
        """Connect or reconnect, resuming from the last known position."""
        position = {"since": str(self.picture.seq), "epoch": str(self.picture.epoch)}
        async with asyncio.timeout(CONNECT_SECONDS):
            self._socket = await self._session.ws_connect(
                f"{self._server.url}/ws/screenings/{self._screening_id}", params={**self._query, **position}
            )
        self._leaving = False
        self._reading = asyncio.create_task(self._read(self._socket))

    async def stay(self) -> None:
        """Check that the socket is open; reconnect if the server closed it for reading too slowly.

        Raises:
            AssertionError: the server closed the socket for another reason.
        """
        if self._leaving or self._reading is None or not self._reading.done():
            return
        self._reading.result()
        assert self.close_code == TOO_SLOW, f"the server closed the socket with {self.close_code}"
        self.returns += 1
        await self.connect()

    async def disconnect(self) -> None:
        assert self._socket is not None and self._reading is not None
        self._leaving = True
        await self._socket.close()
        await self._reading

    async def closed(self) -> None:
        """Wait until the server has closed the socket."""
        assert self._reading is not None
        async with asyncio.timeout(CATCH_UP_SECONDS):
            await self._reading

    async def shows(self, expected: dict[int, SeatSeen]) -> None:
        """Wait until the seat map is as expected.

        Raises:
            AssertionError: it did not become so.
        """
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while self.picture.seats != expected:
                    await self.stay()
                    self._painted.clear()
                    await self._painted.wait()
        except TimeoutError:
            assert self.picture.seats == expected, f"closed: {self.close_code}"

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for frame in socket:
                self.picture.take(frame.data)
                self._painted.set()
        finally:
            self._painted.set()


def expected_picture(seats: Iterable[SeatState]) -> dict[int, SeatSeen]:
    """Convert the seats that the server lists for a user to the expected seat map.

    Sockets have three statuses; only `is_mine` says whose a reserved seat is.
    """
    return {state.seat.id: SeatSeen(state.status.removesuffix("_by_me"), state.is_mine) for state in seats}
