"""Clients with their own addresses: every address in 127.0.0.0/8 belongs to this machine."""

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

SECONDS = 60.0


@asynccontextmanager
async def visitor(address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose connections come from this address."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


async def open_socket(
    url: str,
    address: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> ClientConnection:
    """Open a WebSocket from an address.

    Args:
        url: like http://127.0.0.1:8000/ws/alice.
        address: of the client.
        headers: of the handshake.
        tls: for https URLs.
    """
    return await connect(
        url.replace("http", "ws", 1),
        proxy=None,
        local_addr=(address, 0),
        additional_headers=headers,
        open_timeout=SECONDS,
        family=socket.AF_INET,
        **({"ssl": tls} if tls else {}),
    )
