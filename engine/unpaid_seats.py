"""The unpaid seats of each holder: held, pending, or with a pending write that makes them so.

`Policy` limits how many a holder, and all guests of one network together, may have. So both have few, and a
holder's seats are kept in one tuple, which is the command's own tuple while there are no others. The cost of
a change depends on the number of seats of its holder, not on the size of the hall.
"""

from collections.abc import Collection, Iterable

_NO_GUESTS: dict[str, set[str]] = {}
"""Stands for the guests of a screening that has had none; never changed."""


class UnpaidSeats(dict[str, tuple[int, ...]]):
    """Seats and places by holder, oldest first. Holders without unpaid seats are absent."""

    __slots__ = ("_guests", "_networks")

    def __init__(self) -> None:
        # Most screenings have no guests, and an empty dict has 64 bytes.
        self._networks: dict[str, str] | None = None
        self._guests: dict[str, set[str]] = _NO_GUESTS

    def come_from(self, guest: str, network: str) -> None:
        """Count a guest's seats towards the network of its last command, for as long as it has any."""
        if self._networks is None:
            self._networks, self._guests = {}, {}
        if (before := self._networks.get(guest)) != network:
            if before is not None:
                self._part(guest, before)
            self._networks[guest] = network
            self._guests.setdefault(network, set()).add(guest)

    def networks(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a guest with seats and its network."""
        return tuple((self._networks or {}).items())

    def recall(self, networks: Iterable[tuple[str, str]]) -> None:
        """Copy the networks of guests who still have seats; they are not stored."""
        for guest, network in networks:
            if guest in self:
                self.come_from(guest, network)

    def of_network(self, network: str, guest: str) -> int:
        """Number of seats of the guests of a network, including those of `guest` from any network."""
        guests = self._guests.get(network, set())
        return sum([len(self.get(one, ())) for one in guests | {guest}])

    def add(self, holder: str, seat_ids: tuple[int, ...]) -> None:
        self[holder] = self.get(holder, ()) + seat_ids

    def remove(self, holder: str, seat_ids: Collection[int]) -> None:
        """Remove seats of a holder; seats that it does not have are ignored."""
        unpaid = self.get(holder, ())
        if unpaid != tuple(seat_ids):  # mostly a holder gives up all seats together
            given_up = set(seat_ids)
            if left := tuple([seat_id for seat_id in unpaid if seat_id not in given_up]):
                self[holder] = left
                return
        self.pop(holder, None)
        if self._networks and (network := self._networks.pop(holder, None)):
            self._part(holder, network)

    def remove_pairs(self, given_up: Iterable[tuple[str, int]]) -> None:
        """Remove seats, given as pairs of holder and seat."""
        by_holder: dict[str, list[int]] = {}
        for holder, seat_id in given_up:
            by_holder.setdefault(holder, []).append(seat_id)
        for holder, seat_ids in by_holder.items():
            self.remove(holder, seat_ids)

    def _part(self, guest: str, network: str) -> None:
        guests = self._guests[network]
        guests.remove(guest)
        if not guests:
            del self._guests[network]
