"""Thousands of refused requests do not increase a server's memory.

`make test` sends some thousand of each kind, `make soak` 200,000. The test judges how much the server's
resident memory grows after a warm-up with the same requests, never how long anything takes.
"""

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.figures import Figures, count_of
from tests.acceptance.server_process import ServerProcess

REFUSALS = count_of("REFUSALS", 2_000)
SOAK_REFUSALS = count_of("SOAK_REFUSALS", 200_000)
CONNECTIONS = 16
PIPELINED = 25
"""Concurrent requests per connection."""

WARM_UP, KEYED_WARM_UP = 1_000, 6_000
"""Warm-up requests; those with keys also fill the bounded caches (heads, stored responses)."""

GROWTH_LIMIT_BYTES, SOAK_GROWTH_LIMIT_BYTES = 3 * 1024 * 1024, 5 * 1024 * 1024


class Kind:
    """Requests that are refused in the same way.

    Args:
        status: of the responses.
        method: of the requests.
        path: of the requests.
        body: of the requests.
        token: of the requests; empty for none.
        keyed: whether each has its own idempotency key.
    """

    def __init__(
        self,
        status: int,
        method: str,
        path: str,
        body: object = None,
        token: str = "",
        *,
        keyed: bool = False,
    ) -> None:
        self.status = status
        self.warm_up = KEYED_WARM_UP if keyed else WARM_UP
        self._keys = count(1) if keyed else None
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        if token:
            head.append(f"Authorization: Bearer {token}")
        if content:
            head.append("Content-Type: application/json")
        self._head = "\r\n".join(head).encode()
        self._body = content

    def requests(self, number: int) -> bytes:
        """Return the bytes of `number` requests."""
        return b"".join(self._one() for _ in range(number))

    def _one(self) -> bytes:
        key = b"\r\nIdempotency-Key: refused-%d" % next(self._keys) if self._keys else b""
        return self._head + key + b"\r\n\r\n" + self._body


async def refused(server: ServerProcess, kind: Kind, number: int) -> None:
    """Have `number` requests of a kind refused, on several connections."""
    parts = urlsplit(server.url)
    shares = [number // CONNECTIONS] * CONNECTIONS

    async def converse(share: int) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for several in _portions(share):
                writer.write(kind.requests(several))
                for _ in range(several):
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 %d " % kind.status), head
                    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(length))
        finally:
            writer.close()

    async with asyncio.TaskGroup() as crowd:
        for share in shares:
            crowd.create_task(converse(share))


def _portions(number: int) -> Iterator[int]:
    for begun in range(0, number, PIPELINED):
        yield min(PIPELINED, number - begun)


async def kinds_of_refusals(server: ServerProcess) -> dict[str, Kind]:
    """Return all kinds by name."""
    (screening,) = await server.seed(1, rows=2, seats_per_row=10)
    owner, other = server.token(7), server.token(8)
    taken = {"screening_id": screening.id, "seat_ids": [screening.first_seat_id]}
    sold = Kind(201, "POST", "/api/v1/tickets/book", {**taken, "payment_id": "pi_0"}, owner)
    await refused(server, sold, CONNECTIONS)
    unknown = {"screening_id": 10**9, "seat_ids": [1]}
    reserve, book = "/api/v1/seat-reservations/reserve", "/api/v1/tickets/book"
    return {
        "unknown screening": Kind(404, "GET", "/api/v1/seat-reservations/screening/1000000000/availability"),
        "unknown screening, hold": Kind(404, "POST", reserve, unknown, other),
        "refused hold": Kind(409, "POST", reserve, taken, other),
        "refused booking": Kind(409, "POST", book, {**taken, "payment_id": "pi_1"}, other),
        "refused booking, keyed": Kind(409, "POST", book, {**taken, "payment_id": "pi_1"}, other, keyed=True),
        "bad body": Kind(422, "POST", book, {"screening_id": "x"}, other),
        "malformed body": Kind(400, "POST", book, b"{", other),
        "no token": Kind(401, "POST", book, taken),
    }


async def memory_stays(data_directory: Path, figures: Figures, number: int, limit_bytes: int) -> None:
    """Send `number` requests of each kind and check that the server's memory grows by at most the limit."""
    async with ServerProcess(data_directory) as server:
        grown = {}
        for name, kind in (await kinds_of_refusals(server)).items():
            await refused(server, kind, max(number // 5, kind.warm_up))
            before = server.resident_bytes
            await refused(server, kind, number)
            grown[name] = server.resident_bytes - before
            figures(**{f"{number} of {name}, MB grown": grown[name] / 1e6})
        assert {name: size for name, size in grown.items() if size > limit_bytes} == {}


@pytest.mark.gen_test(timeout=510)
async def test_memory_stays_where_it_was(data_directory: Path, figures: Figures) -> None:
    await memory_stays(data_directory, figures, REFUSALS, GROWTH_LIMIT_BYTES)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_memory_stays_where_it_was_for_long(data_directory: Path, figures: Figures) -> None:
    await memory_stays(data_directory, figures, SOAK_REFUSALS, SOAK_GROWTH_LIMIT_BYTES)
