"""A thread pool for CPU-bound work that would block the event loop: hashing, pictures."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from engine.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


class WorkersBusy(Unavailable):
    """The queue of the thread pool is full."""

    code = "overloaded"
    detail = "Too many requests of this kind are waiting; try again later"


class Workers:
    """A bounded thread pool.

    Args:
        threads: number of threads.
        limit: most calls running or queued at a time.
    """

    def __init__(self, threads: int = 2, limit: int = 100) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._limit = limit
        self._count = 0

    async def run(self, work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """Call a blocking function in a thread and return its result.

        Raises:
            WorkersBusy: the queue is full; the function was not called.
        """
        if self._count >= self._limit:
            raise WorkersBusy
        self._count += 1
        try:
            work_with_arguments = partial(work, *args, **options)
            return await asyncio.get_running_loop().run_in_executor(self._threads, work_with_arguments)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Accept no more calls, and cancel those that have not started."""
        self._threads.shutdown(wait=False, cancel_futures=True)
