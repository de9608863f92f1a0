"""What buyers ask for: pairs of neighbouring seats, every pair by a user of its own choice.

Pair number i is in screening i mod S and belongs to user i mod U. U is prime to S, so one user meets all
screenings and never more than a few seats in each, well below the cap on what a buyer may hold.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.load.http import framed, head, request
from tests.acceptance.server_process import SeededScreening

RESERVE = "/api/v1/seat-reservations/reserve"
TOGGLE = "/api/v1/seat-reservations/toggle"
BOOK = "/api/v1/tickets/book"
CANCEL = "/api/v1/seat-reservations/cancel"


def availability_path(screening_id: int) -> str:
    """Where anybody reads the seats of a screening."""
    return f"/api/v1/seat-reservations/screening/{screening_id}/availability"


@dataclass(frozen=True)
class SeatPairs:
    """All pairs of seats that can be asked for.

    Attributes:
        tokens: of the users.
        screenings: with the same number of seats each.
        run: begins the ids of payments, so that those of two runs differ.
        first_user: to whom the first pair belongs, the others following.
        traced: whether requests that hold and release have a trace and an id each, as behind a gateway.
    """

    tokens: Sequence[str]
    screenings: Sequence[SeededScreening]
    run: str = "run"
    first_user: int = 0
    traced: bool = False

    def __len__(self) -> int:
        return len(self.screenings) * (len(self.screenings[0].seat_ids) // 2)

    def place(self, pair: int) -> tuple[int, int, int]:
        """Screening and seats of a pair."""
        row, column = divmod(pair, len(self.screenings))
        screening = self.screenings[column]
        first = screening.first_seat_id + 2 * row
        return screening.id, first, first + 1

    def reserve(self, pair: int) -> bytes:
        """The request that holds a pair."""
        body = b'{"screening_id":%d,"seat_ids":[%d,%d]}' % self.place(pair)
        return _post(RESERVE, self._token(pair)) + self._trace() + framed(body)

    def toggle(self, pair: int, user: int | None = None) -> bytes:
        """The request that holds a pair if it is free, and releases it if it is one's own."""
        body = b'{"screening_id":%d,"seat_ids":[%d,%d]}' % self.place(pair)
        return _post(TOGGLE, self._token(pair if user is None else user)) + framed(body)

    def book(self, pair: int, user: int | None = None, payment: int | None = None) -> bytes:
        """The request that buys a pair, with a payment of its own.

        Args:
            pair: which.
            user: who, if not the one whom it belongs to.
            payment: number of the payment, if not that of the pair.
        """
        payment_id = f"{self.run}-{pair if payment is None else payment}".encode()
        body = b'{"screening_id":%d,"seat_ids":[%d,%d],"payment_id":"%b"}' % (*self.place(pair), payment_id)
        return _post(BOOK, self._token(pair if user is None else user)) + framed(body)

    def release(self, pair: int) -> bytes:
        """The request that gives a pair back."""
        screening_id, first, second = self.place(pair)
        path = f"{CANCEL}/{screening_id}?seat_ids={first},{second}"
        return head("DELETE", path, token=self._token(pair)) + self._trace() + framed(b"")

    def _token(self, pair: int) -> str:
        return self.tokens[(self.first_user + pair) % len(self.tokens)]

    def _trace(self) -> bytes:
        return _TRACE % ((next(_numbers),) * 3) if self.traced else b""


_TRACE = b"traceparent: 00-%032x-%016x-01\r\nX-Request-ID: %032x\r\n"
_numbers = itertools.count(random.getrandbits(48))


@lru_cache(maxsize=65_536)
def _post(path: str, token: str) -> bytes:
    return head("POST", path, token=token)


def release_all(token: str, screening_id: int) -> bytes:
    """The request that gives back all that a user holds in a screening. It activates the screening."""
    return request("DELETE", f"{CANCEL}/{screening_id}", token=token)


@dataclass(frozen=True)
class Walk:
    """Requests for one pair after the other, shared out among connections.

    Attributes:
        pairs: all of them.
        deed: a method of `SeatPairs`.
        first: where to begin.
        steps: how many requests each connection sends; as many as there are pairs, if not told.
    """

    pairs: SeatPairs
    deed: Callable[[SeatPairs, int], bytes]
    first: int = 0
    steps: Sequence[int] | None = None

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """The requests of one connection."""
        numbers = range(self.first + connection, len(self.pairs), connections)
        for pair in numbers if self.steps is None else numbers[: self.steps[connection]]:
            yield self.deed(self.pairs, pair)


@dataclass(frozen=True)
class Repeated:
    """The same few requests for ever.

    Attributes:
        of_each: those of each connection, by its number; taken in turns if there are more connections.
    """

    of_each: Sequence[bytes]

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """The requests of one connection."""
        while True:
            yield self.of_each[connection % len(self.of_each)]


@dataclass(frozen=True)
class Each:
    """Some requests, each once, shared out among connections."""

    requests: Sequence[bytes]

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """The requests of one connection."""
        return iter(self.requests[connection::connections])
