"""The server's own work that goes on after a failure: recurring work, and the steps of stopping."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from engine.errors import EngineError

log = logging.getLogger("frontrow.background")


class Recurring:
    """Tasks that repeat. A failure is logged and the work is tried again the next time."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do `work` now and then again `seconds` after it is done."""
        self._tasks.append(asyncio.create_task(self._repeat(seconds, name, work), name=name))

    async def stop(self) -> None:
        """Cancel all of them and wait until they are gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    async def _repeat(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await work()
            except EngineError as refusal:
                log.warning("%s failed and is tried again in %g s: %s", name, seconds, refusal)
            except Exception:
                log.exception("%s failed and is tried again in %g s", name, seconds)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.exception("%s was cancelled from within and is tried again in %g s", name, seconds)
            await asyncio.sleep(seconds)


async def take_all(*steps: Callable[[], Awaitable[object] | object]) -> None:
    """Take steps one after the other. One that fails is logged, and the next is taken.

    Args:
        steps: functions, or functions that return something to wait for.
    """
    for step in steps:
        try:
            result = step()
            if inspect.isawaitable(result):
                await result
        except Exception:
            log.exception("a step of stopping failed: %r", step)
