"""Formats of values in JSON: timestamps, prices and holders, the same in REST and in WebSocket frames."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from math import floor

USER_PREFIX = "user:"
SESSION_PREFIX = "session:"


_MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


def new_timestamp(seconds: float) -> str:
    """Format a timestamp as ISO 8601 in UTC with milliseconds, e.g. "2026-01-26T18:25:00.000Z".

    Args:
        seconds: since the Unix epoch.
    """
    # Rounds to microseconds like `datetime`, then truncates to milliseconds.
    whole = floor(seconds)
    milliseconds = round((seconds - whole) * 1_000_000) // 1000
    if milliseconds == 1000:
        return _second(whole + 1) + ".000Z"
    return _second(whole) + _MILLISECONDS[milliseconds]


timestamp = lru_cache(maxsize=4096)(new_timestamp)
"""Cached, for timestamps that are formatted repeatedly, such as those of seats in every map and update."""


@lru_cache(maxsize=4096)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:-6]


def timestamp_or_none(seconds: float | None) -> str | None:
    """Format a timestamp, passing None through."""
    return None if seconds is None else timestamp(seconds)


def price(cents: int) -> float:
    """Return an amount as a JSON number with at most two decimals, exact to the cent.

    For every amount below 90 trillion, the shortest decimal form of the float, which is what the JSON
    encoder writes, is the exact amount.
    """
    return cents / 100


def to_cents(amount: Decimal) -> int:
    """Convert an amount with at most two decimals."""
    return int(amount * 100)


def cents_or_none(amount: Decimal | None) -> int | None:
    """Convert an amount with at most two decimals, passing None through."""
    return None if amount is None else to_cents(amount)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, e.g. "1 seat" or "2 seats"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def holder_of(user_id: int) -> str:
    """Return the engine's holder name of a user."""
    return f"{USER_PREFIX}{user_id}"


@lru_cache(maxsize=4096)
def user_id_of(holder: str | None) -> int | None:
    """Return the user id of a holder; None for guests and for no holder."""
    if holder is None or not holder.startswith(USER_PREFIX):
        return None
    return int(holder[len(USER_PREFIX) :])
