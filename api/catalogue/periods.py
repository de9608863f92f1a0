"""Days, and what they are divided into, where people live: in a time zone.

A day there may have 23 or 25 hours. Borders are therefore found on the calendar of the zone and then made
moments, of which databases and servers need know no zones.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import ValidationError, fields

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
"""Between these, all zones differ from UTC by whole quarters of an hour."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

_BEGINS_PERIOD: Mapping[str, Callable[[date], bool]] = {
    "day": lambda day: True,
    "week": lambda day: day.weekday() == 0,
    "month": lambda day: day.day == 1,
}
"""Which days begin a new period, by granularity."""

GRANULARITIES = ("hour", *_BEGINS_PERIOD)

zone_names = cache(available_timezones)
"""Names of all time zones. They are read from files, once."""


class TimeZone(fields.String):
    """The name of a time zone; UTC if there is none."""

    def __init__(self, **options: Any) -> None:
        description = "Name in the IANA database, e.g. `Europe/Berlin`."
        super().__init__(load_default=ZoneInfo("UTC"), metadata={"description": description}, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str:
        return str(value)

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> ZoneInfo:
        if value not in zone_names():
            raise ValidationError("Unknown time zone.")
        return ZoneInfo(value)


def calendar_day(**options: Any) -> fields.Date:
    """A day in a query."""
    return fields.Date(validate=_between, **options)


def _between(day: date) -> None:
    if not EARLIEST <= day <= LATEST:
        raise ValidationError(f"Must lie between {EARLIEST} and {LATEST}.")


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def borders(first: date, last: date, granularity: str, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments in UTC that divide days into periods: the beginning of each, and the end of the last.

    The first period begins with the first day and the last one ends with the last day, even within a week
    or a month. Hours are counted from the beginning of the first day.

    Args:
        first: day.
        last: day, not before the first.
        granularity: one of GRANULARITIES.
        zone: where.
    """
    end = begin_of(last + _DAY, zone)
    if granularity == "hour":
        begin = begin_of(first, zone)
        while begin < end:
            yield begin
            begin += _HOUR
    else:
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if day == first or _BEGINS_PERIOD[granularity](day):
                yield begin_of(day, zone)
    yield end
