"""Runs peers as processes of their own."""

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.load.http import Address
from bench.peers.given import Given

START_SECONDS = 20.0
BACKLOG = 1024


class PeerFailed(Exception):
    """A peer did not start; the message has the end of its log."""


@asynccontextmanager
async def peer_process(
    module: str, log: Path, secret: str, database_url: str
) -> AsyncIterator[tuple[Address, int]]:
    """Run a peer as long as the block lasts; yields its address and its process id.

    Args:
        module: its module.
        log: the file for its output.
        secret, database_url: see `Given`.

    Raises:
        PeerFailed: it does not answer.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening, log.open("wb") as output:
        address = Address(*listening.getsockname())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.peers", module),
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
            raise PeerFailed(f"the peer {module} did not start:\n{_end_of(log)}") from exc
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
