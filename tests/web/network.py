"""The network between a client and the server, which can fail in the usual ways."""

import asyncio
import re
from types import TracebackType
from typing import Self

from tests.relay import Circuit, Relay, Stream

_UPGRADE = re.compile(rb"^upgrade:\s*websocket", re.IGNORECASE | re.MULTILINE)
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Network(Relay):
    """Forwards to a server that may move to another port; a context manager.

    Args:
        port: the server's port.

    Attributes:
        port: the server's current port.
        url: the URL for clients.
        silent: whether all bytes are lost, while connections stay open and are accepted.
        upgradable: whether WebSockets pass; otherwise they are refused, and other HTTP passes.
        refused: number of refused WebSockets.
        lost: the next bytes of the server that contain this are lost, and nobody notices; None for none.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.url = ""
        self.silent = False
        self.upgradable = True
        self.refused = 0
        self.lost: bytes | None = None
        self._bytes_until_cut: int | None = None

    async def __aenter__(self) -> Self:
        self.url = f"http://127.0.0.1:{await self.listen()}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def cut_after(self, count: int) -> None:
        """Break the connection when the server has sent `count` more bytes on it."""
        self._bytes_until_cut = count

    async def connect(self) -> Stream:
        """Connect to the server."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    def passes(self, circuit: Circuit, chunk: bytes, *, to_server: bool) -> bool:
        """Apply the faults."""
        if self.silent:
            return True
        if to_server and not self.upgradable and _UPGRADE.search(chunk):
            self.refused += 1
            circuit.client.write(_REFUSAL)
            return False
        if not to_server and self.lost is not None and self.lost in chunk:
            self.lost = None
            return True
        if not to_server and self._bytes_until_cut is not None:
            left = self._bytes_until_cut - len(chunk)
            self._bytes_until_cut = None if left < 0 else left
            if left < 0:
                super().passes(circuit, chunk[:left], to_server=False)
                return False
        return super().passes(circuit, chunk, to_server=to_server)
