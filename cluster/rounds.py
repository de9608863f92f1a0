"""Work on behalf of all nodes that many requests ask for at the same time, done once for all of them.

A result must be as new as the call for it, so callers that come while the work is being done share the next
round. However many there are, one round runs and one waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Rounds(Generic[Result]):
    """Does the same work again and again, one round after the other.

    Args:
        work: takes a limited time. Its result is shared, so it must not be changed.
    """

    def __init__(self, work: Callable[[], Awaitable[Result]]) -> None:
        self._work = work
        self._running: asyncio.Task[Result] | None = None
        self._next: asyncio.Task[Result] | None = None

    async def next(self) -> Result:
        """Return the result of a round that begins after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._run_after(self._running))
        return await asyncio.shield(self._next)

    async def _run_after(self, earlier: "asyncio.Task[Result] | None") -> Result:
        if earlier is not None:
            await asyncio.wait((earlier,))
        self._running, self._next = self._next, None
        return await self._work()
