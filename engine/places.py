"""Seats without a layout: places of ticket types, and named seats of free rooms.

A ticket type of capacity 100 has a hundred numbered places, and buyers do not choose between them. A place is
held, sold and cancelled as a seat is, in the engine and in the database, whose unique index prevents selling
a place twice too. A free room has no layout: a seat in it exists while somebody has it, and its id is derived
from its name.

Both kinds of ids are negative; ids of seats in a layout are positive. The id of a place is
`-(type * 2^20 + number)`.
"""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import heappop, heappush

CAPACITY_LIMIT = 2**20 - 1
"""Highest capacity of a ticket type."""

_NAME_DIGEST_BYTES = 8


def place_id(ticket_type_id: int, number: int) -> int:
    """The id of a place.

    Args:
        ticket_type_id: the type.
        number: from 1 to `CAPACITY_LIMIT`.
    """
    return -(ticket_type_id * (CAPACITY_LIMIT + 1) + number)


def ticket_type_of(seat_id: int) -> int:
    """The ticket type of a place."""
    return -seat_id // (CAPACITY_LIMIT + 1)


def named_seat_id(name: str) -> int:
    """The id of a seat in a free room, derived from its name by a 63-bit hash."""
    digest = blake2b(name.encode(), digest_size=_NAME_DIGEST_BYTES).digest()
    return -1 - (int.from_bytes(digest, "big") >> 1)


class Places:
    """The places of one ticket type: which numbers are taken, and which is next.

    Numbers that were given back are reused first, the lowest before others. So numbers stay within the
    capacity, even after it has been lowered.

    Args:
        ticket_type_id: the type.
        capacity: number of places.

    Attributes:
        blocked: number of places of blocks that nobody has.
    """

    __slots__ = (
        "_lent",
        "_next",
        "_returned",
        "_taken",
        "_ticket_type_id",
        "blocked",
        "capacity",
        "sold",
    )

    def __init__(self, ticket_type_id: int, capacity: int) -> None:
        self.capacity = capacity
        self.sold = self.blocked = 0
        self._ticket_type_id = ticket_type_id
        self._taken: set[int] = set()
        self._returned: list[int] = []
        self._lent: list[int] = []
        self._next = 1

    @property
    def reserved(self) -> int:
        """Number of places that are held or being bought."""
        return len(self._taken) - self.sold - self.blocked

    @property
    def available(self) -> int:
        """Number of free places."""
        return self.capacity - len(self._taken)

    def choose(self, quantity: int) -> Sequence[int]:
        """Return ids of `quantity` free places, which must exist, for the caller to `take`."""
        assert quantity <= self.available
        chosen = [number for number in self._lent if number not in self._taken][:quantity]
        while len(chosen) < quantity:
            number = heappop(self._returned) if self._returned else self._next
            if number == self._next:
                self._next += 1
            # Places that were taken out of order, as stored ones are, may have been returned twice since.
            if number not in self._taken and number not in chosen[-1:] and number not in self._lent:
                chosen.append(number)
        return [place_id(self._ticket_type_id, number) for number in chosen]

    def put_back(self, seat_ids: Sequence[int]) -> None:
        """Undo `choose` for places that were not taken."""
        for number in map(self._number_of, seat_ids):
            if number not in self._taken and number not in self._lent:
                heappush(self._returned, number)

    def next_free(self, quantity: int) -> Sequence[int]:
        """Return ids of the first `quantity` free places, which must exist, without changing anything."""
        assert quantity <= self.available
        returned = sorted(set(self._returned).difference(self._taken))[:quantity]
        numbers = (*returned, *range(self._next, self._next + quantity - len(returned)))
        return [place_id(self._ticket_type_id, number) for number in numbers]

    def take(self, seat_id: int) -> None:
        """Mark a place as taken."""
        number = self._number_of(seat_id)
        self._taken.add(number)
        while self._next <= number:
            if self._next < number:
                heappush(self._returned, self._next)
            self._next += 1

    def lend(self, seat_id: int) -> None:
        """Mark a place of a block as free for the present command, which gets it before others."""
        number = self._number_of(seat_id)
        self._taken.remove(number)
        self._lent.append(number)
        self.blocked -= 1

    def end_loan(self) -> None:
        """The command is over. Its caller takes the places back that it has left."""
        self._lent.clear()

    def give_back(self, seat_id: int) -> None:
        """Mark a place as free."""
        number = self._number_of(seat_id)
        self._taken.remove(number)
        heappush(self._returned, number)

    @staticmethod
    def _number_of(seat_id: int) -> int:
        return -seat_id % (CAPACITY_LIMIT + 1)
