"""Invariants of every waiting list: a check of the whole journal, entry by entry.

It follows the events in the order in which they were written, and knows nothing of how seats are chosen.
"""

from collections.abc import Sequence

from engine.events import Event, HoldsExpired, HoldsReleased, PlacesHeld, SeatsHeld, TicketEvent
from engine.memory import MemoryDatabase
from engine.places import ticket_type_of
from engine.ports import Entry
from engine.records import TicketStatus
from engine.waitlist_records import WAITLIST, WaitlistChanged, WaitlistEntry, WaitStatus


class RecordedDatabase(MemoryDatabase):
    """A database that checks each entry of the journal when it is written for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.line = WaitingLine()

    def write(self, entry: Entry) -> None:
        new = [
            event for event in entry.events if (event.screening_id, event.epoch, event.seq) not in self.events
        ]
        super().write(entry)
        if new:
            self.line.follow(new)


class WaitingLine:
    """The waiting list according to the events written so far.

    Attributes:
        offered: the ids of entries in the order in which they were offered something.
        passed_on: how many of them got what had been set aside for somebody else in vain.
    """

    def __init__(self) -> None:
        self._lines: dict[int, list[int]] = {}
        self._taken: dict[int, str] = {}
        self._stale: set[int] = set()
        self.offered: list[int] = []
        self.passed_on = 0

    def follow(self, events: Sequence[Event]) -> None:
        """Follow the events of one entry of the journal."""
        freed: list[int] = []
        self._stale = {
            hold.seat_id
            for event in events
            if isinstance(event, HoldsExpired)
            for hold in event.holds
            if hold.holder == WAITLIST
        }
        waited = {line: self._number_taken(line) for line, ids in self._lines.items() if ids}
        for event in events:
            if isinstance(event, WaitlistChanged):
                self._change(event)
            elif isinstance(event, SeatsHeld | PlacesHeld):
                self._taken.update((hold.seat_id, event.actor) for hold in event.holds)
            elif isinstance(event, HoldsReleased | HoldsExpired):
                freed += [hold.seat_id for hold in event.holds if hold.holder != WAITLIST]
                for hold in event.holds:
                    self._taken.pop(hold.seat_id, None)
            elif isinstance(event, TicketEvent):
                self._sell(event)
        for seat_id in freed:
            line = line_of(seat_id)
            if line not in waited or not self._lines.get(line):
                continue
            if line:  # places are interchangeable
                least = waited[line] - sum(line_of(each) == line for each in self._stale)
                assert self._number_taken(line) >= least, "a place is free while somebody waits"
            else:
                assert seat_id in self._taken, f"{seat_id} is free for everybody while somebody waits"

    def _change(self, event: WaitlistChanged) -> None:
        for entry in event.entries:
            if entry.seat_id is not None:
                continue
            line = self._lines.setdefault(entry.ticket_type_id or 0, [])
            if entry.status is WaitStatus.WAITING:
                assert entry.id not in line, "it waits already"
                line.append(entry.id)
            elif entry.id in event.news:
                if line[0] != entry.id:
                    self._take_stale(entry)
                assert {self._taken.get(seat_id) for seat_id in entry.seat_ids} == {entry.holder}
                assert len(entry.seat_ids) == entry.quantity
                self.offered.append(entry.id)
                line.remove(entry.id)
            elif entry.id in line:
                line.remove(entry.id)

    def _take_stale(self, entry: WaitlistEntry) -> None:
        """Check that somebody who is not the first gets what was set aside for long enough."""
        if entry.ticket_type_id is None:
            used = self._stale.intersection(entry.seat_ids)
        else:  # places are interchangeable
            of_type = [each for each in self._stale if line_of(each) == entry.ticket_type_id]
            used = set(of_type[: entry.quantity])
        assert used, f"entry {entry.id} has overtaken"
        self._stale -= used
        self.passed_on += 1

    def _sell(self, event: TicketEvent) -> None:
        for ticket in event.tickets:
            if ticket.status in (TicketStatus.CANCELLED, TicketStatus.LAPSED):
                self._taken.pop(ticket.seat_id, None)
            else:
                self._taken[ticket.seat_id] = ticket.holder

    def _number_taken(self, line: int) -> int:
        return sum(line_of(seat_id) == line for seat_id in self._taken)

    @property
    def waiting(self) -> int:
        """Number of those who wait."""
        return sum(map(len, self._lines.values()))


def line_of(seat_id: int) -> int:
    return 0 if seat_id > 0 else ticket_type_of(seat_id)
