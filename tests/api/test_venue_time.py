"""Local times of venues: their way to UTC and back, and the clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidInput
from api.venue_time import in_utc, local_time, resolved, zone_names

ZONES = st.sampled_from(sorted(zone_names()))
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def fault_of(time: str, time_zone: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        in_utc(datetime.fromisoformat(time), time_zone, "starts_at")
    (message,) = refused.value.data["errors"]["starts_at"]
    return message


@pytest.mark.parametrize(
    ("time", "time_zone", "utc"),
    [
        ("2030-07-01T20:00", "Europe/Berlin", "2030-07-01T18:00"),
        ("2030-01-01T20:00", "Europe/Berlin", "2030-01-01T19:00"),
        ("2030-01-01T09:00", "Pacific/Auckland", "2029-12-31T20:00"),
        ("2030-07-01T09:00", "Pacific/Auckland", "2030-06-30T21:00"),
        ("2030-07-01T00:15", "Asia/Kathmandu", "2030-06-30T18:30"),
        ("2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59"),
        ("2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-10-25T01:59:59", "Europe/Berlin", "2026-10-24T23:59:59"),
        ("2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00"),
    ],
)
def test_local_times_are_those_of_the_venue(time: str, time_zone: str, utc: str) -> None:
    converted = in_utc(datetime.fromisoformat(time), time_zone, "starts_at")
    assert converted == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert local_time(converted, time_zone).replace(tzinfo=None) == datetime.fromisoformat(time)


def test_a_time_that_does_not_exist_is_refused_with_the_nearest_times() -> None:
    message = fault_of("2026-03-29T02:30", "Europe/Berlin")
    assert "does not exist in Europe/Berlin" in message
    assert "2026-03-29T01:30:00+01:00 or 2026-03-29T03:30:00+02:00" in message
    assert "does not exist" in fault_of("2026-09-27T02:00", "Pacific/Auckland")
    assert "does not exist" in fault_of("2025-09-07T00:00", "America/Santiago")
    assert "does not exist" in fault_of("2011-12-30T12:00", "Pacific/Apia")


def test_a_time_that_exists_twice_is_refused_with_both_offsets() -> None:
    message = fault_of("2026-10-25T02:30", "Europe/Berlin")
    assert "happens twice in Europe/Berlin" in message
    assert "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00" in message
    assert "happens twice" in fault_of("2026-04-05T02:59:59", "Pacific/Auckland")


def test_only_local_times_of_a_request_are_converted() -> None:
    with_offset = datetime(2030, 1, 1, tzinfo=UTC)
    given = {"starts_at": datetime(2030, 1, 1, 12), "ends_at": with_offset, "title": "Brass", "price": None}
    noon = datetime(2030, 1, 1, 6, 15, tzinfo=UTC)
    assert resolved(given, "Asia/Kathmandu") == given | {"starts_at": noon}
    with pytest.raises(InvalidInput, match="startDate"):
        resolved({"starts_at": datetime(2026, 3, 29, 2)}, "Europe/Berlin", {"starts_at": "startDate"})


def test_the_ends_of_the_calendar_are_refused() -> None:
    assert fault_of("0001-01-01T00:00", "Asia/Kathmandu")
    assert fault_of("9999-12-31T23:00", "America/New_York")


@given(TIMES, ZONES)
def test_times_survive_the_way_to_local_time_and_back(time: datetime, time_zone: str) -> None:
    shown = local_time(time, time_zone)
    assert datetime.fromisoformat(shown.isoformat()) == time
    try:
        assert in_utc(shown.replace(tzinfo=None, fold=0), time_zone, "starts_at") == time
    except InvalidInput as refused:
        # It was shown, so it exists; then it must exist twice, and both choices show it.
        assert "happens twice" in str(refused)
        assert shown.isoformat() in str(refused)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), ZONES)
def test_every_local_time_is_converted_exactly_or_refused(time: datetime, time_zone: str) -> None:
    zone = ZoneInfo(time_zone)
    # Since 2000 all offsets are multiples of a quarter of an hour.
    around = [time.replace(tzinfo=UTC) + timedelta(minutes=15 * quarter) for quarter in range(-64, 65)]
    shows = [at for at in around if at.astimezone(zone).replace(tzinfo=None, fold=0) == time]
    try:
        assert [in_utc(time, time_zone, "starts_at")] == shows
    except InvalidInput:
        assert len(shows) != 1
