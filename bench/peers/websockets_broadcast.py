"""`websockets.broadcast`: every message goes to every socket."""

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from bench.peers.given import Given


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        connections.add(connection)
        with suppress(ConnectionClosed):
            async for message in connection:
                broadcast(connections, message)
        connections.remove(connection)

    async with serve_websockets(handle, sock=given.listening, compression=None):
        await asyncio.Event().wait()
