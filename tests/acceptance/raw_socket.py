"""A WebSocket client that can send arbitrary bytes, which libraries do not allow."""

import asyncio
import base64
import os
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode

ANSWER_SECONDS = 60.0


class Received(NamedTuple):
    """A frame of the server.

    Attributes:
        opcode: None if the connection ended without a close frame.
        payload: the raw payload.
    """

    opcode: Opcode | None
    payload: bytes = b""

    @property
    def close_code(self) -> int | None:
        """The code of a close frame, 1005 if it has none (RFC 6455, section 7.4.1)."""
        if self.opcode is not Opcode.CLOSE:
            return None
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005


def masked(opcode: Opcode | int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return a correctly masked frame."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True, extensions=[])


class RawSocket:
    """An upgraded connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, url: str) -> "RawSocket":
        """Connect to a URL, which is given as http://…, and do the handshake."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        key = base64.b64encode(os.urandom(16)).decode()
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        socket = cls(reader, writer)
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
        except BaseException:
            socket.abort()
            raise
        return socket

    def send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def abort(self) -> None:
        """End the connection without a close frame."""
        self._writer.transport.abort()

    async def receive(self) -> Received:
        """Return the next frame. Pings are answered and skipped."""
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
        """Abort the connection without a close frame."""
        self._writer.transport.abort()
