"""A thread pool for CPU-bound work that would block the event loop: hashing, pictures.

Work that would begin too late is refused, at once or when its turn comes. Otherwise requests that nobody
waits for any more would keep the threads busy, and those that come later would wait for them in vain.
"""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import ParamSpec, TypeVar

from engine.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

_WEIGHT = 0.2
"""Weight of the latest call in the moving average of the durations of calls."""


class WorkersBusy(Unavailable):
    """The function was not called, because it could not have begun in time.

    Args:
        wait_seconds: how long it would have waited, as far as is known.
    """

    code = "overloaded"

    def __init__(self, wait_seconds: float = 0.0) -> None:
        super().__init__("Too many requests of this kind are waiting; nothing was done")
        self.retry_after_seconds = max(1, math.ceil(wait_seconds))


class Workers:
    """A bounded thread pool.

    Args:
        patience_seconds: how long a call may wait for a thread.
        threads: number of threads.
        limit: most calls running or queued at a time.
    """

    def __init__(self, patience_seconds: float, threads: int = 2, limit: int = 100) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._thread_count = threads
        self._patience_seconds = patience_seconds
        self._limit = limit
        self._count = 0
        self._usual_seconds = 0.0

    async def run(self, work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """Call a blocking function in a thread and return its result.

        Raises:
            WorkersBusy: too many calls are queued; the function was not called.
        """
        wait_seconds = self._wait_seconds()
        if self._count >= self._limit or wait_seconds > self._patience_seconds:
            raise WorkersBusy(wait_seconds)
        latest = monotonic() + self._patience_seconds

        def work_in_time() -> tuple[R, float]:
            begun = monotonic()
            if begun > latest:
                raise WorkersBusy(self._wait_seconds())
            return work(*args, **options), monotonic() - begun

        self._count += 1
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._threads, work_in_time)
        finally:
            self._count -= 1
        self._usual_seconds += _WEIGHT * (seconds - self._usual_seconds)
        return result

    def _wait_seconds(self) -> float:
        """Return the estimated time that the next call would wait for a thread."""
        before = self._count - self._thread_count + 1
        return max(0, before) * self._usual_seconds / self._thread_count

    def close(self) -> None:
        """Accept no more calls, and cancel those that have not started."""
        self._threads.shutdown(wait=False, cancel_futures=True)
