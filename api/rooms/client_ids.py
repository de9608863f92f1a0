"""The names under which clients of the rooms socket are known to each other: one socket each.

A guest's `client_id` is the only proof of whose seats are whose, and everybody in a room sees it. So while a
guest's socket is open, no other may use its id. After it has closed, the id stays reserved for as long as the
seats may be held: for the same user, or for the network that the socket came from. A user is known by a
token, so a user's next socket takes the id over at once: phones change networks, and the server notices only
much later that the old connection is dead.
"""

from collections.abc import Callable
from typing import NamedTuple

from engine.guards import attempt


class ClientIdInUse(Exception):
    """The id belongs to somebody else, or to another open socket."""


class Claim(NamedTuple):
    """One socket's use of an id.

    Attributes:
        client_id: the id.
        owners: who may use the id again later: the network, and the user if there is one.
        user: who may take the id over while it is in use; None for a guest.
        taken_over: called when that happens.
    """

    client_id: str
    owners: frozenset[str]
    user: str | None
    taken_over: Callable[[], None]


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
        self._claims: dict[str, Claim] = {}
        # In the order in which they were left, so the first is the first to be forgotten.
        self._left: dict[str, tuple[frozenset[str], float]] = {}

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._claims)

    def take(self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None]) -> Claim:
        """Use an id until it is left, or taken over by the same user.

        Args:
            client_id: the id.
            network: where the client comes from.
            user: who it is, by its token; None for a guest.
            taken_over: called when another socket of the user takes the id; then it need not be left.

        Returns:
            What to give to `leave`.

        Raises:
            ClientIdInUse: it cannot be had.
        """
        self._forget()
        claim = Claim(client_id, frozenset({network, user} if user else {network}), user, taken_over)
        previous = self._claims.get(client_id)
        if previous is not None:
            if user is None or previous.user != user:
                raise ClientIdInUse
            self._claims[client_id] = claim
            attempt(previous.taken_over)
            return claim
        if client_id in self._left and claim.owners.isdisjoint(self._left[client_id][0]):
            raise ClientIdInUse
        self._left.pop(client_id, None)
        self._claims[client_id] = claim
        return claim

    def leave(self, claim: Claim) -> None:
        """Use an id no longer. Does nothing if it has been taken over."""
        if self._claims.get(claim.client_id) is claim:
            del self._claims[claim.client_id]
            self._left[claim.client_id] = claim.owners, self._now() + self._kept_seconds
            self._forget()

    def _forget(self) -> None:
        now = self._now()
        while self._left:
            client_id, (_, kept_until) = next(iter(self._left.items()))
            if kept_until > now and len(self._left) <= self._kept_limit:
                return
            del self._left[client_id]
