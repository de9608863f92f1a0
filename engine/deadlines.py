"""When things lapse: the earliest deadline of many, with cheap changes of mind.

What is made together lapses together, so it is one entry. Releasing or extending a hold does not search
its deadline; what is stale in an entry is recognised when it comes up, by its owner, and the heap is
rebuilt when most of it is stale. So adding costs O(log live), and the size stays within a constant factor
of what is live.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from math import inf

from engine.records import Hold, Ticket

_SLACK = 64


class Deadlines:
    """A heap of (deadline, number of the entry, what lapses then).

    Attributes:
        earliest: the earliest deadline, in seconds since the epoch, possibly stale; infinity if none.
    """

    __slots__ = ("_added", "_heap", "earliest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Sequence[Hold | Ticket]]] = []
        self._added = 0
        self.earliest = inf

    def add(self, deadline: float, records: Sequence[Hold | Ticket]) -> None:
        """Note that `records` lapse at `deadline`."""
        self._added += 1  # so that entries of the same moment need no comparing beyond it
        heappush(self._heap, (deadline, self._added, records))
        if deadline < self.earliest:
            self.earliest = deadline

    def pop_due(self, now: float) -> Iterable[Hold | Ticket]:
        """Remove and yield everything whose deadline is not after `now`, earliest first."""
        due: list[Hold | Ticket] = []
        while self._heap and self._heap[0][0] <= now:
            due.extend(heappop(self._heap)[2])
        self._find_earliest()
        return due

    def keep_bounded(self, live: int, is_live: Callable[[Hold | Ticket], bool]) -> None:
        """Drop stale entries once there are many more than the `live` records."""
        if len(self._heap) > 2 * live + _SLACK:
            self._heap = [entry for entry in self._heap if any(map(is_live, entry[2]))]
            heapify(self._heap)
            self._find_earliest()

    def _find_earliest(self) -> None:
        self.earliest = self._heap[0][0] if self._heap else inf

    def __len__(self) -> int:
        return len(self._heap)
