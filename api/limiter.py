"""All rate limiting: attempts per key, frames per socket, and requests to the public API.

`Limiter` counts attempts by key (an account, an address) in a sliding window, so that no period as long as
the window ever has more attempts than the limit. A token bucket or GCRA would allow twice the limit within
one window, too many for passwords. Attempts are counted in slices of a tenth of the window, at most eleven
per key; a slice counts in full until its last attempt is older than the window.

`TokenBucket` limits one sender to a rate with bursts: the frames of a WebSocket. It is five numbers, and
costs nothing while its socket is idle.

`RateLimits` counts requests to the public API with three limiters, and builds the `RateLimit-*` headers.

The library `limits` does not fit: its memory storage reads the system clock, starts a timer thread, keeps an
object with a lock per attempt, and cannot uncount an attempt.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Protocol

from api.errors import TooManyAttempts
from api.limits import Limits

PUBLIC_WINDOW_SECONDS = 60.0
_IPV6_PREFIX_BITS = 64
_SLICES = 10


def network_of(address: str) -> str:
    """Return the key of a client: its IPv4 address, or the /64 network that an IPv6 client usually has."""
    if ":" not in address:
        return address
    return str(ip_network((ip_address(address.partition("%")[0]), _IPV6_PREFIX_BITS), strict=False))


class AttemptLimit(Protocol):
    """Limits the attempts of a key, as `Limiter` does; in a cluster another node may count them.

    An awaitable result has to be awaited: it returns or raises what is documented here.
    """

    def attempt(self, key: str) -> Awaitable[None] | None:
        """Count an attempt. Call this before making it.

        Raises:
            TooManyAttempts: the limit is reached; do not make the attempt.
            Unavailable: the node that counts cannot be reached, and the limit may not be exceeded.
        """

    def retract(self, key: str) -> Awaitable[None] | None:
        """Uncount the latest attempt of a key."""


class Quota(NamedTuple):
    """The quota of a key after an attempt.

    Attributes:
        limit: attempts per window.
        remaining: attempts left; negative if this one exceeded the limit.
        resets_in_seconds: time until the oldest attempts no longer count, at least 1.
    """

    limit: int
    remaining: int
    resets_in_seconds: int


@dataclass(slots=True)
class _Slice:
    """Attempts within a tenth of the window."""

    first_at: float
    last_at: float
    count: int = 0


@dataclass(slots=True)
class _Window:
    """The attempts of one key, oldest slice first.

    Attributes:
        rank: the `count` under which `Limiter` files the window.
    """

    slices: list[_Slice] = field(default_factory=list)
    count: int = 0
    rank: int = 0

    def expire(self, until: float) -> None:
        """Drop the slices whose last attempt was at `until` or before."""
        while self.slices and self.slices[0].last_at <= until:
            self.count -= self.slices.pop(0).count


class Limiter:
    """Counts attempts by key in a sliding window.

    Memory is bounded as in the Space-Saving algorithm (Metwally and others, 2005): if there are too many
    keys, a new key takes over the window of the key with the fewest attempts, including those attempts. So a
    count may be too high but never too low, and an attacker gains no attempts by using many other keys. The
    excess is at most the number of all attempts in a window divided by `keys_limit`.

    Args:
        limit: attempts per window.
        window_seconds: length of the window.
        now: returns the time in seconds; monotonic.
        keys_limit: most keys to track.
    """

    def __init__(
        self, limit: int, window_seconds: float, now: Callable[[], float], keys_limit: int = 100_000
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._now = now
        self._keys_limit = keys_limit
        self._windows: dict[str, _Window] = {}
        # Keys by rank; keys of one rank in the order of their last attempt.
        self._ranks: dict[int, dict[str, None]] = {}

    def attempt(self, key: str) -> None:
        """Count an attempt. Call this before making it.

        Raises:
            TooManyAttempts: the limit is reached; do not make the attempt.
        """
        quota = self.count(key)
        if quota.remaining < 0:
            raise TooManyAttempts(quota.resets_in_seconds)

    def count(self, key: str) -> Quota:
        """Count an attempt, unless the limit is reached, and return the quota."""
        now = self._now()
        expired_at = now - self._window_seconds
        window = self._taken_out(key) or self._unused(expired_at)
        window.expire(expired_at)
        remaining = -1
        if window.count < self._limit:
            slices = window.slices
            if not slices or now - slices[-1].first_at >= self._window_seconds / _SLICES:
                slices.append(_Slice(now, now))
            slices[-1].last_at = now
            slices[-1].count += 1
            window.count += 1
            remaining = self._limit - window.count
        self._windows[key] = window
        window.rank = window.count
        rank = self._ranks.setdefault(window.rank, {})
        rank[key] = None
        self._forget_expired(rank, expired_at)
        resets_in_seconds = window.slices[0].last_at - expired_at
        return Quota(self._limit, remaining, max(1, math.ceil(resets_in_seconds)))

    def forgive(self, key: str) -> None:
        """Reset a key, because one of its attempts has succeeded."""
        self._taken_out(key)

    def retract(self, key: str) -> None:
        """Uncount the latest attempt of a key."""
        window = self._windows.get(key)
        if window and window.count:
            window.count -= 1
            window.slices[-1].count -= 1
            if not window.slices[-1].count:
                window.slices.pop()

    def _taken_out(self, key: str) -> _Window | None:
        window = self._windows.pop(key, None)
        if window is not None:
            rank = self._ranks[window.rank]
            del rank[key]
            if not rank:
                del self._ranks[window.rank]
        return window

    def _unused(self, expired_at: float) -> _Window:
        """Return a window for a new key, taken over from another key if there are too many."""
        if len(self._windows) >= self._keys_limit:
            for rank in tuple(self._ranks.values()):
                self._forget_expired(rank, expired_at)
        if len(self._windows) >= self._keys_limit:
            fewest = next(iter(self._ranks[min(self._ranks)]))
            return self._taken_out(fewest) or _Window()
        return _Window()

    def _forget_expired(self, rank: dict[str, None], expired_at: float) -> None:
        while rank:
            key = next(iter(rank))
            slices = self._windows[key].slices
            if slices and slices[-1].last_at > expired_at:
                return
            self._taken_out(key)


class TokenBucket:
    """Admits `per_second` on average, and up to `burst` at once.

    Args:
        per_second: sustained rate.
        burst: number admitted at once after a pause.
        now: returns the time in seconds; monotonic.
    """

    __slots__ = ("_burst", "_left", "_now", "_per_second", "_seen_at")

    def __init__(self, per_second: float, burst: float, now: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._left = burst
        self._seen_at = now()

    def admits(self) -> bool:
        """Count one event and return whether it is within the rate."""
        now = self._now()
        left = self._left + (now - self._seen_at) * self._per_second
        if left > self._burst:
            left = self._burst
        self._seen_at = now
        if left < 1:
            self._left = left
            return False
        self._left = left - 1
        return True


class RateLimited(TooManyAttempts):
    code = "rate_limited"
    detail = "Too many requests; try again later"


class RateLimits:
    """Counts the requests of all clients of the public API.

    A request first counts for its IP address, before any other work, and then for its session or user, once
    that is known. Creating a session or a reservation also counts separately for the address, because a bot
    could use a new session for each reservation.

    Args:
        limits: requests per minute.
        now: returns the time in seconds; monotonic.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.of_address = Limiter(limits.guest_requests_per_address, PUBLIC_WINDOW_SECONDS, now)
        self.of_caller = Limiter(limits.guest_requests_per_session, PUBLIC_WINDOW_SECONDS, now)
        self.creations = Limiter(limits.guest_creations_per_address, PUBLIC_WINDOW_SECONDS, now)

    def tally(self, address: str) -> "Tally":
        """Return the counter of one request from an IP address."""
        return Tally(self, network_of(address))


class Tally:
    """Counts one request against each limit that applies to it; raises RateLimited if one is exceeded.

    Args:
        limits: the limiters.
        network: key of the client, from `network_of`.
    """

    def __init__(self, limits: RateLimits, network: str) -> None:
        self._limits = limits
        self._network = network
        self._nearest: Quota | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The `RateLimit-*` response headers, for the limit with the fewest requests remaining."""
        if self._nearest is None:
            return {}
        return {
            "RateLimit-Limit": str(self._nearest.limit),
            "RateLimit-Remaining": str(max(0, self._nearest.remaining)),
            "RateLimit-Reset": str(self._nearest.resets_in_seconds),
        }

    def count_request(self) -> None:
        """Count the request for its IP address."""
        self._count(self._limits.of_address, self._network)

    def count_caller(self, holder: str) -> None:
        """Count the request for a session or user."""
        self._count(self._limits.of_caller, holder)

    def count_creation(self) -> None:
        """Count the creation of a session or reservation."""
        self._count(self._limits.creations, self._network)

    def _count(self, limiter: Limiter, key: str) -> None:
        quota = limiter.count(key)
        if self._nearest is None or quota.remaining < self._nearest.remaining:
            self._nearest = quota
        if quota.remaining < 0:
            raise RateLimited(quota.resets_in_seconds)
