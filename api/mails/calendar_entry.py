"""Calendar entries for bookings, in iCalendar format (RFC 5545, exchanged as in RFC 5546)."""

from datetime import UTC, date, datetime
from typing import NamedTuple

from icalendar import Calendar, Event

MEDIA_TYPE = "text/calendar; charset=utf-8"


class Visit(NamedTuple):
    """The contents of a calendar entry.

    Attributes:
        uid: identifies the visit, so that a later mail updates the entry instead of adding another.
        sequence: grows with each change; calendars ignore an entry with a smaller one than theirs.
        cancelled: whether the visit is off, so that calendars remove or strike the entry.
        organizer: mail address of the sender.
        starts_at, ends_at: in the venue's time zone.
        updated_at: when the entry was written.
    """

    uid: str
    sequence: int
    cancelled: bool
    organizer: str
    summary: str
    location: str
    description: str
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime

    @property
    def method(self) -> str:
        """The action that a calendar takes with the entry: add or remove it (RFC 5546)."""
        return "CANCEL" if self.cancelled else "PUBLISH"


def calendar_of(visit: Visit) -> bytes:
    """Return an iCalendar file with one entry, and the rules of its time zone."""
    entry = Event()
    entry.add("UID", visit.uid)
    entry.add("SEQUENCE", visit.sequence)
    entry.add("DTSTAMP", visit.updated_at.astimezone(UTC))
    entry.add("DTSTART", _unambiguous(visit.starts_at))
    entry.add("DTEND", _unambiguous(visit.ends_at))
    entry.add("SUMMARY", visit.summary)
    entry.add("LOCATION", visit.location)
    entry.add("DESCRIPTION", visit.description)
    entry.add("STATUS", "CANCELLED" if visit.cancelled else "CONFIRMED")
    entry.add("ORGANIZER", f"mailto:{visit.organizer}")
    calendar = Calendar()
    calendar.add("PRODID", "-//Frontrow//Tickets//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", visit.method)
    calendar.add_component(entry)
    # Calendars differ in the name of the zone that they understand, so its clock changes are included: those
    # of the years around the visit.
    year = visit.starts_at.year
    calendar.add_missing_timezones(first_date=date(year - 1, 1, 1), last_date=date(year + 2, 1, 1))
    content: bytes = calendar.to_ical()
    return content


def _unambiguous(at: datetime) -> datetime:
    """Return the time in UTC if the local clock shows it for the second time, which the format cannot say."""
    return at.astimezone(UTC) if at.utcoffset() != at.replace(fold=0).utcoffset() else at
