"""Background work that outlives its request, such as sending a mail."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from api.errors import ApiError
from engine.errors import EngineError, Unavailable

log = logging.getLogger("frontrow.api")

_LIMIT = 10_000


class TooManyBackgroundTasks(Unavailable):
    """The limit on background work is reached."""

    code = "overloaded"
    detail = "Too many requests are being processed"


class BackgroundTasks:
    """Tasks that continue after the request that started them has been answered."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Start work in the background.

        Raises:
            TooManyBackgroundTasks: the limit is reached, and the work was not started.
        """
        if len(self._tasks) >= _LIMIT:
            work.close()
            raise TooManyBackgroundTasks
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report_defect)

    async def finished(self) -> None:
        """Return when all work that was started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _report_defect(task: asyncio.Task[Any]) -> None:
    """Log an unexpected exception; there is no request left to report it to. Refusals are expected."""
    if not task.cancelled() and not isinstance(error := task.exception(), ApiError | EngineError | None):
        log.error("work that outlived its request failed", exc_info=error)
