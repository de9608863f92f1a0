"""Runs the server as an operator does: a process with a port, a data directory and settings.

`FRONTROW_TEST_NODES` adds workers or further nodes (`tests.topology`); `url` leads to all of them.

Tests use it from outside, over HTTP, WebSockets, signals and the command line. Only tokens are issued and
screenings created in this process, with the code of `frontrow token` and `frontrow seed`, because a process
for each would take a second. Nothing outlives the `async with` block, neither the server nor the PostgreSQL
that a killed server leaves behind.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from api.identity.tokens import Tokens
from frontrow.settings import PREFIX, load_settings, variable_of
from frontrow.signing import SECRET_FILES, tokens_of
from tests.acceptance.database_process import DatabaseProcess
from tests.acceptance.seeding import SeededScreening, seeded
from tests.http_layer import http_layer
from tests.nats import nats_url
from tests.processes import kill_all, runs
from tests.random_node import RandomNode
from tests.topology import ONE_SERVER, PORTS_OF_ONE, Topology, topology

START_SECONDS = 120.0
STOP_SECONDS = 60.0
COMMAND_SECONDS = 300.0
ASK_SECONDS = 30.0

_ANNOUNCEMENT = "listening on "
# Socket state LISTEN in /proc/net/tcp.
_LISTENING = "0A"
_READY_POLL_SECONDS = 0.02


class Exit(NamedTuple):
    """End of the process.

    Attributes:
        code: exit status, or the negative number of the signal that killed it.
        seconds: time from the signal to the end.
    """

    code: int
    seconds: float


class ServerProcess:
    """A `frontrow serve` process.

    Args:
        data_directory: its data directory, which survives restarts.
        code_directory: another checkout of Frontrow to run instead of this one.
        served_by: the processes, by default those that the environment names.
        command_prefix: a command that becomes the process, which is appended to it.
        settings: by the field names of `frontrow.settings.Settings`.

    Attributes:
        url: for requests; leads to a random node if there are several.
        own_url: of this process; empty while it starts.
        announced_at: when it said that it listens, by `time.perf_counter`.
        siblings: further nodes, which start and end with this one.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        code_directory: Path | None = None,
        served_by: Topology | None = None,
        command_prefix: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.data_directory = data_directory
        self._code_directory = code_directory
        self._command_prefix = command_prefix
        self.database = DatabaseProcess(data_directory)
        self.url = self.own_url = ""
        self.announced_at = 0.0
        self.siblings: list[ServerProcess] = []
        self._relay: RandomNode | None = None
        chosen = topology() if served_by is None else served_by
        # No 503 only because the machine is busy.
        settings = {"http_layer": http_layer(), "ask_timeout_seconds": ASK_SECONDS, **settings}
        self._jwt_secret = settings.get("jwt_secret")
        self._database_url = settings.get("direct_database_url") or settings.get("database_url")
        if chosen.workers > 1:
            settings = {"workers": chosen.workers, **settings}
        if chosen.nodes > 1:
            settings |= {"nats_url": nats_url(), "node_name": "node-1"}
            self._add_siblings(chosen.nodes - 1, settings)
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        self._environment |= {variable_of(name): str(value) for name, value in settings.items()}
        self._process: Process | None = None

    def _add_siblings(self, number: int, settings: dict[str, object]) -> None:
        common = {name: value for name, value in settings.items() if name not in PORTS_OF_ONE}
        common.setdefault("database_url", self.database.url)
        for name in (f"node-{position}" for position in range(2, number + 2)):
            directory = self.data_directory / name
            settings = {**common, "node_name": name}
            sibling = ServerProcess(
                directory, code_directory=self._code_directory, served_by=ONE_SERVER, **settings
            )
            self.siblings.append(sibling)
        nodes = (self, *self.siblings)
        self._relay = RandomNode(
            lambda: [node.own_port for node in nodes if node.is_running and node.own_url]
        )

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rpartition(":")[2])

    @property
    def own_port(self) -> int:
        """The port of this process."""
        return int(self.own_url.rpartition(":")[2])

    @property
    def node_urls(self) -> list[str]:
        """The addresses of all nodes."""
        return [node.own_url for node in (self, *self.siblings)]

    @property
    def is_running(self) -> bool:
        """True if this process is running."""
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.remove()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"End of the server's log:\n{self.last_words()}")
        await self.remove()

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the workers that the running server has started, oldest first."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except FileNotFoundError:  # it has ended by itself
            return []
        return [pid for pid in map(int, children) if runs(pid, "frontrow.worker")]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        self._running().send_signal(number)

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the running server."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def listening_ports(self) -> set[int]:
        """The TCP ports that the running server listens on."""
        inodes = set()
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                inodes.add(str(descriptor.readlink()))
        ports = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTENING and f"socket:[{columns[9]}]" in inodes:
                    ports.add(int(columns[1].rpartition(":")[2], 16))
        return ports

    async def start(self, *options: str) -> float:
        """Start the server and wait until `/readyz` returns 200.

        Args:
            options: further arguments of `frontrow serve`.

        Returns:
            Seconds from the start of the process until then.
        """
        assert self._process is None, "the server is already running"
        started = time.monotonic()
        self.own_url = ""
        with self._log_path.open("ab") as log:
            self._process = await self._launch("serve", "--port", "0", *options, stdout=PIPE, stderr=log)
        async with asyncio.timeout(START_SECONDS):
            self.own_url = await self._announced()
            await self._ready()
        await asyncio.gather(*(self._start_beside(sibling) for sibling in self.siblings))
        if self._relay is None:
            self.url = self.own_url
        elif not self.url:
            self.url = f"http://127.0.0.1:{await self._relay.listen()}"
        return time.monotonic() - started

    async def _start_beside(self, sibling: "ServerProcess") -> None:
        sibling.data_directory.mkdir(exist_ok=True)
        for name in SECRET_FILES.values():
            with suppress(FileNotFoundError):
                shutil.copy(self.data_directory / name, sibling.data_directory / name)
        await sibling.start()

    async def stand_by(self) -> str:
        """Start the server as a standby; return its first line, which names the active server."""
        assert self._process is None, "the server is already running"
        with self._log_path.open("ab") as log:
            self._process = await self._launch("serve", "--port", "0", "--standby", stdout=PIPE, stderr=log)
        async with asyncio.timeout(START_SECONDS):
            return await self._announced("standing by; ")

    async def ready(self) -> None:
        """Wait until a standby has taken over and `/readyz` returns 200."""
        async with asyncio.timeout(START_SECONDS):
            self.url = self.own_url = await self._announced()
            await self._ready()

    async def ended(self) -> int:
        """Wait until the server exits by itself. Returns its exit status."""
        process = self._running()
        await self._ended(process)
        assert process.returncode is not None
        return process.returncode

    def freeze(self) -> None:
        """Stop the process; its connections stay open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the process."""
        self._running().send_signal(signal.SIGCONT)

    async def refusal(self, *arguments: object) -> str:
        """Run a `frontrow` command that must fail with exit status 1. Returns its output."""
        process = await self._launch(*map(str, arguments), stdout=PIPE, stderr=STDOUT)
        async with asyncio.timeout(COMMAND_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == 1, said.decode()
        return said.decode()

    async def said(self, ending: str) -> str:
        """Return the server's output after its address, up to a line with this ending."""
        stdout = self._running().stdout
        assert stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(START_SECONDS):
            while not (lines and lines[-1].endswith(ending)):
                line = (await stdout.readline()).decode()
                assert line, "\n".join(lines)
                lines.append(line.rstrip("\n"))
        return "\n".join(lines)

    async def kill(self) -> None:
        """kill -9 the server and its workers: no handler runs, nothing is flushed."""
        process = self._running()
        # The supervisor first, so that it replaces no worker.
        workers = self.worker_pids
        process.kill()
        kill_all(workers)
        await asyncio.gather(self._ended(process), *(sibling.kill() for sibling in self.siblings))

    async def terminate(self) -> Exit:
        """Send SIGTERM, like `docker stop`, and wait for the end."""
        process = self._running()
        signalled = time.monotonic()
        # This process may stop the database.
        codes = [end.code for end in await asyncio.gather(*(node.terminate() for node in self.siblings))]
        process.send_signal(signal.SIGTERM)
        await self._ended(process)
        assert process.returncode is not None
        return Exit(next(filter(None, (process.returncode, *codes)), 0), time.monotonic() - signalled)

    async def remove(self) -> None:
        """End the server, if it is running, and its database permanently."""
        if self._relay is not None and self.url:
            await self._relay.stop()
        for sibling in self.siblings:
            await sibling.remove()
        if self._process is not None:
            workers = self.worker_pids
            with suppress(ProcessLookupError):  # it has ended by itself
                self._process.kill()
            await self._ended(self._process)
            kill_all(workers)
        await asyncio.to_thread(self.database.remove)

    async def seed(self, screenings: int, rows: int, seats_per_row: int) -> list[SeededScreening]:
        """Create future screenings beside the server. Another checkout does so itself, in its own tables."""
        if self._code_directory is None:
            return await seeded(self._database_url or self.database.url, screenings, rows, seats_per_row)
        document = await self.command(
            *("seed", "--screenings", screenings, "--rows", rows, "--seats-per-row", seats_per_row)
        )
        return [SeededScreening(**screening) for screening in document["screenings"]]

    async def command(self, *arguments: object) -> Any:
        """Run another `frontrow` command beside the server; return the JSON document that it prints."""
        process = await self._launch(*map(str, arguments), stdout=PIPE, stderr=PIPE)
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                document, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, said.decode()
        return json.loads(document)

    def token(self, user_id: int, ttl_seconds: int = 86_400, *, admin: bool = False) -> str:
        """Return a token of the user, like `frontrow token`."""
        return self._tokens.issue(user_id, admin=admin, ttl_seconds=ttl_seconds)

    def log(self) -> str:
        """Return the server's log, which is its standard error, but for a line that is being written."""
        nodes = (self, *self.siblings)
        logs = [node._log_path.read_text(errors="replace") for node in nodes if node._log_path.exists()]
        return "".join(log[: log.rfind("\n") + 1] for log in logs)

    def last_words(self) -> str:
        """Return the end of the server's log, without uneventful lines."""
        lines = self.log().splitlines()
        return "\n".join([line[:1000] for line in lines if '"level":"info"' not in line][-30:])

    @cached_property
    def _tokens(self) -> Tokens:
        return tokens_of(load_settings(data_dir=self.data_directory, jwt_secret=self._jwt_secret))

    @property
    def _log_path(self) -> Path:
        return self.data_directory / "server.log"

    def _running(self) -> Process:
        assert self._process is not None, "the server is not running"
        return self._process

    async def _launch(self, *arguments: str, **streams: object) -> Process:
        return await asyncio.create_subprocess_exec(
            *(*self._command_prefix, sys.executable, "-m", "frontrow"),
            *(*arguments, "--data-dir", str(self.data_directory)),
            # `python -m` searches its working directory first.
            cwd=self._code_directory,
            env=self._environment,
            stdin=DEVNULL,
            **streams,
        )

    async def _announced(self, announcement: str = _ANNOUNCEMENT) -> str:
        stdout = self._running().stdout
        assert stdout is not None
        while line := (await stdout.readline()).decode():
            if line.startswith(announcement):
                self.announced_at = time.perf_counter()
                return line.removeprefix(announcement).strip()
        raise AssertionError(f"the server did not start:\n{self.last_words()}")

    async def _ready(self) -> None:
        async with aiohttp.ClientSession(self.own_url) as session:
            while True:
                async with session.get("/readyz") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(_READY_POLL_SECONDS)

    async def _ended(self, process: Process) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        finally:
            self._process = None
