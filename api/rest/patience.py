"""The time limit of requests whose replies have to wait: the same for all, so they run out in order.

A timer per request would cost more than the rest of waiting for a reply.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

TICK_SECONDS = 0.02
"""Highest delay with which some learn that they have waited too long."""

Waiting = TypeVar("Waiting")


class Patience(Generic[Waiting]):
    """Tells those that wait when they have waited too long.

    Args:
        seconds: how long they may wait.
        expired: called with one that has waited so long, while it still counts as waiting.
    """

    def __init__(self, seconds: float, expired: Callable[[Waiting], None]) -> None:
        self._seconds = seconds
        self._expired = expired
        # Their deadlines on the event loop's clock, the earliest first.
        self._deadlines: dict[Waiting, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, waiting: Waiting) -> None:
        """Note that one begins to wait."""
        loop = asyncio.get_running_loop()
        self._deadlines[waiting] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._fire)

    def end(self, waiting: Waiting) -> bool:
        """Note that one does not wait any more. Returns False if it did not wait."""
        return self._deadlines.pop(waiting, None) is not None

    def _fire(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        expired = []
        for waiting, deadline in self._deadlines.items():
            if deadline > now:
                self._timer = loop.call_at(max(deadline, now + TICK_SECONDS), self._fire)
                break
            expired.append(waiting)
        for waiting in expired:
            self._expired(waiting)
            self.end(waiting)
