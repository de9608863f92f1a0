"""What every kind of load does with its connections: make many of them, and wait until they are done."""

import asyncio
from collections.abc import Sequence
from functools import partial

from bench.load.http import Address

AT_ONCE = 100
"""Connections that are made at the same time: fewer than a server's backlog of 128."""


async def connect_all(address: Address, protocols: Sequence[asyncio.Protocol]) -> None:
    """Give every protocol a connection.

    Raises:
        OSError: the server takes no more.
    """
    loop = asyncio.get_running_loop()
    for first in range(0, len(protocols), AT_ONCE):
        try:
            async with asyncio.TaskGroup() as group:
                for protocol in protocols[first : first + AT_ONCE]:
                    group.create_task(loop.create_connection(partial(_itself, protocol), *address))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None


def _itself(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol


async def finished_within(seconds: float, futures: Sequence["asyncio.Future[None]"]) -> bool:
    """Whether all are done in time."""
    _, unfinished = await asyncio.wait(futures, timeout=seconds)
    return not unfinished
