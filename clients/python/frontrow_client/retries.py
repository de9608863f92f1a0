"""Decides whether a failed request is sent again, and after which pause.

A request is repeated if that is safe: it only reads, or it has an idempotency key, so that the server
executes it once and repeats its answer. Anything else is repeated only if it was certainly not executed: it
never reached the server, or not completely, or there were too many requests.
"""

import random
from dataclasses import dataclass

_PASSING = frozenset({502, 503, 504})
_NOT_EXECUTED = frozenset({408, 429})
_AUTHENTICATION_REQUIRED = 401
_LONGEST_ASKED_SECONDS = 30.0


def _after(asked_seconds: float, bound_seconds: float) -> float:
    """A random pause after the time that the server asks for."""
    jitter = random.uniform(0, max(asked_seconds, bound_seconds))  # noqa: S311  # not a secret
    return asked_seconds + jitter


@dataclass(frozen=True)
class Retries:
    """Bounds of the repetitions of a request. `Retries(attempts=1)` switches them off.

    Pauses are random between 0 and a bound that doubles each time (exponential backoff with full jitter), in
    addition to what the server asks for with `Retry-After`. The bound is at least that time, so that clients
    that were refused together do not come back together.

    Args:
        attempts: how often a request is sent at most.
        first_pause_seconds: bound of the first pause.
        longest_pause_seconds: maximum bound of a pause. If the server asks for a longer one, the error is
            raised.

    Raises:
        ValueError: a bound is not positive.
    """

    attempts: int = 5
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not (self.attempts >= 1 and self.first_pause_seconds > 0 and self.longest_pause_seconds > 0):
            raise ValueError("attempts, first_pause_seconds and longest_pause_seconds must be positive")

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None = None) -> float | None:
        """Return how long to wait after a failed attempt; None to give up.

        Args:
            attempt: its number, from 1.
            retry_after_seconds: what the server asks for.
        """
        asked_seconds = retry_after_seconds or 0.0
        if attempt >= self.attempts or asked_seconds > self.longest_pause_seconds:
            return None
        # The exponent is bounded, so that many attempts do not overflow the power.
        bound = min(self.longest_pause_seconds, self.first_pause_seconds * 2 ** min(attempt - 1, 30))
        return _after(asked_seconds, bound)


def is_worth_repeating(status: int, *, retryable: bool, is_safe: bool) -> bool:
    """Return whether a refused request may be sent again.

    Args:
        status: HTTP status of the refusal.
        retryable: what the server says about it.
        is_safe: whether the request may be executed twice.
    """
    return status in _NOT_EXECUTED or (is_safe and (retryable or status in _PASSING))


def is_final(status: int, *, retryable: bool) -> bool:
    """Return whether a refusal answers all attempts: none of them was or will be executed.

    401, 408 and 429 refuse an attempt before the server looks up its idempotency key.
    """
    refuses_the_attempt = status in _NOT_EXECUTED or status == _AUTHENTICATION_REQUIRED
    return status < 500 and not retryable and not refuses_the_attempt


class Backoff:
    """Pauses between attempts to connect a socket, without a limit on their number.

    The maximum bound decides when the last of many clients is back that have lost the same server: some of
    them draw a pause of nearly that length just before the server is back.

    Args:
        first_seconds: bound of the first pause.
        longest_seconds: maximum bound.
    """

    def __init__(self, first_seconds: float = 0.5, longest_seconds: float = 10.0) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._bound_seconds = first_seconds

    def pause_seconds(self, retry_after_seconds: float | None = None) -> float:
        """Return a random pause, and double the bound of the next one.

        Args:
            retry_after_seconds: what the server asks for; longer times than 30 seconds are cut.
        """
        bound = self._bound_seconds
        self._bound_seconds = min(self._longest_seconds, bound * 2)
        return _after(min(retry_after_seconds or 0.0, _LONGEST_ASKED_SECONDS), bound)

    def reset(self) -> None:
        """Start again with short pauses."""
        self._bound_seconds = self._first_seconds
