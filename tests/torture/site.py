"""The cluster under test: real nodes, PostgreSQL and two NATS servers, each a host with its own address.

Everything is inside the namespaces of the run (`namespaces`), so ports are fixed, disks are small and
mounted for the run, and nothing is left behind. This process is on the network too, for the clients.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from api.identity.tokens import Tokens
from cluster.nats_server import BINARY
from frontrow.settings import PREFIX, load_settings, variable_of
from frontrow.signing import tokens_of
from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate
from tests.acceptance.database_process import DatabaseProcess
from tests.acceptance.late_writes import watch_the_order
from tests.cluster_faults.network import Here, Host, Network
from tests.database import execute
from tests.signing_keys import STRONG_SECRET
from tests.torture.clocks import FakeClock
from tests.torture.namespaces import memory_disk
from tests.torture.programs import Program, Tool

DATABASE, WEATHER, CLIENTS = "postgres", "weather", "clients"
NATS = ("nats-1", "nats-2")
NATS_TOKEN = "for-tests-only"
PORT = 8000
NODE_DISK_MEGABYTES, DATABASE_DISK_MEGABYTES = 256, 600
TOKEN_SECONDS = 86400

_NATS_CONFIGURATION = """\
listen: "{address}:4222"
authorization {{ token: "{token}" }}
max_payload: 8MB
write_deadline: "2s"
ping_interval: "1s"
ping_max: 2
cluster {{ name: "frontrow", listen: "{address}:6222", routes: [{routes}] }}
"""

HOLD_SECONDS = 8.0
SETTINGS: Mapping[str, object] = {
    "ask_timeout_seconds": 4.0,
    "database_pool_size": 4,
    "expiry_warning_seconds": 2.0,
    "guest_creations_per_address": 1_000_000,
    "guest_requests_per_address": 1_000_000,
    "guest_requests_per_session": 1_000_000,
    "guest_seats_limit": 1_000_000,
    "hold_extension_limit": 3,
    "hold_life_seconds": 86400.0,
    "hold_seconds": HOLD_SECONDS,
    # Screenings leave the memory as soon as nobody asks for them.
    "idle_seconds": 1.0,
    "payment_window_seconds": 20.0,
    "resume_limit": 100,
    "state_hash_seconds": 0.5,
    "stop_seconds": 10.0,
    "unvouched_refunds_limit": 1_000_000,
    "sweep_seconds": 1.0,
    "token_max_life_seconds": TOKEN_SECONDS,
}
"""Settings of all nodes: the server's own, but for times that make more happen in a run."""


def node_names(number: int) -> tuple[str, ...]:
    """Return the names of the nodes."""
    return tuple(f"node-{position}" for position in range(1, number + 1))


class Site:
    """All programs of a run, as an async context manager.

    Args:
        folder: for the logs.
        nodes: their number.
        seed: of what bad links do.

    Attributes:
        nodes: the nodes by name.
        nats: the NATS servers by name.
        network: the hosts.
        database: PostgreSQL's processes.
        cutter: the program that breaks connections to PostgreSQL.
        weather: the program that carries packets badly.
        clocks: of the nodes, by name.
        disks: mount points by host.
    """

    def __init__(self, folder: Path, nodes: int, seed: int) -> None:
        self.nodes: dict[str, Program] = {}
        self.nats: dict[str, Program] = {}
        self.clocks: dict[str, FakeClock] = {}
        self.disks: dict[str, Path] = {}
        self.network: Network
        self.here = Here()
        self.database: DatabaseProcess
        self.cutter: Tool
        self.weather: Tool
        self._embedded: EmbeddedPostgres
        self._logs = folder / "logs"
        self._names = node_names(nodes)
        self._seed = seed
        self._opened = AsyncExitStack()
        self._directory: Path
        self._tokens: Tokens = tokens_of(
            load_settings(jwt_secret=STRONG_SECRET, token_max_life_seconds=TOKEN_SECONDS)
        )

    async def __aenter__(self) -> Self:
        async with self._opened as opened:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._directory = Path(tempfile.mkdtemp(prefix="frontrow-torture-"))
            self._directory.chmod(0o755)
            opened.callback(self._remove_disks)
            hosts = (DATABASE, *NATS, *self._names, WEATHER)
            self.network = await opened.enter_async_context(Network(*hosts, here=self.here))
            await self._open_database(opened)
            for name in NATS:
                self.nats[name] = await self._program(name, self._nats_command(name), opened)
            self.weather = Tool(
                (
                    *(*self._host(WEATHER).enter, sys.executable, "-m", "tests.torture.bad_link"),
                    *(self._host(WEATHER).device, str(self._seed)),
                ),
                self._logs / "weather.log",
            )
            await self.weather.start()
            opened.push_async_callback(self.weather.close)
            for name in self._names:
                self.disks[name] = memory_disk(NODE_DISK_MEGABYTES, self._directory)
                self.clocks[name] = FakeClock(self._directory / f"{name}.clock")
                self.nodes[name] = await self._program(
                    name, self._node_command(), opened, self._node_environment(name)
                )
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def url_of(self, node: str) -> str:
        """Return the address of a node for requests."""
        return f"http://{self._host(node).address}:{PORT}"

    def token(self, user_id: int, *, admin: bool = False) -> str:
        """Return a token of a user, valid at all nodes."""
        return self._tokens.issue(user_id, admin=admin, ttl_seconds=TOKEN_SECONDS)

    @property
    def database_url(self) -> str:
        """The URL of the database for this process, past everything that breaks connections."""
        return self._embedded.url

    async def start_database(self) -> None:
        """Start PostgreSQL if it does not run."""
        await asyncio.to_thread(self._embedded.start)

    def limit_disk(self, host: str, *, full: bool) -> None:
        """Make a disk full, or as large as it was."""
        path = self.disks[host]
        megabytes = DATABASE_DISK_MEGABYTES if host == DATABASE else NODE_DISK_MEGABYTES
        size = f"{max(1, shutil.disk_usage(path).used // 1024)}k" if full else f"{megabytes}m"
        subprocess.run(["mount", "-o", f"remount,size={size}", str(path)], check=True)  # noqa: S603, S607

    def _host(self, name: str) -> Host:
        return self.network[name]

    def _remove_disks(self) -> None:
        for path in self.disks.values():
            subprocess.run(["umount", "--lazy", str(path)], check=False)  # noqa: S603, S607
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _open_database(self, opened: AsyncExitStack) -> None:
        disk = self.disks[DATABASE] = memory_disk(DATABASE_DISK_MEGABYTES, self._directory)
        self._embedded = EmbeddedPostgres(disk, max_connections=40 + 15 * len(self._names))
        await asyncio.to_thread(self._embedded.start)
        self.database = DatabaseProcess(disk)
        opened.callback(self._close_database)
        for setting, value in (("max_wal_size", "'128MB'"), ("checkpoint_timeout", "'60s'")):
            execute(self.database_url, f"ALTER SYSTEM SET {setting} = {value}")
        execute(self.database_url, "SELECT pg_reload_conf()")
        await asyncio.to_thread(migrate, self.database_url)
        watch_the_order(self.database_url)
        (socket_directory,) = parse_qs(urlsplit(self.database_url).query)["host"]
        self.cutter = Tool(
            (
                *(*self._host(DATABASE).enter, sys.executable, "-m", "tests.torture.statement_cutter"),
                *(f"{self._host(DATABASE).address}:5432", f"{unquote(socket_directory)}/.s.PGSQL.5432"),
            ),
            self._logs / "cutter.log",
        )
        await self.cutter.start()
        opened.push_async_callback(self.cutter.close)

    def _close_database(self) -> None:
        shutil.copy(self.disks[DATABASE] / "postgres" / "postgres.log", self._logs / "postgres.log")
        self.database.remove()

    async def _program(
        self,
        name: str,
        command: tuple[str, ...],
        opened: AsyncExitStack,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        folder = self.disks.get(name, self._logs)
        program = Program(name, (*self._host(name).enter, *command), folder / f"{name}.log", environment)
        if folder != self._logs:
            opened.callback(shutil.copy, program.log, self._logs)
        opened.push_async_callback(program.close)
        program.start()
        return program

    def _nats_command(self, name: str) -> tuple[str, ...]:
        others = [self._host(other).address for other in NATS if other != name]
        path = self._directory / f"{name}.conf"
        path.write_text(
            _NATS_CONFIGURATION.format(
                address=self._host(name).address,
                token=NATS_TOKEN,
                routes=", ".join(json.dumps(f"nats://{other}:6222") for other in others),
            )
        )
        return (str(BINARY), "--config", str(path))

    def _node_command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "frontrow", "serve")

    def _node_environment(self, name: str) -> dict[str, str]:
        # Each node prefers a NATS server, so a cut between these separates nodes.
        position = self._names.index(name) % len(NATS)
        addresses = [self._host(nats).address for nats in (*NATS[position:], *NATS[:position])]
        settings = {
            **SETTINGS,
            "data_dir": self.disks[name],
            "database_url": f"postgresql://postgres@{self._host(DATABASE).address}:5432/postgres",
            "host": self._host(name).address,
            "jwt_secret": STRONG_SECRET,
            "nats_url": ",".join(f"nats://{NATS_TOKEN}@{address}:4222" for address in addresses),
            "node_name": name,
            "personal_data_key": STRONG_SECRET[::-1],
            "port": PORT,
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        return {
            **inherited,
            **{variable_of(setting): str(value) for setting, value in settings.items()},
            **self.clocks[name].environment,
        }
