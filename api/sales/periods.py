"""Periods of time (hours, days, weeks, months) in a time zone.

A local day can have 23 or 25 hours, so period boundaries are computed on the zone's calendar and then
converted to UTC. The database only sees UTC timestamps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, fields, validate

from api.errors import InvalidInput
from api.rest.endpoint import Call
from api.rest.fields import Timestamp
from api.rest.local_times import TimeZoneName

PERIODS_LIMIT = 1000

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
"""Between these days, every zone's UTC offset is a multiple of 15 minutes."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

_BEGINS_PERIOD: Mapping[str, Callable[[date], bool]] = {
    "day": lambda day: True,
    "week": lambda day: day.weekday() == 0,
    "month": lambda day: day.day == 1,
}
"""Functions that return whether a day starts a new period, by granularity."""

GRANULARITIES = ("hour", *_BEGINS_PERIOD)


class Period(Schema):
    """A period of an answer, with its name and its boundaries."""

    period = fields.String(
        required=True,
        metadata={
            "description": "First day of the period, or start of the hour, in the time zone.",
            "example": "2026-01-26",
        },
    )
    begins_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)


class DividedDays(Schema):
    """The days of an answer, both ends included, and how they are divided."""

    first = fields.Date(data_key="from", required=True)
    last = fields.Date(data_key="to", required=True)
    granularity = fields.String(required=True, validate=validate.OneOf(GRANULARITIES))
    timezone = fields.String(required=True, metadata={"example": "Europe/Berlin"})


def calendar_day(**options: Any) -> fields.Date:
    """Query parameter for a day between EARLIEST and LATEST."""
    return fields.Date(validate=_between, **options)


def _between(day: date) -> None:
    if not EARLIEST <= day <= LATEST:
        raise ValidationError(f"Must be between {EARLIEST} and {LATEST}.")


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of a local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def period_boundaries(first: date, last: date, granularity: str, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the period boundaries in UTC: the start of each period, then the end of the last.

    The first period starts on the first day and the last period ends with the last day, even if that
    cuts a week or a month short. Hours are counted from the start of the first day.

    Args:
        first: first local day.
        last: last local day, included; not before `first`.
        granularity: one of GRANULARITIES.
        zone: time zone of the days.
    """
    end = start_of_day(last + _DAY, zone)
    if granularity == "hour":
        begin = start_of_day(first, zone)
        while begin < end:
            yield begin
            begin += _HOUR
    else:
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if day == first or _BEGINS_PERIOD[granularity](day):
                yield start_of_day(day, zone)
    yield end


def zone_field() -> TimeZoneName:
    """Query parameter for the time zone of days; see `zone_of_days`."""
    description = (
        "Time zone of the days, by its name in the IANA database. By default that of the cinemas and events, "
        "or the setting FRONTROW_TIME_ZONE if they are in different ones."
    )
    return TimeZoneName(data_key="timezone", load_default=None, metadata={"description": description})


async def zone_of_days(call: Call, given: str | None) -> ZoneInfo:
    """Return the given time zone, or that of all venues if they share one, or the usual one."""
    if given is None:
        shared = await call.services.catalogue.statistics.time_zones(limit=2)
        given = shared[0] if len(shared) == 1 else call.services.time_zone
    return ZoneInfo(given)


def today(call: Call, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(call.services.clock.now(), zone).date()


def require_order(first: date, last: date) -> None:
    """Raise InvalidInput if the first day is after the last."""
    if last < first:
        raise InvalidInput({"from": ["Must not be after the last day."]})


def few_boundaries(first: date, last: date, granularity: str, zone: ZoneInfo) -> Sequence[datetime]:
    """Return the `period_boundaries` of days that a client has chosen.

    Raises:
        InvalidInput: the days are in the wrong order, or have more than `PERIODS_LIMIT` periods.
    """
    require_order(first, last)
    boundaries = list(islice(period_boundaries(first, last, granularity, zone), PERIODS_LIMIT + 2))
    if len(boundaries) > PERIODS_LIMIT + 1:
        raise InvalidInput(
            {"granularity": [f"Too fine: gives more than {PERIODS_LIMIT} periods; choose fewer days."]}
        )
    return boundaries


def period_name(begin: datetime, granularity: str, zone: ZoneInfo) -> str:
    """Return the name of a period: its first day, or the local time for an hour."""
    local = begin.astimezone(zone)
    return local.isoformat(timespec="minutes") if granularity == "hour" else local.date().isoformat()
