"""When things lapse: the earliest deadline of many, with cheap changes of mind.

Releasing or extending a hold does not search its deadline; the stale entry is recognised when it
comes up, by its owner, and the heap is rebuilt when most of it is stale. So adding costs
O(log live), and the size stays within a constant factor of what is live.
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from math import inf

_SLACK = 64


class Deadlines:
    """A heap of (deadline, seat id, id of the hold or ticket)."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []

    @property
    def earliest(self) -> float:
        """The earliest deadline, in seconds since the epoch, possibly stale; infinity if none."""
        return self._heap[0][0] if self._heap else inf

    def add(self, deadline: float, seat_id: int, record_id: int) -> None:
        """Note that record `record_id` on `seat_id` lapses at `deadline`."""
        heappush(self._heap, (deadline, seat_id, record_id))

    def pop_due(self, now: float) -> Iterable[tuple[float, int, int]]:
        """Remove and yield every entry whose deadline is not after `now`, earliest first."""
        while self._heap and self._heap[0][0] <= now:
            yield heappop(self._heap)

    def keep_bounded(self, live: int, is_live: Callable[[float, int, int], bool]) -> None:
        """Drop stale entries once they outnumber the `live` ones."""
        if len(self._heap) > 2 * live + _SLACK:
            self._heap = [entry for entry in self._heap if is_live(*entry)]
            heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)
