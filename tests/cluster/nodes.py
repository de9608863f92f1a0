"""Nodes for tests: links over real connections to a real NATS server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from cluster.connection import Connection
from cluster.links import Links

_numbers = count(1)


class Node:
    """A node with the handler `echo`, which returns its value.

    Attributes:
        links: its links.
        received: values of messages of the kind `note`, with their senders.
    """

    def __init__(self, url: str, cluster: str) -> None:
        self.connection = Connection([url], "test")
        self.links = Links(self.connection, cluster, f"{next(_numbers):08x}")
        self.name = self.links.node
        self.received: list[object] = []
        self.links.on("echo", lambda sender, value: value)
        self.links.on("note", lambda sender, value: self.received.append((sender, value)))


@asynccontextmanager
async def nodes(url: str, number: int = 2, cluster: str = "") -> AsyncIterator[list[Node]]:
    """Connected nodes of one cluster, of a new one by default."""
    cluster = cluster or f"test-{next(_numbers)}"
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(number):
            node = Node(url, cluster)
            await node.connection.start()
            stack.push_async_callback(node.connection.stop)
            stack.callback(node.links.stop)
            made.append(node)
        yield made


class Wiretap:
    """Sees every message of a cluster.

    Attributes:
        messages: subjects and contents, without those of `unserved`.
    """

    def __init__(self, url: str, cluster: str) -> None:
        self.connection = Connection([url], "tap")
        self.messages: list[tuple[str, bytes]] = []
        self._mark = f"frontrow.{cluster}.tap.{next(_numbers)}"
        self._marked = asyncio.Event()
        self.connection.subscribe(f"frontrow.{cluster}.>", self._see)

    async def catch_up(self) -> None:
        """Wait until all messages have been seen that others have received by now."""
        self._marked.clear()
        self.connection.publish(self._mark, b"")
        async with asyncio.timeout(60):
            await self._marked.wait()

    def _see(self, subject: str, content: bytes) -> None:
        if subject == self._mark:
            self._marked.set()
        elif ".tap." not in subject and ".unserved." not in subject:
            self.messages.append((subject, content))

    async def __aenter__(self) -> "Wiretap":
        await self.connection.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.stop()
