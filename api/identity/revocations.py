"""Which tokens are no longer believed although they have not expired: a log-out, another password.

The database has them all. Here they are in memory, since every request asks; what another server revokes
arrives with the next `refresh`. A socket is closed when the token that opened it is revoked.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from api.identity.tokens import Identity
from engine.accounts import RevokedToken, RevokedUser
from engine.errors import Unavailable
from engine.guards import attempt

REVOKED_LIMIT = 1_000_000
# What was decided before a refresh may be committed after it, by a server whose clock is slow.
_OVERLAP_SECONDS = 300.0


class TooManyRevoked(Unavailable):
    """More tokens are revoked than are kept in memory; none is forgotten for a new one."""

    code = "too_many_revoked"

    def __init__(self) -> None:
        super().__init__("Too many tokens have been revoked")


class RevocationReader(Protocol):
    """Revocations as they are stored."""

    async def revoked_since(
        self, moment: float | None
    ) -> tuple[Sequence[RevokedToken], Sequence[RevokedUser], float]:
        """What was revoked since a moment, or ever, and still matters; and the moment until which it is
        known, by the database's clock."""


class Revocations:
    """The revocations that a server knows of.

    Args:
        stored: all of them.
        now: the time.
        token_life_seconds: how long a token may live; what is older than that matters no more.
    """

    def __init__(self, stored: RevocationReader, now: Callable[[], float], token_life_seconds: float) -> None:
        self._stored = stored
        self._now = now
        self._token_life_seconds = token_life_seconds
        self._tokens: dict[str, float] = {}
        self._users: dict[int, float] = {}
        self._known_until: float | None = None
        self._watches: dict[int, set[Watch]] = {}

    def is_revoked(self, identity: Identity) -> bool:
        """Whether a token is no longer believed."""
        return (
            identity.token_id in self._tokens
            or identity.login_id in self._tokens
            or identity.issued_at <= self._users.get(identity.user_id, -1)
        )

    def require_room(self) -> None:
        """See that one more can be kept.

        Raises:
            TooManyRevoked: it cannot.
        """
        if len(self._tokens) >= REVOKED_LIMIT:
            raise TooManyRevoked

    def adopt(self, revoked: RevokedToken | RevokedUser) -> None:
        """Take note of what has been revoked, and close its sockets."""
        if isinstance(revoked, RevokedToken):
            self._tokens[revoked.token_id] = revoked.expires_at
        else:
            self._users[revoked.user_id] = revoked.valid_from
        for watch in tuple(self._watches.get(revoked.user_id, ())):
            if self.is_revoked(watch.identity):
                attempt(watch.close)

    async def refresh(self) -> None:
        """Take note of what other servers have revoked.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        since = None if self._known_until is None else self._known_until - _OVERLAP_SECONDS
        tokens, users, known_until = await self._stored.revoked_since(since)
        for token in tokens:
            if token.token_id not in self._tokens:
                self.adopt(token)
        for user in users:
            if user.valid_from > self._users.get(user.user_id, 0):
                self.adopt(user)
        self._known_until = known_until

    async def forget_expired(self) -> None:
        """Forget tokens that nobody would believe anyway."""
        now = self._now()
        self._tokens = {name: expires_at for name, expires_at in self._tokens.items() if expires_at > now}
        oldest = now - self._token_life_seconds
        self._users = {
            user_id: valid_from for user_id, valid_from in self._users.items() if valid_from > oldest
        }

    def watch(self, identity: Identity, close: Callable[[], None]) -> "Watch":
        """Call `close` when the token of an identity is revoked, until the watch is cancelled."""
        watch = Watch(self, identity, close)
        self._watches.setdefault(identity.user_id, set()).add(watch)
        return watch

    def _unwatch(self, watch: "Watch") -> None:
        watches = self._watches.get(watch.identity.user_id, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(watch.identity.user_id, None)


class Watch:
    """Somebody who wants to know when a token is revoked."""

    __slots__ = ("_revocations", "close", "identity")

    def __init__(self, revocations: Revocations, identity: Identity, close: Callable[[], None]) -> None:
        self._revocations = revocations
        self.identity = identity
        self.close = close

    def cancel(self) -> None:
        """Ask no more. Does nothing the second time."""
        self._revocations._unwatch(self)
