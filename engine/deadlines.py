"""The deadlines of holds and pending tickets, with cheap removal.

Most holds last equally long, so most records arrive in the order of their deadlines and are appended to a
queue; a heap takes the others. Releasing or extending a hold does not remove its old record. The owner
recognises stale records when they are due, and queue and heap are rebuilt when most records are stale. So
adding costs O(log n) at most, and the size stays proportional to the number of live records.

Holders are warned some time before a deadline, once. Records of which they have been warned are kept apart,
in a queue and a heap of their own, so adding a record costs the same with and without warnings. A record that
begins less than this time before its deadline needs no warning: its holder has just been told the deadline.

There are also alarms (`engine.alarms`): times by the wall clock at which something else is to be done. They
do not move when it is stepped.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from math import inf

from engine.events import SeatsHeld
from engine.records import Hold, Ticket

_SLACK = 64

Lapsing = SeatsHeld | Hold | Ticket
"""A record with a deadline. Seats that were held together have one."""


class _Records:
    """Records by deadline.

    Attributes:
        first: the earliest deadline, in seconds since the epoch; infinity if there is none.
    """

    __slots__ = ("_heap", "_latest", "_numbered", "_queue", "first")

    def __init__(self) -> None:
        self._queue: deque[Lapsing] | None = None
        self._latest = -inf
        self._heap: list[tuple[float, int, Lapsing]] = []
        self._numbered = 0
        self.first = inf

    def enqueue(self, deadline: float, record: Lapsing) -> None:
        """Add a record; fast if no earlier one has a later deadline."""
        if deadline < self._latest:
            self.push(deadline, record)
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append(record)
        self._latest = deadline
        if deadline < self.first:
            self.first = deadline

    def push(self, deadline: float, record: Lapsing) -> None:
        """Add a record with any deadline."""
        self._numbered += 1  # a unique number, so that records are never compared
        heappush(self._heap, (deadline, self._numbered, record))
        if deadline < self.first:
            self.first = deadline

    def pop(self, now: float, seconds: float = 0.0) -> list[Lapsing]:
        """Remove and return the records with a deadline up to `seconds` after `now`, earliest first."""
        popped: list[Lapsing] = []
        while self._queue and deadline_of(self._queue[0]) - seconds <= now:
            popped.append(self._queue.popleft())
        while self._heap and self._heap[0][0] - seconds <= now:
            popped.append(heappop(self._heap)[2])
        self._find_first()
        return sorted(popped, key=deadline_of)

    def up_to(self, until: float) -> Iterator[Lapsing]:
        """Yield the records with a deadline up to `until`, in no order; some may be stale."""
        for record in self._queue or ():
            if deadline_of(record) > until:
                break
            yield record
        for deadline, _, record in self._heap:
            if deadline <= until:
                yield record

    def keep(self, is_live: Callable[[Lapsing], bool]) -> None:
        """Remove the stale records."""
        self._queue = deque(filter(is_live, self._queue or ()))
        self._heap = [entry for entry in self._heap if is_live(entry[2])]
        heapify(self._heap)
        self._find_first()

    def _find_first(self) -> None:
        first_in_queue = deadline_of(self._queue[0]) if self._queue else inf
        self.first = min(first_in_queue, self._heap[0][0] if self._heap else inf)

    def __len__(self) -> int:
        return len(self._queue or ()) + len(self._heap)


class Deadlines(_Records):
    """Records by deadline. As `_Records` it has those whose holders have not been warned.

    Args:
        warning_seconds: how long before a deadline the holder is warned; 0 for no warnings.

    Attributes:
        earliest: the earliest deadline or alarm, in seconds since the epoch, possibly of a stale record;
            infinity if none.
        alarm_at: the time of the earliest alarm; infinity if none.
        next_at: the time of the earliest deadline or warning.
        warned_at: when holders were last warned, in seconds since the epoch; they know of all deadlines up to
            `warning_seconds` later.
    """

    __slots__ = ("_alarms", "_warned", "_warning_seconds", "alarm_at", "earliest", "next_at", "warned_at")

    def __init__(self, warning_seconds: float = 0.0) -> None:
        super().__init__()
        self._warning_seconds = warning_seconds
        self._warned: _Records | None = None  # most screenings are idle, and need none
        self._alarms: dict[str, float] | None = None
        self.earliest = self.next_at = self.alarm_at = inf
        self.warned_at = 0.0

    def set_alarm(self, name: str, at: float) -> None:
        """Set the alarm of this name to a time, in seconds since the epoch; infinity for never."""
        if self._alarms is None:
            if at == inf:
                return
            self._alarms = {}
        self._alarms[name] = at
        self.alarm_at = min(self._alarms.values())
        self._find_next()

    def pop_alarms(self, now: float) -> list[str]:
        """Return the names of the alarms whose time has come, and set these to never."""
        due = [name for name, at in (self._alarms or {}).items() if at <= now]
        for name in due:
            self.set_alarm(name, inf)
        return due

    def append(self, deadline: float, record: Lapsing) -> None:
        """Add a record; fast if no earlier one has a later deadline."""
        if deadline < self.first:
            self._add(deadline, record, self.enqueue)
        elif deadline < self._latest:
            self.push(deadline, record)
        else:
            if self._queue is None:
                self._queue = deque()
            self._queue.append(record)
            self._latest = deadline

    def insert(self, deadline: float, record: Lapsing) -> None:
        """Add a record with any deadline."""
        self._add(deadline, record, self.push)

    def insert_again(self, deadline: float, record: Lapsing) -> None:
        """Add a record that was here before, without a second warning."""
        if deadline - self._warning_seconds <= self.warned_at:
            self._known().push(deadline, record)
            self._find_next()
        else:
            self.insert(deadline, record)

    def pop_due(self, now: float) -> list[Lapsing]:
        """Remove and return the records whose deadline is `now` or earlier, earliest first."""
        due = self.pop(now)
        if self._warned:
            due = sorted(self._warned.pop(now) + due, key=deadline_of)
        self._find_next()
        return due

    def up_to(self, until: float) -> Iterator[Lapsing]:
        """Yield the records with a deadline up to `until`, in no order; some may be stale."""
        yield from super().up_to(until)
        if self._warned:
            yield from self._warned.up_to(until)

    def take_expiring(self, now: float) -> list[Lapsing]:
        """Return the records whose holders have to be warned now, each once. They stay here."""
        expiring = self.pop(now, self._warning_seconds)
        for record in expiring:
            self._known().enqueue(deadline_of(record), record)
        self.warned_at = now
        self._find_next()
        return [record for record in expiring if not self._is_short(deadline_of(record), record)]

    def keep_bounded(self, live: int, is_live: Callable[[Lapsing], bool]) -> None:
        """Remove stale records if there are many more records than `live`, the number of live ones."""
        if len(self) > 2 * live + _SLACK:
            self.keep(is_live)
            if self._warned:
                self._warned.keep(is_live)
            self._find_next()

    def _add(self, deadline: float, record: Lapsing, add: Callable[[float, Lapsing], None]) -> None:
        if self._is_short(deadline, record):
            self._known().enqueue(deadline, record)
        else:
            add(deadline, record)
        self._find_next()

    def _is_short(self, deadline: float, record: Lapsing) -> bool:
        """True if the holder has just been told the deadline."""
        return deadline - self._warning_seconds <= _began_at(record)

    def _known(self) -> _Records:
        if self._warned is None:
            self._warned = _Records()
        return self._warned

    def _find_next(self) -> None:
        earliest = min(self.first, self._warned.first) if self._warned else self.first
        self.earliest = min(earliest, self.alarm_at)
        self.next_at = min(self.earliest, self.first - self._warning_seconds)

    def __len__(self) -> int:
        return super().__len__() + len(self._warned or ())


def deadline_of(record: Lapsing) -> float:
    """The deadline of a record, in seconds since the epoch; infinity for a paid ticket."""
    if isinstance(record, Ticket):
        return inf if record.payment_deadline is None else record.payment_deadline
    return record.expires_at


def _began_at(record: Lapsing) -> float:
    """Time at which a record began, in seconds since the epoch."""
    if isinstance(record, Ticket):
        return record.booked_at
    return record.at if isinstance(record, SeatsHeld) else record.reserved_at
