"""Nodes in virtual time: real links over the simulation's NATS, so that tests of seconds take milliseconds.

`tests.cluster.nodes` has the same over a real NATS server.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from typing import Any

from cluster.links import Links
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.network import Cable, Nats, VirtualConnection

LIMIT_SECONDS = 3600.0
"""Limit of virtual time after which a test fails; heartbeats and pings would let it run for ever."""


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on a loop whose clock jumps to the next timer. It fails if something raises unnoticed."""

    async def within_limit(*arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await test(*arguments, **named)

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(within_limit(*arguments, **named))
            loop = runner.get_loop()
            assert isinstance(loop, VirtualLoop) and not loop.failures

    return run


def virtual_nats() -> Nats:
    """A NATS server in virtual time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "use `in_virtual_time`"
    return Nats(loop, random.Random(1), lambda *words: None)


def connection(nats: Nats, name: str) -> Any:
    """A connection that has not been started; its `cable` can be cut."""
    return VirtualConnection(nats, Process(nats.loop, name), Cable(nats.loop, nats.rng))


class Node:
    """A node: its connection to NATS, and its links."""

    def __init__(self, nats: Nats, name: str) -> None:
        self.name = name
        self.connection = connection(nats, name)
        self.links = Links(self.connection, "cluster", name, nats.loop.time)


@asynccontextmanager
async def nodes(number: int) -> AsyncIterator[list[Node]]:
    """Connected nodes of one cluster."""
    nats = virtual_nats()
    async with AsyncExitStack() as stack:
        made = [Node(nats, f"{name:08x}") for name in range(1, number + 1)]
        for node in made:
            await node.connection.start()
            stack.push_async_callback(node.connection.stop)
            stack.callback(node.links.stop)
        yield made
