"""Servers of a few lines that answer as a test says, on real sockets in the test's own event loop."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.load.http import Address

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
OWN_PID = os.getpid()


class Script:
    """Behaviour of a server.

    Args:
        answer: the bytes of every answer.

    Attributes:
        requests: the heads of all requests that came.
        hangs_up_after: the request after which connections are cut; None for never.
    """

    def __init__(self, answer: bytes = CREATED) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.hangs_up_after: int | None = None
        self._stalls_at = 0
        self._stall_seconds = 0.0
        self._stalled_until = 0.0

    def stall(self, at_request: int, seconds: float) -> None:
        """Answer nothing for a while from a request on, the first being 1, and then everything at once."""
        self._stalls_at, self._stall_seconds = at_request, seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests in order. None of them has a body."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if self.hangs_up_after == len(self.requests):
                    return
                if self._stalls_at == len(self.requests):
                    self._stalled_until = loop.time() + self._stall_seconds
                if (wait_seconds := self._stalled_until - loop.time()) > 0:
                    await asyncio.sleep(wait_seconds)
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Address]:
    """A server as long as the block lasts."""
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server:
        yield Address(*server.sockets[0].getsockname())
