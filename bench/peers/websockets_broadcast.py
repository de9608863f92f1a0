"""`websockets.broadcast`: whatever anybody sends goes to everybody."""

from contextlib import suppress

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from bench.peers.surroundings import Surroundings, told_to_stop


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        connections.add(connection)
        with suppress(ConnectionClosed):
            async for message in connection:
                broadcast(connections, message)
        connections.remove(connection)

    async with serve_websockets(handle, sock=surroundings.listening, compression=None):
        await told_to_stop()
