"""Days and their parts in different time zones."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sales.periods import EARLIEST, GRANULARITIES, LATEST, period_boundaries, start_of_day
from api.venue_time import zone_names

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 6, 1), 24), (date(2026, 10, 25), 25)]
)
def test_days_have_the_hours_of_their_time_zone(day: date, hours: int) -> None:
    assert len(list(period_boundaries(day, day, "hour", BERLIN))) == hours + 1
    begin, end = period_boundaries(day, day, "day", BERLIN)
    assert end - begin == timedelta(hours=hours)


def test_days_begin_at_midnight_of_their_zone() -> None:
    first, *_ = period_boundaries(date(2026, 1, 26), date(2026, 1, 26), "day", ZoneInfo("Asia/Kathmandu"))
    assert first == datetime(2026, 1, 25, 18, 15, tzinfo=UTC)


def test_a_day_whose_midnight_is_skipped_starts_at_the_change() -> None:
    assert start_of_day(date(2025, 9, 7), ZoneInfo("America/Santiago")) == datetime(2025, 9, 7, 4, tzinfo=UTC)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    zone = ZoneInfo("UTC")
    weeks = [time.date() for time in period_boundaries(date(2026, 1, 1), date(2026, 1, 13), "week", zone)]
    assert weeks == [date(2026, 1, 1), date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 14)]
    months = [time.date() for time in period_boundaries(date(2026, 1, 15), date(2026, 3, 1), "month", zone)]
    assert months == [date(2026, 1, 15), date(2026, 2, 1), date(2026, 3, 1), date(2026, 3, 2)]


@given(
    st.dates(EARLIEST, LATEST - timedelta(days=40)),
    st.integers(0, 40),
    st.sampled_from(GRANULARITIES),
    st.sampled_from(sorted(zone_names())),
)
def test_periods_are_without_gaps_and_made_of_quarters_of_an_hour(
    first: date, days: int, granularity: str, name: str
) -> None:
    last, zone = first + timedelta(days=days), ZoneInfo(name)
    times = list(period_boundaries(first, last, granularity, zone))
    assert all(begin < end for begin, end in pairwise(times))
    assert (times[0], times[-1]) == (start_of_day(first, zone), start_of_day(last + timedelta(days=1), zone))
    assert all(time.timestamp() % 900 == 0 for time in times)
