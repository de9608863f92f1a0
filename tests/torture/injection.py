"""Makes the faults of a schedule happen, at their times, and mends them."""

import asyncio
import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import psycopg2

from persistence.embedded import EmbeddedPostgresFailed
from tests.cluster_faults.network import Sender
from tests.database import execute
from tests.torture.programs import Program
from tests.torture.schedule import KINDS, Fault, Schedule
from tests.torture.site import CLIENTS, DATABASE, WEATHER, Site

START_AGAIN_SECONDS = 60.0
"""Time for PostgreSQL to start; it may refuse to, e.g. because its former processes are still ending."""

LATE_SECONDS = 5.0
"""Time after the end of the schedule by which a fault must have begun; otherwise it is left out."""

READY_SECONDS = 20.0
"""Longest wait for a node that was started; other faults may keep it from serving."""

_DRIFT_STEP_SECONDS = 0.25
_COMMIT_MICROSECONDS_LIMIT = 100_000
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Injection:
    """The faults of a run.

    Args:
        site: what they hit.
        change_layout: publishes another layout of a hall.
        serves: waits until a node, by its name, serves.
        note: is called with a record of each fault when it is over.

    Attributes:
        done: how often each kind has happened.
        failed: faults that could not be made, with the reason.
        began_at: start of the run, by the monotonic clock.
    """

    def __init__(
        self,
        site: Site,
        change_layout: Callable[[], Awaitable[None]],
        serves: Callable[[str], Awaitable[object]],
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self.began_at = 0.0
        self._site = site
        self._change_layout = change_layout
        self._serves = serves
        self._note = note
        self._bad_links: dict[tuple[str, str], dict[str, float]] = {}
        self._changing_links = asyncio.Lock()
        self._touching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kinds: dict[str, Callable[[Fault], AbstractAsyncContextManager[None]]] = {
            "kill node": self._program_killed,
            "kill NATS": self._program_killed,
            "stop node": self._program_stopped,
            "stop NATS": self._program_stopped,
            "restart node": self._program_restarted,
            "rolling restart": self._all_restarted,
            "kill database": self._database_killed,
            "stop database": self._database_stopped,
            "partition": self._partition,
            "partition one way": self._partition,
            "delay": self._bad_link,
            "loss": self._bad_link,
            "reordering": self._bad_link,
            "slow link": self._bad_link,
            "full disk of node": self._full_disk,
            "full disk of database": self._full_disk,
            "slow disk of database": self._slow_commits,
            "cut at statement": self._cut_at_statement,
            "end sessions": self._sessions_ended,
            "clock stepped": self._clock_stepped,
            "clock too fast or slow": self._clock_drifts,
            "layout changed": self._layout_changed,
        }

    async def run(self, schedule: Schedule) -> None:
        """Make all faults happen; returns when the last is mended.

        A fault waits until earlier ones of the same process, link or clock are mended, which takes longer
        than planned on a busy machine.
        """
        async with asyncio.TaskGroup() as group:
            for fault in schedule.faults:
                await asyncio.sleep(self.began_at + fault.at - time.monotonic())
                group.create_task(self._happen(fault, schedule.seconds + LATE_SECONDS))

    async def _happen(self, fault: Fault, seconds: float) -> None:
        async with AsyncExitStack() as mine:
            # An earlier fault may take longer than was planned.
            for thing in KINDS[fault.kind].touches(fault.target):
                await mine.enter_async_context(self._touching[thing])
            if time.monotonic() < self.began_at + seconds:
                await self._make(fault)
            else:
                self.failed.append(
                    f"{fault.kind} of {fault.target} at {fault.at}: earlier faults took too long"
                )

    async def _make(self, fault: Fault) -> None:
        began = time.monotonic()
        try:
            async with self._kinds[fault.kind](fault):
                await asyncio.sleep(max(0.0, began + fault.seconds - time.monotonic()))
        except (psycopg2.Error, subprocess.CalledProcessError, OSError) as error:
            self.failed.append(f"{fault.kind} of {fault.target} at {fault.at}: {error}")
            return
        self.done[fault.kind] += 1
        self._note(
            {
                "kind": "fault",
                "fault": fault.kind,
                "target": fault.target,
                "from": began,
                "to": time.monotonic(),
                **_consequences(fault),
                **({"details": fault.details} if fault.details else {}),
            }
        )

    def _program(self, name: str) -> Program:
        return self._site.nodes.get(name) or self._site.nats[name]

    @asynccontextmanager
    async def _program_killed(self, fault: Fault) -> AsyncIterator[None]:
        program = self._program(fault.target)
        await program.kill()
        yield
        await self._started(program)

    async def _started(self, program: Program) -> None:
        """Start a program again; if it is a node, wait until it serves."""
        program.start()
        if program.name in self._site.nodes:
            with suppress(TimeoutError):
                async with asyncio.timeout(READY_SECONDS):
                    await self._serves(program.name)

    @asynccontextmanager
    async def _program_stopped(self, fault: Fault) -> AsyncIterator[None]:
        program = self._program(fault.target)
        program.freeze()
        try:
            yield
        finally:
            program.thaw()

    @asynccontextmanager
    async def _program_restarted(self, fault: Fault) -> AsyncIterator[None]:
        program = self._program(fault.target)
        await program.terminate()
        yield
        await self._started(program)

    @asynccontextmanager
    async def _all_restarted(self, fault: Fault) -> AsyncIterator[None]:
        for name in fault.target.split(","):
            program = self._program(name)
            await program.terminate()
            await self._started(program)
        yield

    @asynccontextmanager
    async def _database_killed(self, fault: Fault) -> AsyncIterator[None]:
        self._site.database.kill()
        yield
        await self._database_runs()

    @asynccontextmanager
    async def _database_stopped(self, fault: Fault) -> AsyncIterator[None]:
        self._site.database.freeze()
        try:
            yield
        finally:
            self._site.database.thaw()

    async def _database_runs(self) -> None:
        """Start PostgreSQL again, when its former processes have ended."""
        async with asyncio.timeout(START_AGAIN_SECONDS):
            while True:
                with suppress(EmbeddedPostgresFailed):
                    await self._site.start_database()
                    return
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def _full_disk(self, fault: Fault) -> AsyncIterator[None]:
        host = fault.target
        self._site.limit_disk(host, full=True)
        try:
            yield
        finally:
            self._site.limit_disk(host, full=False)
            # PostgreSQL ends if it cannot write its log.
            if host == DATABASE:
                await self._database_runs()

    @asynccontextmanager
    async def _slow_commits(self, fault: Fault) -> AsyncIterator[None]:
        microseconds = min(_COMMIT_MICROSECONDS_LIMIT, int(fault.details["commit_seconds"] * 1e6))
        await self._set_commit_delay(microseconds)
        yield
        await self._set_commit_delay(0)

    async def _set_commit_delay(self, microseconds: int) -> None:
        """Let each commit wait before its log is written, as a slow disk does."""
        for statement in (
            f"ALTER SYSTEM SET commit_delay = {microseconds}",
            "ALTER SYSTEM SET commit_siblings = 0",
            "SELECT pg_reload_conf()",
        ):
            await self._execute(statement)

    async def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement, again and again if PostgreSQL is away at the moment."""
        async with asyncio.timeout(START_AGAIN_SECONDS):
            while True:
                with suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
                    return await asyncio.to_thread(execute, self._site.database_url, statement)
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def _sessions_ended(self, fault: Fault) -> AsyncIterator[None]:
        await self._execute(_END_SESSIONS)
        yield

    @asynccontextmanager
    async def _cut_at_statement(self, fault: Fault) -> AsyncIterator[None]:
        await self._site.cutter.ask(json.dumps(fault.details).encode())
        yield
        await self._site.cutter.ask(b"{}")

    @asynccontextmanager
    async def _clock_stepped(self, fault: Fault) -> AsyncIterator[None]:
        clock = self._site.clocks[fault.target]
        clock.set(fault.details["seconds"])
        yield
        clock.set()

    @asynccontextmanager
    async def _clock_drifts(self, fault: Fault) -> AsyncIterator[None]:
        clock, began = self._site.clocks[fault.target], time.monotonic()

        async def drift() -> None:
            while True:
                clock.set((time.monotonic() - began) * fault.details["rate"])
                await asyncio.sleep(_DRIFT_STEP_SECONDS)

        drifting = asyncio.create_task(drift())
        try:
            yield
        finally:
            drifting.cancel()
            clock.set()

    @asynccontextmanager
    async def _layout_changed(self, fault: Fault) -> AsyncIterator[None]:
        await self._change_layout()
        yield

    def _sender(self, name: str) -> Sender:
        return self._site.here if name == CLIENTS else self._site.network[name]

    @asynccontextmanager
    async def _partition(self, fault: Fault) -> AsyncIterator[None]:
        for sender, receiver in fault.directions:
            await asyncio.to_thread(self._sender(sender).cut, self._sender(receiver))
        try:
            yield
        finally:
            for sender, receiver in fault.directions:
                await asyncio.to_thread(self._sender(sender).mend, self._sender(receiver))

    @asynccontextmanager
    async def _bad_link(self, fault: Fault) -> AsyncIterator[None]:
        around = self._site.network[WEATHER].hardware_address
        for direction in fault.directions:
            self._bad_links[direction] = fault.details
        await self._tell_weather()
        for sender, receiver in fault.directions:
            await asyncio.to_thread(self._sender(sender).divert, self._sender(receiver), around)
        try:
            yield
        finally:
            for sender, receiver in fault.directions:
                await asyncio.to_thread(self._sender(sender).mend, self._sender(receiver))
                del self._bad_links[sender, receiver]
            await self._tell_weather()

    async def _tell_weather(self) -> None:
        async with self._changing_links:
            links = [
                [
                    self._sender(sender).address,
                    self._sender(receiver).address,
                    self._sender(receiver).hardware_address,
                    badness,
                ]
                for (sender, receiver), badness in self._bad_links.items()
            ]
            await self._site.weather.ask(json.dumps({"links": links}).encode())


def _consequences(fault: Fault) -> dict[str, bool]:
    """Return what the fault may cost, if the judge would not know it by its name."""
    if "clients" in fault.target:
        return {"loses_holds": False, "stalls_writes": False}
    if "|" in fault.target or ">" in fault.target:
        # A node that others do not hear well is taken for gone, as one that is cut off.
        return {"loses_holds": "node" in fault.target, "stalls_writes": DATABASE in fault.target}
    if fault.target == DATABASE:
        return {"loses_holds": False, "stalls_writes": True}
    return {}
