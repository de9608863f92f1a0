"""Nodes of one cluster, each a `frontrow serve` process, on one database and one NATS server."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp

from frontrow_client import Conflict, ConnectionFailed, Unavailable
from tests.acceptance.buyers import ONCE, Buyer
from tests.acceptance.client import Client, http_session
from tests.acceptance.late_writes import watch_the_order
from tests.acceptance.seat_picture import SeatWatcher, expected_picture
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute, temporary_data_directory
from tests.random_node import RandomNode
from tests.signing_keys import STRONG_SECRET
from tests.topology import ONE_SERVER

ANSWER_SECONDS = 20.0
"""Client-side timeout; a node that answers at all answers sooner."""

UNSETTLED_SECONDS = 120.0
"""Bounds a wait for something that the cluster has to do."""

RETRY_SECONDS = 0.05

QUICK = {"node_heartbeat_seconds": 0.5, "node_gone_seconds": 1.5}
"""Settings of nodes that are gone twice as soon, for tests that measure nothing of this."""

SECRETS = {"jwt_secret": STRONG_SECRET, "personal_data_key": STRONG_SECRET[::-1]}


async def eventually(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until a condition holds; it is asked again and again."""
    async with asyncio.timeout(UNSETTLED_SECONDS):
        while not await condition():  # noqa: ASYNC110 - other processes do not set events
            await asyncio.sleep(RETRY_SECONDS)


async def decided(buyer: Buyer, hall: SeededScreening, seat_id: int) -> bool:
    """Try to hold a seat; return whether its owner has decided, for or against."""
    try:
        await buyer.reserve(hall.id, [seat_id])
    except Conflict:
        return True
    except (ConnectionFailed, Unavailable):
        return False
    return True


class Nodes:
    """The running nodes. `url` leads each connection to a random one that is not frozen.

    Args:
        directory: for their data directories.
        database_url: of the database.
        nats_url: of the NATS server.
        session: for clients.
        settings: of all nodes, by name.

    Attributes:
        all: the nodes, also those that do not run now.
        frozen: nodes that get no new connections.
        url: for requests.
    """

    def __init__(
        self,
        directory: Path,
        database_url: str,
        nats_url: str,
        session: aiohttp.ClientSession,
        **settings: object,
    ) -> None:
        self.directory = directory
        self.database_url = database_url
        self.session = session
        self._settings = {
            **SECRETS,
            "database_url": database_url,
            "nats_url": nats_url,
            "database_pool_size": 4,
            "ask_timeout_seconds": 2.0,
            **settings,
        }
        self._numbers = count(1)
        self.all: list[ServerProcess] = []
        self.frozen: set[ServerProcess] = set()
        self.relay = RandomNode(
            lambda: [node.own_port for node in self.running if node.own_url and node not in self.frozen]
        )
        self.url = ""

    async def open(self, number: int) -> None:
        """Start the first nodes."""
        self.url = f"http://127.0.0.1:{await self.relay.listen()}"
        await asyncio.gather(*(self.add() for _ in range(number)))

    async def close(self) -> None:
        """End all nodes."""
        await self.relay.stop()
        await asyncio.gather(*(node.remove() for node in self.all))

    def _made(
        self, directory: Path, settings: dict[str, object], code_directory: Path | None
    ) -> ServerProcess:
        return ServerProcess(
            directory,
            code_directory=code_directory,
            served_by=ONE_SERVER,
            **settings,
        )

    async def add(self, code_directory: Path | None = None, **settings: object) -> ServerProcess:
        """Start another node.

        Args:
            code_directory: as for `ServerProcess`.
            settings: that differ from those of the others.
        """
        name = f"node-{next(self._numbers)}"
        directory = self.directory / name
        directory.mkdir()
        node = self._made(directory, {**self._settings, "node_name": name, **settings}, code_directory)
        self.all.append(node)
        await node.start()
        return node

    def token(self, user_id: int, *, admin: bool = False) -> str:
        """Return a token of a user, valid at all nodes."""
        return self.all[0].token(user_id, admin=admin)

    def buyer(self, user_id: int, node: ServerProcess | None = None) -> Buyer:
        """Return a buyer at one node, by default at random ones, each of whose requests is sent once.

        Its connections end with its requests, so it need not be closed.
        """
        return Buyer(
            node or self, user_id, retries=ONCE, timeout_seconds=ANSWER_SECONDS, new_connections=True
        )

    def watcher(self, node: ServerProcess, hall: SeededScreening, user_id: int) -> SeatWatcher:
        """Return a user's watcher of a hall, connected to one node."""
        return SeatWatcher(node, self.session, hall.id, user_id)

    def owner_of(self, hall: SeededScreening) -> ServerProcess | None:
        """The running node that took a hall last, according to the database."""
        rows = execute(
            self.database_url, "SELECT owner FROM screening_epochs WHERE screening_id = %s", hall.id
        )
        match = re.search(r" (\d+)@", rows[0][0]) if rows else None
        pid = int(match[1]) if match else 0
        return next((node for node in self.all if node.is_running and node.pid == pid), None)

    @property
    def running(self) -> list[ServerProcess]:
        """The nodes that run."""
        return [node for node in self.all if node.is_running]

    def others(self, node: ServerProcess) -> list[ServerProcess]:
        """The running nodes but one."""
        return [other for other in self.running if other is not node]

    async def settled(self) -> None:
        """Wait until all running nodes see each other."""
        running = self.running

        async def all_seen() -> bool:
            return all([await self.seen_by(node) == len(running) for node in running])

        await eventually(all_seen)

    async def seen_by(self, node: ServerProcess) -> int:
        """The number of serving nodes that a node sees."""
        metrics = await Client(node, self.session, 1).metrics("frontrow_cluster_nodes")
        return int(metrics.get('{state="serving"}', 0))

    async def bookable_again(self, hall: SeededScreening, user_id: int) -> float:
        """Wait until a seat of a hall is held for a user or refused by its owner. Returns the seconds."""
        began = time.monotonic()
        buyer, draw = self.buyer(user_id), random.Random(hall.id)
        await eventually(lambda: decided(buyer, hall, draw.choice(hall.seat_ids)))
        return time.monotonic() - began

    async def shows_the_truth(self, watcher: SeatWatcher, hall: SeededScreening, user_id: int) -> None:
        """Check that all nodes say the same about a hall, and that a watcher's picture becomes this."""
        truths = [expected_picture(await self.buyer(user_id, node).seats(hall.id)) for node in self.running]
        assert all(truth == truths[0] for truth in truths)
        await watcher.shows(truths[0])


@asynccontextmanager
async def cluster_of(
    number: int, database_url: str, nats_url: str, make: Callable[..., Nodes] = Nodes, **settings: object
) -> AsyncIterator[Nodes]:
    """Nodes that serve as long as the block lasts.

    Args:
        number: of nodes.
        database_url: of the database.
        nats_url: of the NATS server.
        make: the class of the result.
        settings: of all nodes.
    """
    watch_the_order(database_url)
    async with AsyncExitStack() as opened:
        directory = opened.enter_context(temporary_data_directory())
        session = await opened.enter_async_context(
            http_session(new_connections=True, answer_seconds=ANSWER_SECONDS)
        )
        nodes = make(directory, database_url, nats_url, session, **settings)
        opened.push_async_callback(nodes.close)
        try:
            await nodes.open(number)
            yield nodes
        except BaseException as error:
            for node in nodes.all:
                error.add_note(f"End of the log of {node.data_directory.name}:\n{node.last_words()}")
            raise
