"""When things lapse: the earliest deadline of many, with cheap changes of mind.

What is made together lapses together, so it is one entry. Holds have mostly the same life, so most entries
come in the order of their deadlines and wait in a queue; a heap takes those that come out of turn. Releasing
or extending a hold does not search its deadline: what is stale in an entry is recognised when it comes up,
by its owner, and both are rebuilt when most entries are stale. So adding costs O(log live) at most, and the
size stays within a constant factor of what is live.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from engine.events import SeatsHeld
from engine.records import Hold, Ticket

_SLACK = 64

Lapsing = SeatsHeld | Hold | Ticket
"""What has a deadline. Seats that were held together are one record."""


class Deadlines:
    """What lapses, by when it does.

    Attributes:
        earliest: the earliest deadline, in seconds since the epoch, possibly stale; infinity if none.
    """

    __slots__ = ("_heap", "_latest", "_numbered", "_queue", "earliest")

    def __init__(self) -> None:
        self._queue: deque[Lapsing] | None = None
        self._latest = -inf
        self._heap: list[tuple[float, int, Lapsing]] = []
        self._numbered = 0
        self.earliest = inf

    def append(self, deadline: float, record: Lapsing) -> None:
        """Add a record that most of those added later will outlast."""
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
        self._numbered += 1  # so that nothing beyond it is compared
        heappush(self._heap, (deadline, self._numbered, record))
        if deadline < self.earliest:
            self.earliest = deadline

    def pop_due(self, now: float) -> list[Lapsing]:
        """Remove and return everything whose deadline is not after `now`, earliest first."""
        due: list[Lapsing] = []
        while self._queue and deadline_of(self._queue[0]) <= now:
            due.append(self._queue.popleft())
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        self._find_earliest()
        return sorted(due, key=deadline_of)

    def keep_bounded(self, live: int, is_live: Callable[[Lapsing], bool]) -> None:
        """Drop stale records once there are many more than `live`, the number of those that are not."""
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
    """When a record lapses, in seconds since the epoch; infinity for a ticket that is sold for good."""
    if isinstance(record, Ticket):
        return inf if record.payment_deadline is None else record.payment_deadline
    return record.expires_at
