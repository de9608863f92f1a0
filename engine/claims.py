"""Which seats a holder occupies without having paid: holds, pending tickets, and what is about to be either.

The cap of the policy counts them, so a holder has few. They are kept as one tuple, which is the command's
own as long as there are no others. A change costs what its holders have, never what the hall has.
"""

from collections.abc import Iterable


class Claims(dict[str, tuple[int, ...]]):
    """Seats and places by holder, oldest first. Whoever claims nothing is not in it."""

    __slots__ = ()

    def add(self, holder: str, seat_ids: tuple[int, ...]) -> None:
        """A holder claims seats that nobody has claimed."""
        self[holder] = self.get(holder, ()) + seat_ids

    def remove(self, given_up: Iterable[tuple[str, int]]) -> None:
        """Holders claim seats no longer. What is not claimed is passed over.

        Args:
            given_up: pairs of holder and seat.
        """
        by_holder: dict[str, set[int]] = {}
        for holder, seat_id in given_up:
            by_holder.setdefault(holder, set()).add(seat_id)
        for holder, seat_ids in by_holder.items():
            left = tuple([seat_id for seat_id in self.get(holder, ()) if seat_id not in seat_ids])
            if left:
                self[holder] = left
            else:
                self.pop(holder, None)
