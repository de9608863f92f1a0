"""`websockets`: whatever somebody sends comes back."""

from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from bench.peers.surroundings import Surroundings, told_to_stop


async def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    async with serve_websockets(_echo, sock=surroundings.listening, compression=None):
        await told_to_stop()
