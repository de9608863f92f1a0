"""Divides a party that fits nowhere together over two neighbouring rows.

A pair is two groups of adjacent seats that touch: a seat of one is directly in front of or behind a seat of
the other. A hall full of small gaps has many pairs, so they are not compared one by one. Groups of one size
that differ only in where they are form a kind, which is a set of bits (`engine.seat_ranking`). Pairs of kinds
are tried from the best on, and a few operations on integers tell which groups of the two kinds touch each
other. Only where some do, distances are compared, nearest groups first, until no other can be better.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from itertools import product
from operator import or_
from typing import NamedTuple

from engine.seat_ranking import SeatRanking

Merit = tuple[int, int, int, int]
"""The criteria before the distance: numbers of stranded seats that other groups would not leave, of stranded
seats, of groups of one, and of wheelchair places. The smallest is the best.
"""


class Kind:
    """Groups of one size that are equally good but for their distance.

    Args:
        ranking: of the layout.
        size: number of seats in each group.
        merit: of one group.
        starts: where they start, as bits.
    """

    def __init__(self, ranking: SeatRanking, size: int, merit: Merit, starts: int) -> None:
        self._ranking = ranking
        self.size = size
        self.merit = merit
        self.starts = starts

    @cached_property
    def reach(self) -> int:
        """The seats that touch one of the groups, as bits."""
        return self._ranking.touching(covered(self.starts, self.size))

    def touching(self, other: "Kind") -> int:
        """Return where those of the groups start that touch a group of another kind, as bits."""
        return self.starts & starts_over(other.reach, self.size)


class Pair(NamedTuple):
    """Two groups, as positions, the one that starts first. The smallest of equal merit is the best."""

    cost: int
    first: int
    first_end: int
    second: int
    second_end: int

    @property
    def positions(self) -> list[int]:
        """The positions of all seats."""
        return [*range(self.first, self.first_end), *range(self.second, self.second_end)]


Division = tuple[Sequence[Kind], Sequence[Kind]]
"""The kinds of the first group and of the second, for one way to divide the number of seats."""


def best_pair(ranking: SeatRanking, divisions: Iterable[Division]) -> Pair | None:
    """Return the best way to divide a party; None if there is none.

    Args:
        ranking: of the layout.
        divisions: the ways to divide its number in two.
    """
    by_merit: defaultdict[Merit, list[tuple[Kind, Kind]]] = defaultdict(list)
    for firsts, seconds in divisions:
        reach = reduce(or_, [second.reach for second in seconds], 0)
        touching = [first for first in firsts if first.starts & starts_over(reach, first.size)]
        for first, second in product(touching, seconds):
            stranding, stranded, alone, wheelchairs = map(sum, zip(first.merit, second.merit, strict=True))
            by_merit[stranding, stranded, alone, wheelchairs].append((first, second))
    for _, kinds in sorted(by_merit.items()):
        best: Pair | None = None
        for first, second in kinds:
            best = _nearest(ranking, first, second, best)
        if best is not None:
            return best
    return None


def _nearest(ranking: SeatRanking, first: Kind, second: Kind, best: Pair | None) -> Pair | None:
    """Return the nearest pair of two kinds, or the best so far if it is nearer."""
    starts = first.touching(second)
    if not starts:
        return best
    others = second.touching(Kind(ranking, first.size, first.merit, starts))
    least = ranking.cost(ranking.best(second.size, others), second.size)
    is_other = ranking.digits(others)
    for start in ranking.in_order(first.size, starts):
        end, cost = start + first.size, ranking.cost(start, first.size)
        if best is not None and cost + least > best.cost:
            break
        reach = {near for position in range(start, end) for near in ranking.near(position)}
        for other in {at for near in reach for at in range(max(1, near - second.size + 1), near + 1)}:
            if is_other[other] == "1":
                other_end = other + second.size
                both = ((start, end, other, other_end), (other, other_end, start, end))[other < start]
                pair = Pair(cost + ranking.cost(other, second.size), *both)
                if best is None or pair < best:
                    best = pair
    return best


def covered(starts: int, size: int) -> int:
    """Return the seats of groups of a size that start at some positions, as bits."""
    width = 1
    while width < size:
        step = min(width, size - width)
        starts |= starts << step
        width += step
    return starts


def starts_over(seats: int, size: int) -> int:
    """Return where a group of a size can start to have one of some seats, as bits."""
    width = 1
    while width < size:
        step = min(width, size - width)
        seats |= seats >> step
        width += step
    return seats
