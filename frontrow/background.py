"""Background tasks that survive failures: recurring tasks and shutdown steps."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from engine.errors import EngineError

log = logging.getLogger("frontrow.background")


class Recurring:
    """Runs tasks at intervals. A failure is logged, and the task runs again after its usual interval."""

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
        while True:
            try:
                await work()
            except EngineError as refusal:
                log.warning("%s failed; retrying in %g s: %s", name, seconds, refusal)
            except Exception:
                log.exception("%s failed; retrying in %g s", name, seconds)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.exception("%s was cancelled by its own code; retrying in %g s", name, seconds)
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
