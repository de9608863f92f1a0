"""The waiting list of one screening: those who wait for seats or tickets, in order.

There is one line for the seats of a screening, and one for each ticket type of an event. Those who want to be
told when a particular seat is free have a line of their own for each seat. `engine.offering` decides; this
only keeps the entries, and finds them in constant time. A screening for which nobody waits has no list.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from engine.waitlist_records import WaitlistEntry, WaitStatus

if TYPE_CHECKING:
    from engine.screening_state import Decision

Serve = Callable[..., "Decision"]
"""`engine.offering.served`."""

Line = OrderedDict[int, WaitlistEntry]
"""Entries by id, in the order of joining."""

SEATS = 0
"""The line for seats; other lines have the number of their ticket type."""


class WaitingList:
    """The live entries of one screening.

    Args:
        serve: offers what a decision has freed (`engine.offering.served`). The list has it because release
            paths know the list only.

    Attributes:
        entries: all of them, by id.
        late: entries that have ended, but are not recorded as ended yet.
        offered: the entry to which a seat or place is offered, by seat.
        stuck: lines whose first entry has been found to want more than there is; only what is freed from then
            on may change that. Others have to be searched as a whole.
    """

    __slots__ = (
        "_lines",
        "_of_holder",
        "_watches",
        "entries",
        "late",
        "offered",
        "serve",
        "stuck",
    )

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.entries: dict[int, WaitlistEntry] = {}
        self.late: list[WaitlistEntry] = []
        self.offered: dict[int, int] = {}
        self.stuck: set[int] = set()
        self._lines: dict[int, Line] = {}
        self._watches: dict[int, Line] = {}
        self._of_holder: dict[str, set[int]] = {}

    def put(self, entry: WaitlistEntry) -> None:
        """Add an entry behind all others, replace it, or remove it if it has ended.

        Args:
            entry: as it is from now on. One that waits again keeps its place only if it waited before.
        """
        before = self.entries.get(entry.id)
        if before is not None:
            self._remove(before)
        if entry.status is WaitStatus.WAITING:
            line = self._lines_of(entry).setdefault(_line_of(entry), OrderedDict())
            line[entry.id] = entry
        elif entry.status is WaitStatus.OFFERED:
            self.offered.update(dict.fromkeys(entry.seat_ids, entry.id))
        else:
            return
        self.entries[entry.id] = entry
        self._of_holder.setdefault(entry.holder, set()).add(entry.id)

    def may_want(self, seat_ids: Iterable[int]) -> bool:
        """Tell whether some seats or places that are given back may change anything for anybody.

        They do not if nobody waits in a line and nobody watches or has been offered one of them.
        """
        if self._lines or self.late:
            return True
        return any(seat_id in self.offered or seat_id in self._watches for seat_id in seat_ids)

    def first(self, line: int) -> WaitlistEntry | None:
        """Return the entry whose turn it is; None if nobody waits in this line."""
        return _first(self._lines, line)

    def first_watcher(self, seat_id: int) -> WaitlistEntry | None:
        """Return who is told next when a seat is free; None for nobody."""
        return _first(self._watches, seat_id)

    def lines(self) -> Sequence[int]:
        """Return the lines in which somebody waits."""
        return tuple(self._lines)

    def in_line(self, line: int) -> Sequence[WaitlistEntry]:
        """Return those who wait in a line, in order."""
        return tuple(self._lines.get(line, {}).values())

    def length(self, entry: WaitlistEntry) -> int:
        """Return how many wait in the line of an entry that waits."""
        return len(self._lines_of(entry)[_line_of(entry)])

    def of_holder(self, holder: str) -> list[WaitlistEntry]:
        """Return the live entries of a holder."""
        return [self.entries[entry_id] for entry_id in self._of_holder.get(holder, ())]

    @property
    def waiting(self) -> int:
        """Number of entries that wait for seats or places."""
        return sum(map(len, self._lines.values()))

    def __len__(self) -> int:
        return len(self.entries)

    def _lines_of(self, entry: WaitlistEntry) -> dict[int, Line]:
        return self._lines if entry.seat_id is None else self._watches

    def _remove(self, entry: WaitlistEntry) -> None:
        del self.entries[entry.id]
        own = self._of_holder[entry.holder]
        own.remove(entry.id)
        if not own:
            del self._of_holder[entry.holder]
        if entry.status is WaitStatus.OFFERED:
            for seat_id in entry.seat_ids:
                self.offered.pop(seat_id, None)
            return
        lines, key = self._lines_of(entry), _line_of(entry)
        if next(iter(lines[key])) == entry.id and entry.seat_id is None:
            self.stuck.discard(key)  # the next one may want less
        del lines[key][entry.id]
        if not lines[key]:
            del lines[key]


def _line_of(entry: WaitlistEntry) -> int:
    return (entry.ticket_type_id or SEATS) if entry.seat_id is None else entry.seat_id


def _first(lines: dict[int, Line], key: int) -> WaitlistEntry | None:
    line = lines.get(key)
    return None if line is None else next(iter(line.values()))
