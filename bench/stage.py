"""Where everything is measured: the databases, the servers on their core, and the load process.

A stage is one run's surroundings. All databases are in one embedded PostgreSQL with the settings of
production (fsync on), which the stage starts; each server, ours or a peer, has a database of its own in it.
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp

from api.identity.tokens import Tokens
from bench.load.closed_loop import ClosedLoop
from bench.load.http import NO_CONTENT, Address, Requests
from bench.load.process import LoadProcess, raise_descriptor_limit
from bench.load.tally import Tally
from bench.machine import Placement, confined_to, pin
from bench.peers import PEERS, PeerMissing
from bench.peers.process import peer_process
from bench.revision import NoSuchRevision, unpack
from bench.seats import Each, release_all
from bench.sizes import Sizes
from frontrow.signing import KEY_FILE
from persistence.embedded import EmbeddedPostgres
from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import SeededScreening, ServerProcess
from tests.database import database_of, execute

TOKEN_SECONDS = 86_400
FLUSH_SECONDS = 60.0
"""How long the journal may take to write what a round has left behind."""

ACTIVATION_SECONDS = 300.0
"""How long activating all screenings of a scenario may take."""

_POLL_SECONDS = 0.05
_CONTROL_USER = 1_000_000_007


class Target(NamedTuple):
    """A server that is measured.

    Attributes:
        address: where it listens.
        pid: its process.
    """

    address: Address
    pid: int


class Frontrow(NamedTuple):
    """A server of ours.

    Attributes:
        process: how it was started.
        client: a client for what is asked beside the load.
    """

    process: ServerProcess
    client: Client

    @property
    def target(self) -> Target:
        """Where it is."""
        host, _, port = self.process.url.removeprefix("http://").rpartition(":")
        return Target(Address(host, int(port)), self.process.pid)

    async def flushed(self) -> float:
        """Wait until the journal is empty. Returns how long that took, in seconds.

        Raises:
            TimeoutError: it does not get empty.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(FLUSH_SECONDS):
            while True:
                if not await self.client.metric("frontrow_journal_depth"):
                    return loop.time() - began
                await asyncio.sleep(_POLL_SECONDS)


class Stage:
    """One run's surroundings, as an asynchronous context manager.

    Args:
        directory: an empty one; on the disk that durable writes are to be measured on.
        placement: who runs on which core.
        sizes: how large everything is.
        seconds: how long a round lasts.
        rounds: how many count.
        revision: the revision of Frontrow that the present one is compared with.

    Attributes:
        notices: what could not be measured here, and why.
    """

    def __init__(
        self,
        directory: Path,
        placement: Placement,
        sizes: Sizes,
        *,
        seconds: float,
        rounds: int,
        revision: str,
    ) -> None:
        self.directory = directory
        self.placement = placement
        self.sizes = sizes
        self.seconds = seconds
        self.rounds = rounds
        self.revision = revision
        self._postgres = EmbeddedPostgres(directory)
        self._secret = secrets.token_urlsafe(48)
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()
        self.notices: list[str] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            raise_descriptor_limit()
            self._tokens = Tokens(self._secret)
            stack.callback(self._postgres.stop)
            stack.enter_context(confined_to(self.placement.load))
            self.load = stack.enter_context(LoadProcess(self.placement.load))
            self._session: aiohttp.ClientSession = await stack.enter_async_context(http_session())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @cached_property
    def tokens(self) -> list[str]:
        """A token for each user, from user 1 on."""
        return self._issue(self.sizes.users)

    @cached_property
    def callers(self) -> list[str]:
        """Tokens of more users than a server remembers."""
        return self._issue(self.sizes.callers)

    def _issue(self, users: int) -> list[str]:
        return [self._tokens.issue(user_id, ttl_seconds=TOKEN_SECONDS) for user_id in range(1, users + 1)]

    def database(self) -> str:
        """Make an empty database. Returns its URL. Blocking, and the first time PostgreSQL is started."""
        with confined_to(self.placement.databases):
            self._postgres.start()
        name = f"bench_{next(self._numbers)}"
        execute(self._postgres.url, f"CREATE DATABASE {name}")
        return database_of(self._postgres, name)

    @asynccontextmanager
    async def frontrow(
        self, *, code_directory: Path | None = None, **settings: object
    ) -> AsyncIterator[Frontrow]:
        """A server of ours as long as the block lasts.

        Args:
            code_directory: a checkout of another revision to run.
            settings: by the names of `frontrow.settings.Settings`, where the defaults are not meant.
        """
        directory = self.directory / f"frontrow-{next(self._numbers)}"
        directory.mkdir()
        (directory / KEY_FILE).write_text(self._secret)
        usual = {"database_url": self.database(), "database_pool_size": 4, "log_level": "warning"}
        server = ServerProcess(directory, code_directory=code_directory, **{**usual, **settings})
        async with server as process:
            pin(process.pid, self.placement.server)
            yield Frontrow(process, Client(process, self._session, _CONTROL_USER))

    async def generations(self, stack: AsyncExitStack) -> dict[str, Frontrow]:
        """Two servers for as long as a stack lasts: the present code, and the revision to compare with.

        Returns:
            The servers by the names of their contenders. The other revision is left out with a notice where
            git does not know it.
        """
        servers = {"frontrow": await stack.enter_async_context(self.frontrow())}
        code_directory = self.directory / self.revision
        try:
            if not code_directory.exists():
                unpack(self.revision, code_directory)
        except NoSuchRevision as unknown:
            self.notices.append(f"without {self.revision}: {unknown}")
        else:
            other = self.frontrow(code_directory=code_directory)
            servers[self.revision] = await stack.enter_async_context(other)
        return servers

    @asynccontextmanager
    async def peer(self, name: str, *, database_url: str = "") -> AsyncIterator[Target]:
        """A peer as long as the block lasts.

        Args:
            name: one of `bench.peers.PEERS`.
            database_url: the database it uses.

        Raises:
            PeerMissing: it cannot be run on this machine.
            PeerFailed: it does not start.
        """
        peer = PEERS[name]
        peer.require()
        async with AsyncExitStack() as stack:
            log = self.directory / f"{peer.module}-{next(self._numbers)}.log"
            address, pid = await stack.enter_async_context(
                peer_process(peer.module, log, secret=self._secret, database_url=database_url)
            )
            pin(pid, self.placement.server)
            yield Target(address, pid)

    async def join(self, stack: AsyncExitStack, name: str, *, database_url: str = "") -> Target | None:
        """A peer for as long as a stack lasts, or None and a notice if it cannot be run here."""
        try:
            return await stack.enter_async_context(self.peer(name, database_url=database_url))
        except PeerMissing as missing:
            self.notices.append(f"without {name}: {missing}")
            return None

    async def closed_loop(
        self,
        target: Target,
        requests: Requests,
        *,
        connections: int | None = None,
        seconds: float | None = None,
        revalidates: bool = False,
    ) -> Tally:
        """Ask a server as fast as it answers; see `ClosedLoop` for the arguments."""
        sizes = self.sizes
        return await self.load.run(
            ClosedLoop(
                *target,
                requests,
                connections or sizes.connections,
                sizes.depth,
                seconds or self.seconds,
                revalidates,
            )
        )

    async def seeded(self, server: Frontrow, screenings: int | None = None) -> list[SeededScreening]:
        """Screenings of the usual size, all of them active, as many as usual or as named."""
        sizes = self.sizes
        return await self.activated(
            server, await server.process.seed(screenings or sizes.screenings, sizes.rows, sizes.seats_per_row)
        )

    async def activated(self, server: Frontrow, screenings: list[SeededScreening]) -> list[SeededScreening]:
        """The screenings, all of them in memory."""
        requests = Each([release_all(self.tokens[0], screening.id) for screening in screenings])
        tally = await self.closed_loop(server.target, requests, seconds=ACTIVATION_SECONDS)
        tally.require(NO_CONTENT)
        return screenings
