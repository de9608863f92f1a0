"""Work that takes a processor for longer than the event loop may stand still: hashing, pictures."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from engine.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


class WorkersBusy(Unavailable):
    """More work waits than is kept."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("Too many requests of this kind are waiting")


class Workers:
    """A few threads.

    Args:
        threads: how many.
        limit: pieces of work that may be under way or wait.
    """

    def __init__(self, threads: int = 2, limit: int = 100) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._limit = limit
        self._count = 0

    async def run(self, work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """What a blocking function returns.

        Raises:
            WorkersBusy: it was not called.
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
        """Take no more work, and drop what has not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)
