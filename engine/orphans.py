"""Detects choices that strand a seat, a single free one that nobody wants, and proposes alternatives.

Free seats next to each other in a run (`engine.rows`) form a stretch. A choice of seats *strands* a seat that
was free and had a free seat beside it, and afterwards has only taken seats and the ends of its run beside it.
Here `.` is free, `#` taken, `|` an end of the run, `x` chosen and `!` stranded:

    |!x.....|        |#..x!#|         |!x!x..x|

It cannot be avoided if the seat is the only one that is left of its stretch, because any choice of so many
seats of this stretch leaves one. Such a choice is allowed:

    |xx!|            |#x!#...|        |x!x#...|

A seat that was alone before is not counted, nor is a wheelchair place, which is meant for one person. A seat
of a block counts as taken, also for those who may take it.
A choice is judged by a few looks around each of its seats, however large the hall is. Alternatives are only
searched for when it strands a seat, and only in some runs around it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from math import hypot
from typing import NamedTuple

from engine.records import Layout
from engine.rows import Rows, rows_of
from engine.rule_errors import WouldStrandSeat
from engine.sale_rules import OrphanRule, SaleRules
from engine.seat_inventory import SeatInventory

ALTERNATIVES = 3
"""Highest number of alternatives to a refused choice."""

NEAR_RUNS = 3
"""Alternatives come from the runs of the choice, and this many runs before and after them in the layout."""

FURTHEST_RUNS = 12
"""If there are too few alternatives, this many runs before and after are searched."""

IsTaken = Callable[[int], bool]


class Stranding(NamedTuple):
    """The effect of a choice on its neighbours.

    Attributes:
        stranded: the seats.
        alternatives: up to three choices of as many seats that strand none.
    """

    stranded: tuple[int, ...]
    alternatives: tuple[tuple[int, ...], ...]


NOTHING_STRANDED = Stranding((), ())


class OrphanJudge:
    """Judges choices of free seats by the orphan rule of a screening.

    Args:
        seats: of the screening.
        rules: those of the screening; its orphan rule is not `OFF`.
    """

    __slots__ = ("_is_taken", "_least_available", "_refuses", "_rows", "_seats")

    def __init__(self, seats: SeatInventory, rules: SaleRules) -> None:
        self._seats = seats
        self._is_taken = seats.is_taken
        self._rows = rows_of(seats.layout)
        self._refuses = rules.orphan_rule is OrphanRule.ENFORCE
        self._least_available = rules.orphan_share * seats.capacity

    def judge(
        self, wanted: Sequence[int], chosen: Sequence[int], given_back: Collection[int] = ()
    ) -> "Stranding":
        """Judge a choice.

        Args:
            wanted: the seats that the command names.
            chosen: the free ones of them, which would be taken.
            given_back: those that the command gives back.

        Returns:
            The stranded seats and alternatives, if the rule only warns.

        Raises:
            WouldStrandSeat: seats are stranded, and the rule refuses it.
        """
        seats, is_taken, free = self._seats, self._is_taken, chosen
        if seats.available < self._least_available:
            return NOTHING_STRANDED
        if given_back or seats.lending:
            is_taken = self._after(given_back)
            free = [seat_id for seat_id in chosen if not is_taken(seat_id)]
        if not self._rows.stranded_by(free, is_taken):
            return NOTHING_STRANDED
        stranded = avoidable(self._rows, free, is_taken)
        if not stranded:
            return NOTHING_STRANDED
        left = [seat_id for seat_id in wanted if seat_id not in free]
        others = [(*left, *other) for other in alternatives(seats.layout, free, is_taken, given_back)]
        if self._refuses:
            raise WouldStrandSeat(stranded, others)
        return Stranding(tuple(stranded), tuple(others))

    def _after(self, given_back: Collection[int]) -> IsTaken:
        """Return the test for seats that are taken once some are given back. Seats of blocks always are."""
        kept, is_taken = self._seats.kept.by_seat, self._is_taken
        return lambda seat_id: seat_id in kept or (is_taken(seat_id) and seat_id not in given_back)


def avoidable(rows: Rows, chosen: Collection[int], is_taken: IsTaken) -> list[int]:
    """Return the seats that a choice strands although that can be avoided.

    Args:
        rows: the runs of seats.
        chosen: the seats that would be taken; all are free.
        is_taken: tells whether a seat is taken before they are.
    """
    stranded = rows.stranded_by(chosen, is_taken)
    if not stranded:
        return stranded
    return [seat_id for seat_id in stranded if not _is_last(rows, seat_id, chosen, is_taken)]


def alternatives(
    layout: Layout, chosen: Collection[int], is_taken: IsTaken, barred: Collection[int] = ()
) -> list[tuple[int, ...]]:
    """Return nearby choices of as many free seats that strand none.

    Each is a number of adjacent seats: those of the types that were chosen first, then the nearest. For a
    choice from several stretches the first one is the choice itself, with only those seats moved that strand
    others. Wheelchair places are offered only to those who have chosen one.

    Args:
        layout: the seats.
        chosen, is_taken: as in `avoidable`.
        barred: seats not to offer.
    """
    rows = rows_of(layout)
    if rows.wheelchairs.isdisjoint(chosen):
        barred = rows.wheelchairs.union(barred)
    found = _repaired(layout, rows, chosen, is_taken, barred)
    own = {rows.place_of[seat_id][0] for seat_id in chosen}
    searched: set[int] = set()
    for reach in (NEAR_RUNS, FURTHEST_RUNS):
        around = {number for run in own for number in range(run - reach, run + reach + 1)}
        numbers = sorted(around.intersection(range(len(rows.runs))) - searched)
        searched.update(numbers)
        blocks = [
            block
            for number in numbers
            for stretch in _stretches(rows.runs[number], is_taken)
            for block in _blocks(stretch, len(chosen), barred)
        ]
        blocks.sort(key=_remoteness(layout, chosen))
        for block in blocks:
            if len(found) == ALTERNATIVES:
                return found
            if not rows.stranded_by(block, is_taken):
                found.append(block)
    return found


def _repaired(
    layout: Layout, rows: Rows, chosen: Collection[int], is_taken: IsTaken, barred: Collection[int]
) -> list[tuple[int, ...]]:
    """Return the repair of a choice from several stretches, if there is one."""
    parts: dict[tuple[int, ...], list[int]] = {}
    for seat_id in chosen:
        parts.setdefault(_stretch_of(rows, seat_id, is_taken), []).append(seat_id)
    if len(parts) == 1:
        return []
    repaired: list[int] = []
    for stretch, part in parts.items():
        if avoidable(rows, part, is_taken):
            blocks = _blocks(stretch, len(part), barred)
            harmless = [block for block in blocks if not rows.stranded_by(block, is_taken)]
            if not harmless:
                return []
            part = [*min(harmless, key=_remoteness(layout, part))]
        repaired += part
    return [tuple(repaired)]


def _is_last(rows: Rows, seat_id: int, chosen: Collection[int], is_taken: IsTaken) -> bool:
    """Return whether a stranded seat is the only one that is left of its stretch."""
    number, index = rows.place_of[seat_id]
    run = rows.runs[number]
    for side in (range(index - 1, -1, -1), range(index + 1, len(run))):
        for place in side:
            if is_taken(run[place]):
                break
            if run[place] not in chosen:
                return False
    return True


def _stretch_of(rows: Rows, seat_id: int, is_taken: IsTaken) -> tuple[int, ...]:
    number, _ = rows.place_of[seat_id]
    return next(stretch for stretch in _stretches(rows.runs[number], is_taken) if seat_id in stretch)


def _stretches(run: Sequence[int], is_taken: IsTaken) -> Iterator[tuple[int, ...]]:
    """The stretches of free seats of a run."""
    stretch: list[int] = []
    for seat_id in run:
        if not is_taken(seat_id):
            stretch.append(seat_id)
        elif stretch:
            yield tuple(stretch)
            stretch = []
    if stretch:
        yield tuple(stretch)


def _blocks(stretch: Sequence[int], size: int, barred: Collection[int]) -> Iterator[tuple[int, ...]]:
    """All choices of adjacent seats of a stretch."""
    for begin in range(len(stretch) - size + 1):
        block = tuple(stretch[begin : begin + size])
        if not any(seat_id in barred for seat_id in block):
            yield block


def _remoteness(layout: Layout, chosen: Collection[int]) -> Callable[[Sequence[int]], tuple[bool, float]]:
    """A key that sorts blocks: those of the chosen types first, then by distance from the chosen seats."""
    by_id = layout.by_id
    seats = [by_id[seat_id] for seat_id in chosen]
    types = {seat.seat_type for seat in seats}
    x, y = sum(seat.x for seat in seats) / len(seats), sum(seat.y for seat in seats) / len(seats)

    def remoteness(block: Sequence[int]) -> tuple[bool, float]:
        first, last = by_id[block[0]], by_id[block[-1]]
        is_other = any(by_id[seat_id].seat_type not in types for seat_id in block)
        return is_other, hypot((first.x + last.x) / 2 - x, (first.y + last.y) / 2 - y)

    return remoteness
