"""Times of cinemas and events in their own time zone: how they are shown, and how they are given.

Everything is stored in UTC, and fields such as `starts_at` are in UTC. What a person reads (mails, tickets,
calendar entries, pages) is the venue's local time, from `local_time`. Requests may give a time without an
offset; it is then the venue's, and `in_utc` converts it. A local time that the clocks skip or show twice is
refused, with the times to choose from.

Python's zoneinfo decides here. It reads the system's time zone database, or the `tzdata` package where the
system has none. Filters by day are PostgreSQL's, with its own copy; `frontrow check` compares the two.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from api.errors import InvalidInput

DEFAULT_TIME_ZONE = "UTC"

_NOT_PLACES = frozenset({"localtime", "Factory"})
"""Files beside those of the zones, which are not names of the IANA database."""


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all time zones. Cached because they are read from files."""
    return frozenset(available_timezones()) - _NOT_PLACES


def local_time(time: datetime, time_zone: str) -> datetime:
    """Return a timestamp in local time, with the offset that applies then.

    Args:
        time: with any offset.
        time_zone: IANA name, as stored with a cinema or an event.
    """
    return time.astimezone(ZoneInfo(time_zone))


def is_local(value: object) -> bool:
    """Return whether a value is a time without an offset, so that it takes a time zone to convert it."""
    return isinstance(value, datetime) and value.tzinfo is None


def in_utc(time: datetime, time_zone: str, field: str) -> datetime:
    """Return a local time in UTC.

    Args:
        time: without an offset.
        time_zone: IANA name.
        field: name of the field that gave the time, for the error.

    Raises:
        InvalidInput: the clocks skip that time or show it twice. The message has the times, with their
            offsets, to choose from.
    """
    zone = ZoneInfo(time_zone)
    try:
        # The two readings of PEP 495: they differ only in a clock change. A time that the clocks skip is not
        # the same after the way to UTC and back.
        readings = [time.replace(tzinfo=zone, fold=fold).astimezone(UTC).astimezone(zone) for fold in (0, 1)]
    except OverflowError as error:
        raise InvalidInput({field: ["Not a valid datetime."]}) from error
    first, second = sorted(readings, key=datetime.timestamp)
    if first.replace(tzinfo=None, fold=0) != time:
        fault = f"does not exist in {time_zone}, where the clocks skip it"
    elif first.utcoffset() != second.utcoffset():
        fault = f"happens twice in {time_zone}, where the clocks go back"
    else:
        return first.astimezone(UTC)
    choices = f"{first.isoformat()} or {second.isoformat()}"
    raise InvalidInput({field: [f"{time.isoformat()} {fault}; send it with an offset: {choices}."]})


def resolved(
    values: Mapping[str, Any], time_zone: str, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the values of a request with all local times among them in UTC.

    Args:
        values: the request's.
        time_zone: IANA name of the venue's time zone.
        names: names of fields for errors, where they differ from the keys of `values`.

    Raises:
        InvalidInput: as `in_utc`.
    """
    names = names or {}
    return {
        key: in_utc(value, time_zone, names.get(key, key)) if is_local(value) else value
        for key, value in values.items()
    }
