"""Revoked tokens: those of an ended log-in or from before a password change.

The database stores all revocations. This server keeps the unexpired ones in memory, because every request
checks them. Those made by another server are adopted when it tells, or else by the next `refresh`. Revoking a
token closes the sockets that it opened.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from api.identity.token_watches import TokenWatch
from api.identity.tokens import Identity
from engine.accounts import RevokedToken, RevokedUser
from engine.errors import Unavailable
from engine.guards import attempt

REVOKED_LIMIT = 1_000_000
# A revocation dated before the last refresh may have been committed after it, or by a server whose clock
# runs behind, so each refresh reads this far back.
_OVERLAP_SECONDS = 300.0


class TooManyRevoked(Unavailable):
    """Memory for revocations is full. Evicting one would make a revoked token valid again."""

    code = "too_many_revoked"
    detail = "Too many tokens have been revoked"


class RevocationReader(Protocol):
    """Reads stored revocations."""

    async def revoked_since(
        self, since: float | None
    ) -> tuple[Sequence[RevokedToken], Sequence[RevokedUser], float]:
        """Return the unexpired revocations since a time, or all of them.

        The third value is the database's time of this read, in seconds since the epoch.
        """


class Revocations:
    """The revocations known to this server.

    Args:
        stored: reads the stored revocations.
        now: returns the time in seconds since the epoch.
        token_life_seconds: longest lifetime of a token; older revocations are dropped.
    """

    def __init__(self, stored: RevocationReader, now: Callable[[], float], token_life_seconds: float) -> None:
        self._stored = stored
        self._now = now
        self._token_life_seconds = token_life_seconds
        self._tokens: dict[str, float] = {}
        self._users: dict[int, float] = {}
        self._known_until: float | None = None
        self._on_revoked: list[Callable[[RevokedToken | RevokedUser], None]] = []
        self._watches: dict[int, set[TokenWatch]] = {}

    def is_revoked(self, identity: Identity) -> bool:
        return (
            identity.token_id in self._tokens
            or identity.login_id in self._tokens
            or identity.issued_at <= self._users.get(identity.user_id, -1)
        )

    def require_room(self) -> None:
        """Raise TooManyRevoked if there is no room for another revocation."""
        if len(self._tokens) >= REVOKED_LIMIT:
            raise TooManyRevoked

    def on_revoked(self, handler: Callable[[RevokedToken | RevokedUser], None]) -> None:
        """Call `handler` with each revocation that is made on this server."""
        self._on_revoked.append(handler)

    def revoke(self, revoked: RevokedToken | RevokedUser) -> None:
        """Enforce a revocation that was stored by this server."""
        self.adopt(revoked)
        for handler in self._on_revoked:
            attempt(handler, revoked)

    def adopt(self, revoked: RevokedToken | RevokedUser) -> None:
        """Enforce a revocation from now on and close the sockets it affects."""
        if isinstance(revoked, RevokedToken):
            self._tokens[revoked.token_id] = revoked.expires_at
        else:
            self._users[revoked.user_id] = revoked.valid_from
        for watch in tuple(self._watches.get(revoked.user_id, ())):
            user = watch.user
            if user is not None and self.is_revoked(watch.identity):
                attempt(user.token_revoked)

    async def refresh(self) -> None:
        """Load the revocations made by other servers.

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
        """Drop revocations of tokens that have expired by now."""
        now = self._now()
        self._tokens = {name: expires_at for name, expires_at in self._tokens.items() if expires_at > now}
        oldest = now - self._token_life_seconds
        self._users = {
            user_id: valid_from for user_id, valid_from in self._users.items() if valid_from > oldest
        }

    def watch(self, watch: TokenWatch) -> None:
        """Call `token_revoked` of the watch's user if the token is revoked, until `unwatch`."""
        self._watches.setdefault(watch.identity.user_id, set()).add(watch)

    def unwatch(self, watch: TokenWatch) -> None:
        """End a watch. Idempotent."""
        watches = self._watches.get(watch.identity.user_id, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(watch.identity.user_id, None)
