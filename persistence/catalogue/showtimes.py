"""Showtimes: screenings with their free seats, for moviegoers."""

from persistence.catalogue.screenings import COLUMNS, FILTERS, JOINS, ORDERS
from persistence.catalogue.table import Table

_SEATS = "(SELECT count(*) FROM seats WHERE seats.room_id = screenings.room_id AND removed_at IS NULL)"

# Uses the indexes of live tickets and active holds, and only runs for the rows of a page.
_SOLD = """
(SELECT count(*) FROM tickets
 WHERE tickets.screening_id = screenings.id AND tickets.status IN ('pending', 'confirmed'))
"""
_HELD = """
(SELECT count(*) FROM holds
 WHERE holds.screening_id = screenings.id AND holds.status = 'active' AND holds.expires_at > now())
"""

SHOWTIMES = Table(
    name="screenings",
    kind="showtime",
    columns={
        **COLUMNS,
        "duration_minutes": "movies.duration_minutes",
        "poster_url": "movies.poster_url",
        "city": "cinemas.city",
        "total_seats": _SEATS,
        "available_seats": f"{_SEATS} - {_SOLD} - {_HELD}",
    },
    joins=JOINS,
    conditions=["screenings.cancelled_at IS NULL"],
    filters={**FILTERS, "city": "lower(cinemas.city) = lower(%(city)s)"},
    orders=ORDERS,
)
