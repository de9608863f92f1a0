"""Holding the best adjacent seats that are free: the choice, and the decision.

Groups of the party's size that strand no single seat are preferred, and of these the cheapest is chosen
(`engine.seat_ranking` has the costs). The choice is computed from the present records when it is asked for,
so holds by seat ids pay nothing for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import or_

from engine.blocks import lent
from engine.commands import HoldBest, HoldSeats
from engine.holding import hold_seats
from engine.records import ScreeningInfo
from engine.rows import WHEELCHAIR
from engine.sales_windows import require_on_sale
from engine.screening_state import Decision, ScreeningState
from engine.seat_ranking import SeatRanking, groups, ranking_of
from engine.selling_errors import HoldLifeSpent, HoldLimitExceeded, NoAdjacentSeats, ZoneNotFound
from engine.split_parties import Division, Kind, best_pair


def hold_best(state: ScreeningState, command: HoldBest, now: float) -> Decision:
    """Hold the best seats for a party: adjacent ones or, if it allows that, in two neighbouring rows."""
    state.require_seats()
    state.require_open(now, "reserve seats")
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
    # Seats of blocks are not free, unless they are available to this command.
    on_loan = ranking.bits_of(state.seats.kept.by_seat) if state.seats.lending else 0
    choice = Choice(ranking, free & wanted, free & ~on_loan)
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
        self._found: dict[tuple[int, bool], list[Kind]] = {}
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
            accessible: only groups with a wheelchair place will do.
            allow_split: if there is no such group, two groups in neighbouring rows will do.
        """
        for _, starts in self._by_stranding(size):
            for candidates in self._by_wheelchairs(starts, size)[1:] if accessible else (starts,):
                if candidates:
                    start = self._ranking.best(size, candidates)
                    return list(range(start, start + size))
        if allow_split and (pair := best_pair(self._ranking, self._divisions(size, accessible))):
            return pair.positions
        return []

    def _by_stranding(self, size: int) -> Iterator[tuple[tuple[int, int], int]]:
        """Yield where groups of a size start, with the numbers of seats that they strand, the fewest first.

        The first number leaves out seats that are stranded by every group of this size in the same place.
        """
        starts = groups(self._seats, size)
        left, right = self._left_ends << 1, self._right_ends >> size
        more = (left & (self._free >> size)) | (right & (self._free << 1))
        one, two = starts & (left ^ right), starts & left & right
        yield (0, 0), starts & ~(left | right)
        yield (0, 1), one & ~more
        yield (1, 1), one & more
        yield (2, 2), two

    def _by_wheelchairs(self, starts: int, size: int) -> list[int]:
        """Split groups by their numbers of wheelchair places: those without, those with one, and so on."""
        at_least = [starts, *[0] * (size + 1)]
        for offset in range(size if starts else 0):
            here = self._wheelchairs >> offset
            for number in range(offset + 1, 0, -1):
                at_least[number] |= at_least[number - 1] & here
        return [at_least[number] & ~at_least[number + 1] for number in range(size + 1)]

    def _divisions(self, size: int, accessible: bool) -> Iterator[Division]:
        """Yield the ways to divide a party in two.

        The first group has at least as many seats as the second or, if the party needs a wheelchair place,
        has one and a seat beside it.
        """
        for number in range(2 if accessible else -(-size // 2), size):
            firsts = [kind for kind in self._kinds(number, accessible) if kind.merit[3] or not accessible]
            yield firsts, self._kinds(size - number, accessible)

    def _kinds(self, size: int, accessible: bool) -> Sequence[Kind]:
        """Return all kinds of groups of a size."""
        if (kinds := self._found.get((size, accessible))) is not None:
            return kinds
        kinds = self._found[size, accessible] = []
        ranking = self._ranking
        for stranding, starts in self._by_stranding(size):
            by_wheelchairs = self._by_wheelchairs(starts, size) if accessible else (starts,)
            for wheelchairs, those in enumerate(by_wheelchairs):
                merit = (*stranding, int(size == 1), wheelchairs)
                for here in (those & ranking.preferred, those & ~ranking.preferred):
                    if here:
                        kinds.append(Kind(ranking, size, merit, here))
        return kinds
