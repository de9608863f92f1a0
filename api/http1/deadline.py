"""A deadline that is moved with every request and hardly ever met."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable


def _tell_nobody() -> None:
    """After the end nothing expires."""


class Deadline:
    """One moment at which something is called, unless it is moved or cleared before.

    Moving it to a later moment costs nothing: the timer that is armed finds out when it fires, and is armed
    again. A timer per request would cost more than parsing the request.

    Args:
        loop: the event loop.
        expired: what is called.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._at: float | None = None
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0

    def set(self, seconds: float) -> None:
        """Expire so many seconds from now, and not when it was set before."""
        self._at = at = self._loop.time() + seconds
        if self._timer is None or at < self._timer_at:
            self._arm(at)

    def clear(self) -> None:
        """Do not expire until it is set again."""
        self._at = None

    def cancel(self) -> None:
        """Never expire again."""
        # Whoever is told has this deadline: so both are freed without the garbage collector.
        self._expired = _tell_nobody
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._at > self._timer_at:
            self._arm(self._at)
            return
        self._at = None
        self._expired()
