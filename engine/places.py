"""Stock that no layout has: places of ticket types, and seats that exist by their name.

A ticket type of capacity 100 is a hundred places that nobody chooses between. Each is numbered, so that to
hold, expire, sell and cancel one is what it is for a seat, in the engine and in the database, whose rule
that no seat is sold twice counts places too. A free room has no layout either: a seat in it exists while
somebody has it, under an id that follows from its name.

Both kinds of ids are below zero, where no seat of a layout is. A place is `-(type * 2^20 + number)`.
"""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import heappop, heappush

CAPACITY_LIMIT = 2**20 - 1
"""Most places a ticket type can have."""

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
    """The id of a seat in a free room: the same for the same name, different for different ones."""
    digest = blake2b(name.encode(), digest_size=_NAME_DIGEST_BYTES).digest()
    return -1 - (int.from_bytes(digest, "big") >> 1)


class Places:
    """The places of one ticket type: how many are taken, and which number is next.

    Numbers that were given back are used again before new ones, the lowest first, so no number is above
    the capacity while fewer places than that are taken, even if the capacity has been lowered.

    Args:
        ticket_type_id: the type.
        capacity: how many there are.
    """

    __slots__ = ("_next", "_returned", "_taken", "_ticket_type_id", "capacity", "sold")

    def __init__(self, ticket_type_id: int, capacity: int) -> None:
        self.capacity = capacity
        self.sold = 0
        self._ticket_type_id = ticket_type_id
        self._taken: set[int] = set()
        self._returned: list[int] = []
        self._next = 1

    @property
    def reserved(self) -> int:
        """Places that are taken and not sold."""
        return len(self._taken) - self.sold

    @property
    def available(self) -> int:
        """Places that nobody has."""
        return self.capacity - len(self._taken)

    def choose(self, quantity: int) -> Sequence[int]:
        """Ids of `quantity` free places, to be taken at once; there must be so many."""
        assert quantity <= self.available
        chosen: list[int] = []
        while len(chosen) < quantity:
            number = heappop(self._returned) if self._returned else self._next
            if number == self._next:
                self._next += 1
            # What was taken out of order, as places are that were stored, may have been returned twice since.
            if number not in self._taken and number not in chosen[-1:]:
                chosen.append(number)
        return [place_id(self._ticket_type_id, number) for number in chosen]

    def take(self, seat_id: int) -> None:
        """Somebody has a place now."""
        number = self._number_of(seat_id)
        self._taken.add(number)
        while self._next <= number:
            if self._next < number:
                heappush(self._returned, self._next)
            self._next += 1

    def give_back(self, seat_id: int) -> None:
        """Nobody has a place any more."""
        number = self._number_of(seat_id)
        self._taken.remove(number)
        heappush(self._returned, number)

    @staticmethod
    def _number_of(seat_id: int) -> int:
        return -seat_id % (CAPACITY_LIMIT + 1)
