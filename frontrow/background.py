"""Work beside requests: recurring tasks, and what a start and a stop consist of."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar

from engine.errors import EngineError
from engine.guards import OutageLog

log = logging.getLogger("frontrow.background")

LAST_STEP_SECONDS = 0.2
_CANCEL_SECONDS = 1.0

Result = TypeVar("Result")


class Recurring:
    """Runs tasks at intervals. After a failure, the task runs again after its usual interval.

    It is logged when a task begins to fail, and when it succeeds again.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` now, and again `seconds` after each run has finished."""
        self._tasks.append(asyncio.create_task(self._repeat(seconds, name, work), name=name))

    async def stop(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    async def _repeat(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
        outages = OutageLog(log, name)
        while True:
            try:
                await work()
                outages.succeeded()
            except EngineError as refusal:
                outages.failed(refusal)
            except Exception as defect:
                outages.failed(defect, defect=True)
            except asyncio.CancelledError as defect:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                outages.failed(defect, defect=True)  # cancelled by its own code
            await asyncio.sleep(seconds)


class StoppedEarly(Exception):
    """The process was told to stop before it had started."""


async def unless_stopped(work: Awaitable[Result], stopped: "asyncio.Future[Any]") -> Result:
    """Return the result of `work`, a part of the start; cancel it when `stopped` is done.

    Raises:
        StoppedEarly: `stopped` was done first.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise StoppedEarly
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=_CANCEL_SECONDS)


async def run_steps(*steps: Callable[[], Awaitable[object] | object], seconds: float) -> None:
    """Run steps in order. A step that fails or takes too long is logged, and the next one runs.

    Args:
        steps: plain or async functions without arguments.
        seconds: for all of them. When they are over, each step that is left gets `LAST_STEP_SECONDS`.
    """
    until = monotonic() + seconds
    for step in steps:
        try:
            result = step()
            if inspect.isawaitable(result):
                async with asyncio.timeout(max(until - monotonic(), LAST_STEP_SECONDS)):
                    await result
        except TimeoutError:
            log.warning("a shutdown step took too long and was left: %r", step)
        except Exception:
            log.exception("a shutdown step failed: %r", step)
