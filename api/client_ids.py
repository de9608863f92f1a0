"""The names under which clients of the rooms socket are known to each other: one socket each.

A guest's `client_id` is all that tells whose seats are whose, and everybody in a room gets to see it. So
while a socket is open no other may use its id, and when it has closed the id stays with whoever had it for as
long as its seats may be held: with the user, if it was one, and with the network it came from.
"""

from collections.abc import Callable


class ClientIdInUse(Exception):
    """The id belongs to somebody else, or to another open socket."""


class ClientIds:
    """Who has which id.

    Args:
        now: the time, in seconds.
        kept_seconds: how long an id belongs to whoever had it last.
        kept_limit: ids that are kept; beyond it the one that was left first is given up.
    """

    def __init__(self, now: Callable[[], float], kept_seconds: float, kept_limit: int = 100_000) -> None:
        self._now = now
        self._kept_seconds = kept_seconds
        self._kept_limit = kept_limit
        self._owners: dict[str, frozenset[str]] = {}
        # In the order in which they were left, so the first is the first to be forgotten.
        self._left: dict[str, tuple[frozenset[str], float]] = {}

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._owners)

    def take(self, client_id: str, owners: frozenset[str]) -> None:
        """Use an id until it is left.

        Args:
            client_id: the id.
            owners: who may come back to it: a network, and a user if it is one. One in common is enough.

        Raises:
            ClientIdInUse: it cannot be had.
        """
        self._forget()
        previous_owners, _ = self._left.get(client_id, (owners, 0.0))
        if client_id in self._owners or owners.isdisjoint(previous_owners):
            raise ClientIdInUse
        self._left.pop(client_id, None)
        self._owners[client_id] = owners

    def leave(self, client_id: str) -> None:
        """Use an id no longer."""
        self._left[client_id] = self._owners.pop(client_id), self._now() + self._kept_seconds
        self._forget()

    def _forget(self) -> None:
        now = self._now()
        while self._left:
            client_id, (_, kept_until) = next(iter(self._left.items()))
            if kept_until > now and len(self._left) <= self._kept_limit:
                return
            del self._left[client_id]
