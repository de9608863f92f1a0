"""Programs of the cluster under test that are started again when they end, as a service manager does."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.processes import end

RESTART_SECONDS = 0.3
"""Pause before a program that has ended by itself is started again."""

STOP_SECONDS = 40.0
ROOT = Path(__file__).parents[2]


class Program:
    """A node or a NATS server.

    Args:
        name: of its host.
        command: arguments, beginning with the program.
        log: the file for what it writes.
        environment: of the process.

    Attributes:
        log: as given.
        starts: how often it was started.
        exits: how it ended by itself: exit statuses, or negative numbers of signals.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.starts = 0
        self.exits: list[int] = []
        self._command = command
        self.log = log
        self._environment = environment
        self._process: Process | None = None
        self._wanted = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and keep it running from now on."""
        self._wanted.set()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    async def kill(self) -> None:
        """kill -9 it; it is not started again before `start`."""
        self._wanted.clear()
        await self._signalled(signal.SIGKILL)

    async def terminate(self) -> None:
        """End it in order, and kill it if that takes too long; it is not started again before `start`."""
        self._wanted.clear()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._signalled(signal.SIGTERM)
        except TimeoutError:
            await self._signalled(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it; its connections stay open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    async def close(self) -> None:
        """End it for good."""
        self._wanted.clear()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._process is not None:
            self.thaw()
            await end(self._process, STOP_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _signalled(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._send(number)
            await self._process.wait()

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, env=self._environment, stdin=DEVNULL, stdout=log, stderr=log
                )
            self.starts += 1
            status = await self._process.wait()
            if self._wanted.is_set():
                self.exits.append(status)
                await asyncio.sleep(RESTART_SECONDS)


class Tool:
    """A program that changes the network or the connections between others, by commands on its input.

    Args:
        command: arguments, beginning with the program.
        log: the file for what it writes to its standard error.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._asking = asyncio.Lock()
        self._process: Process

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=log, env=dict(os.environ)
            )
        await self._answer()

    async def ask(self, command: bytes) -> bytes:
        """Send a line, and return the line that it answers."""
        async with self._asking:
            assert self._process.stdin is not None
            self._process.stdin.write(command + b"\n")
            return await self._answer()

    async def close(self) -> None:
        """End it."""
        await end(self._process, STOP_SECONDS)

    async def _answer(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"{self._command} has ended; see {self._log}"
        return line.rstrip()
