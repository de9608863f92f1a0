"""The seats of a layout as bits, and their ranking: the data for choosing seats that no sale changes.

Every seat has a position, and a set of seats is an integer with a bit for each. The runs of `engine.rows`
follow one another with an empty bit in between, so seats are next to each other if their positions are, and
a few operations on integers find all groups of adjacent free seats of a hall.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from math import hypot

from engine.records import Focus, Layout
from engine.rows import GAP, rows_of

UNITS = 100
"""Distances are compared in hundredths of a seat width, as integers, so that sums are exact."""

OTHER_ROWS = 10_000_000
"""Added to the distance of a seat outside the preferred rows: more than any distance in a room."""

DEPTH = 2 / 3
"""The default focal point is in the middle of the room, at this share of its depth from the first row."""

_CHUNKS = 128
"""Number of parts, the best first, into which the groups of a size are divided."""

_FREE = bytes.maketrans(b"\x00\x01", b"10")


class SeatRanking:
    """The seats of a layout by position, with their costs. Computed once per layout (`ranking_of`).

    Args:
        layout: the seats, sections and the focal point.

    Attributes:
        seat_ids: by position; 0 where there is no seat.
        preferred: the seats in the preferred rows, as bits; all seats if none are preferred.
        of_type: the seats of each type, as bits.
        of_zone: the seats of each section by its name, as bits.
    """

    def __init__(self, layout: Layout) -> None:
        rows = rows_of(layout)
        self.seat_ids = [0]
        for run in rows.runs:
            self.seat_ids += (*run, 0)
        self._downwards = self.seat_ids[::-1]
        self._seats = [layout.by_id.get(seat_id) for seat_id in self.seat_ids]
        focus = layout.focus or default_focus(layout)
        types: defaultdict[str, list[int]] = defaultdict(list)
        self._cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        preferred = []
        costs = []  # distances to the focal point; outside the preferred rows they cost more than all others
        for position, seat in enumerate(self._seats):
            if seat is None:
                costs.append(0)
                continue
            distance = round(UNITS * hypot(seat.x - focus.x, seat.y - focus.y))
            if not focus.rows or seat.row_label in focus.rows:
                preferred.append(position)
            else:
                distance += OTHER_ROWS
            costs.append(distance)
            types[seat.seat_type].append(position)
            self._cells[int(seat.x / GAP), int(seat.y / GAP)].append(position)
        self._costs = [0, *accumulate(costs)]  # by position, of all seats before it
        self.preferred = self._bits(preferred)
        self.of_type = {name: self._bits(positions) for name, positions in types.items()}
        self.of_zone: dict[str, int] = {}
        for area in layout.sections:
            inside = self._bits(p for p, seat in enumerate(self._seats) if seat and area.has(seat))
            self.of_zone[area.name] = self.of_zone.get(area.name, 0) | inside
        self._all = self._bits(p for p, seat in enumerate(self._seats) if seat)
        self._ranked: dict[int, tuple[list[int], list[int]]] = {}
        self._near: dict[int, list[int]] = {}

    def bits_of(self, seat_ids: Iterable[int]) -> int:
        """Return seats of the layout as bits; others are ignored."""
        wanted = set(seat_ids)
        return self._bits(p for p, seat_id in enumerate(self.seat_ids) if seat_id in wanted) if wanted else 0

    def free(self, taken: Callable[[Iterable[int]], bytes]) -> int:
        """Return the free seats as bits.

        Args:
            taken: returns for each of some seats the byte 1 if it is taken, otherwise 0.
        """
        return int(taken(self._downwards).translate(_FREE), 2) & self._all

    def digits(self, bits: int) -> str:
        """Return "1" for each position in a set, and "0" for each other one."""
        return f"{bits:0{len(self.seat_ids)}b}"[::-1]

    def best(self, size: int, starts: int) -> int:
        """Return where the cheapest group of adjacent seats starts; of equals the first.

        Args:
            size: number of seats in the group.
            starts: the positions to choose from, as bits; not 0.
        """
        return next(self.in_order(size, starts))

    def in_order(self, size: int, starts: int) -> Iterator[int]:
        """Yield where groups of adjacent seats start, the cheapest first, and of equals the first.

        Args:
            size, starts: as in `best`.
        """
        if size not in self._ranked:
            self._ranked[size] = self._rank(size)
        ranked, prefixes = self._ranked[size]
        chunk = bisect_left(prefixes, True, key=lambda prefix: bool(starts & prefix))
        length = -(-len(ranked) // _CHUNKS)
        those = map(ranked.__getitem__, range(chunk * length, len(ranked)))
        return (start for start in those if starts >> start & 1)

    def cost(self, start: int, size: int) -> int:
        """Return the sum of the costs of adjacent seats."""
        return self._costs[start + size] - self._costs[start]

    def touching(self, seats: int) -> int:
        """Return the seats of other rows that are directly in front of or behind some seats, as bits."""
        touching = 0
        for distance, firsts in self._touching_pairs:
            touching |= (seats & firsts) << distance | seats >> distance & firsts
        return touching

    @cached_property
    def _touching_pairs(self) -> list[tuple[int, int]]:
        """All pairs of seats of which one is directly in front of the other: each distance between two
        positions, with the lower positions of its pairs as bits. There are few distances, because rows are
        alike.
        """
        firsts: defaultdict[int, list[int]] = defaultdict(list)
        for (column, row), here in self._cells.items():
            behind = [(column + across, row + 1) for across in (-1, 0, 1)]
            around = [other for cell in ((column + 1, row), *behind) for other in self._cells.get(cell, ())]
            for number, position in enumerate(here, 1):
                for other in (*here[number:], *around):
                    if self._touch(position, other):
                        firsts[abs(position - other)].append(min(position, other))
        return [(distance, self._bits(positions)) for distance, positions in firsts.items()]

    def _touch(self, position: int, other: int) -> bool:
        seat, beside = self._seats[position], self._seats[other]
        assert seat is not None and beside is not None
        return seat.row_label != beside.row_label and hypot(beside.x - seat.x, beside.y - seat.y) < GAP

    def near(self, position: int) -> Sequence[int]:
        """Return the seats of other rows that are directly in front of or behind a seat."""
        if position not in self._near:
            seat = self._seats[position]
            assert seat is not None
            column, row = int(seat.x / GAP), int(seat.y / GAP)
            around = [(column + across, row + along) for across in (-1, 0, 1) for along in (-1, 0, 1)]
            self._near[position] = [
                other_position
                for cell in around
                for other_position in self._cells.get(cell, ())
                if self._touch(position, other_position)
            ]
        return self._near[position]

    def _rank(self, size: int) -> tuple[list[int], list[int]]:
        """Return where groups of adjacent seats can start, the cheapest first, and for each chunk of them the
        bits of all up to its end.
        """
        costs, possible = self._costs, self.digits(groups(self._all, size))
        ranked = [position for position, digit in enumerate(possible) if digit == "1"]
        ranked.sort(key=lambda start: costs[start + size] - costs[start])
        length = -(-len(ranked) // _CHUNKS)
        chunks = [self._bits(ranked[first : first + length]) for first in range(0, len(ranked), length or 1)]
        return ranked, list(accumulate(chunks, int.__or__))

    def _bits(self, positions: Iterable[int]) -> int:
        bits = bytearray(len(self.seat_ids) // 8 + 1)
        for position in positions:
            bits[position >> 3] |= 1 << (position & 7)
        return int.from_bytes(bits, "little")


def ranking_of(layout: Layout) -> SeatRanking:
    """Return the ranking of a layout's seats. The first call for 10,000 seats takes some 100 ms."""
    return layout.derived(SeatRanking)


def groups(seats: int, size: int) -> int:
    """Return where groups of adjacent seats start.

    Args:
        seats: the seats that they may consist of, as bits.
        size: number of seats in a group.
    """
    width = 1
    while width < size:
        step = min(width, size - width)
        seats &= seats >> step
        width += step
    return seats


def default_focus(layout: Layout) -> Focus:
    """Return the focal point of a room for which none has been set."""
    if not layout.seats:
        return Focus(0.0, 0.0)
    xs, ys = [seat.x for seat in layout.seats], [seat.y for seat in layout.seats]
    return Focus((min(xs) + max(xs)) / 2, min(ys) + (max(ys) - min(ys)) * DEPTH)
