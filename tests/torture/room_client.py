"""A client of the rooms' socket that waits for the reply to each message."""

import asyncio
import json
from typing import Any

import aiohttp

REPLY_SECONDS = 6.0


class RoomClient:
    """One client with a token. It has one socket at a time, and opens another one when that has closed.

    Args:
        session: opens sockets.
        client_id: its name in rooms.
        token: of the user.
    """

    def __init__(self, session: aiohttp.ClientSession, client_id: str, token: str) -> None:
        self._session = session
        self._client_id = client_id
        self._token = token
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def say(self, url: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """Send a message about a seat.

        Args:
            url: the node for a new socket, if there is none.
            message: with `room_id` and `seat_id`.

        Returns:
            The reply; None if there was none.
        """
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                socket = await self._connected(url)
                await socket.send_str(json.dumps(message))
                async for frame in socket:
                    reply: dict[str, Any] = json.loads(frame.data)
                    if self._answers(reply, message):
                        return reply
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        await self.close()
        return None

    def _answers(self, reply: dict[str, Any], message: dict[str, Any]) -> bool:
        if reply.get("room_id") != message["room_id"] or reply.get("seat_id") != message["seat_id"]:
            return False
        kind = "seat_selected" if message["type"] == "select_seat" else "seat_released"
        # Only the reply to the client itself has no user data.
        is_own = reply.get("client_id") == self._client_id and "user_info" not in reply
        return reply["type"] == "error" or (reply["type"] == kind and is_own)

    async def _connected(self, url: str) -> aiohttp.ClientWebSocketResponse:
        if self._socket is None or self._socket.closed:
            address = f"{url}/ws/{self._client_id}?token={self._token}"
            self._socket = await self._session.ws_connect(address)
        return self._socket

    async def close(self) -> None:
        """Close the socket, if there is one."""
        socket, self._socket = self._socket, None
        if socket is not None:
            try:
                async with asyncio.timeout(1):
                    await socket.close()
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
