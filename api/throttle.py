"""Bounds how often something may be tried, per account or per address."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from api.errors import TooManyAttempts

_IPV6_PREFIX_BITS = 64


@dataclass(slots=True)
class _Window:
    ends_at: float
    count: int = 0


class Standing(NamedTuple):
    """How a key stands after an attempt.

    Attributes:
        limit: attempts per window.
        remaining: how many are left; below zero if there was none for this one.
        resets_in_seconds: until the window ends, at least 1.
    """

    limit: int
    remaining: int
    resets_in_seconds: int


class Throttle:
    """Counts attempts by key in windows of time.

    Args:
        limit: attempts per window.
        window_seconds: length of a window, which begins with its first attempt.
        now: the time.
        keys_limit: keys that are remembered; beyond it the oldest window is forgotten.
    """

    def __init__(
        self, limit: int, window_seconds: float, now: Callable[[], float], keys_limit: int = 100_000
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._now = now
        self._keys_limit = keys_limit
        # All windows are equally long, so they end in the order in which they stand here.
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
        self._forget(now)
        window = self._windows.setdefault(key, _Window(now + self._window_seconds))
        resets_in_seconds = max(1, math.ceil(window.ends_at - now))
        if window.count >= self._limit:
            return Standing(self._limit, -1, resets_in_seconds)
        window.count += 1
        return Standing(self._limit, self._limit - window.count, resets_in_seconds)

    def forgive(self, key: str) -> None:
        """Forget the attempts of a key, since one has succeeded."""
        self._windows.pop(key, None)

    def retract(self, key: str) -> None:
        """Take one attempt back."""
        if window := self._windows.get(key):
            window.count = max(0, window.count - 1)

    def _forget(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            if self._windows[oldest].ends_at > now and len(self._windows) <= self._keys_limit:
                break
            del self._windows[oldest]


def network_of(address: str) -> str:
    """What one caller has: an IPv4 address, or a network of IPv6 addresses."""
    if ":" not in address:
        return address
    return str(ip_network((ip_address(address.partition("%")[0]), _IPV6_PREFIX_BITS), strict=False))
