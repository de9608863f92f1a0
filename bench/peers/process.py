"""Starts peers as processes of their own, on the core of the server under test, and ends them."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.load.http import Address
from bench.peers.surroundings import BACKLOG, Surroundings

START_SECONDS = 20.0
STOP_SECONDS = 10.0


class PeerFailed(Exception):
    """A peer did not start; the message has its last words."""


@asynccontextmanager
async def peer_process(
    module: str, log: Path, *, secret: str, database_url: str = ""
) -> AsyncIterator[tuple[Address, int]]:
    """Run a peer as long as the block lasts.

    Args:
        module: of this package.
        log: where it writes what it has to say.
        secret, database_url: see `Surroundings`.

    Yields:
        Where it listens, and its process id.

    Raises:
        PeerFailed: it does not answer.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        address = Address(*listening.getsockname())
        given = Surroundings(listening.fileno(), secret, database_url)
        with log.open("wb") as written:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.peers", module),
                stdin=PIPE,
                stdout=written,
                stderr=written,
                pass_fds=[listening.fileno()],
            )
        assert process.stdin is not None
        process.stdin.write(given.to_json().encode())
        process.stdin.close()
    try:
        await _answers(module, process, address, log)
        yield address, process.pid
    finally:
        await _end(process)


async def _answers(module: str, process: Process, address: Address, log: Path) -> None:
    """Return when the peer answers anything at all."""
    ended = asyncio.create_task(process.wait())
    answered = asyncio.create_task(_first_answer(address))
    try:
        await asyncio.wait((ended, answered), timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done() or answered.exception():
            raise PeerFailed(f"the peer {module} did not start:\n{_last_words(log)}")
    finally:
        for task in (ended, answered):
            task.cancel()
        await asyncio.gather(ended, answered, return_exceptions=True)


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def _first_answer(address: Address) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await reader.readexactly(1)
    writer.close()


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
