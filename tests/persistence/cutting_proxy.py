"""A proxy in front of PostgreSQL that breaks connections at chosen points of a transaction.

It speaks no protocol; it looks for bytes. COMMIT in what the client sends is the request for it, COMMIT in
what the server sends is the acknowledgement: cutting at the one leaves the transaction undone, cutting at the
other leaves it done, and to the client both look the same.
"""

import asyncio
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit


class CuttingProxy:
    """Listens on loopback in front of a server on a Unix socket.

    Args:
        database_url: the URL of the database behind.
    """

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._socket = parse_qs(parts.query)["host"][0] + "/.s.PGSQL.5432"
        self._database = parts.path.lstrip("/")
        self._requests_to_cut = 0
        self._acknowledgements_to_cut = 0
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self.admitting = True
        self.cuts = 0

    async def start(self) -> str:
        """Listen, and return the URL to connect to."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}/{self._database}"

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def cut_before_commit(self, times: int = 1) -> None:
        """Break the next connections that ask for COMMIT, before the server hears of it."""
        self._requests_to_cut = times

    def cut_after_commit(self, times: int = 1) -> None:
        """Break the next connections whose COMMIT the server acknowledges, before the client hears of it."""
        self._acknowledgements_to_cut = times

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if not self.admitting:
            to_client.close()
            return
        from_server, to_server = await asyncio.open_unix_connection(self._socket)
        pipes = {
            asyncio.create_task(self._relay(from_client, to_server, self._request_is_cut)),
            asyncio.create_task(self._relay(from_server, to_client, self._acknowledgement_is_cut)),
        }
        self._pipes |= pipes
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        self._pipes -= pipes
        for pipe in pipes:
            pipe.cancel()
        to_client.close()
        to_server.close()

    async def _relay(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, is_cut) -> None:
        with suppress(OSError):
            while (chunk := await source.read(1 << 20)) and not is_cut(chunk):
                target.write(chunk)
                await target.drain()

    def _request_is_cut(self, chunk: bytes) -> bool:
        if self._requests_to_cut and b"COMMIT\0" in chunk:
            self._requests_to_cut -= 1
            self.cuts += 1
            return True
        return False

    def _acknowledgement_is_cut(self, chunk: bytes) -> bool:
        if self._acknowledgements_to_cut and b"COMMIT\0" in chunk:
            self._acknowledgements_to_cut -= 1
            self.cuts += 1
            return True
        return False
