"""Tells growth from noise."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median


def slope_of(times: Sequence[float], values: Sequence[float]) -> float:
    """Return how fast values grow: the median of the slopes between all pairs (Theil and Sen).

    Up to 29 % of the values may be outliers without any effect, such as the memory during a collection of
    garbage.

    Args:
        times: of the values, rising.
        values: at least two.

    Returns:
        Growth per unit of time.
    """
    points = zip(times, values, strict=True)
    return median((b - a) / (until - since) for (since, a), (until, b) in combinations(points, 2))
