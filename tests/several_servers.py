"""Servers that a `House` can run instead of one: nodes in this process, or workers of one supervisor."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from frontrow.listening import Listening, listen
from frontrow.node import node_server
from frontrow.server import Server
from frontrow.settings import load_settings
from persistence.connector import Connector
from persistence.server_lock import ServerLock
from tests.acceptance.server_process import ServerProcess
from tests.nats import nats_url
from tests.random_node import RandomNode
from tests.topology import PORTS_OF_ONE


class NodesInProcess:
    """Nodes in this process, behind one port.

    Args:
        database_url: the database of all.
        number: of nodes.
        settings: of all, by name.

    Attributes:
        port: leads to a random node per connection.
    """

    def __init__(self, database_url: str, number: int, settings: Mapping[str, object]) -> None:
        self._database_url = database_url
        self._number = number
        self._settings = dict(settings)
        self._nodes: list[Server] = []
        self._relay = RandomNode(lambda: self.ports)
        self._opened = AsyncExitStack()
        self.port = 0

    @property
    def ports(self) -> list[int]:
        """The ports of the nodes."""
        return [node.port for node in self._nodes]

    @property
    def nodes(self) -> list[Server]:
        """The nodes, each with its own `port`."""
        return self._nodes

    async def start(self) -> None:
        async with AsyncExitStack() as opened:
            numbers = range(1, self._number + 1)
            made = [await self._node(number, opened) for number in numbers]
            self._nodes = [node for node, _ in made]
            opened.push_async_callback(self._stop)
            await asyncio.gather(*(node.start(listening) for node, listening in made))
            self.port = await self._relay.listen()
            opened.push_async_callback(self._relay.stop)
            self._opened = opened.pop_all()

    async def stop(self) -> None:
        await self._opened.aclose()

    async def _stop(self) -> None:
        await asyncio.gather(*(node.stop() for node in self._nodes))

    async def _node(self, number: int, opened: AsyncExitStack) -> tuple[Server, Listening]:
        settings = {"nats_url": (nats_url(),), **self._settings, "node_name": f"node-{number}"}
        if number > 1:
            settings = {name: value for name, value in settings.items() if name not in PORTS_OF_ONE}
        connector = Connector(self._database_url)
        opened.callback(connector.close)
        lock = ServerLock(connector, shared=True)
        await lock.take()
        opened.callback(lock.release)
        loaded = load_settings(**settings)
        listening = listen(loaded)
        return await node_server(loaded, self._database_url, lock.name, listening), listening


class SupervisedWorkers:
    """`frontrow serve` with the workers that `FRONTROW_TEST_NODES` names.

    Args:
        database_url: the database.
        settings: by name.

    Attributes:
        port: of all workers.
    """

    def __init__(self, database_url: str, settings: Mapping[str, object]) -> None:
        named = {name: _text(value) for name, value in settings.items() if name not in ("port", "data_dir")}
        data_dir = settings["data_dir"]
        assert isinstance(data_dir, Path)
        self._process = ServerProcess(data_dir, database_url=database_url, **named)
        self.port = 0

    async def start(self) -> None:
        await self._process.__aenter__()
        self.port = int(self._process.url.rpartition(":")[2])

    async def stop(self) -> None:
        if self.port:
            await self._process.terminate()
        await self._process.remove()


def _text(value: object) -> object:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value
