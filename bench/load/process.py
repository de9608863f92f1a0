"""The process that makes load: on a core of its own, one load at a time."""

import asyncio
import gc
import os
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Protocol, Self

import uvloop

from bench.load.tally import Tally


class Load(Protocol):
    """Something that can be done to a server. Crosses a process border, hence is plain data."""

    async def run(self) -> Tally:
        """Carry it out."""


class LoadProcess:
    """Carries loads out.

    Args:
        cores: where it runs.
        collecting: whether garbage is collected while a load runs. Collections would be latencies that no
            server is to blame for, and what a load leaves is small.
    """

    def __init__(self, cores: frozenset[int], *, collecting: bool = False) -> None:
        # A fresh interpreter: what the harness has imported and opened would be in its way.
        self._pool = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=_settle, initargs=(cores, collecting)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    async def run(self, load: Load) -> Tally:
        """Carry a load out. What it raises is raised."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _carry_out, load)


def raise_descriptor_limit() -> int:
    """Let this process, and those it starts, open as many files and sockets as it may. Returns how many."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    return allowed


def _settle(cores: frozenset[int], collecting: bool) -> None:
    os.sched_setaffinity(0, cores)
    raise_descriptor_limit()
    if not collecting:
        gc.disable()


def _carry_out(load: Load) -> Tally:
    defects: list[BaseException] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a protocol raises would be logged, and the run would go on without its connection."""
        defects.append(context.get("exception") or RuntimeError(context["message"]))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(note)
        tally = runner.run(load.run())
    gc.collect()
    if defects:
        raise defects[0]
    return tally
