"""Sales figures and counts for administrators.

They are exact: sales are summed from `ticket_counts` and `sales`, which triggers update in the transactions
that write tickets. The cost grows with days and screenings, not with tickets.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from engine.records import TicketStatus
from persistence.catalogue.table import Record
from persistence.catalogue.tickets import VOUCHED_BY
from persistence.connector import Connector
from persistence.keysets import Key


class Figures(NamedTuple):
    """A statement that computes figures.

    Attributes:
        columns: SQL expressions by figure names.
        source: FROM … and what follows it.
    """

    columns: Mapping[str, str]
    source: str

    @property
    def sql(self) -> str:
        """Return the whole statement."""
        columns = ", ".join(f"{expression} AS {name}" for name, expression in self.columns.items())
        return f"SELECT {columns} {self.source}"


_ALL = {"count": "count(*)"}

COUNTS = {
    "movies": Figures(_ALL, "FROM movies"),
    "cinemas": Figures(_ALL, "FROM cinemas"),
    "users": Figures(_ALL, "FROM users WHERE deleted_at IS NULL"),
}

_TICKETS = "coalesce(sum(tickets), 0)::bigint"
_SOLD = {"tickets_sold": _TICKETS, "revenue": "coalesce(sum(revenue), 0)"}

TICKETS = Figures(
    {
        "total": _TICKETS,
        **{
            status.value: f"coalesce(sum(tickets) FILTER (WHERE status = '{status}'), 0)::bigint"
            for status in TicketStatus
        },
    },
    "FROM ticket_counts",
)

REVENUE = Figures(_SOLD, "FROM sales")

REVENUE_BY_PERIOD = Figures(
    _SOLD,
    """
    FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY
        AS period (begins_at, ends_at, number)
    LEFT JOIN sales ON slot >= begins_at AND slot < ends_at
    GROUP BY number
    ORDER BY number
    """,
)

BETWEEN = Figures(
    {
        **_SOLD,
        "screenings": """(
            SELECT count(*) FROM screenings
            WHERE starts_at >= %(begin)s AND starts_at < %(end)s AND cancelled_at IS NULL
        )""",
        "new_users": """(
            SELECT count(*) FROM users
            WHERE created_at >= %(begin)s AND created_at < %(end)s AND deleted_at IS NULL
        )""",
    },
    "FROM sales WHERE slot >= %(begin)s AND slot < %(end)s",
)

POPULAR_MOVIES = Figures(
    {
        "movie_id": "movies.id",
        "title": "movies.title",
        "genre": "movies.genre",
        "poster_url": "movies.poster_url",
        **_SOLD,
    },
    """
    FROM ticket_counts
    JOIN screenings ON screenings.id = ticket_counts.screening_id
    JOIN movies ON movies.id = screenings.movie_id
    WHERE status = 'confirmed' AND day BETWEEN %(first)s AND %(last)s
    GROUP BY movies.id
    HAVING sum(tickets) > 0
    ORDER BY tickets_sold DESC, movies.id
    LIMIT %(limit)s
    """,
)

# The index alone finds the tickets of a page; only those are read and joined.
RECENT_BOOKINGS = Figures(
    {
        "ticket_id": "tickets.id",
        "booking_id": "tickets.booking_id",
        "user_id": "substring(tickets.holder FROM '^user:([0-9]+)$')::bigint",
        "movie_id": "screenings.movie_id",
        "movie_title": "coalesce(movies.title, screenings.title, events.title)",
        "cinema_id": "rooms.cinema_id",
        "cinema_name": "cinemas.name",
        "room_id": "screenings.room_id",
        "room_name": "rooms.name",
        "screening_id": "tickets.screening_id",
        "starts_at": "coalesce(screenings.starts_at, events.starts_at)",
        "time_zone": "coalesce(cinemas.time_zone, events.time_zone)",
        "seat_id": "CASE WHEN tickets.seat_id > 0 THEN tickets.seat_id END",
        "row_label": "seats.row_label",
        "seat_number": "seats.seat_number",
        "price": "tickets.price",
        "status": "tickets.status",
        "booked_at": "tickets.booked_at",
        "vouched_by": VOUCHED_BY,
        "position": "ARRAY[tickets.booked_at::text, tickets.id::text]",
    },
    """
    FROM (
        SELECT id FROM tickets
        WHERE %(booked_at)s IS NULL OR (booked_at, id) < (%(booked_at)s, %(ticket_id)s)
        ORDER BY booked_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
    ) AS recent
    JOIN tickets ON tickets.id = recent.id
    LEFT JOIN screenings ON screenings.id = tickets.screening_id
    LEFT JOIN movies ON movies.id = screenings.movie_id
    LEFT JOIN rooms ON rooms.id = screenings.room_id
    LEFT JOIN cinemas ON cinemas.id = rooms.cinema_id
    LEFT JOIN seats ON seats.id = tickets.seat_id
    LEFT JOIN events ON events.id = tickets.screening_id
    ORDER BY tickets.booked_at DESC, tickets.id DESC
    """,
)


TIME_ZONES = """
SELECT time_zone FROM cinemas
UNION SELECT time_zone FROM events WHERE starts_at > now() - interval '31 days'
LIMIT %s
"""


class Statistics:
    """The repository of statistics; each method runs one statement."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def count(self, kind: str) -> Record:
        """Return the number of rows of a kind.

        Args:
            kind: one of COUNTS.
        """
        return await self._one(COUNTS[kind])

    async def tickets(self) -> Record:
        """Return the number of tickets, in total and by status."""
        return await self._one(TICKETS)

    async def recent_bookings(
        self, *, limit: int, offset: int, after: Key | None = None
    ) -> tuple[list[Record], Key | None]:
        """Return tickets with details of what they are for, newest booking first.

        Args:
            limit: page length.
            offset: rows to skip.
            after: position of the last ticket of the previous page.

        Returns:
            The tickets, and the position of the last one if others follow.
        """
        booked_at, ticket_id = after or (None, None)
        records = await self._all(
            RECENT_BOOKINGS, limit=limit + 1, offset=offset, booked_at=booked_at, ticket_id=ticket_id
        )
        positions = [record.pop("position") for record in records]
        return records[:limit], positions[limit - 1] if len(records) > limit else None

    async def time_zones(self, limit: int) -> list[str]:
        """Return up to `limit` of the time zones that cinemas and events to come are in."""
        return [str(row[0]) for row in await self._connector.run(TIME_ZONES, (limit,))]

    async def revenue(self) -> Record:
        """Return the all-time sales."""
        return await self._one(REVENUE)

    async def revenue_by_period(self, boundaries: Sequence[datetime]) -> list[Record]:
        """Return the sales between each border and the next.

        Args:
            boundaries: ascending; each the start of a quarter of an hour.
        """
        return await self._all(REVENUE_BY_PERIOD, begins=list(boundaries[:-1]), ends=list(boundaries[1:]))

    async def popular_movies(self, first: date, last: date, limit: int) -> list[Record]:
        """Return the movies that sold most tickets.

        Args:
            first: first day to count, each cinema by its own time zone.
            last: last day to count.
            limit: number of movies.
        """
        return await self._all(POPULAR_MOVIES, first=first, last=last, limit=limit)

    async def between(self, begin: datetime, end: datetime) -> Record:
        """Return the sales, screenings and new users between two times.

        Args:
            begin: start of a quarter of an hour.
            end: likewise; excluded.
        """
        return await self._one(BETWEEN, begin=begin, end=end)

    async def _one(self, figures: Figures, **parameters: Any) -> Record:
        (record,) = await self._all(figures, **parameters)
        return record

    async def _all(self, figures: Figures, **parameters: Any) -> list[Record]:
        rows = await self._connector.run(figures.sql, parameters)
        return [dict(zip(figures.columns, row, strict=True)) for row in rows]
