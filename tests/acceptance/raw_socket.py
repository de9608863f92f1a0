"""A WebSocket client that sends any bytes whatever, and reads what is answered: the opposite of a library."""

import asyncio
import base64
import os
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode

ANSWER_SECONDS = 10.0


class Received(NamedTuple):
    """A frame of the server.

    Attributes:
        opcode: what it is; None where the connection has ended without a close frame.
        payload: as it came.
    """

    opcode: Opcode | None
    payload: bytes = b""

    @property
    def close_code(self) -> int | None:
        """Of a close frame: its code, 1005 where it has none (RFC 6455, section 7.4.1)."""
        if self.opcode is not Opcode.CLOSE:
            return None
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005


def masked(opcode: Opcode | int, payload: bytes, *, fin: bool = True) -> bytes:
    """A frame as an honest client sends it."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True, extensions=[])


class RawSocket:
    """One connection, upgraded.

    Args:
        reader: the connection.
        writer: the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, url: str) -> "RawSocket":
        """Shake hands at an address, which is given as http://…"""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        key = base64.b64encode(os.urandom(16)).decode()
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def receive(self) -> Received:
        """The next frame, pings apart: those are answered."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while (received := await self._frame()).opcode is Opcode.PING:
                    self.send(masked(Opcode.PONG, received.payload))
                return received
        except (asyncio.IncompleteReadError, ConnectionError):
            return Received(None)

    async def _frame(self) -> Received:
        first, size = await self._reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._reader.readexactly(8), "big")
        return Received(Opcode(first & 0x0F), await self._reader.readexactly(size))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Be gone, without a word."""
        self._writer.transport.abort()
