"""Finds adjacent seats of a room, for all rules and searches that depend on seats in a row.

Seats with the same row label form a run as long as nothing lies between them: no aisle that is drawn there,
and no gap in which one could walk. Distances are in seat widths and rows, as in `engine.records.Seat`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import hypot

from engine.records import Area, Layout, Seat

GAP = 1.5
"""Neighbours in a row that are this far apart leave a way between them."""

STEP = 0.5
"""A seat is beside its neighbour if it is at least this much further along the row, and behind it if not. A
row of a box may have several lines of seats, one behind the other.
"""

LINES = 4
"""Highest number of lines of a row that are told apart."""

WHEELCHAIR = "wheelchair"
"""The seat type of places for wheelchairs."""


class Rows:
    """The runs of adjacent seats of a layout, computed once per layout (`rows_of`).

    Args:
        layout: the seats, and the aisles.

    Attributes:
        runs: ids of adjacent seats, from left to right (a row that is longer than it is wide from the screen
            on). A seat without neighbours is a run of its own. In the order of their first seats in the
            layout.
        place_of: by seat, the number of its run and its index there.
        wheelchairs: the wheelchair places.
    """

    __slots__ = ("_around", "place_of", "runs", "wheelchairs")

    def __init__(self, layout: Layout) -> None:
        order = {seat.id: number for number, seat in enumerate(layout.seats)}
        rows: defaultdict[str, list[Seat]] = defaultdict(list)
        for seat in layout.seats:
            rows[seat.row_label].append(seat)
        runs = [
            tuple([seat.id for seat in run]) for row in rows.values() for run in _runs(row, layout.aisles)
        ]
        runs.sort(key=lambda run: min([order[seat_id] for seat_id in run]))
        self.runs: Sequence[tuple[int, ...]] = tuple(runs)
        self.place_of: Mapping[int, tuple[int, int]] = {
            seat_id: (number, index) for number, run in enumerate(runs) for index, seat_id in enumerate(run)
        }
        self.wheelchairs = frozenset(seat.id for seat in layout.seats if seat.seat_type == WHEELCHAIR)
        # By seat, the two seats on its left, the nearer one first, and those on its right. Where there is
        # none it is the seat itself: it is among the chosen ones, so it does not count as free.
        self._around: dict[int, tuple[int, int, int, int]] = {}
        for run in runs:
            padded = (0, 0, *run, 0, 0)
            for left2, left, seat_id, right, right2 in zip(*[padded[at:] for at in range(5)], strict=False):
                self._around[seat_id] = (
                    left or seat_id,
                    left2 or seat_id,
                    right or seat_id,
                    right2 or seat_id,
                )

    def run_of(self, seat_id: int) -> tuple[int, ...]:
        """Return the run of a seat."""
        return self.runs[self.place_of[seat_id][0]]

    def neighbours(self, seat_id: int) -> list[int]:
        """Return the seats directly beside a seat: two, or fewer at the ends of its run."""
        number, index = self.place_of[seat_id]
        run = self.runs[number]
        return [*run[max(0, index - 1) : index], *run[index + 1 : index + 2]]

    def stranded_by(self, chosen: Collection[int], is_taken: Callable[[int], bool]) -> list[int]:
        """Return the seats that are stranded if some free seats are taken, and are not so yet.

        A stranded seat is free, but none beside it is. A wheelchair place is never stranded: it is meant for
        one person.

        Args:
            chosen: the seats to take.
            is_taken: tells whether a seat is taken now, before they are.
        """
        around, stranded = self._around, []
        for seat_id in chosen:
            left, left2, right, right2 = around[seat_id]
            # This is most of what the rule costs a hold, so both sides are written out.
            if left not in chosen and not is_taken(left) and (left2 in chosen or is_taken(left2)):
                stranded.append(left)
            if right not in chosen and not is_taken(right) and (right2 in chosen or is_taken(right2)):
                stranded.append(right)
        if stranded:
            # A seat between two chosen ones was found twice.
            return [seat_id for seat_id in dict.fromkeys(stranded) if seat_id not in self.wheelchairs]
        return stranded


def rows_of(layout: Layout) -> Rows:
    """Return the runs of a layout. The first call for a layout of 10,000 seats takes some 50 ms."""
    return layout.derived(Rows)


def _runs(row: Sequence[Seat], aisles: Sequence[Area]) -> Iterator[Sequence[Seat]]:
    """Cut a row into runs. It is followed along its longer side."""
    xs, ys = [seat.x for seat in row], [seat.y for seat in row]
    is_wide = max(xs) - min(xs) >= max(ys) - min(ys)
    crossing = [
        aisle
        for aisle in aisles
        if aisle.left < max(xs) and min(xs) < aisle.right and aisle.top < max(ys) and min(ys) < aisle.bottom
    ]
    lines: list[list[Seat]] = []
    for seat in sorted(
        row, key=(lambda seat: (seat.x, seat.y)) if is_wide else (lambda seat: (seat.y, seat.x))
    ):
        nearest, distance = None, GAP
        for line in lines:
            last = line[-1]
            between = hypot(seat.x - last.x, seat.y - last.y)
            along = seat.x - last.x if is_wide else seat.y - last.y
            if between < distance and along >= STEP:
                nearest, distance = line, between
        if nearest and not any(_crosses(aisle, nearest[-1], seat) for aisle in crossing):
            nearest.append(seat)
            continue
        if nearest:
            lines.remove(nearest)
            yield nearest
        lines.append([seat])
        if len(lines) > LINES:
            yield lines.pop(0)
    yield from lines


def _crosses(area: Area, seat: Seat, other: Seat) -> bool:
    """Return whether the straight line between two seats leads through an area: clip it at the four sides."""
    begin, end = 0.0, 1.0
    for start, stop, low, high in (
        (seat.x, other.x, area.left, area.right),
        (seat.y, other.y, area.top, area.bottom),
    ):
        if start == stop:
            if not low < start < high:
                return False
            continue
        entry, exit_ = (low - start) / (stop - start), (high - start) / (stop - start)
        begin, end = max(begin, min(entry, exit_)), min(end, max(entry, exit_))
    return begin < end
