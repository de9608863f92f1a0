"""Reads the history of a seat, a booking or a request, for people who look into it.

The log of events has no index but its key, since bookings and holds would pay for it. So the history of a
seat reads the log of its screening, and a search for a request the whole log, unless a screening is named.
"""

from collections.abc import Sequence
from typing import Any

from persistence.columns import numbers
from persistence.connector import Connector

Record = dict[str, Any]

SEATS_NAMED = """
SELECT seats.id, row_label || seat_number FROM screenings JOIN seats USING (room_id)
WHERE screenings.id = %(screening_id)s
  AND (lower(%(name)s) IN (lower(row_label || seat_number), lower(row_label || '-' || seat_number))
       OR seats.id::text = %(name)s)
ORDER BY seats.id
"""

IS_SCREENING = """
SELECT EXISTS (SELECT FROM screenings WHERE id = %(id)s) OR EXISTS (SELECT FROM events WHERE id = %(id)s)
"""

_EVENT = (
    *("screening_id", "epoch", "seq", "at", "kind", "actor", "holder", "seat_ids", "from_statuses"),
    *("to_status", "request_id", "seats", "owner"),
)

_EVENTS = """
SELECT screening_id, logged.epoch, seq, extract(epoch FROM at)::float8, kind, actor, holder, seat_ids,
       from_statuses, to_status, request_id,
       ARRAY(SELECT coalesce(row_label || seat_number, place::text)
             FROM unnest(seat_ids) WITH ORDINALITY AS listed (place, number)
             LEFT JOIN seats ON seats.id = place ORDER BY number),
       CASE WHEN owned.epoch = logged.epoch THEN owner END
FROM screening_events AS logged LEFT JOIN screening_epochs AS owned USING (screening_id)
"""

OF_SEAT = f"""
SELECT * FROM (
    {_EVENTS}
    WHERE screening_id = %(screening_id)s AND seat_ids @> ARRAY[%(seat_id)s::bigint]
    ORDER BY logged.epoch DESC, seq DESC LIMIT %(limit)s
) AS newest ORDER BY epoch, seq
"""  # noqa: S608 - constant

OF_REQUEST = f"""
{_EVENTS} WHERE request_id = %(request_id)s
  AND (%(screening_id)s::bigint IS NULL OR screening_id = %(screening_id)s::bigint)
ORDER BY at, screening_id, logged.epoch, seq LIMIT %(limit)s
"""

# A ticket's times are those of its events; its moves are named by their places in the log.
OF_BOOKING = f"""
{_EVENTS}
JOIN (
    SELECT tickets.screening_id, tickets.seat_id, moment, NULL::bigint AS moved_epoch,
           NULL::bigint AS moved_seq
    FROM tickets CROSS JOIN unnest(ARRAY[booked_at, confirmed_at, cancelled_at]) AS moment
    WHERE booking_id = %(booking_id)s
    UNION
    SELECT from_screening_id, from_seat_id, moment, NULL, NULL
    FROM ticket_moves JOIN tickets ON tickets.id = ticket_id
    CROSS JOIN unnest(ARRAY[booked_at, confirmed_at]) AS moment
    WHERE ticket_moves.booking_id = %(booking_id)s
    UNION
    SELECT screening_id, seat_id, NULL, epoch, seq FROM ticket_moves WHERE booking_id = %(booking_id)s
) AS sold USING (screening_id)
WHERE starts_with(kind, 'tickets_') AND seat_ids @> ARRAY[sold.seat_id]
  AND (at = moment OR (logged.epoch, seq) = (moved_epoch, moved_seq))
ORDER BY at, logged.epoch, seq
"""  # noqa: S608 - constant

_TICKET = (
    *("ticket_id", "screening_id", "seat_id", "seat", "holder", "status", "price", "payment_id", "held_at"),
    *("booked_at", "reason"),
)

TICKETS_OF_BOOKING = """
SELECT tickets.id, screening_id, seat_id, coalesce(row_label || seat_number, seat_id::text), holder, status,
       price, payment_id, extract(epoch FROM held_at)::float8, extract(epoch FROM booked_at)::float8,
       free_because
FROM tickets LEFT JOIN seats ON seats.id = seat_id
WHERE booking_id = %s ORDER BY tickets.id
"""

_SCAN = ("ticket_id", "screening_id", "at", "direction", "gate", "result", "actor", "seat")

_SCANS = """
SELECT ticket_id, scan.screening_id, extract(epoch FROM scanned_at)::float8, direction, gate, result, actor,
       coalesce(row_label || seat_number, seat_id::text)
FROM check_in_scans AS scan
JOIN tickets ON tickets.id = ticket_id LEFT JOIN seats ON seats.id = seat_id
"""

SCANS_OF_SEAT = f"""
{_SCANS} WHERE ticket_id IN (
    SELECT id FROM tickets WHERE screening_id = %(screening_id)s AND seat_id = %(seat_id)s
)
ORDER BY scan.id
"""  # noqa: S608 - constant

SCANS_OF_BOOKING = f"{_SCANS} WHERE booking_id = %(booking_id)s ORDER BY scan.id"

_MESSAGE = ("at", "kind", "subject", "status", "error", "finished_at", "request_id")

_MESSAGES = """
SELECT extract(epoch FROM created_at)::float8, kind, subject, status, error,
       extract(epoch FROM finished_at)::float8, payload ->> 'request_id'
FROM outbox
"""

MESSAGES_OF_BOOKING = f"""
{_MESSAGES} WHERE payload @> jsonb_build_object('booking_id', %(booking_id)s) ORDER BY id
"""

MESSAGES_OF_REQUEST = f"""
{_MESSAGES} WHERE payload ->> 'request_id' = %(request_id)s ORDER BY id LIMIT %(limit)s
"""

_SENT = ("at", "type", "screening_id", "epoch", "seq", "webhook_id", "status", "request_id")

_SENT_EVENTS = """
SELECT extract(epoch FROM published_at)::float8, type, screening_id, epoch, seq, webhook_id, status,
       body::jsonb ->> 'request_id'
FROM webhook_events LEFT JOIN webhook_deliveries USING (position)
"""

SENT_OF_BOOKING = f"""
{_SENT_EVENTS} WHERE screening_id = ANY (%(screening_ids)s::bigint[])
  AND body::jsonb -> 'data' ->> 'booking_id' = %(booking_id)s::text
ORDER BY position
"""

SENT_OF_REQUEST = f"""
{_SENT_EVENTS} WHERE body::jsonb ->> 'request_id' = %(request_id)s ORDER BY position LIMIT %(limit)s
"""

_REFUND = ("refund_id", "screening_id", "amount", "status", "reason", "at", "settled_at", "reference")

REFUNDS_OF_BOOKING = """
SELECT id, screening_id, amount, status, reason, extract(epoch FROM owed_at)::float8,
       extract(epoch FROM settled_at)::float8, reference
FROM refunds WHERE booking_id = %s ORDER BY id
"""


def _records(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Record]:
    return [dict(zip(names, row, strict=True)) for row in rows]


class Histories:
    """The repository of histories. Times are in seconds since the epoch. All methods raise StoreUnavailable.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def _read(self, names: Sequence[str], sql: str, bound: Any) -> list[Record]:
        return _records(names, await self._connector.run(sql, bound))

    async def is_screening(self, screening_id: int) -> bool:
        """Return whether there is a screening or an event of this id."""
        ((known,),) = await self._connector.run(IS_SCREENING, {"id": screening_id})
        return bool(known)

    async def seats_named(self, screening_id: int, name: str) -> list[Record]:
        """Return the seats that somebody may mean: with this row and number (A1 or A-1), or this id."""
        bound = {"screening_id": screening_id, "name": name}
        return await self._read(("seat_id", "seat"), SEATS_NAMED, bound)

    async def of_seat(self, screening_id: int, seat_id: int, limit: int) -> tuple[list[Record], list[Record]]:
        """Return the last events of a seat, oldest first, and the scans of its tickets at the door."""
        bound = {"screening_id": screening_id, "seat_id": seat_id, "limit": limit}
        events = await self._read(_EVENT, OF_SEAT, bound)
        return events, await self._read(_SCAN, SCANS_OF_SEAT, bound)

    async def of_booking(self, booking_id: int) -> dict[str, list[Record]]:
        """Return the tickets and other records of a booking, by kind; only `tickets`, empty, without any."""
        tickets = await self._read(_TICKET, TICKETS_OF_BOOKING, (booking_id,))
        if not tickets:
            return {"tickets": []}
        bound = {"booking_id": booking_id}
        events = await self._read(_EVENT, OF_BOOKING, bound)
        screening_ids = {event["screening_id"] for event in (*events, *tickets)}
        sent = {"booking_id": booking_id, "screening_ids": numbers(sorted(screening_ids))}
        return {
            "tickets": tickets,
            "events": list({(one["screening_id"], one["epoch"], one["seq"]): one for one in events}.values()),
            "scans": await self._read(_SCAN, SCANS_OF_BOOKING, bound),
            "refunds": await self._read(_REFUND, REFUNDS_OF_BOOKING, (booking_id,)),
            "messages": await self._read(_MESSAGE, MESSAGES_OF_BOOKING, bound),
            "sent": await self._read(_SENT, SENT_OF_BOOKING, sent),
        }

    async def of_request(
        self, request_id: str, screening_id: int | None, limit: int
    ) -> dict[str, list[Record]]:
        """Return the records that a request has caused, by kind.

        Args:
            request_id: its `X-Request-ID`.
            screening_id: only events of this screening, which is much faster.
            limit: highest number of each kind.
        """
        bound = {"request_id": request_id, "screening_id": screening_id, "limit": limit}
        return {
            "events": await self._read(_EVENT, OF_REQUEST, bound),
            "messages": await self._read(_MESSAGE, MESSAGES_OF_REQUEST, bound),
            "sent": await self._read(_SENT, SENT_OF_REQUEST, bound),
        }
