"""Latencies of a run, kept one by one: a run is bounded, so nothing has to be rounded into buckets."""

import math
from array import array
from collections.abc import Iterable


class Latencies:
    """Seconds that answers took.

    Args:
        seconds: some that are known already.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._seconds = array("d", seconds)

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, seconds: float) -> None:
        """Note one."""
        self._seconds.append(seconds)

    def percentiles_ms(self, *percents: float) -> list[float]:
        """What the given shares of all answers did not exceed, in milliseconds (nearest rank).

        Args:
            percents: above 0, up to 100.

        Returns:
            One for each; not a number where nothing was answered.
        """
        ascending = sorted(self._seconds)
        if not ascending:
            return [math.nan] * len(percents)
        return [ascending[math.ceil(len(ascending) * percent / 100) - 1] * 1e3 for percent in percents]
