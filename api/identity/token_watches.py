"""Watches the tokens with which sockets were opened, so that a socket ends when its token expires.

A server has tens of thousands of silent sockets. A timer for each would take half a kilobyte of memory, so
there is one alarm, for the token that expires next. Revocations are watched by `api.identity.revocations`.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol

from api.identity.tokens import Identity
from engine.guards import attempt
from engine.ports import Clock, Timer

_SLACK = 64


class TokenUser(Protocol):
    """Something that may be used as long as a token is valid, such as a socket."""

    def token_expired(self) -> None:
        """End, because the token has expired."""

    def token_revoked(self) -> None:
        """End, because the token has been revoked."""


class TokenWatch:
    """The watch of one token for one user of it.

    Args:
        identity: identity of the token.
        user: is told when the token is no longer valid.

    Attributes:
        user: None once the watch has ended.
    """

    __slots__ = ("identity", "user")

    def __init__(self, identity: Identity, user: TokenUser) -> None:
        self.identity = identity
        self.user: TokenUser | None = user

    def __lt__(self, other: "TokenWatch") -> bool:
        return self.identity.expires_at < other.identity.expires_at


class TokenExpiries:
    """Tells the users of tokens when these expire.

    Adding a watch costs O(log n), and O(1) if no token expires later. A watch that has ended stays in the
    heap, without its user, until it is due or until most of the heap has ended.

    Args:
        clock: the time, and timers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[TokenWatch] = []
        self._live = 0
        self._alarm: Timer | None = None

    def add(self, watch: TokenWatch) -> None:
        """Call `token_expired` of the watch's user when the token expires, unless the watch ends before."""
        self._live += 1
        heappush(self._heap, watch)
        if self._heap[0] is watch:
            self._set_alarm()

    def end(self, watch: TokenWatch) -> None:
        """End a watch that was added."""
        watch.user = None
        self._live -= 1
        if not self._live or len(self._heap) > 2 * self._live + _SLACK:
            self._heap = [kept for kept in self._heap if kept.user is not None]
            heapify(self._heap)
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = (
            self._clock.call_at(self._heap[0].identity.expires_at, self._ring) if self._heap else None
        )

    def _ring(self) -> None:
        now = self._clock.now()
        while self._heap and self._heap[0].identity.expires_at <= now:
            user = heappop(self._heap).user
            if user is not None:
                attempt(user.token_expired)
        self._set_alarm()
