"""Reads for operators: the event log of screenings, their tickets, and the people behind them.

Only the key of the log is used, (screening, epoch, seq), since a further index would be written with every
hold. So the log of one seat reads the log of its screening.
"""

from collections.abc import Collection, Sequence
from typing import Any

from engine.events import SeatsHeld, TicketsIssued
from persistence.columns import IDS, numbers
from persistence.connector import Connector
from persistence.tickets import OF_ANY_STATUS

Record = dict[str, Any]

_EVENT = (
    *("epoch", "seq", "at", "kind", "actor", "seat_ids", "from_statuses", "to_status", "holder"),
    *("request_id", "block_id", "block_seat_ids"),
)

EVENTS_AFTER = """
SELECT epoch, seq, extract(epoch FROM at)::float8, kind, actor, seat_ids, from_statuses, to_status, holder,
       request_id, block_id, block_seat_ids
FROM screening_events
WHERE screening_id = %s AND (epoch, seq) > (%s, %s)
ORDER BY epoch, seq
LIMIT %s
"""

EXTENT = """
SELECT count(*),
       (SELECT extract(epoch FROM at)::float8 FROM screening_events WHERE screening_id = %(id)s
        ORDER BY epoch, seq LIMIT 1),
       (SELECT extract(epoch FROM at)::float8 FROM screening_events WHERE screening_id = %(id)s
        ORDER BY epoch DESC, seq DESC LIMIT 1)
FROM screening_events WHERE screening_id = %(id)s
"""

_SEAT_EVENT = ("epoch", "seq", "at", "kind", "actor", "from_status", "to_status", "holder", "request_id")

EVENTS_OF_SEAT = """
SELECT epoch, seq, extract(epoch FROM at)::float8, kind, actor,
       from_statuses[array_position(seat_ids, %(seat_id)s)], to_status, holder, request_id
FROM screening_events
WHERE screening_id = %(id)s AND seat_ids @> ARRAY[%(seat_id)s::bigint]
ORDER BY epoch DESC, seq DESC
LIMIT %(limit)s
"""

_TICKET = ("ticket_id", "seat_id", "holder", "status", "booked_at", "payment_deadline", "price", "reason")

_TICKETS = """
SELECT id, seat_id, holder, status, extract(epoch FROM booked_at)::float8,
       extract(epoch FROM payment_deadline)::float8, price, free_because
FROM tickets
WHERE screening_id = %(id)s AND seat_id
"""

TICKETS_OF_SEAT = f"{_TICKETS} = %(seat_id)s AND {OF_ANY_STATUS}"

HOLDERS = f"""
SELECT seat_id, extract(epoch FROM booked_at)::float8, holder FROM tickets
WHERE screening_id = %(id)s AND {OF_ANY_STATUS}
  AND booked_at BETWEEN to_timestamp(%(first_at)s - 1) AND to_timestamp(%(last_at)s + 1)
"""  # noqa: S608 - constant

LIVE_TICKETS = f"{_TICKETS} > 0 AND status IN ('pending', 'confirmed')"

_PERSON = ("holder", "user_id", "full_name", "email")

PEOPLE = """
SELECT 'user:' || id, id, full_name, email FROM users
WHERE id = ANY (%(ids)s::bigint[]) AND deleted_at IS NULL
UNION ALL
SELECT holder, id, full_name, coalesce(email, '') FROM guests WHERE id = ANY (%(ids)s::bigint[])
"""

_OPERATED = (
    "id",
    "kind",
    "title",
    "place",
    "room_id",
    "starts_at",
    "ends_at",
    "time_zone",
    "cancelled",
    "capacity",
    "sold",
    "held",
)

# The counts only run for the rows of a page, and use the indexes of live tickets and active holds.
OPERATED = """
SELECT *,
       (SELECT count(*) FROM tickets
        WHERE tickets.screening_id = shown.id AND tickets.status IN ('pending', 'confirmed')),
       (SELECT count(*) FROM holds
        WHERE holds.screening_id = shown.id AND holds.status = 'active' AND holds.expires_at > now())
FROM (
    SELECT screenings.id, 'screening' AS kind,
           coalesce(nullif(screenings.title, ''), movies.title, '') AS title,
           cinemas.name || ', ' || rooms.name AS place,
           screenings.room_id, screenings.starts_at, screenings.ends_at, cinemas.time_zone,
           screenings.cancelled_at IS NOT NULL AS cancelled,
           (SELECT count(*) FROM seats WHERE seats.room_id = screenings.room_id) AS capacity
    FROM screenings
    JOIN rooms ON rooms.id = screenings.room_id
    JOIN cinemas ON cinemas.id = rooms.cinema_id
    LEFT JOIN movies ON movies.id = screenings.movie_id
    UNION ALL
    SELECT events.id, 'event', events.title, events.venue, NULL,
           events.starts_at, events.ends_at, events.time_zone, events.closed_at IS NOT NULL,
           (SELECT coalesce(sum(capacity), 0) FROM ticket_types WHERE event_id = events.id)
    FROM events
) AS shown
WHERE {condition}
ORDER BY starts_at {order}, id LIMIT %(limit)s OFFSET %(offset)s
"""

_TO_COME = "ends_at > now()"
_PAST = "ends_at <= now()"
_NAMED = "(title ILIKE %(like)s OR place ILIKE %(like)s OR id::text = %(query)s)"


def _records(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Record]:
    return [dict(zip(names, row, strict=True)) for row in rows]


class EventLog:
    """The repository for operators; see the module."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def after(self, screening_id: int, epoch: int, seq: int, limit: int) -> list[Record]:
        """Return the next events of a screening, oldest first, with the holder who got the seats, if any.

        Args:
            screening_id: a screening, an event or a free room.
            epoch, seq: of the last event that is known; 0 and 0 for the first events.
            limit: highest number of events.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.connection() as connection:
            rows = await connection.run(EVENTS_AFTER, (screening_id, epoch, seq, limit))
            events = _records(_EVENT, rows)
            issued_at = [event["at"] for event in events if event["kind"] == TicketsIssued.kind]
            holders = {}
            if issued_at:
                bound = {"id": screening_id, "first_at": min(issued_at), "last_at": max(issued_at)}
                for seat_id, at, holder in await connection.run(HOLDERS, bound):
                    holders[seat_id, at] = holder
        for event in events:
            if event["block_id"] is None:
                del event["block_id"], event["block_seat_ids"]
            if event["kind"] == SeatsHeld.kind:
                event["holder"] = event["holder"] or event["actor"]
            else:
                event["holder"] = holders.get((event["seat_ids"][0], event["at"]))
        return events

    async def extent(self, screening_id: int) -> tuple[int, float | None, float | None]:
        """Return the number of events of a screening, and when the first and the last one happened.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        ((number, first_at, last_at),) = await self._connector.run(EXTENT, {"id": screening_id})
        return number, first_at, last_at

    async def of_seat(self, screening_id: int, seat_id: int, limit: int) -> tuple[list[Record], list[Record]]:
        """Return the events of one seat, newest first, and all its tickets.

        Args:
            screening_id: the screening.
            seat_id: the seat.
            limit: highest number of events.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        bound = {"id": screening_id, "seat_id": seat_id, "limit": limit}
        async with self._connector.connection() as connection:
            events = await connection.run(EVENTS_OF_SEAT, bound)
            tickets = await connection.run(TICKETS_OF_SEAT, bound)
        return _records(_SEAT_EVENT, events), _records(_TICKET, tickets)

    async def live_tickets(self, screening_id: int) -> list[Record]:
        """Return the tickets that occupy seats of a screening.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return _records(_TICKET, await self._connector.run(LIVE_TICKETS, {"id": screening_id}))

    async def people(self, user_ids: Collection[int]) -> list[Record]:
        """Return name and e-mail address of accounts and guests; those that are not known are left out.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        named = numbers(sorted(user_id for user_id in user_ids if user_id in IDS))
        return _records(_PERSON, await self._connector.run(PEOPLE, {"ids": named}))

    async def operated(
        self, query: str, *, past: bool, screening_id: int | None = None, limit: int, offset: int
    ) -> list[Record]:
        """Return screenings and events, those that begin first at the top; past ones the other way round.

        Args:
            query: part of the title or the place, or an id; empty for all.
            past: return those that are over, instead of the others.
            screening_id: return only this one, whether it is over or not.
            limit: highest number.
            offset: how many to skip.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        conditions = [_PAST if past else _TO_COME] if screening_id is None else ["id = %(id)s"]
        if query:
            conditions.append(_NAMED)
        escaped = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        bound = {
            "query": query,
            "like": f"%{escaped}%",
            "id": screening_id,
            "limit": limit,
            "offset": offset,
        }
        statement = OPERATED.format(condition=" AND ".join(conditions), order="DESC" if past else "ASC")
        return _records(_OPERATED, await self._connector.run(statement, bound))
