"""The memory that a silent socket takes, in objects that our own code creates.

Those of uvloop are left out: they take another kilobyte, and we cannot change it.
"""

import gc
import tracemalloc
from pathlib import Path
from socket import socket

import pytest

import api
from tests.api.cinema import Cinema

pytestmark = pytest.mark.gen_test

SILENT_SOCKET_BYTES = 1_900
"""Most bytes per socket. A timer and a callback more for each would exceed it, a dictionary, too."""

USERS, SOCKETS_EACH = 100, 4


async def open_sockets(cinema: Cinema, tokens: list[str]) -> list[socket]:
    return [(await cinema.connect_raw(token=token, updates="bulk"))[0] for token in tokens]


def traced_bytes() -> int:
    """Return the bytes of live objects that were created by the code of our packages."""
    gc.collect()
    root = Path(api.__file__).parents[1]
    ours = [tracemalloc.Filter(True, str(root / package / "*")) for package in ("api", "engine")]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)


async def test_a_silent_socket_takes_little_memory(open_cinema):
    cinema = open_cinema()
    tokens = [cinema.tokens.issue(user, ttl_seconds=600) for user in range(1, USERS + 1)]
    # The first socket of each user fills the caches of request heads and tokens.
    opened = await open_sockets(cinema, tokens)
    tracemalloc.start()
    try:
        before = traced_bytes()
        opened += await open_sockets(cinema, tokens * SOCKETS_EACH)
        bytes_each = (traced_bytes() - before) / (USERS * SOCKETS_EACH)
    finally:
        tracemalloc.stop()
    for client in opened:
        client.close()
    assert 500 < bytes_each < SILENT_SOCKET_BYTES
