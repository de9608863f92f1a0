"""One address for several nodes: each connection goes to a random one that accepts it, as behind a proxy."""

import asyncio
import random
from collections.abc import Callable, Sequence

from tests.relay import Relay, Stream


class RandomNode(Relay):
    """A relay to random nodes.

    Args:
        ports: returns the ports of the nodes on 127.0.0.1.
    """

    def __init__(self, ports: Callable[[], Sequence[int]]) -> None:
        super().__init__()
        self._ports = ports
        self._draw = random.Random(7)

    async def connect(self) -> Stream:
        ports = list(self._ports())
        self._draw.shuffle(ports)
        for port in ports[:-1]:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                continue
        if not ports:
            raise ConnectionRefusedError("no node is running")
        return await asyncio.open_connection("127.0.0.1", ports[-1])
