"""A proxy in front of PostgreSQL that breaks connections at chosen points of a transaction.

It does not parse the protocol but searches for bytes. COMMIT in the client's bytes is the request, COMMIT in
the server's bytes is the acknowledgement. Cutting at the request leaves the transaction undone, cutting at
the acknowledgement leaves it done, and to the client both look the same.
"""

import asyncio
from urllib.parse import parse_qs, urlsplit

from tests.relay import Circuit, Relay, Stream


class CuttingProxy(Relay):
    """Listens on loopback in front of a server on a Unix socket.

    Args:
        database_url: the URL of the database behind.
    """

    def __init__(self, database_url: str) -> None:
        super().__init__()
        parts = urlsplit(database_url)
        self._socket = parse_qs(parts.query)["host"][0] + "/.s.PGSQL.5432"
        self._database = parts.path.lstrip("/")
        # True: cut at the request; False: cut at the acknowledgement.
        self._to_cut = {True: 0, False: 0}
        self.cuts = 0

    async def start(self) -> str:
        """Listen, and return the URL to connect to."""
        return f"postgresql://postgres@127.0.0.1:{await self.listen()}/{self._database}"

    def cut_before_commit(self, times: int = 1) -> None:
        """Break the next connections that request a COMMIT before the server receives it."""
        self._to_cut[True] = times

    def cut_after_commit(self, times: int = 1) -> None:
        """Break the next connections whose COMMIT is acknowledged before the client receives it."""
        self._to_cut[False] = times

    async def connect(self) -> Stream:
        """Connect to the database."""
        return await asyncio.open_unix_connection(self._socket)

    def passes(self, circuit: Circuit, chunk: bytes, *, to_server: bool) -> bool:
        """Cut if that is due."""
        if self._to_cut[to_server] and b"COMMIT\0" in chunk:
            self._to_cut[to_server] -= 1
            self.cuts += 1
            return False
        return super().passes(circuit, chunk, to_server=to_server)
