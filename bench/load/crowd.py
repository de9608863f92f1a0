"""A crowd of open, silent WebSockets in a process of its own, which only answers pings."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

import uvloop

from bench.load.http import Address
from bench.load.process import raise_descriptor_limit
from bench.load.sockets import READY_SECONDS, Socket, SocketRefused, open_sockets

START_SECONDS, LEAVE_SECONDS = 30.0, 10.0


@contextmanager
def crowd(address: Address, paths: Sequence[str], ready_by: bytes, cores: frozenset[int]) -> Iterator[None]:
    """Have sockets open as long as the block lasts. Blocking until they are.

    Args:
        address: the server's.
        paths: one for each socket.
        ready_by: part of the first message to each.
        cores: where the process runs.

    Raises:
        SocketRefused: the server does not take them.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_stay, args=(there, address, paths, ready_by, cores), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(START_SECONDS + READY_SECONDS):
            raise SocketRefused("the crowd did not come in time")
        try:
            complaint: str = here.recv()
        except EOFError as exc:
            raise SocketRefused("the crowd's process has died") from exc
        if complaint:
            raise SocketRefused(complaint)
        yield
    finally:
        # Its end of the pipe tells the process that we have gone, however we went.
        here.close()
        process.join(LEAVE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def _stay(
    there: Connection, address: Address, paths: Sequence[str], ready_by: bytes, cores: frozenset[int]
) -> None:
    os.sched_setaffinity(0, cores)
    raise_descriptor_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_wait_there(there, address, paths, ready_by))


async def _wait_there(there: Connection, address: Address, paths: Sequence[str], ready_by: bytes) -> None:
    sockets = [Socket(path, ready_by) for path in paths]
    try:
        await open_sockets(address, sockets)
    except (OSError, SocketRefused, TimeoutError) as error:
        there.send(str(error) or "the sockets were not open in time")
        return
    there.send("")
    left = asyncio.Event()
    asyncio.get_running_loop().add_reader(there.fileno(), left.set)
    await left.wait()
    for socket in sockets:
        socket.close()
