"""The differences between the asynchronous and the synchronous client; the counterpart is `_sync/io.py`."""

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Lock", "Socket", "open_socket", "receive", "sleep"]

Socket = ClientConnection
Lock = asyncio.Lock
sleep = asyncio.sleep


async def open_socket(url: str, **options: Any) -> Socket:
    """Open a WebSocket."""
    return await connect(url, **options)


async def receive(socket: Socket, seconds: float | None) -> str | bytes:
    """Return the next message.

    Raises:
        TimeoutError: none came within `seconds`.
    """
    if seconds is None:
        return await socket.recv()
    async with asyncio.timeout(seconds):
        return await socket.recv()
