"""Limits how often something may be tried per key (an account, an address) in a sliding window.

No period as long as the window ever has more attempts than the limit, so there is no boundary at which twice
as many get through. Attempts are counted in slices of a tenth of the window, at most eleven per key; a slice
counts in full until its last attempt is older than the window.

The library `limits` does not fit: its memory storage reads the system's clock itself, starts a timer thread,
keeps an object with a lock for every attempt, and cannot take an attempt back.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from api.errors import TooManyAttempts

_IPV6_PREFIX_BITS = 64
_SLICES = 10


@dataclass(slots=True)
class _Slice:
    """Attempts that were made shortly after one another."""

    first_at: float
    last_at: float
    count: int = 0


@dataclass(slots=True)
class _Window:
    """The attempts of one key, oldest first."""

    slices: deque[_Slice] = field(default_factory=deque)
    count: int = 0


class Standing(NamedTuple):
    """How a key stands after an attempt.

    Attributes:
        limit: attempts per window.
        remaining: how many are left; below zero if there was none for this one.
        resets_in_seconds: until the oldest attempts no longer count, at least 1.
    """

    limit: int
    remaining: int
    resets_in_seconds: int


class Throttle:
    """Counts attempts by key in a sliding window.

    Args:
        limit: attempts per window.
        window_seconds: length of the window.
        now: the time.
        keys_limit: keys that are remembered; beyond it the one that was counted least recently is forgotten.
    """

    def __init__(
        self, limit: int, window_seconds: float, now: Callable[[], float], keys_limit: int = 100_000
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._now = now
        self._keys_limit = keys_limit
        # In the order in which they were counted last, which is that in which they run out.
        self._windows: dict[str, _Window] = {}

    def attempt(self, key: str) -> None:
        """Count an attempt, before it is made.

        Raises:
            TooManyAttempts: it must not be made.
        """
        standing = self.count(key)
        if standing.remaining < 0:
            raise TooManyAttempts(standing.resets_in_seconds)

    def count(self, key: str) -> Standing:
        """Count an attempt, unless there are too many, and tell how the key stands."""
        now = self._now()
        window = self._windows.pop(key, None) or _Window()
        self._windows[key] = window
        self._forget(now)
        slices = window.slices
        while slices and slices[0].last_at + self._window_seconds <= now:
            window.count -= slices.popleft().count
        if window.count >= self._limit:
            return Standing(self._limit, -1, self._resets_in(window, now))
        if not slices or now - slices[-1].first_at >= self._window_seconds / _SLICES:
            slices.append(_Slice(now, now))
        slices[-1].last_at = now
        slices[-1].count += 1
        window.count += 1
        return Standing(self._limit, self._limit - window.count, self._resets_in(window, now))

    def forgive(self, key: str) -> None:
        """Forget the attempts of a key, since one has succeeded."""
        self._windows.pop(key, None)

    def retract(self, key: str) -> None:
        """Take the latest attempt back."""
        window = self._windows.get(key)
        if window and window.count:
            window.count -= 1
            window.slices[-1].count -= 1
            if not window.slices[-1].count:
                window.slices.pop()

    def _resets_in(self, window: _Window, now: float) -> int:
        return max(1, math.ceil(window.slices[0].last_at + self._window_seconds - now))

    def _forget(self, now: float) -> None:
        """Drop keys of which nothing counts any more, and those beyond the bound."""
        while True:
            key, window = next(iter(self._windows.items()))
            counts = window.slices and window.slices[-1].last_at + self._window_seconds > now
            if len(self._windows) == 1 or (counts and len(self._windows) <= self._keys_limit):
                return
            del self._windows[key]


def network_of(address: str) -> str:
    """What one caller has: an IPv4 address, or a network of IPv6 addresses."""
    if ":" not in address:
        return address
    return str(ip_network((ip_address(address.partition("%")[0]), _IPV6_PREFIX_BITS), strict=False))
