"""Calendar entries for bookings, in iCalendar format (RFC 5545)."""

from datetime import UTC, datetime
from typing import NamedTuple

_LINE_BYTES = 75


class Visit(NamedTuple):
    """The contents of a calendar entry.

    Attributes:
        uid: identifies the visit, so that a second mail updates the entry instead of adding another.
        updated_at: when the entry was written.
    """

    uid: str
    summary: str
    location: str
    description: str
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime


def calendar_of(visit: Visit) -> str:
    """Return an iCalendar file with one entry."""
    properties = (
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//Frontrow//Tickets//EN"),
        ("METHOD", "PUBLISH"),
        ("BEGIN", "VEVENT"),
        ("UID", _text(visit.uid)),
        ("DTSTAMP", _utc(visit.updated_at)),
        ("DTSTART", _utc(visit.starts_at)),
        ("DTEND", _utc(visit.ends_at)),
        ("SUMMARY", _text(visit.summary)),
        ("LOCATION", _text(visit.location)),
        ("DESCRIPTION", _text(visit.description)),
        ("END", "VEVENT"),
        ("END", "VCALENDAR"),
    )
    return "".join(f"{_folded(f'{name}:{value}')}\r\n" for name, value in properties)


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """Escape a text value (section 3.3.11)."""
    for character in "\\;,":
        value = value.replace(character, "\\" + character)
    return "\\n".join(value.splitlines())


def _folded(line: str) -> str:
    """Fold a line to at most 75 bytes (section 3.1), without splitting a multi-byte character."""
    lines, length = [""], 0
    for character in line:
        size = len(character.encode())
        if length + size > _LINE_BYTES:
            lines.append(" ")
            length = 1
        lines[-1] += character
        length += size
    return "\r\n".join(lines)
