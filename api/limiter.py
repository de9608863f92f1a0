"""Limits on how often something may be tried, counted in one place for the whole server.

`Limiter` counts attempts by key (an account, an address) in a sliding window: no period as long as the window
ever has more attempts than the limit. A token bucket, or GCRA, would let twice the limit through within one
window, which is too much for passwords. Attempts are counted in slices of a tenth of the window, at most
eleven per key; a slice counts in full until its last attempt is older than the window.

`TokenBucket` limits a single sender, who has a rate to keep up and a burst on top of it: the frames of a
WebSocket. It is five numbers, and costs nothing while its socket is idle.

`RateLimits` counts requests to the public API with three limiters, and words the `RateLimit-*` headers.

The library `limits` does not fit: its memory storage reads the system's clock itself, starts a timer thread,
keeps an object with a lock for every attempt, and cannot take an attempt back.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from api.errors import TooManyAttempts
from api.limits import Limits

PUBLIC_WINDOW_SECONDS = 60.0
_IPV6_PREFIX_BITS = 64
_SLICES = 10


def network_of(address: str) -> str:
    """The key of a caller: an IPv4 address, or the /64 network that one IPv6 caller usually has."""
    if ":" not in address:
        return address
    return str(ip_network((ip_address(address.partition("%")[0]), _IPV6_PREFIX_BITS), strict=False))


class Quota(NamedTuple):
    """What a key has left after an attempt.

    Attributes:
        limit: attempts per window.
        remaining: how many are left; below zero if there was none for this one.
        resets_in_seconds: until the oldest attempts no longer count, at least 1.
    """

    limit: int
    remaining: int
    resets_in_seconds: int


@dataclass(slots=True)
class _Slice:
    """Attempts that were made shortly after one another."""

    first_at: float
    last_at: float
    count: int = 0


@dataclass(slots=True)
class _Window:
    """The attempts of one key, oldest slice first.

    Attributes:
        rank: the `count` under which `Limiter` has filed the window.
    """

    slices: list[_Slice] = field(default_factory=list)
    count: int = 0
    rank: int = 0

    def expire(self, until: float) -> None:
        """Drop the slices whose last attempt was made then or before."""
        while self.slices and self.slices[0].last_at <= until:
            self.count -= self.slices.pop(0).count


class Limiter:
    """Counts attempts by key in a sliding window.

    Memory is bounded as in the Space-Saving algorithm (Metwally and others, 2005): when there are too many
    keys, a new one takes over the window of the key with the fewest attempts, those attempts included. So a
    key may be counted too high, but never too low: nobody wins attempts back by naming many other keys. It is
    too high by no more than all attempts in a window divided by `keys_limit`.

    Args:
        limit: attempts per window.
        window_seconds: length of the window.
        now: the time in seconds, from a clock that is never set back.
        keys_limit: keys that are remembered.
    """

    def __init__(
        self, limit: int, window_seconds: float, now: Callable[[], float], keys_limit: int = 100_000
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._now = now
        self._keys_limit = keys_limit
        self._windows: dict[str, _Window] = {}
        # The keys by rank, those of one rank in the order in which they were counted.
        self._ranks: dict[int, dict[str, None]] = {}

    def attempt(self, key: str) -> None:
        """Count an attempt, before it is made.

        Raises:
            TooManyAttempts: it must not be made.
        """
        quota = self.count(key)
        if quota.remaining < 0:
            raise TooManyAttempts(quota.resets_in_seconds)

    def count(self, key: str) -> Quota:
        """Count an attempt, unless there are too many already, and return what is left."""
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
        """Forget the attempts of a key, since one has succeeded."""
        self._taken_out(key)

    def retract(self, key: str) -> None:
        """Take the latest attempt back."""
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
        """A window for a new key."""
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
        per_second: how many are admitted in the long run.
        burst: how many are admitted at once after a pause.
        now: seconds, from any monotonic clock.
    """

    __slots__ = ("_burst", "_left", "_now", "_per_second", "_seen_at")

    def __init__(self, per_second: float, burst: float, now: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._left = burst
        self._seen_at = now()

    def admits(self) -> bool:
        """Count one, and return whether it is within the rate."""
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
    """The caller has made too many requests."""

    code = "rate_limited"
    detail = "Too many requests; try again later"


class RateLimits:
    """Counts the requests of all callers of the public API.

    A request counts for its address, before anything is done for it, and for the session or user it is made
    for, as soon as that is known. Making sessions and reservations counts once more for the address: a bot
    could take a new session for each reservation, so the address is what bounds it.

    Args:
        limits: how many there may be per minute.
        now: the time in seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.of_address = Limiter(limits.guest_requests_per_address, PUBLIC_WINDOW_SECONDS, now)
        self.of_caller = Limiter(limits.guest_requests_per_session, PUBLIC_WINDOW_SECONDS, now)
        self.creations = Limiter(limits.guest_creations_per_address, PUBLIC_WINDOW_SECONDS, now)

    def tally(self, address: str) -> "Tally":
        """Begin to count one request from an address."""
        return Tally(self, network_of(address))


class Tally:
    """Counts one request on each limit that applies to it.

    Args:
        limits: the limiters.
        network: where the request comes from.
    """

    def __init__(self, limits: RateLimits, network: str) -> None:
        self._limits = limits
        self._network = network
        self._nearest: Quota | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The `RateLimit-*` headers of the answer, of the limit that is nearest."""
        if self._nearest is None:
            return {}
        return {
            "RateLimit-Limit": str(self._nearest.limit),
            "RateLimit-Remaining": str(max(0, self._nearest.remaining)),
            "RateLimit-Reset": str(self._nearest.resets_in_seconds),
        }

    def count_request(self) -> None:
        """Count the request for its address.

        Raises:
            RateLimited: there were too many.
        """
        self._count(self._limits.of_address, self._network)

    def count_caller(self, holder: str) -> None:
        """Count it for a session or user.

        Raises:
            RateLimited: there were too many.
        """
        self._count(self._limits.of_caller, holder)

    def count_creation(self) -> None:
        """Count the session or reservation that it is going to make.

        Raises:
            RateLimited: there were too many.
        """
        self._count(self._limits.creations, self._network)

    def _count(self, limiter: Limiter, key: str) -> None:
        quota = limiter.count(key)
        if self._nearest is None or quota.remaining < self._nearest.remaining:
            self._nearest = quota
        if quota.remaining < 0:
            raise RateLimited(quota.resets_in_seconds)
