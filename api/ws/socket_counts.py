"""Socket counts of one WebSocket endpoint, for its public statistics.

The feed counts all watchers of a screening, regardless of endpoint. Statistics are public and must not reveal
screenings of another endpoint, such as private events, so each endpoint counts its own sockets.
"""

from collections import Counter
from collections.abc import Mapping


class SocketCounts:
    """The counts of one endpoint, shared by its sockets.

    Attributes:
        clients: number of open sockets.
        subscriptions: number of their subscriptions to screenings, in total.
    """

    __slots__ = ("_by_screening", "clients", "subscriptions")

    def __init__(self) -> None:
        self.clients = 0
        self.subscriptions = 0
        self._by_screening: Counter[int] = Counter()

    def add(self, screening_id: int) -> None:
        self.subscriptions += 1
        self._by_screening[screening_id] += 1

    def remove(self, screening_id: int) -> None:
        self.subscriptions -= 1
        self._by_screening[screening_id] -= 1
        if not self._by_screening[screening_id]:
            del self._by_screening[screening_id]

    @property
    def by_screening(self) -> Mapping[int, int]:
        """Number of watchers by screening; screenings without watchers are absent."""
        return self._by_screening
