"""The deadlines of holds and pending tickets, with cheap removal.

Most holds last equally long, so most records arrive in the order of their deadlines and are appended to a
queue; a heap takes the others. Releasing or extending a hold does not remove its old record. The owner
recognises stale records when they are due, and queue and heap are rebuilt when most records are stale. So
adding costs O(log n) at most, and the size stays proportional to the number of live records.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from engine.events import SeatsHeld
from engine.records import Hold, Ticket

_SLACK = 64

Lapsing = SeatsHeld | Hold | Ticket
"""A record with a deadline. Seats that were held together have one."""


class Deadlines:
    """Records by deadline.

    Attributes:
        earliest: the earliest deadline, in seconds since the epoch, possibly of a stale record; infinity if
            none.
    """

    __slots__ = ("_heap", "_latest", "_numbered", "_queue", "earliest")

    def __init__(self) -> None:
        self._queue: deque[Lapsing] | None = None
        self._latest = -inf
        self._heap: list[tuple[float, int, Lapsing]] = []
        self._numbered = 0
        self.earliest = inf

    def append(self, deadline: float, record: Lapsing) -> None:
        """Add a record; fast if no earlier one has a later deadline."""
        if deadline < self._latest:
            self.insert(deadline, record)
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append(record)
        self._latest = deadline
        if deadline < self.earliest:
            self.earliest = deadline

    def insert(self, deadline: float, record: Lapsing) -> None:
        """Add a record with any deadline."""
        self._numbered += 1  # a unique number, so that records are never compared
        heappush(self._heap, (deadline, self._numbered, record))
        if deadline < self.earliest:
            self.earliest = deadline

    def pop_due(self, now: float) -> list[Lapsing]:
        """Remove and return the records whose deadline is `now` or earlier, earliest first."""
        due: list[Lapsing] = []
        while self._queue and deadline_of(self._queue[0]) <= now:
            due.append(self._queue.popleft())
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        self._find_earliest()
        return sorted(due, key=deadline_of)

    def keep_bounded(self, live: int, is_live: Callable[[Lapsing], bool]) -> None:
        """Remove stale records if there are many more records than `live`, the number of live ones."""
        queue, heap = self._queue or (), self._heap
        if len(queue) + len(heap) > 2 * live + _SLACK:
            self._queue = deque(filter(is_live, queue))
            self._heap = [entry for entry in heap if is_live(entry[2])]
            heapify(self._heap)
            self._find_earliest()

    def _find_earliest(self) -> None:
        first_in_queue = deadline_of(self._queue[0]) if self._queue else inf
        self.earliest = min(first_in_queue, self._heap[0][0] if self._heap else inf)

    def __len__(self) -> int:
        return len(self._queue or ()) + len(self._heap)


def deadline_of(record: Lapsing) -> float:
    """The deadline of a record, in seconds since the epoch; infinity for a paid ticket."""
    if isinstance(record, Ticket):
        return inf if record.payment_deadline is None else record.payment_deadline
    return record.expires_at
