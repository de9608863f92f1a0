"""The `client_id`s of the rooms WebSocket, each used by one socket at a time.

A guest's `client_id` is the only proof of ownership of seats, and everybody in a room sees it. So while a
guest's socket is open, no other socket may use its id. After it has closed, the id stays reserved for the
same network or user as long as its seats may be held. A user is authenticated by a token, so a user's new
socket takes the id over immediately: phones change networks, and dead connections are noticed late.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol

from engine.guards import attempt


class ClientIdInUse(Exception):
    """The id belongs to another client, or to another open socket."""


class UsedIds(Protocol):
    """The ids in use, as `ClientIds` keeps them; in a cluster another node may decide who uses one.

    A claim is whatever `take` returns. An awaitable one has to be awaited.
    """

    def __len__(self) -> int:
        """Return the number of ids that sockets of this server use."""

    def take(
        self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None]
    ) -> Any | Awaitable[Any]:
        """Claim an id; `taken_over` may be called from now on.

        Raises:
            ClientIdInUse: the id belongs to another client or open socket.
            Unavailable: the node that decides cannot be reached.
        """

    def leave(self, claim: Any) -> None:
        """Release a claim."""


class Claim(NamedTuple):
    """One socket's use of an id.

    Attributes:
        client_id: the id.
        owners: who may use the id after this socket: the network, and the user if there is one.
        user: user who may take the id over while it is in use; None for a guest.
        taken_over: called when the id is taken over.
        since: when the claim was made, in seconds.
    """

    client_id: str
    owners: frozenset[str]
    user: str | None
    taken_over: Callable[[], None]
    since: float


class ClientIds:
    """The ids in use, and those reserved for their last owners.

    Args:
        now: returns the time in seconds.
        kept_seconds: how long an id stays reserved after its socket has closed.
        kept_limit: most reserved ids; beyond it the oldest is released.
    """

    def __init__(self, now: Callable[[], float], kept_seconds: float, kept_limit: int = 100_000) -> None:
        self._now = now
        self._kept_seconds = kept_seconds
        self._kept_limit = kept_limit
        self._claims: dict[str, Claim] = {}
        # Reserved ids, in the order in which their reservations end.
        self._left: dict[str, tuple[frozenset[str], float]] = {}

    def __len__(self) -> int:
        """Return the number of ids in use."""
        return len(self._claims)

    def take(self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None]) -> Claim:
        """Claim an id, until `leave` is called or the same user takes it over.

        Args:
            client_id: the id.
            network: network of the client.
            user: user of the client's token; None for a guest.
            taken_over: called when another socket of the user takes the id over; `leave` need not be called
                then.

        Returns:
            The claim, to be passed to `leave`.

        Raises:
            ClientIdInUse: the id belongs to another client or open socket.
        """
        self._forget()
        claim = _claim(client_id, network, user, taken_over, self._now())
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

    def restore(
        self, client_id: str, network: str, user: str | None, taken_over: Callable[[], None], seconds: float
    ) -> Claim | None:
        """Enter the claim of a socket that has used an id for a while, which another node kept until now.

        If a second socket has claimed the id meanwhile, the one that was first keeps it, or of two sockets of
        one user the one that was last. The other one's `taken_over` is called.

        Args: as for `take`.
            seconds: how long ago the claim was made.

        Returns:
            The claim; None if the other socket keeps the id.
        """
        claim = _claim(client_id, network, user, taken_over, self._now() - seconds)
        previous = self._claims.get(client_id)
        if previous is not None:
            one_user = user is not None and previous.user == user
            if (claim.since > previous.since) is not one_user:
                attempt(taken_over)
                return None
        self._left.pop(client_id, None)
        self._claims[client_id] = claim
        if previous is not None:
            attempt(previous.taken_over)
        return claim

    def reserve(self, client_id: str, owners: Iterable[str], seconds: float) -> None:
        """Enter a reservation that another node has kept until now.

        Args:
            client_id: the id.
            owners: who may use it.
            seconds: how long it stays reserved.
        """
        if client_id not in self._claims and client_id not in self._left:
            self._left[client_id] = frozenset(owners), self._now() + seconds
            self._forget()

    def reservations(self) -> list[tuple[str, list[str], float]]:
        """Return the reserved ids with their owners and the seconds that are left."""
        now = self._now()
        return [(client_id, sorted(owners), until - now) for client_id, (owners, until) in self._left.items()]

    def unreserve(self, client_id: str) -> None:
        """Drop a reservation."""
        self._left.pop(client_id, None)

    def leave(self, claim: Claim) -> None:
        """Release a claim. Does nothing if the id has been taken over."""
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


def _claim(
    client_id: str, network: str, user: str | None, taken_over: Callable[[], None], since: float
) -> Claim:
    return Claim(client_id, frozenset({network, user} if user else {network}), user, taken_over, since)
