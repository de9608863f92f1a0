"""How much of the public door one caller may use: requests per minute, told in `RateLimit-*` headers.

A request counts for its address, before anything is done for it, and for the session or user it is made
for, as soon as that is known. Making sessions and reservations counts once more for the address: a bot could
take a new session for each reservation, so the address is what bounds it.
"""

import time
from collections.abc import Callable, Mapping

from api.errors import TooManyAttempts
from api.limits import Limits
from api.throttle import Throttle, network_of

WINDOW_SECONDS = 60.0


class RateLimited(TooManyAttempts):
    """The caller has made too many requests."""

    code = "rate_limited"
    detail = "Too many requests; try again later"


class RateLimits:
    """Counts the requests of all callers.

    Args:
        limits: how many there may be.
        now: the time in seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self.of_address = Throttle(limits.guest_requests_per_address, WINDOW_SECONDS, now)
        self.of_caller = Throttle(limits.guest_requests_per_session, WINDOW_SECONDS, now)
        self.creations = Throttle(limits.guest_creations_per_address, WINDOW_SECONDS, now)

    def tally(self, address: str) -> "Tally":
        """What one request from an address is counted on."""
        return Tally(self, network_of(address))


class Tally:
    """One request as it is counted.

    Args:
        limits: the counts.
        network: where it comes from.
    """

    def __init__(self, limits: RateLimits, network: str) -> None:
        self._limits = limits
        self._network = network
        self._headers: dict[str, str] = {}
        self._remaining: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer tells of the limit that is nearest."""
        return self._headers

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
        """Count what it is going to make.

        Raises:
            RateLimited: there was too much.
        """
        self._count(self._limits.creations, self._network)

    def _count(self, throttle: Throttle, key: str) -> None:
        standing = throttle.count(key)
        if self._remaining is None or standing.remaining < self._remaining:
            self._remaining = standing.remaining
            self._headers = {
                "RateLimit-Limit": str(standing.limit),
                "RateLimit-Remaining": str(max(0, standing.remaining)),
                "RateLimit-Reset": str(standing.resets_in_seconds),
            }
        if standing.remaining < 0:
            raise RateLimited(standing.resets_in_seconds)
