"""Which seats a holder occupies without having paid: holds, pending tickets, and what is about to be either.

The cap of the policy counts them, so a holder has few. They are kept as one tuple, which is the command's
own as long as there are no others. A change costs what its holders have, never what the hall has.
"""

from collections import defaultdict
from collections.abc import Iterable


class Claims:
    """Seats and places by holder, oldest first."""

    __slots__ = ("_by_holder",)

    def __init__(self) -> None:
        self._by_holder: dict[str, tuple[int, ...]] = {}

    def of(self, holder: str) -> tuple[int, ...]:
        """What a holder claims, oldest first."""
        return self._by_holder.get(holder, ())

    def add(self, holder: str, seat_ids: tuple[int, ...]) -> None:
        """A holder claims seats that nobody has claimed."""
        claimed = self._by_holder.get(holder)
        self._by_holder[holder] = seat_ids if claimed is None else claimed + seat_ids

    def remove(self, given_up: Iterable[tuple[str, int]]) -> None:
        """Holders claim seats no longer. What is not claimed is passed over.

        Args:
            given_up: pairs of holder and seat.
        """
        by_holder: defaultdict[str, set[int]] = defaultdict(set)
        for holder, seat_id in given_up:
            by_holder[holder].add(seat_id)
        for holder, seat_ids in by_holder.items():
            left = tuple([seat_id for seat_id in self.of(holder) if seat_id not in seat_ids])
            if left:
                self._by_holder[holder] = left
            else:
                self._by_holder.pop(holder, None)

    def __bool__(self) -> bool:
        return bool(self._by_holder)
