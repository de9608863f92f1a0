"""`websockets`: every message comes back."""

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from bench.peers.given import Given


async def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    async with serve_websockets(_echo, sock=given.listening, compression=None):
        await asyncio.Event().wait()
