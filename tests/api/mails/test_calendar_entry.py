"""Calendar entries, read back by another library.

It keeps the first rules of a time zone that it reads, so all visits are in one year.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import vobject

from api.mails.calendar_entry import Visit, calendar_of

VISIT = Visit(
    uid="booking-2001@frontrow",
    sequence=3,
    cancelled=False,
    organizer="tickets@cinema.example",
    summary="Plötzlich, im Kino; 100 \\ ganz neu",
    location="Öffentliches Lichtspielhaus " * 6,
    description="Seat A1\nSeat A2",
    starts_at=datetime(2026, 10, 2, 20, 0, tzinfo=ZoneInfo("Europe/Berlin")),
    ends_at=datetime(2026, 10, 2, 22, 0, tzinfo=ZoneInfo("Europe/Berlin")),
    updated_at=datetime(2026, 9, 1, 12, 30, tzinfo=UTC),
)


def read(visit: Visit):  # type: ignore[no-untyped-def]
    return vobject.readOne(calendar_of(visit).decode())


def test_an_entry_has_all_it_needs() -> None:
    calendar = read(VISIT)
    event = calendar.vevent
    assert (calendar.method.value, event.status.value) == ("PUBLISH", "CONFIRMED")
    assert (event.uid.value, event.sequence.value) == (VISIT.uid, "3")
    assert (event.summary.value, event.location.value) == (VISIT.summary, VISIT.location)
    assert event.description.value == VISIT.description
    assert event.organizer.value == "mailto:tickets@cinema.example"
    assert event.dtstamp.value == VISIT.updated_at


def test_a_cancelled_visit_is_removed_from_calendars() -> None:
    calendar = read(VISIT._replace(cancelled=True))
    assert (calendar.method.value, calendar.vevent.status.value) == ("CANCEL", "CANCELLED")
    assert calendar.vevent.uid.value == VISIT.uid


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Pacific/Auckland", "Asia/Kathmandu", "America/Bogota", "UTC"]
)
@pytest.mark.parametrize("month", [1, 4, 7, 10])
def test_times_are_local_and_the_file_says_what_that_means(zone: str, month: int) -> None:
    begin = datetime(2026, month, 3, 20, 15, tzinfo=ZoneInfo(zone))
    visit = VISIT._replace(starts_at=begin, ends_at=begin + timedelta(hours=2))
    text = calendar_of(visit).decode()
    assert (f"DTSTART;TZID={zone}:2026" in text and "BEGIN:VTIMEZONE" in text) or zone == "UTC"
    event = read(visit).vevent
    assert event.dtstart.value == begin
    assert event.dtstart.value.utcoffset() == begin.utcoffset()
    assert event.dtend.value == begin + timedelta(hours=2)


def test_a_time_that_the_clock_shows_twice_is_not_mistaken() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        begin = datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold)
        visit = VISIT._replace(starts_at=begin, ends_at=begin.astimezone(UTC) + timedelta(hours=2))
        assert read(visit).vevent.dtstart.value.astimezone(UTC) == begin.astimezone(UTC), fold


def test_lines_are_folded_without_splitting_characters() -> None:
    lines = calendar_of(VISIT).split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"".join(lines).decode()
