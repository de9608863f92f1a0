"""Sockets that are opened, used, closed, lost and refused; and a manager who changes what is on sale."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp
from websockets.frames import Opcode

from tests.acceptance.raw_socket import RawSocket, masked
from tests.soak.crowd import SHOWN, Crowd

WEBHOOKS = "/api/v1/admin/webhooks"


class Onlooker:
    """One socket after the other.

    Args:
        crowd: the shared state.
    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._draw = crowd.draw

    async def come_and_go(self) -> None:
        """Open one socket after the other until all is over."""
        deeds = [
            (8, self._watch_seats),
            (8, self._choose_in_rooms),
            (4, self._watch_events),
            (5, self._get_lost),
            (3, self._be_refused),
        ]
        await self._crowd.repeat(deeds)

    def _token(self) -> str:
        return self._crowd.client().token

    async def _watch_seats(self) -> None:
        path = f"/ws/screenings/{self._crowd.hall().id}"
        query = self._draw.choice(("", "&state_hash=true", "&since=0&epoch=0"))
        async with self._socket(f"{path}?token={self._token()}{query}") as socket:
            for _ in range(self._draw.randint(1, 4)):
                await socket.send_str('{"type": "ping"}')
                await self._read(socket, 0.5)
        self._crowd.note("watched seats", 0)

    async def _choose_in_rooms(self) -> None:
        hall = self._crowd.hall()
        rooms = (f"funcion_{hall.id}", f"lounge-{self._draw.randrange(10**6)}")
        name = f"soak-{self._draw.getrandbits(40):x}"
        async with self._socket(f"/ws/{name}?token={self._token()}") as socket:
            for room in rooms:
                for message in (
                    {"type": "join_room", "room_id": room},
                    {"type": "select_seat", "room_id": room, "seat_id": f"A{self._draw.randint(1, 10)}"},
                    {"type": "select_seat", "room_id": room, "seat_id": "no seat"},
                    {"type": self._draw.choice(("leave_room", "nonsense")), "room_id": room},
                ):
                    await socket.send_str(json.dumps(message))
            await self._read(socket, 1)
        self._crowd.note("chose in rooms", 0)

    async def _watch_events(self) -> None:
        async with self._socket(f"/ws/events/{self._crowd.event_id}?token={self._token()}") as socket:
            await socket.send_str('{"type": "ping"}')
            await self._read(socket, 1)
        self._crowd.note("watched events", 0)

    async def _get_lost(self) -> None:
        """End without a word, as a telephone in a tunnel does."""
        url = f"{self._crowd.server.url}/ws/screenings/{self._crowd.hall().id}?token={self._token()}"
        with suppress(OSError, asyncio.IncompleteReadError):
            socket = await RawSocket.connected(url)
            try:
                await asyncio.sleep(self._draw.uniform(0, 1))
                if self._draw.random() < 0.3:
                    socket.send(masked(Opcode.TEXT, b"nonsense"))
                    await socket.receive()
            finally:
                socket.abort()
        self._crowd.note("lost a socket", 0)

    async def _be_refused(self) -> None:
        unknown = f"/ws/screenings/{10**9}?token={self._token()}"
        for path in ("/ws/screenings/1?token=x", unknown, "/ws/no/such"):
            with suppress(aiohttp.ClientError):
                async with self._socket(path) as socket:
                    await self._read(socket, 1)
        self._crowd.note("refused a socket", 0)

    def _socket(self, path: str) -> Any:
        return self._crowd.session.ws_connect(self._crowd.server.url + path)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._draw.uniform(0, seconds)):
                async for _ in socket:
                    pass


async def manage(crowd: Crowd, receiver_url: str) -> None:
    """Put screenings on sale and take others off, and change who gets webhooks, until all is over."""
    while not crowd.over.is_set():
        await crowd.put_on_sale()
        while len(crowd.halls) > SHOWN:
            await crowd.retire()
        hook = {"url": receiver_url, "events": ["booking.created", "booking.cancelled"]}
        made = await crowd.do("add a webhook", crowd.admin, "POST", WEBHOOKS, hook)
        hall = crowd.hall()
        change = {"price": crowd.draw.randint(5, 20)}
        await crowd.do("change a price", crowd.admin, "PUT", f"/api/v1/screenings/{hall.id}", change)
        with suppress(TimeoutError):
            await asyncio.wait_for(crowd.over.wait(), crowd.draw.uniform(0.5, 2))
        if made.status == 201:
            path = f"{WEBHOOKS}/{made.document['id']}"
            await crowd.do("remove a webhook", crowd.admin, "DELETE", path)
