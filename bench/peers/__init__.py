"""Servers to compare with: each as good as an expert makes it, in a process of its own.

A peer answers the paths of Frontrow that its scenarios use, with the same statuses, so that it is sent the
same bytes. All verify tokens by the same code, and none writes an access log. Each module has `async def
serve(given: Given)`, which runs until the process is killed.
"""

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.load import MeasurementFailed
from bench.load.http import Address
from bench.peers.given import Given

PEERS: Mapping[str, tuple[str, ...]] = {
    "asgi-noop": ("uvicorn",),
    "fastapi-postgres": ("fastapi", "uvicorn", "asyncpg"),
    "tornado-broadcast": ("tornado",),
    "tornado-noop": ("tornado",),
    "websockets-broadcast": ("websockets",),
    "websockets-echo": ("websockets",),
}
"""The libraries that each peer imports, by the name of the peer in results."""

START_SECONDS = 20.0
BACKLOG = 1024


class PeerMissing(Exception):
    """A peer cannot run on this machine; the message says what is missing."""


class PeerFailed(MeasurementFailed):
    """A peer did not start; the message has the end of its log."""


def module_of(name: str) -> str:
    """Return the module of a peer."""
    return f"bench.peers.{name.replace('-', '_')}"


@asynccontextmanager
async def peer_process(
    name: str, log: Path, secret: str, database_url: str
) -> AsyncIterator[tuple[Address, int]]:
    """Run a peer as long as the block lasts; yields its address and its process id.

    Args:
        name: one of `PEERS`.
        log: the file for its output.
        secret, database_url: see `Given`.

    Raises:
        PeerMissing: a library that it imports is not installed.
        PeerFailed: it does not answer.
    """
    if missing := [library for library in PEERS[name] if find_spec(library) is None]:
        raise PeerMissing(f"{', '.join(missing)} not installed: make bench")
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening, log.open("wb") as output:
        address = Address(*listening.getsockname())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.peers", module_of(name)),
            stdin=PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listening.fileno()],
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(Given(listening.fileno(), secret, database_url)).encode())
        process.stdin.close()
    try:
        try:
            async with asyncio.timeout(START_SECONDS):
                await _first_byte(address)
        except (OSError, asyncio.IncompleteReadError) as exc:
            raise PeerFailed(f"the peer {name} did not start:\n{_end_of(log)}") from exc
        yield address, process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _first_byte(address: Address) -> None:
    # Connections wait in the backlog until the peer serves, and are reset if its process ends before.
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await reader.readexactly(1)
    writer.close()


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
