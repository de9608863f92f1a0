"""Background tasks that survive failures: recurring tasks and shutdown steps."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from engine.errors import EngineError
from engine.guards import OutageLog

log = logging.getLogger("frontrow.background")


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


async def run_steps(*steps: Callable[[], Awaitable[object] | object]) -> None:
    """Run steps in order. A step that fails is logged, and the next one runs.

    Args:
        steps: plain or async functions without arguments.
    """
    for step in steps:
        try:
            result = step()
            if inspect.isawaitable(result):
                await result
        except Exception:
            log.exception("a shutdown step failed: %r", step)
