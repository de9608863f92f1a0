"""Screenings that sell nothing while their properties are changed."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf

from engine.errors import OwnershipLost
from engine.ports import Clock, Timer

SUSPENSION_SECONDS = 10.0
"""Time after which a suspension ends if nobody resumes it: longer than a change may take to commit."""


class Suspension:
    """One suspension of a screening.

    Args:
        change_id: identifies the change.

    Attributes:
        loaded: True if the screening was in memory.
        ready: done when everything that was decided before is written.
        over: done when commands may go on.
        timer: ends the suspension.
    """

    __slots__ = ("change_id", "loaded", "over", "ready", "timer")

    def __init__(self, change_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.change_id = change_id
        self.loaded = False
        self.ready: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.timer: Timer | None = None


class Suspensions:
    """The suspended screenings of this server.

    Args:
        clock: the time.
        unload: unloads a screening after its earlier commands, with everything written; returns True if it
            was in memory.
    """

    def __init__(self, clock: Clock, unload: Callable[[int], Awaitable[bool]]) -> None:
        self._clock = clock
        self._unload = unload
        self._by_screening: dict[int, Suspension] = {}

    async def over(self, screening_id: int) -> None:
        """Return when the screening is not suspended."""
        while (suspension := self._by_screening.get(screening_id)) is not None:
            await asyncio.wait((suspension.over,))

    def find(self, screening_id: int, change_id: str) -> Suspension | None:
        """The suspension for this change, unless it has ended."""
        suspension = self._by_screening.get(screening_id)
        return suspension if suspension is not None and suspension.change_id == change_id else None

    async def begin(self, screening_id: int, change_id: str, limit_seconds: float) -> None:
        """Suspend a screening that is not suspended.

        Args:
            screening_id: the screening.
            change_id: identifies the change.
            limit_seconds: after this time the suspension ends by itself.

        Raises:
            EngineError: it could not be unloaded, and is not suspended.
        """
        suspension = self._by_screening[screening_id] = Suspension(change_id)
        if limit_seconds < inf:
            suspension.timer = self._clock.call_later(
                limit_seconds, partial(self.end, screening_id, suspension)
            )
        try:
            suspension.loaded = await self._unload(screening_id)
        except BaseException:
            self.end(screening_id, suspension)
            raise
        if suspension.over.done():
            raise OwnershipLost(screening_id)  # it was ended meanwhile
        suspension.ready.set_result(None)

    @staticmethod
    async def ready(screening_id: int, suspension: Suspension) -> None:
        """Return when a suspension is ready that another call has begun.

        Raises:
            OwnershipLost: that call has failed.
        """
        await asyncio.wait((suspension.ready, suspension.over), return_when=asyncio.FIRST_COMPLETED)
        if suspension.over.done():
            raise OwnershipLost(screening_id)

    def end(self, screening_id: int, suspension: Suspension) -> None:
        """End a suspension. Has no effect if it has ended."""
        if not suspension.over.done():
            del self._by_screening[screening_id]
            suspension.over.set_result(None)
            if suspension.timer is not None:
                suspension.timer.cancel()
