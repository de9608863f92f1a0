"""A client of rooms as the guide describes it."""

import asyncio
import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions import Extension
from websockets.frames import Frame

ROOM = "funcion_123"


class RoomClient:
    """One client, as a context manager.

    Args:
        base_url: of the server, over HTTP.
        client_id: its client id.
        token: the user's token; None for a guest.

    Attributes:
        compressed: number of compressed frames received.
    """

    def __init__(self, base_url: str, client_id: str, token: str | None = None) -> None:
        query = "" if token is None else f"?token={token}"
        self._url = f"ws{base_url.removeprefix('http')}/ws/{client_id}{query}"
        self._socket: ClientConnection
        self.client_id = client_id
        self.compressed = 0

    async def __aenter__(self) -> Self:
        self._socket = await connect(self._url, proxy=None)
        for extension in self._socket.protocol.extensions:
            self._watch(extension)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()

    def _watch(self, extension: Extension) -> None:
        decode = extension.decode

        def counted(frame: Frame, **options: Any) -> Frame:
            self.compressed += frame.rsv1
            return decode(frame, **options)

        extension.decode = counted  # type: ignore[method-assign]

    async def send(self, kind: str, **message: object) -> None:
        await self._socket.send(json.dumps({"type": kind, **message}))

    async def next_message(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(60):
            message = json.loads(await self._socket.recv())
        assert isinstance(message, dict)
        return message

    async def has_no_messages(self) -> bool:
        """Return whether no message is pending: the reply to a ping comes first."""
        await self.send("ping")
        return (await self.next_message())["type"] == "pong"

    async def closed(self) -> tuple[int | None, str | None]:
        """Return how the server closed the connection, skipping messages before that."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(60):
                while True:
                    await self._socket.recv()
        return self._socket.close_code, self._socket.close_reason

    async def join(self, room: str = ROOM) -> list[dict[str, Any]]:
        """Join a room. Returns its selections."""
        await self.send("join_room", room_id=room)
        assert await self.next_message() == {
            "type": "room_joined",
            "room_id": room,
            "client_id": self.client_id,
        }
        current = await self.next_message()
        assert (current["type"], set(current)) == ("current_selections", {"type", "selections"})
        selections: list[dict[str, Any]] = current["selections"]
        return selections

    async def select(self, seat: str, room: str = ROOM, **user_info: object) -> dict[str, Any]:
        """Select a seat. Returns the reply."""
        info = {"user_info": user_info} if user_info else {}
        await self.send("select_seat", room_id=room, seat_id=seat, **info)
        return await self.next_message()

    async def release(self, seat: str, room: str = ROOM) -> dict[str, Any]:
        """Release a seat. Returns the reply."""
        await self.send("release_seat", room_id=room, seat_id=seat)
        return await self.next_message()

    def about(self, kind: str, seat: str, room: str = ROOM, **more: object) -> dict[str, Any]:
        """Return the expected message about a seat of this client."""
        return {"type": kind, "seat_id": seat, "room_id": room, "client_id": self.client_id, **more}
