"""How many have come through a door, and how many watch what: numbers for the statistics of that door.

The feed knows who watches a screening, whatever door they came through. Statistics are shown to anybody, so
they must not name what only some may know of: each door counts for itself.
"""

from collections import Counter
from collections.abc import Mapping


class Attendance:
    """The attendance of one door, shared by its sockets.

    Attributes:
        clients: sockets that are open.
        subscriptions: how many places in audiences they have in all.
    """

    __slots__ = ("_watching", "clients", "subscriptions")

    def __init__(self) -> None:
        self.clients = 0
        self.subscriptions = 0
        self._watching: Counter[int] = Counter()

    def watch(self, screening_id: int) -> None:
        """One more watches."""
        self.subscriptions += 1
        self._watching[screening_id] += 1

    def unwatch(self, screening_id: int) -> None:
        """One watches no more."""
        self.subscriptions -= 1
        self._watching[screening_id] -= 1
        if not self._watching[screening_id]:
            del self._watching[screening_id]

    @property
    def connections(self) -> Mapping[int, int]:
        """How many watch each screening that anybody watches through this door."""
        return self._watching
