"""A program that forwards connections from one address to another, inside a host of `network.Network`.

`python -m tests.cluster_faults.forwarder FROM TO`. An address is the path of a Unix socket or HOST:PORT. The
program ends when its standard input is closed, and prints a line when it listens.
"""

import asyncio
import socket
import sys
from contextlib import suppress

_CHUNK_BYTES = 1 << 16
_KEEPALIVES = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
"""Keepalive options as `persistence.server_lock` sets them on the database's side of its sessions."""


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk)
            await target.drain()


async def _forward(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter, address: str) -> None:
    connected = to_client.get_extra_info("socket")
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVES:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        from_server, to_server = await _connect(address)
    except OSError:
        to_client.transport.abort()
        return
    pumps = [
        asyncio.create_task(_pump(from_client, to_server)),
        asyncio.create_task(_pump(from_server, to_client)),
    ]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for pump in pumps:
        pump.cancel()
    for writer in (to_client, to_server):
        writer.close()


async def _run(here: str, there: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _forward(reader, writer, there)

    if here.startswith("/"):
        await asyncio.start_unix_server(handle, here)
    else:
        host, _, port = here.rpartition(":")
        await asyncio.start_server(handle, host, int(port))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
