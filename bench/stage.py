"""The surroundings of a run: the databases, the servers on their core, and the load process.

All databases are in one embedded PostgreSQL with production settings (fsync on). Each server has its own.
"""

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from api.identity.tokens import Tokens
from bench.load import MeasurementFailed
from bench.load.closed_loop import ClosedLoop
from bench.load.http import NO_CONTENT, Address, Requests
from bench.load.process import LoadProcess, raise_descriptor_limit
from bench.load.sockets import READY_SECONDS, Silence
from bench.load.tally import Tally
from bench.machine import Placement, confined_to, pin
from bench.peers import PeerMissing, peer_process
from bench.plan import Plan
from bench.revision import NoSuchRevision, unpack
from bench.seats import Each, release_all
from frontrow.signing import SECRET_FILES
from persistence.embedded import EmbeddedPostgres
from tests.acceptance.client import Client, http_session
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import database_of, execute
from tests.topology import ONE_SERVER

TOKEN_SECONDS = 86_400
FLUSH_SECONDS = 60.0
"""Time limit for the journal to write what a round left."""

ACTIVATION_SECONDS = 300.0
"""Time limit for activating all screenings of a scenario."""

GREETING = b'"connection_confirmed"'
"""Part of the first text on a socket that watches a screening."""

_SOCKETS_OPEN = "frontrow_sockets_open"

_POLL_SECONDS = 0.05
_CONTROL_USER = 1_000_000_007


@dataclass
class Server:
    """A server under test.

    Attributes:
        address: where it listens.
        pid: its process id.
    """

    address: Address
    pid: int

    async def flushed(self) -> dict[str, float]:
        """Return nothing: peers write before they answer, or not at all."""
        return {}


@dataclass
class Frontrow(Server):
    """A Frontrow server, its process, and a client for questions beside the load."""

    process: ServerProcess
    client: Client

    async def flushed(self) -> dict[str, float]:
        """Wait until the journal is empty, and return the figure `flush_seconds`.

        Raises:
            TimeoutError: it does not get empty.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(FLUSH_SECONDS):
            while await self.client.metric("frontrow_journal_depth"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_SECONDS)
        return {"flush_seconds": loop.time() - began}


class Stage:
    """The surroundings of a run.

    Args:
        directory: an empty one, on the disk that durable writes are measured on.
        placement: the core of each process.
        plan: what is measured.

    Attributes:
        notices: what could not be measured here, and why.
        load: carries out loads.
        stack: closes what a scenario has opened.
    """

    load: LoadProcess

    def __init__(self, directory: Path, placement: Placement, plan: Plan) -> None:
        self.directory = directory
        self.placement = placement
        self.plan = plan
        self.notices: set[str] = set()
        self._secret = secrets.token_urlsafe(48)
        self._postgres = EmbeddedPostgres(directory)
        self._numbers = itertools.count(1)
        self.stack = AsyncExitStack()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep the load process, and later PostgreSQL, running as long as the block lasts."""
        raise_descriptor_limit()
        # Installed servers do not compile their modules at each start, whatever the variable says here.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        async with AsyncExitStack() as stack:
            stack.callback(self._postgres.stop)
            stack.enter_context(confined_to(self.placement.load))
            self.load = stack.enter_context(closing(LoadProcess(self.placement.load)))
            self._session = await stack.enter_async_context(http_session())
            yield

    @asynccontextmanager
    async def scenario(self) -> AsyncIterator[None]:
        """End the servers that are started in the block at its end."""
        async with AsyncExitStack() as self.stack:
            yield

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens of all users."""
        return self._issued(self.plan.users)

    @cached_property
    def callers(self) -> list[str]:
        """The tokens of more users than a server remembers."""
        return self._issued(self.plan.callers)

    @cached_property
    def scanner_token(self) -> str:
        """The token of scanners at the door."""
        return Tokens(self._secret).issue_to_service("check-in", ttl_seconds=TOKEN_SECONDS)

    @cached_property
    def admin_token(self) -> str:
        """The token of an administrator."""
        return Tokens(self._secret).issue(_CONTROL_USER, admin=True, ttl_seconds=TOKEN_SECONDS)

    def _issued(self, users: int) -> list[str]:
        issue = Tokens(self._secret).issue
        return [issue(user_id, ttl_seconds=TOKEN_SECONDS) for user_id in range(1, users + 1)]

    def database(self) -> str:
        """Create an empty database and return its URL. Blocking; the first call starts PostgreSQL."""
        with confined_to(self.placement.databases):
            self._postgres.start()
        name = f"bench_{next(self._numbers)}"
        execute(self._postgres.url, f"CREATE DATABASE {name}")
        return database_of(self._postgres, name)

    @asynccontextmanager
    async def frontrow(
        self, *, code_directory: Path | None = None, **settings: Any
    ) -> AsyncIterator[Frontrow]:
        """Run a Frontrow server as long as the block lasts.

        Args:
            code_directory: a checkout of another revision to run.
            settings: by the names of `frontrow.settings.Settings`, where not the defaults.
        """
        directory = self.directory / f"frontrow-{next(self._numbers)}"
        directory.mkdir()
        for name in SECRET_FILES.values():
            (directory / name).write_text(self._secret)
        settings = {"database_pool_size": 4, "log_level": "warning", **settings}
        if code_directory is None:
            # Earlier revisions refuse nothing either, and do not know these settings.
            settings = {"overload_wait_ms": 0, "socket_handshakes_per_second": 1_000_000, **settings}
        if "database_url" not in settings:
            settings["database_url"] = self.database()
        server = ServerProcess(directory, code_directory=code_directory, served_by=ONE_SERVER, **settings)
        async with server as process:
            pin(process.pid, self.placement.server)
            client = Client(process, self._session, _CONTROL_USER)
            yield Frontrow(_address_of(process), process.pid, process, client)

    async def start(self, *, code_directory: Path | None = None, **settings: Any) -> Frontrow:
        """Run a Frontrow server until the scenario ends; for the arguments see `frontrow`."""
        server = self.frontrow(code_directory=code_directory, **settings)
        return await self.stack.enter_async_context(server)

    async def restart(self, server: Frontrow, port: int = 0) -> float:
        """Start a server again that was ended, and return the seconds until it is ready.

        Args:
            server: the server.
            port: where it listens; by default the system chooses.
        """
        ready_seconds = await server.process.start("--port", str(port))
        server.address, server.pid = _address_of(server.process), server.process.pid
        pin(server.pid, self.placement.server)
        return ready_seconds

    async def generations(self) -> dict[str, Frontrow]:
        """Run the present code and the revision to compare with; return them by contender.

        The revision is left out with a notice where git does not have it.
        """
        servers = {"frontrow": await self.start()}
        code_directory = self.directory / self.plan.revision
        try:
            if not code_directory.exists():
                unpack(self.plan.revision, code_directory)
            servers[self.plan.revision] = await self.start(code_directory=code_directory)
        except NoSuchRevision as unknown:
            self.notices.add(f"without {self.plan.revision}: {unknown}")
        return servers

    async def peer(self, name: str, database_url: str = "") -> Server | None:
        """Run one of `bench.peers.PEERS` until the scenario ends. Leaves a notice if it cannot run here.

        Raises:
            PeerFailed: it does not start.
        """
        log = self.directory / f"{name}-{next(self._numbers)}.log"
        process = peer_process(name, log, self._secret, database_url)
        try:
            server = Server(*await self.stack.enter_async_context(process))
        except PeerMissing as missing:
            self.notices.add(f"without {name}: {missing}")
            return None
        pin(server.pid, self.placement.server)
        return server

    async def closed_loop(
        self, server: Server, requests: Requests, *, connections: int = 0, seconds: float = 0, **more: Any
    ) -> Tally:
        """Send requests as fast as they are answered; for the arguments see `ClosedLoop`."""
        connections, seconds = connections or self.plan.connections, seconds or self.plan.seconds
        load = ClosedLoop(server.address, server.pid, requests, connections, seconds, **more)
        return await self.load.run(load)

    async def seeded(self, server: Frontrow, times: int = 1) -> list[SeededScreening]:
        """Make screenings of the usual size and activate them: as many as usual, or a multiple."""
        plan = self.plan
        seeded = await server.process.seed(times * plan.screenings, plan.rows, plan.seats_per_row)
        return await self.activated(server, seeded)

    async def activated(self, server: Frontrow, screenings: list[SeededScreening]) -> list[SeededScreening]:
        """Load screenings into memory, and return them."""
        requests = Each([release_all(self.tokens[0], screening.id) for screening in screenings])
        tally = await self.closed_loop(server, requests, seconds=ACTIVATION_SECONDS)
        tally.require(NO_CONTENT)
        return screenings

    @asynccontextmanager
    async def silent_sockets(self, server: Frontrow, screening_id: int, number: int) -> AsyncIterator[None]:
        """Keep silent sockets open as long as the block lasts.

        Raises:
            OSError, MeasurementFailed: the server refuses or closes some.
        """
        load = Silence(server.address, watching_paths(self.tokens, screening_id, number), GREETING)
        loop = asyncio.get_running_loop()
        with closing(LoadProcess(self.placement.load)) as process:
            silence = asyncio.create_task(process.run(load))
            try:
                # Opening them all may take long if the machine is busy, so the limit is on standstill.
                opened, opened_at = 0.0, loop.time()
                while (now_open := sum((await server.client.metrics(_SOCKETS_OPEN)).values())) < number:
                    if silence.done():
                        silence.result()
                    if now_open > opened:
                        opened, opened_at = now_open, loop.time()
                    elif loop.time() - opened_at > READY_SECONDS:
                        raise MeasurementFailed(f"only {now_open:,.0f} of {number:,} sockets are open")
                    await asyncio.sleep(_POLL_SECONDS)
                yield
            finally:
                silence.cancel()
                await asyncio.wait((silence,))


def watching_paths(tokens: Sequence[str], screening_id: int, number: int) -> list[str]:
    """Return the paths of sockets that watch a screening, for as many users as there are tokens."""
    path = f"/ws/screenings/{screening_id}?updates=bulk&token="
    return [path + token for token in itertools.islice(itertools.cycle(tokens), number)]


def _address_of(process: ServerProcess) -> Address:
    host, _, port = process.url.removeprefix("http://").rpartition(":")
    return Address(host, int(port))
