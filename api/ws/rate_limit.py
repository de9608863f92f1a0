"""Bounds how fast something may come, with room for bursts."""

from collections.abc import Callable


class RateLimit:
    """A token bucket: `per_second` on average, up to `burst` at once.

    Args:
        per_second: how many are let through in the long run.
        burst: how many may come at once after a pause.
        time: seconds, from any monotonic clock.
    """

    __slots__ = ("_burst", "_left", "_per_second", "_seen_at", "_time")

    def __init__(self, per_second: float, burst: float, time: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._time = time
        self._left = burst
        self._seen_at = time()

    def admits(self) -> bool:
        """Count one, and say whether it is within the rate."""
        now = self._time()
        self._left = min(self._burst, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
