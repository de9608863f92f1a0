"""A timeout that is moved with every request and hardly ever expires."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

_READING_SECONDS = 0.001
"""Time to read what has arrived before a deadline counts as missed. uvloop runs overdue timers before it
reads, so after a stall they would close connections whose requests have been waiting in their sockets."""


def _ignore() -> None: ...


class Deadline:
    """Calls a function at a deadline, unless the deadline is moved or cleared before.

    Moving it later costs next to nothing: the armed timer notices when it fires, and is armed again. A timer
    per request would cost more than parsing the request.

    Args:
        loop: the event loop.
        expired: called without arguments when the deadline has passed.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._at: float | None = None
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0

    def set(self, seconds: float) -> None:
        """Set the deadline `seconds` from now, in place of an earlier one."""
        self._at = at = self._loop.time() + seconds
        if self._timer is None or at < self._timer_at:
            self._arm(at)

    def clear(self) -> None:
        """Remove the deadline until it is set again."""
        self._at = None

    def cancel(self) -> None:
        """Remove the deadline for good."""
        # The callback refers to this object's owner; breaking the cycle frees both without the collector.
        self._expired = _ignore
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
        if self._is_over():
            self._timer = self._loop.call_later(_READING_SECONDS, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._is_over():
            self._at = None
            self._expired()

    def _is_over(self) -> bool:
        """True if the deadline has passed. If it was moved, the timer is armed again."""
        if self._at is not None and self._at > self._timer_at:
            self._arm(self._at)
            return False
        return self._at is not None
