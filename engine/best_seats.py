"""Holding the best adjacent seats that are free: the choice, and the decision.

The cheapest group of a party's size is chosen (`engine.seat_ranking` says what seats cost), but rather one
that strands no single seat. The choice is made from the records of the moment, so a hold by seat ids pays
nothing for it.
"""

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import NamedTuple

from engine.blocks import lent
from engine.commands import HoldBest, HoldSeats
from engine.holding import hold_seats
from engine.records import ScreeningInfo
from engine.rows import WHEELCHAIR
from engine.sales_windows import require_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.seat_ranking import SeatRanking, groups, ranking_of
from engine.selling_errors import HoldLifeSpent, HoldLimitExceeded, NoAdjacentSeats, ZoneNotFound


def hold_best(state: ScreeningState, command: HoldBest, now: float) -> Decision:
    """Hold the best seats for a party: adjacent ones or, if it allows that, in two neighbouring rows."""
    state.require_open(now, "reserve seats")
    state.require_seats()
    require_on_sale(state.rules, now, command.access)
    if command.quantity > (limit := state.policy.held_seats_limit):
        held = len(state.seats.unpaid.get(command.holder, ()))
        raise HoldLimitExceeded(limit, held, command.quantity)

    def decide() -> Decision:
        try:
            return _hold(state, command, _chosen(state, command), now)
        except HoldLifeSpent:
            # The holder has had some of these seats for as long as it may, so others are the best for it.
            spent = state.lives.spent(command.holder, now)
            return _hold(state, command, _chosen(state, command, spent), now)

    kept = tuple(state.seats.kept.open_to(command.access)) if command.access else ()
    return lent(state, command.access, kept, decide) or decide()


def _hold(state: ScreeningState, command: HoldBest, seat_ids: tuple[int, ...], now: float) -> Decision:
    named = HoldSeats(
        *(command.screening_id, command.holder, seat_ids, command.note, command.origin),
        *(command.guest_network, command.access),
    )
    return hold_seats(state, named, now)


def _chosen(state: ScreeningState, command: HoldBest, without: Iterable[int] = ()) -> tuple[int, ...]:
    ranking = ranking_of(state.seats.layout)
    free = ranking.free(state.seats.taken)
    wanted = _wanted(ranking, state.info, command) & ~ranking.bits_of(without)
    choice = Choice(ranking, free & wanted, free & ~ranking.bits_of(state.seats.kept.by_seat))
    size = command.quantity
    if positions := choice.best(size, command.accessible, command.allow_split):
        return tuple([ranking.seat_ids[position] for position in positions])
    fitting = (
        smaller
        for smaller in range(size - 1, 0, -1)
        if choice.best(smaller, command.accessible, command.allow_split)
    )
    raise NoAdjacentSeats(size, next(fitting, 0), split=command.allow_split)


def _wanted(ranking: SeatRanking, info: ScreeningInfo, command: HoldBest) -> int:
    """Return the seats that a party may get, free or not."""
    types = [
        bits
        for name, bits in ranking.of_type.items()
        if (command.max_price_cents is None or info.price_of_type(name) <= command.max_price_cents)
        and (
            command.accessible
            if name == WHEELCHAIR
            else command.seat_types is None or name in command.seat_types
        )
    ]
    wanted: int = reduce(or_, types, 0)
    if command.zone is None:
        return wanted
    if command.zone not in ranking.of_zone:
        raise ZoneNotFound(command.zone, ranking.of_zone)
    return wanted & ranking.of_zone[command.zone]


class _Group(NamedTuple):
    """Adjacent seats.

    Attributes:
        avoidable: number of those that would not be left by every group of this size in their place.
        stranded: number of single seats that are left beside it.
        wheelchairs: number of wheelchair places in it.
    """

    start: int
    size: int
    avoidable: int
    stranded: int
    wheelchairs: int
    cost: int

    @property
    def end(self) -> int:
        return self.start + self.size


class Choice:
    """The choice among the seats that are free now.

    Args:
        ranking: of the layout.
        seats: the free seats that the party may get, as bits.
        free: the free seats that count when seats are stranded (`engine.orphans`).
    """

    def __init__(self, ranking: SeatRanking, seats: int, free: int) -> None:
        self._ranking = ranking
        self._seats = seats
        self._free = free
        self._wheelchairs = ranking.of_type.get(WHEELCHAIR, 0)
        # Seats whose only free neighbour is on the right, or on the left. Wheelchair places are not stranded.
        on_left, on_right = free << 1, free >> 1
        endangered = free & ~self._wheelchairs & (on_left ^ on_right)
        self._left_ends, self._right_ends = endangered & on_right, endangered & on_left

    def best(self, size: int, accessible: bool = False, allow_split: bool = False) -> list[int]:
        """Return the positions of the best seats; none if the party does not fit.

        A group that strands fewer seats is better, and of these one that its rule permits (`engine.orphans`:
        the stranded seat is all that is left between taken ones); then one with fewer wheelchair places, then
        the cheaper.

        Args:
            size: number of seats.
            accessible: exactly those groups with a wheelchair place will do.
            allow_split: if there is no such group, two groups in neighbouring rows will do.
        """
        starts = groups(self._seats, size)
        left, right = self._left_ends << 1, self._right_ends >> size
        more = (left & (self._free >> size)) | (right & (self._free << 1))
        one, two = starts & (left ^ right), starts & left & right
        for stranding in (starts & ~(left | right), one & ~more, one & more, two):
            for candidates in self._by_wheelchairs(stranding, size) if accessible else (stranding,):
                if candidates:
                    start = self._ranking.best(size, candidates)
                    return list(range(start, start + size))
        if allow_split and (pair := min(self._pairs(size, accessible), default=None)):
            return [*range(pair.first, pair.first_end), *range(pair.second, pair.second_end)]
        return []

    def _by_wheelchairs(self, starts: int, size: int) -> Iterator[int]:
        """Return those of some groups that have one wheelchair place, then those that have two, and so on."""
        at_least = [starts, *[0] * (size + 1)]
        for offset in range(size if starts else 0):
            here = self._wheelchairs >> offset
            for number in range(offset + 1, 0, -1):
                at_least[number] |= at_least[number - 1] & here
        for number in range(1, size + 1):
            yield at_least[number] & ~at_least[number + 1]

    def _pairs(self, size: int, accessible: bool) -> "Iterator[_Pair]":
        """Return the ways to divide a party in two, each group in front of or behind the other.

        The first group has at least as many seats as the second or, if the party needs a wheelchair place,
        has one and a seat beside it.
        """
        ranking, smallest = self._ranking, 2 if accessible else -(-size // 2)
        seats = ranking.digits(self._seats)
        around = _Around(*map(ranking.digits, (self._left_ends, self._right_ends, self._free)))
        for match in re.finditer(f"1{{{smallest},}}", seats):
            begin, end = match.span()
            if accessible and ranking.wheelchairs[end] == ranking.wheelchairs[begin]:
                continue
            for other_begin, other_end in self._segments_near(seats, begin, end):
                for first_size in range(
                    max(smallest, size - (other_end - other_begin)), min(end - begin, size - 1) + 1
                ):
                    second_size = size - first_size
                    for start in range(begin, end - first_size + 1):
                        first = self._group(start, first_size, around)
                        if accessible and not first.wheelchairs:
                            continue
                        reach = [
                            position
                            for seat in range(start, first.end)
                            for position in ranking.near(seat)
                            if other_begin <= position < other_end
                        ]
                        if not reach:
                            continue
                        lowest = max(other_begin, min(reach) - second_size + 1)
                        highest = min(other_end - second_size, max(reach))
                        for other in range(lowest, highest + 1):
                            if any(other <= position < other + second_size for position in reach):
                                yield _Pair.of(first, self._group(other, second_size, around))

    def _segments_near(self, seats: str, begin: int, end: int) -> set[tuple[int, int]]:
        """Return the beginnings and ends of the groups of seats in front of and behind some seats."""
        near = {near for seat in range(begin, end) for near in self._ranking.near(seat)}
        return {
            (seats.rindex("0", 0, position) + 1, seats.index("0", position))
            for position in near
            if seats[position] == "1"
        }

    def _group(self, start: int, size: int, around: "_Around") -> _Group:
        ranking, end = self._ranking, start + size
        left, right = around.left_ends[start - 1] == "1", around.right_ends[end] == "1"
        avoidable = (left and around.free[end] == "1") + (right and around.free[start - 1] == "1")
        wheelchairs = ranking.wheelchairs[end] - ranking.wheelchairs[start]
        cost = ranking.costs[end] - ranking.costs[start]
        return _Group(start, size, avoidable, left + right, wheelchairs, cost)


class _Around(NamedTuple):
    """What is around groups, as digits by position: see `Choice`."""

    left_ends: str
    right_ends: str
    free: str


class _Pair(NamedTuple):
    """Two groups in neighbouring rows, as positions. The smallest is the best.

    Attributes:
        alone: number of groups of one.
    """

    avoidable: int
    stranded: int
    alone: int
    wheelchairs: int
    cost: int
    first: int
    first_end: int
    second: int
    second_end: int

    @classmethod
    def of(cls, *groups: _Group) -> "_Pair":
        first, second = sorted(groups)
        return cls(
            first.avoidable + second.avoidable,
            first.stranded + second.stranded,
            (first.size == 1) + (second.size == 1),
            first.wheelchairs + second.wheelchairs,
            first.cost + second.cost,
            first.start,
            first.end,
            second.start,
            second.end,
        )
