"""How values look on the wire: times, money and holders, the same in REST answers and in frames."""

from datetime import UTC, datetime
from functools import lru_cache

USER_PREFIX = "user:"
SESSION_PREFIX = "session:"


@lru_cache(maxsize=4096)
def timestamp(seconds: float) -> str:
    """A moment as ISO 8601 in UTC with milliseconds, e.g. "2026-01-26T18:25:00.000Z".

    Args:
        seconds: since the Unix epoch.
    """
    # What is less than a microsecond is rounded, as `datetime` has it; what is more is cut off.
    whole, fraction = divmod(seconds, 1)
    more, microseconds = divmod(round(fraction * 1_000_000), 1_000_000)
    return f"{_second(int(whole) + more)}.{microseconds // 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:-6]


def timestamp_or_none(seconds: float | None) -> str | None:
    """As `timestamp`, passing None through."""
    return None if seconds is None else timestamp(seconds)


def price(cents: int) -> float:
    """An amount as a JSON number with at most two decimals, exact to the cent.

    A float carries every amount below 90 trillion exactly enough that its shortest decimal form, which
    is what JSON gets, is the amount itself.
    """
    return cents / 100


def holder_of(user_id: int) -> str:
    """The engine's name for a user."""
    return f"{USER_PREFIX}{user_id}"


@lru_cache(maxsize=4096)
def user_id_of(holder: str | None) -> int | None:
    """The user behind a holder; None for guests and for nobody."""
    if holder is None or not holder.startswith(USER_PREFIX):
        return None
    return int(holder[len(USER_PREFIX) :])
