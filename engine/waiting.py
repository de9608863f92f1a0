"""Bounds the commands that wait for a screening to be loaded or changed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import Overloaded


class WaitingCommands:
    """Counts the commands that wait for screenings.

    Args:
        limit_each: highest number per screening.
        limit_all: highest number for all screenings.
    """

    __slots__ = ("_by_screening", "_limit_all", "_limit_each", "_number")

    def __init__(self, limit_each: int, limit_all: int) -> None:
        self._limit_each = limit_each
        self._limit_all = limit_all
        self._by_screening: Counter[int] = Counter()
        self._number = 0

    @contextmanager
    def count(self, screening_id: int) -> Iterator[None]:
        """Count a command while the context is open.

        Raises:
            Overloaded: too many commands wait for this screening, or in all.
        """
        waiting = self._by_screening[screening_id]
        if waiting >= self._limit_each or self._number >= self._limit_all:
            raise Overloaded(screening_id)
        self._by_screening[screening_id] += 1
        self._number += 1
        try:
            yield
        finally:
            self._number -= 1
            self._by_screening[screening_id] -= 1
            if not self._by_screening[screening_id]:
                del self._by_screening[screening_id]
