"""The requests of buyers: pairs of neighbouring seats, each pair with a user of its own choice.

Pair i is in screening i mod S and belongs to user i mod U. U is prime to S, so a user meets all screenings,
and holds only a few seats in each, well below the limit per buyer.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.load.http import Requests, framed, head
from tests.acceptance.seeding import SeededScreening

RESERVE = "/api/v1/seat-reservations/reserve"
TOGGLE = "/api/v1/seat-reservations/toggle"
BOOK = "/api/v1/tickets/book"
CANCEL = "/api/v1/seat-reservations/cancel"
BEST = "/api/v1/seat-reservations/best-available"

_TRACE = b"traceparent: 00-%032x-%016x-01\r\nX-Request-ID: %032x\r\n"
_numbers = itertools.count(random.getrandbits(48))

_head = lru_cache(maxsize=65_536)(head)


def availability(screening_id: int) -> bytes:
    """Return the public request for the seats of a screening."""
    return head("GET", f"/api/v1/seat-reservations/screening/{screening_id}/availability") + framed()


def release_all(token: str, screening_id: int) -> bytes:
    """Return the request that releases a user's holds in a screening, which activates the screening."""
    return head("DELETE", f"{CANCEL}/{screening_id}", token) + framed()


@dataclass(frozen=True)
class Parties:
    """Each connection holds the best seats for a party, gives them back, and so on.

    Attributes:
        tokens: of the users, one for each connection in turns.
        screenings: one for each connection in turns.
        size: seats of a party.
    """

    tokens: Sequence[str]
    screenings: Sequence[SeededScreening]
    size: int

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        token = self.tokens[connection % len(self.tokens)]
        screening_id = self.screenings[connection % len(self.screenings)].id
        wanted = framed(b'{"screening_id":%d,"quantity":%d}' % (screening_id, self.size))
        return itertools.cycle([head("POST", BEST, token) + wanted, release_all(token, screening_id)])


@dataclass(frozen=True)
class SeatPairs:
    """All pairs of seats.

    Attributes:
        tokens: of the users.
        screenings: with the same number of seats each.
        run: prefix of payment ids, which differs between runs on one database.
        first_user: the user of the first pair.
        traced: whether requests to hold and release carry a trace and an id each, as behind a gateway.
    """

    tokens: Sequence[str]
    screenings: Sequence[SeededScreening]
    run: str = "run"
    first_user: int = 0
    traced: bool = False

    def __len__(self) -> int:
        return len(self.screenings) * (len(self.screenings[0].seat_ids) // 2)

    def place(self, pair: int) -> tuple[int, int, int]:
        """Return the screening and the seats of a pair."""
        row, column = divmod(pair, len(self.screenings))
        screening = self.screenings[column]
        first = screening.first_seat_id + 2 * row
        return screening.id, first, first + 1

    def reserve(self, pair: int) -> bytes:
        """Return the request that holds a pair."""
        return _head("POST", RESERVE, self._token(pair)) + self._trace() + self._selection(pair)

    def toggle(self, pair: int, user: int | None = None) -> bytes:
        """Return the request that holds a free pair, and releases the user's own."""
        return _head("POST", TOGGLE, self._token(pair if user is None else user)) + self._selection(pair)

    def book(self, pair: int, user: int | None = None, payment: int | None = None) -> bytes:
        """Return the request that buys a pair, by default for the pair's own user and payment."""
        payment_id = f',"payment_id":"{self.run}-{pair if payment is None else payment}"'.encode()
        token = self._token(pair if user is None else user)
        return _head("POST", BOOK, token) + self._selection(pair, payment_id)

    def release(self, pair: int) -> bytes:
        """Return the request that releases a pair."""
        screening_id, first, second = self.place(pair)
        path = f"{CANCEL}/{screening_id}?seat_ids={first},{second}"
        return head("DELETE", path, self._token(pair)) + self._trace() + framed()

    def _selection(self, pair: int, more: bytes = b"") -> bytes:
        return framed(b'{"screening_id":%d,"seat_ids":[%d,%d]%b}' % (*self.place(pair), more))

    def _token(self, pair: int) -> str:
        return self.tokens[(self.first_user + pair) % len(self.tokens)]

    def _trace(self) -> bytes:
        return _TRACE % ((next(_numbers),) * 3) if self.traced else b""


@dataclass(frozen=True)
class Walk:
    """One request per pair, one pair after the other, divided among the connections.

    Attributes:
        pairs: the pairs.
        request: a method of `SeatPairs`.
        first: the first pair.
        steps: number of requests on each connection; by default, all pairs.
    """

    pairs: SeatPairs
    request: Callable[[SeatPairs, int], bytes]
    first: int = 0
    steps: Sequence[int] | None = None

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        numbers = range(self.first + connection, len(self.pairs), connections)
        for pair in numbers if self.steps is None else numbers[: self.steps[connection]]:
            yield self.request(self.pairs, pair)


@dataclass(frozen=True)
class Repeated:
    """The same request again and again on each connection, which takes its own of a list in turns."""

    of_each: Sequence[bytes]

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        return itertools.repeat(self.of_each[connection % len(self.of_each)])


@dataclass(frozen=True)
class Each:
    """Some requests, each once, divided among the connections."""

    requests: Sequence[bytes]

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        return iter(self.requests[connection::connections])


@dataclass(frozen=True)
class InTurns:
    """Requests of several kinds, one after the other on each connection.

    Attributes:
        kinds: the requests of each kind.
        order: the kinds that follow one another, again and again, by their places in `kinds`.
    """

    kinds: Sequence[Requests]
    order: Sequence[int]

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        each = [requests.of(connection, connections) for requests in self.kinds]
        for kind in itertools.cycle(self.order):
            yield next(each[kind])
