"""Calendar entries follow RFC 5545."""

from datetime import UTC, datetime, timedelta, timezone

from api.papers.calendar_entry import Visit, calendar_of

VISIT = Visit(
    uid="booking-2001@frontrow",
    summary="Plötzlich, im Kino; 100 \\ ganz neu",
    location="Öffentliches Lichtspielhaus " * 6,
    description="Seat A1\nSeat A2",
    starts_at=datetime(2026, 10, 2, 20, 0, tzinfo=timezone(timedelta(hours=2))),
    ends_at=datetime(2026, 10, 2, 20, 0, tzinfo=UTC),
    updated_at=datetime(2026, 9, 1, 12, 30, tzinfo=UTC),
)


def properties() -> list[str]:
    return calendar_of(VISIT).replace("\r\n ", "").split("\r\n")


def test_times_are_in_utc() -> None:
    times = {"DTSTART:20261002T180000Z", "DTEND:20261002T200000Z", "DTSTAMP:20260901T123000Z"}
    assert times <= set(properties())


def test_text_is_escaped() -> None:
    assert r"SUMMARY:Plötzlich\, im Kino\; 100 \\ ganz neu" in properties()
    assert r"DESCRIPTION:Seat A1\nSeat A2" in properties()


def test_lines_are_folded_without_splitting_characters() -> None:
    entry = calendar_of(VISIT)
    assert entry.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert max(len(line.encode()) for line in entry.split("\r\n")) <= 75
    assert f"LOCATION:{VISIT.location}" in properties()
