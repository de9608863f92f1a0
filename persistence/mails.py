"""Reads the content of mails, and writes outbox messages that follow from others or from time passing."""

from collections.abc import Iterable, Mapping
from typing import Any

from persistence.catalogue.refunds import REFUNDED, REFUNDED_PLACES
from persistence.catalogue.table import Record, Rows, Table
from persistence.catalogue.tickets import MOVES, PRINTED, VISITED
from persistence.columns import numbers
from persistence.connector import Connector

_CONTACT = """
    LEFT JOIN users ON users.id = substring({holder} FROM '^user:([0-9]{{1,18}})$')::bigint
    LEFT JOIN guests ON guests.holder = {holder}
"""

_CONTACT_COLUMNS = {
    # News of tickets reaches their buyer even after the account was deleted.
    "email": "coalesce(CASE WHEN users.deleted_at IS NULL THEN users.email ELSE users.last_email END, "
    "guests.email)",
    "full_name": "coalesce(users.full_name, guests.full_name, '')",
    "language": "coalesce(users.preferences ->> 'language', guests.language, '')",
    # Reminders only; other mails are about money, or about where to be when.
    "reminders": "coalesce((users.preferences ->> 'email_notifications')::boolean, true)",
}

BOOKED = Table(
    name="tickets",
    kind="ticket",
    columns={**PRINTED, "moves": MOVES, **_CONTACT_COLUMNS},
    joins=_CONTACT.format(holder="tickets.holder") + VISITED,
    conditions=("seats.id IS NOT NULL OR ticket_types.id IS NOT NULL",),
    filters={"bookings": "tickets.booking_id = ANY (%(bookings)s::bigint[])"},
    orders={"booking": "tickets.booking_id"},
)

CANCELLED = """
SELECT booking_id FROM tickets
WHERE screening_id = %(screening_id)s AND status = 'cancelled' AND cancelled_at = %(at)s::timestamptz
  AND booking_id > %(after)s
GROUP BY booking_id, holder HAVING bool_or(paper IS NOT NULL) OR has_mail_address(holder)
ORDER BY booking_id LIMIT %(limit)s
"""

STANDING = """
SELECT booking_id FROM tickets
WHERE screening_id = %(screening_id)s AND status IN ('pending', 'confirmed') AND booking_id > %(after)s
GROUP BY booking_id, holder HAVING bool_or(paper IS NOT NULL) OR has_mail_address(holder)
ORDER BY booking_id LIMIT %(limit)s
"""

CANCELLER = """
SELECT actor FROM screening_events
WHERE screening_id = %(screening_id)s AND at = %(at)s::timestamptz AND kind = 'tickets_cancelled'
ORDER BY epoch DESC, seq DESC LIMIT 1
"""

OWED = """
SELECT coalesce(sum(amount), 0), coalesce(bool_and(vouched_by IS NOT NULL), false)
FROM refunds JOIN payments USING (payment_id)
WHERE payment_id = ANY (%(payments)s) AND ticket_id = ANY (%(tickets)s::bigint[])
"""

GIVEN_TO = "SELECT given_to FROM ticket_transfers WHERE ticket_id = %s AND issue = %s"

_REFUND = {
    **{name: f"refunds.{name}" for name in ("amount", "currency", "payment_id", "booking_id", "reason")},
    **{name: PRINTED[name] for name in ("title", "starts_at", "time_zone")},
    **{name: PRINTED[name] for name in ("cinema_name", "room_name", "address")},
    "places": f"""(
        SELECT json_agg(json_build_array(row_label, seat_number, ticket_types.name) ORDER BY place)
        {REFUNDED_PLACES}
    )""",
    "reference": "coalesce(refunds.reference, '')",
    "vouched": "payments.vouched_by IS NOT NULL",
    **_CONTACT_COLUMNS,
}

REFUND = f"""
SELECT {", ".join(_REFUND.values())}
FROM refunds JOIN payments USING (payment_id) {REFUNDED} {_CONTACT.format(holder="refunds.holder")}
WHERE refunds.id = %s
"""  # noqa: S608 - constant

_HOLD = {
    "title": "coalesce(nullif(screenings.title, ''), movies.title, events.title, '')",
    "starts_at": "coalesce(screenings.starts_at, events.starts_at)",
    "time_zone": "coalesce(cinemas.time_zone, events.time_zone, 'UTC')",
    "cinema_name": "coalesce(cinemas.name, events.venue)",
    "room_name": "rooms.name",
    "address": "concat_ws(', ', nullif(cinemas.address, ''), nullif(cinemas.city, ''))",
    "is_event": "events.id IS NOT NULL",
    "places": "held.places",
    **_CONTACT_COLUMNS,
}

HELD = f"""
SELECT {", ".join(_HOLD.values())}
FROM (
    SELECT screening_id, holder, json_agg(
        json_build_array(row_label, seat_number, ticket_types.name, expires_at) ORDER BY expires_at, seat_id
    ) AS places
    FROM holds
    LEFT JOIN seats ON seats.id = seat_id
    LEFT JOIN ticket_types ON ticket_types.id = CASE WHEN seat_id < 0 THEN (-seat_id) >> 20 END
    WHERE holder = %(holder)s AND screening_id = %(screening_id)s AND status = 'active' AND expires_at > now()
    GROUP BY screening_id, holder
    HAVING bool_or(expires_at = %(until)s::timestamptz)
) AS held
LEFT JOIN screenings ON screenings.id = held.screening_id
LEFT JOIN rooms ON rooms.id = screenings.room_id
LEFT JOIN cinemas ON cinemas.id = rooms.cinema_id
LEFT JOIN movies ON movies.id = screenings.movie_id
LEFT JOIN events ON events.id = held.screening_id
{_CONTACT.format(holder="held.holder")}
WHERE screenings.id IS NOT NULL OR events.id IS NOT NULL
"""  # noqa: S608 - constant

_WAITED = {
    **{name: _HOLD[name] for name in _HOLD if name != "places"},
    "status": "waitlist.status",
    "screening_id": "waitlist.screening_id",
    "quantity": "waitlist.quantity",
    "row_label": "seats.row_label",
    "seat_number": "seats.seat_number",
    "expires_at": "waitlist.expires_at",
    "over": "waitlist.expires_at <= now()",
}

WAITED = f"""
SELECT {", ".join(_WAITED.values())}
FROM waitlist
LEFT JOIN screenings ON screenings.id = waitlist.screening_id
LEFT JOIN rooms ON rooms.id = screenings.room_id
LEFT JOIN cinemas ON cinemas.id = rooms.cinema_id
LEFT JOIN movies ON movies.id = screenings.movie_id
LEFT JOIN events ON events.id = waitlist.screening_id
LEFT JOIN seats ON seats.id = waitlist.seat_id
{_CONTACT.format(holder="waitlist.holder")}
WHERE waitlist.id = %s AND (screenings.id IS NOT NULL OR events.id IS NOT NULL)
"""  # noqa: S608 - constant

_ENQUEUE_ONCE = "ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING"

WRITE = f"""
INSERT INTO outbox (kind, subject, payload, unique_key, due_at)
SELECT 'mail', subject, payload::jsonb, unique_key, now() + make_interval(secs => %(delay_seconds)s)
FROM unnest(%(subjects)s::text[], %(payloads)s::text[], %(keys)s::text[])
    AS row (subject, payload, unique_key)
{_ENQUEUE_ONCE}
"""  # noqa: S608 - constant

PAYMENTS_ENDING = f"""
INSERT INTO outbox (kind, subject, payload, unique_key)
SELECT DISTINCT 'mail', 'booking ' || booking_id,
       jsonb_build_object('cause', 'payment_ending', 'booking_id', booking_id, 'deadline', payment_deadline),
       'payment_ending:' || booking_id || ':' || extract(epoch FROM payment_deadline)
FROM tickets
WHERE status = 'pending' AND payment_deadline > now() + make_interval(secs => %(from)s)
  AND payment_deadline <= now() + make_interval(secs => %(to)s)
  AND payment_deadline > booked_at + make_interval(secs => %(to)s)
  AND (paper IS NOT NULL OR has_mail_address(holder))
{_ENQUEUE_ONCE}
"""  # noqa: S608 - constant

# The mail about the first seat that ends names all others of the screening, so those need none of their own.
HOLDS_ENDING = f"""
INSERT INTO outbox (kind, subject, payload, unique_key)
SELECT DISTINCT 'mail', 'holds of screening ' || screening_id,
       jsonb_build_object(
           'cause', 'hold_ending', 'screening_id', screening_id, 'holder', holder, 'until', expires_at
       ),
       'hold_ending:' || screening_id || ':' || holder || ':' || extract(epoch FROM expires_at)
FROM holds JOIN users ON users.id = substring(holder FROM '^user:([0-9]{{1,18}})$')::bigint
WHERE status = 'active' AND expires_at > now() + make_interval(secs => %(from)s)
  AND expires_at <= now() + make_interval(secs => %(to)s)
  AND expires_at > reserved_at + make_interval(secs => %(to)s)
  AND users.preferences @> '{{"hold_reminders": true}}'
  AND NOT EXISTS (
      SELECT FROM holds AS earlier
      WHERE earlier.screening_id = holds.screening_id AND earlier.holder = holds.holder
        AND earlier.status = 'active' AND earlier.expires_at > now()
        AND earlier.expires_at < holds.expires_at
        AND earlier.expires_at > earlier.reserved_at + make_interval(secs => %(to)s)
  )
{_ENQUEUE_ONCE}
"""  # noqa: S608 - constant


class MailRows:
    """Reads for mails, and writes further ones.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._booked = Rows(connector, BOOKED)

    async def bookings(self, booking_ids: Iterable[int]) -> list[Record]:
        """Return the tickets of bookings in any status, with their holder's address, ordered by booking."""
        wanted = {"bookings": numbers(list(booking_ids))}
        statement = f"{BOOKED.select} {BOOKED.where(wanted)} {BOOKED.order_by('booking')}"
        records = [self._booked.record(row) for row in await self._connector.run(statement, wanted)]
        for record in records:
            # The driver returns a memoryview.
            for name in ("paper", "given_to"):
                record[name] = record[name] and bytes(record[name])
        return records

    async def cancelled(self, screening_id: int, at: str, after: int, limit: int) -> list[int]:
        """Return ids of bookings with tickets that were cancelled at a time, above `after`.

        Only those with an address to write to, as in `standing`.
        """
        wanted = {"screening_id": screening_id, "at": at, "after": after, "limit": limit}
        return [booking_id for (booking_id,) in await self._connector.run(CANCELLED, wanted)]

    async def standing(self, screening_id: int, after: int, limit: int) -> list[int]:
        """Return ids of bookings with tickets that stand, above `after`."""
        wanted = {"screening_id": screening_id, "after": after, "limit": limit}
        return [booking_id for (booking_id,) in await self._connector.run(STANDING, wanted)]

    async def canceller(self, screening_id: int, at: str) -> str | None:
        """Return who cancelled tickets at a time."""
        rows = await self._connector.run(CANCELLER, {"screening_id": screening_id, "at": at})
        return rows[0][0] if rows else None

    async def owed(self, payment_ids: Iterable[str], ticket_ids: Iterable[int]) -> tuple[Any, bool]:
        """Return the sum of the refunds for cancelled tickets, and whether all payments were vouched for."""
        wanted = {"payments": list(payment_ids), "tickets": numbers(list(ticket_ids))}
        ((amount, vouched),) = await self._connector.run(OWED, wanted)
        return amount, vouched

    async def given_to(self, ticket_id: int, issue: int) -> bytes | None:
        """Return the encrypted name and address of the person who got a ticket with this issue, or None."""
        rows = await self._connector.run(GIVEN_TO, (ticket_id, issue))
        return bytes(rows[0][0]) if rows else None

    async def refund(self, refund_id: int) -> Record | None:
        """Return a refund with the address of its holder."""
        rows = await self._connector.run(REFUND, (refund_id,))
        return dict(zip(_REFUND, rows[0], strict=True)) if rows else None

    async def held(self, screening_id: int, holder: str, until: str) -> Record | None:
        """Return a holder's live holds of a screening as one record; None if none ends at this time."""
        wanted = {"screening_id": screening_id, "holder": holder, "until": until}
        rows = await self._connector.run(HELD, wanted)
        return dict(zip(_HOLD, rows[0], strict=True)) if rows else None

    async def waited(self, entry_id: int) -> Record | None:
        """Return an entry of a waiting list, with its screening or event and the address of its holder."""
        rows = await self._connector.run(WAITED, (entry_id,))
        return dict(zip(_WAITED, rows[0], strict=True)) if rows else None

    async def write(self, messages: Mapping[str, tuple[str, str]], delay_seconds: float = 0.0) -> None:
        """Write messages, each once.

        Args:
            messages: subject, and payload in JSON, by unique key.
            delay_seconds: when to deliver them.
        """
        subjects, payloads = zip(*messages.values(), strict=True)
        bound = {"keys": list(messages), "subjects": list(subjects), "payloads": list(payloads)}
        await self._connector.run(WRITE, {**bound, "delay_seconds": delay_seconds})

    async def remind_of_payments(self, from_seconds: float, to_seconds: float) -> None:
        """Write a message for each unpaid booking whose payment window ends between these seconds from now.

        Windows that are no longer than that are left out: the buyer has just been here.
        """
        await self._connector.run(PAYMENTS_ENDING, {"from": from_seconds, "to": to_seconds})

    async def remind_of_holds(self, from_seconds: float, to_seconds: float) -> None:
        """Do the same for holds of users who want such mails."""
        await self._connector.run(HOLDS_ENDING, {"from": from_seconds, "to": to_seconds})
