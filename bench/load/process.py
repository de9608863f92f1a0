"""The process that generates load: on a core of its own, one load at a time."""

import asyncio
import ctypes
import gc
import os
import platform
import resource
import struct
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import uvloop

from bench.load.tally import Tally

_HIGHEST_PRIORITY = -20
_SLICE_NANOSECONDS = 100_000
_SCHED_SETATTR = 314
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")
"""`struct sched_attr`: size, policy, flags, nice, priority, runtime, deadline, period."""


class Load(Protocol):
    """A load. Sent to the load process by pickle, so it has to be plain data."""

    async def run(self) -> Tally:
        """Carry it out."""


class LoadProcess:
    """Carries out loads on some cores, from its creation until it is closed."""

    def __init__(self, cores: frozenset[int]) -> None:
        self._cores = cores
        self._start()

    async def run(self, load: Load) -> Tally:
        """Carry out a load, and raise what it raises.

        Raises:
            ChildProcessError: the process has died.
        """
        self._here.send(load)
        try:
            outcome: Tally | Exception = await asyncio.to_thread(self._here.recv)
        except asyncio.CancelledError:
            # The process is still busy, and the next load must not get this one's tally.
            self.close()
            self._start()
            raise
        except EOFError as exc:
            raise ChildProcessError("the load process has died") from exc
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _start(self) -> None:
        # A new interpreter, without what the harness has imported and opened.
        context = get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self._cores), daemon=True)
        self._process.start()
        there.close()

    def close(self) -> None:
        """Kill the process, busy or not."""
        # A thread may still read from the pipe, which is closed when nothing refers to it any more.
        self._process.kill()
        self._process.join()


def raise_descriptor_limit() -> None:
    """Let this process and its children open as many sockets as the system allows."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def _serve(there: Connection, cores: frozenset[int]) -> None:
    os.sched_setaffinity(0, cores)
    _go_first()
    # A server would be charged with the time that a collection takes, and loads leave little garbage.
    gc.disable()
    while True:
        try:
            load: Load = there.recv()
        except EOFError:
            return
        outcome: Tally | Exception
        try:
            outcome = _carried_out(load)
        except Exception as failure:
            outcome = failure
        there.send(outcome)
        gc.collect()


def _go_first() -> None:
    """Let this process run as soon as it has something to do, as far as the system allows.

    On two cores the databases share its core, and time spent waiting for them would count as latency of the
    server, or leave the server idle. Two things beside the priority matter on Linux (sched(7)): priorities
    count within a session only, then between sessions; and a process that is woken does not interrupt one
    that has not used up its slice, unless its own slice is shorter.
    """
    os.setsid()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _HIGHEST_PRIORITY)
        Path("/proc/self/autogroup").write_text(str(_HIGHEST_PRIORITY))
    if platform.machine() == "x86_64":
        fields = (_SCHED_ATTR.size, os.SCHED_OTHER, 0, _HIGHEST_PRIORITY, 0, _SLICE_NANOSECONDS, 0, 0)
        # Kernels before 6.12 ignore the slice; without the privilege the call fails, which does no harm.
        ctypes.CDLL(None).syscall(_SCHED_SETATTR, 0, _SCHED_ATTR.pack(*fields), 0)


def _carried_out(load: Load) -> Tally:
    defects: list[BaseException] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what a protocol raised; it would only be logged otherwise."""
        defects.append(context.get("exception") or RuntimeError(context["message"]))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(note)
        tally = runner.run(load.run())
    if defects:
        raise defects[0]
    return tally
