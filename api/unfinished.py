"""Work that must come to its end, whether or not somebody still waits for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from api.errors import ApiError
from engine.errors import EngineError, OutcomeUnknown, Unavailable

log = logging.getLogger("frontrow.api")

_LIMIT = 10_000

R = TypeVar("R")


class TooMuchUnfinishedWork(Unavailable):
    """More goes on in the background than may."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("Too many requests are being processed")


class UnfinishedWork:
    """What goes on beside or beyond the requests that it came from.

    Args:
        wait_seconds: how long a caller waits.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._tasks: set[asyncio.Task[Any]] = set()

    async def answer(self, work: Coroutine[Any, Any, R]) -> R:
        """Start work and wait for it as long as a caller waits.

        Raises:
            OutcomeUnknown: it has not ended yet, and goes on.
        """
        task = self._started(work)
        done, _ = await asyncio.wait((task,), timeout=self._wait_seconds)
        if not done:
            task.add_done_callback(_report_defect)
            raise OutcomeUnknown
        return task.result()

    def begin(self, work: Coroutine[Any, Any, object]) -> None:
        """Start work that nobody waits for.

        Raises:
            TooMuchUnfinishedWork: it was not started.
        """
        if len(self._tasks) >= _LIMIT:
            work.close()
            raise TooMuchUnfinishedWork
        self._started(work).add_done_callback(_report_defect)

    async def finished(self) -> None:
        """Return when all the work that has been started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _started(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _report_defect(task: asyncio.Task[Any]) -> None:
    """Nobody is told any more how the work ended; a refusal is no news, anything else is a defect."""
    if not task.cancelled() and not isinstance(error := task.exception(), ApiError | EngineError | None):
        log.error("work that outlived its request failed", exc_info=error)
