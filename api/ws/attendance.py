"""Socket counts of one WebSocket endpoint, for its public statistics.

The feed counts all watchers of a screening, regardless of endpoint. Statistics are public and must not reveal
screenings of another endpoint, such as private events, so each endpoint counts its own sockets.
"""

from collections import Counter
from collections.abc import Mapping


class Attendance:
    """The counts of one endpoint, shared by its sockets.

    Attributes:
        clients: number of open sockets.
        subscriptions: number of their subscriptions to screenings, in total.
    """

    __slots__ = ("_watching", "clients", "subscriptions")

    def __init__(self) -> None:
        self.clients = 0
        self.subscriptions = 0
        self._watching: Counter[int] = Counter()

    def watch(self, screening_id: int) -> None:
        self.subscriptions += 1
        self._watching[screening_id] += 1

    def unwatch(self, screening_id: int) -> None:
        self.subscriptions -= 1
        self._watching[screening_id] -= 1
        if not self._watching[screening_id]:
            del self._watching[screening_id]

    @property
    def connections(self) -> Mapping[int, int]:
        """Number of watchers by screening; screenings without watchers are absent."""
        return self._watching
