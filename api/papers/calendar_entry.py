"""A visit to the cinema as an entry for calendars (RFC 5545)."""

from datetime import UTC, datetime
from typing import NamedTuple

_LINE_OCTETS = 75


class Visit(NamedTuple):
    """What a calendar is told.

    Attributes:
        uid: the same for the same visit, so that a second mail changes the entry and makes no other.
        updated_at: when this was written.
    """

    uid: str
    summary: str
    location: str
    description: str
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime


def calendar_of(visit: Visit) -> str:
    """The entry as an iCalendar file."""
    properties = (
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//Frontrow//Tickets//EN"),
        ("METHOD", "PUBLISH"),
        ("BEGIN", "VEVENT"),
        ("UID", _text(visit.uid)),
        ("DTSTAMP", _moment(visit.updated_at)),
        ("DTSTART", _moment(visit.starts_at)),
        ("DTEND", _moment(visit.ends_at)),
        ("SUMMARY", _text(visit.summary)),
        ("LOCATION", _text(visit.location)),
        ("DESCRIPTION", _text(visit.description)),
        ("END", "VEVENT"),
        ("END", "VCALENDAR"),
    )
    return "".join(f"{_folded(f'{name}:{value}')}\r\n" for name, value in properties)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """Section 3.3.11."""
    for character in "\\;,":
        value = value.replace(character, "\\" + character)
    return "\\n".join(value.splitlines())


def _folded(line: str) -> str:
    """Section 3.1: no line has more than 75 octets, and no character is torn apart."""
    lines, octets = [""], 0
    for character in line:
        size = len(character.encode())
        if octets + size > _LINE_OCTETS:
            lines.append(" ")
            octets = 1
        lines[-1] += character
        octets += size
    return "\r\n".join(lines)
