"""Rebuilds a screening from its event log, and finds where the log contradicts itself or the tables.

Every event says from which status its seats have come. So a missing event is found at the next event of one
of its seats, or at the end by the tables, and an extra one likewise. Memory has only the seats that somebody
has, and the last event of each seat.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.seat_states import SeatStatus
from engine.state_hash import state_digest

FREE = "free"

_FREE: tuple[str, str | None] = (FREE, None)
_TAKEN = {SeatStatus.HELD.value, SeatStatus.PENDING.value, SeatStatus.BOOKED.value}
_BLOCKED = SeatStatus.BLOCKED.value
_SAME_HOLDER = frozenset({"holds_extended", "tickets_confirmed"})
"""Events that leave the seats with those who have them; the log names who has caused them."""


class LoggedEvent(NamedTuple):
    """A row of the event log.

    Attributes:
        holder: who has the seats from now on, if that is not the actor.
        block_id: the block that has changed; None for other events, and for those of earlier versions.
        block_seat_ids: all seats of the block after the event.
    """

    epoch: int
    seq: int
    kind: str
    actor: str
    seat_ids: Sequence[int]
    from_statuses: Sequence[str]
    to_status: str
    holder: str | None
    block_id: int | None = None
    block_seat_ids: Sequence[int] | None = None


class StoredSeat(NamedTuple):
    """A row of the tables that says who has a seat.

    Attributes:
        status: "held", "pending", "booked" or "blocked".
        holder: who has it; None for a blocked seat.
        block_id: the block that it belongs to; None unless it is blocked.
    """

    seat_id: int
    status: str
    holder: str | None
    block_id: int | None = None


class StoredHash(NamedTuple):
    """A hash of what the owner had in memory after an event.

    Attributes:
        seats: number of seats and places that somebody had.
    """

    epoch: int
    seq: int
    seats: int
    hash: int


Place = tuple[int, int]
"""Epoch and number of an event."""


class Difference(NamedTuple):
    """The first thing that is wrong with a screening.

    Attributes:
        source: what contradicts the events before: "log", a later event; "hash", what the owner had in
            memory; "tables", the tables.
        place: that event, or the one after which the owner has stored the hash; None for the tables.
        after: the last event of the seat before that; None if there is none.
        seat_id: None for a hash.
        found: the state that the source says.
        expected: the state that follows from the events before.
        found_holder, expected_holder: who has the seat.
    """

    source: str
    place: Place | None
    after: Place | None
    seat_id: int | None
    found: str
    expected: str
    found_holder: str | None = None
    expected_holder: str | None = None


class Replay:
    """A screening as the events so far have left it.

    Args:
        trimmed: the beginning of the log may be missing. The first event of a seat then tells its status
            before, seats without events are not judged, nor are hashes.

    Attributes:
        difference: the first one; nothing is applied after it.
        event_count: number of events applied.
    """

    def __init__(self, *, trimmed: bool = False) -> None:
        self.difference: Difference | None = None
        self.event_count = 0
        self._trimmed = trimmed
        self._taken: dict[int, tuple[str, str | None]] = {}
        self._last: dict[int, tuple[int, int]] = {}
        self._block_of: dict[int, int | None] = {}
        self._seats_of: dict[int, frozenset[int]] = {}
        # Seats that may have left their block: earlier versions have not logged it.
        self._unsure: set[int] = set()

    def apply(self, event: LoggedEvent) -> None:
        """Apply the next event, in the order of (epoch, seq)."""
        if self.difference is not None:
            return
        self.event_count += 1
        if event.kind in ("seats_blocked", "seats_unblocked"):
            self._apply_to_blocks(event)
        else:
            for seat_id, before in zip(event.seat_ids, event.from_statuses, strict=True):
                if not self._may_follow(event, seat_id, before):
                    return
                self._change(event, seat_id)
        self._last.update(dict.fromkeys(event.seat_ids, event[:2]))

    def compare_hash(self, stored: StoredHash) -> None:
        """Compare with what the owner had in memory, after all events up to there."""
        if self.difference is None and not self._trimmed:
            taken = [(seat_id, status, holder or "") for seat_id, (status, holder) in self._taken.items()]
            expected = len(taken), state_digest(taken)
            found = stored.seats, stored.hash
            if found != expected:
                self.difference = Difference(
                    "hash", stored[:2], None, None, _hash_text(*found), _hash_text(*expected)
                )

    def compare_tables(self, rows: Iterable[StoredSeat]) -> None:
        """Compare with all that the tables have of the screening, after all events."""
        if self.difference is not None:
            return
        taken: dict[int, tuple[str, str | None]] = {}
        blocks: dict[int, int | None] = {}
        for seat_id, status, holder, block_id in rows:
            if status == _BLOCKED:
                blocks[seat_id] = block_id
            elif seat_id in taken:
                both = taken[seat_id], (status, holder)
                second = next((row for row in both if row != self._taken.get(seat_id)), both[0])
                self.difference = self._differs(seat_id, second)
                return
            else:
                taken[seat_id] = status, holder
        wrong = [seat_id for seat_id in {*taken, *self._taken} if self._is_wrong(seat_id, taken)]
        if wrong:
            seat_id = self._first(wrong)
            self.difference = self._differs(seat_id, taken.get(seat_id, _FREE))
            return
        in_blocks = {*blocks, *self._block_of} - self._unsure
        wrong = [seat_id for seat_id in in_blocks if not self._same_block(seat_id, blocks)]
        if wrong:
            seat_id = self._first(wrong)
            found = _in_block(blocks[seat_id]) if seat_id in blocks else "in no block"
            expected = _in_block(self._block_of[seat_id]) if seat_id in self._block_of else "in no block"
            self.difference = Difference("tables", None, self._last.get(seat_id), seat_id, found, expected)

    def _may_follow(self, event: LoggedEvent, seat_id: int, before: str) -> bool:
        """Return whether a seat is as the event has found it; otherwise note the difference."""
        found = before if before in _TAKEN else FREE
        if found == self._taken.get(seat_id, _FREE)[0]:
            return True
        if self._trimmed and seat_id not in self._last:
            if found != FREE:
                self._taken[seat_id] = found, None
            return True
        self.difference = self._differs(seat_id, (found, None), event)
        return False

    def _change(self, event: LoggedEvent, seat_id: int) -> None:
        before = self._taken.pop(seat_id, None)
        if event.to_status not in _TAKEN:
            return
        keeps = event.kind in _SAME_HOLDER and before is not None
        holder = before[1] if keeps and before else event.holder or event.actor
        self._taken[seat_id] = event.to_status, holder

    def _apply_to_blocks(self, event: LoggedEvent) -> None:
        blocked = event.to_status == _BLOCKED
        for seat_id in event.seat_ids:
            if seat_id in self._taken:
                self.difference = self._differs(seat_id, _FREE, event)
                return
        if event.block_id is not None:
            self._replace_block(event.block_id, event.seat_ids, event.block_seat_ids or ())
        elif blocked:
            self._block_of.update(dict.fromkeys(event.seat_ids))
        else:
            for seat_id in event.seat_ids:
                self._block_of.pop(seat_id, None)
        if not blocked:
            self._unsure.update(
                seat_id
                for seat_id, block_id in self._block_of.items()
                if block_id is None and seat_id in self._taken
            )

    def _replace_block(self, block_id: int, changed: Collection[int], present: Collection[int]) -> None:
        for seat_id in (*self._seats_of.pop(block_id, ()), *changed):
            self._block_of.pop(seat_id, None)
        if present:
            self._seats_of[block_id] = frozenset(present)
            self._block_of.update(dict.fromkeys(present, block_id))
            self._unsure.difference_update(present)

    def _is_wrong(self, seat_id: int, stored: Mapping[int, tuple[str, str | None]]) -> bool:
        if self._trimmed and seat_id not in self._last:
            return False
        found, expected = stored.get(seat_id), self._taken.get(seat_id)
        if self._trimmed and found and expected and expected[1] is None:
            return found[0] != expected[0]
        return found != expected

    def _same_block(self, seat_id: int, stored: Mapping[int, int | None]) -> bool:
        if self._trimmed and seat_id not in self._last:
            return True
        if (seat_id in stored) != (seat_id in self._block_of):
            return False
        expected = self._block_of[seat_id]
        return expected is None or expected == stored[seat_id]

    def _first(self, seat_ids: Iterable[int]) -> int:
        """Return the seat whose last event is the earliest; seats that the log does not know come first."""
        return min(seat_ids, key=lambda seat_id: (self._last.get(seat_id, (0, 0)), seat_id))

    def _differs(
        self, seat_id: int, found: tuple[str, str | None], event: LoggedEvent | None = None
    ) -> Difference:
        """Make the difference of an event, or else of the tables, that finds a seat in another state."""
        source, place = ("tables", None) if event is None else ("log", event[:2])
        expected = self._taken.get(seat_id, _FREE)
        return Difference(
            *(source, place, self._last.get(seat_id), seat_id, found[0], expected[0]), found[1], expected[1]
        )


def _in_block(block_id: int | None) -> str:
    return "in a block" if block_id is None else f"in block {block_id}"


def _hash_text(seats: int, total: int) -> str:
    return f"{seats} seats, {total % 2**64:016x}"
