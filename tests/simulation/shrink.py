"""Finds the smallest part of a plan that still fails, by delta debugging (Zeller and Hildebrandt, 2002)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

RUNS_LIMIT = 400
"""Limit of attempts to shrink a plan; the smallest so far is shown then."""

Item = TypeVar("Item")


def smallest(
    items: Sequence[Item], fails: Callable[[Sequence[Item]], bool], runs: int = RUNS_LIMIT
) -> list[Item]:
    """Drop parts of a sequence while it still fails: first halves, then ever smaller parts.

    Args:
        items: a sequence that fails.
        fails: tells whether a part of it fails, too.
        runs: how often `fails` is called at most.

    Returns:
        A part that fails. Without any single one of its items it does not, unless `runs` was reached.
    """
    left = list(items)
    size = max(1, len(left) // 2)
    while left:
        start, dropped = 0, False
        while start < len(left):
            fewer = left[:start] + left[start + size :]
            if runs <= 0:
                return left
            runs -= 1
            if fails(fewer):
                left, dropped = fewer, True
            else:
                start += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2)
    return left
