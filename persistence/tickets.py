"""Reads tickets. Only committed ones are returned, since the journal writes them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from engine.door import TicketIssue
from engine.records import Ticket
from persistence.columns import IDS, TICKETS, numbers, ticket_of
from persistence.connector import Connector

TICKET = TICKETS + "WHERE id = %s"

OF_ANY_STATUS = "(tickets.status IN ('pending', 'confirmed') OR tickets.status IN ('cancelled', 'lapsed'))"
"""True for all tickets. A query by screening needs it to use the indexes of live and of past tickets."""

OF_PAYMENT = """
WHERE booking_id = (SELECT booking_id FROM payments WHERE payment_id = %(paid)s)
  AND (payment_id = %(paid)s OR starts_with(%(paid)s, 'reservation:'))
ORDER BY id
"""
"""The tickets of a payment; or of the purchase of a reservation, which may have been paid since."""

TICKETS_OF_PAYMENT = TICKETS + OF_PAYMENT

FIRST_PLACES = (
    """
SELECT id, coalesce(from_screening_id, screening_id), coalesce(from_seat_id, seat_id)
FROM tickets LEFT JOIN LATERAL (
    SELECT from_screening_id, from_seat_id FROM ticket_moves
    WHERE ticket_id = tickets.id ORDER BY number LIMIT 1
) AS first ON true
"""  # noqa: S608 - constants
    + OF_PAYMENT
)

MOVED_BY_PAYMENT = "SELECT ticket_id FROM ticket_moves WHERE payment_id = %s"

BEFORE_ID = "(%(before_id)s IS NULL OR id < %(before_id)s)"
"""The entries after one, in a list whose highest id comes first; all entries if there is none."""

TICKETS_OF_HOLDER = (
    TICKETS + f"WHERE holder = %(holder)s AND {BEFORE_ID} ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s"
)

COUNT_OF_HOLDER = "SELECT count(*) FROM tickets WHERE holder = %s"


ISSUES = """
SELECT id, issue, given_to, admitted_at
FROM tickets LEFT JOIN check_ins ON check_ins.ticket_id = tickets.id
WHERE id = ANY (%s::bigint[])
"""

HISTORY = """
WITH sold AS (
    SELECT tickets.*, coalesce(from_screening_id, tickets.screening_id) AS first_screening_id,
           coalesce(from_seat_id, tickets.seat_id) AS first_seat_id
    FROM tickets LEFT JOIN LATERAL (
        SELECT from_screening_id, from_seat_id FROM ticket_moves
        WHERE ticket_id = tickets.id ORDER BY number LIMIT 1
    ) AS first ON true
    WHERE id = %(ticket_id)s
)
SELECT at, kind, by, screening_id, seat_id, given_to FROM (
    SELECT booked_at AS at, 0 AS place, 'sold' AS kind, coalesce(sold_by, holder) AS by,
           first_screening_id AS screening_id, first_seat_id AS seat_id, NULL::bytea AS given_to
    FROM sold
    UNION ALL
    SELECT at, 1, 'moved', actor, screening_id, seat_id, NULL
    FROM ticket_moves WHERE ticket_id = %(ticket_id)s
    UNION ALL
    SELECT transfers.at, 1, 'given', transfers.actor, transfers.screening_id, sold.seat_id, transfers.given_to
    FROM ticket_transfers AS transfers CROSS JOIN sold WHERE ticket_id = %(ticket_id)s
    UNION ALL
    SELECT scanned_at, 1, 'admitted', actor, scans.screening_id, sold.seat_id, NULL
    FROM check_in_scans AS scans CROSS JOIN sold
    WHERE ticket_id = %(ticket_id)s AND direction = 'in' AND result = 'admitted'
    UNION ALL
    SELECT cancelled_at, 2, 'cancelled', coalesce((
               SELECT actor FROM screening_events AS events
               WHERE events.screening_id = sold.screening_id AND events.at = cancelled_at
                 AND events.kind IN ('tickets_cancelled', 'tickets_lapsed')
               ORDER BY epoch DESC, seq DESC LIMIT 1
           ), 'system'), screening_id, seat_id, NULL
    FROM sold WHERE cancelled_at IS NOT NULL
) AS happened
ORDER BY at, place LIMIT %(limit)s
"""

HISTORY_LIMIT = 500
"""Highest number of events of a ticket that are shown."""

GIVE = "SELECT outcome, extract(epoch FROM admitted_at)::float8 FROM give_ticket(%s, %s, %s, %s, %s)"

TO_COME = """
SELECT tickets.id, tickets.screening_id,
       extract(epoch FROM coalesce(screenings.starts_at, events.starts_at))::float8
FROM tickets
LEFT JOIN screenings ON screenings.id = tickets.screening_id
LEFT JOIN events ON events.id = tickets.screening_id
WHERE tickets.holder = %s AND tickets.status IN ('pending', 'confirmed')
AND coalesce(screenings.starts_at, events.starts_at) > now()
AND NOT EXISTS (SELECT FROM check_ins WHERE check_ins.ticket_id = tickets.id)
ORDER BY tickets.id
"""


class TicketToCome(NamedTuple):
    """An unused live ticket for something that has not begun; `starts_at` is in seconds since the epoch."""

    ticket_id: int
    screening_id: int
    starts_at: float


class Tickets:
    """The repository of tickets that the engine's ledger uses."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def ticket(self, ticket_id: int) -> Ticket | None:
        """Return a ticket by its id, or None.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(TICKET, (ticket_id,)) if ticket_id in IDS else []
        return ticket_of(rows[0]) if rows else None

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        """Return the tickets that a payment has paid for, ordered by id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(TICKETS_OF_PAYMENT, {"paid": payment_id})
        return [ticket_of(row) for row in rows]

    async def first_places(self, payment_id: str) -> Mapping[int, tuple[int, int]]:
        """Return screening and seat for which a payment's tickets were issued, by ticket.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(FIRST_PLACES, {"paid": payment_id})
        return {ticket_id: (screening_id, seat_id) for ticket_id, screening_id, seat_id in rows}

    async def moved_by_payment(self, payment_id: str) -> Collection[int]:
        """Return ids of the tickets whose move a payment has paid for.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return [ticket_id for (ticket_id,) in await self._connector.run(MOVED_BY_PAYMENT, (payment_id,))]

    async def to_come(self, holder: str) -> Sequence[TicketToCome]:
        """Return a holder's live tickets for screenings and events that have not begun, ordered by id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return [TicketToCome(*row) for row in await self._connector.run(TO_COME, (holder,))]

    async def issues(self, ticket_ids: Sequence[int]) -> Mapping[int, TicketIssue]:
        """Return the state of tickets since they were sold, by id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(ISSUES, (numbers(ticket_ids),))
        return {
            ticket_id: TicketIssue(number, given_to and bytes(given_to), admitted_at)
            for ticket_id, number, given_to, admitted_at in rows
        }

    async def history(self, ticket_id: int) -> list[dict[str, Any]]:
        """Return the history of a ticket, oldest first: at, kind, by, screening_id, seat_id, given_to.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        if ticket_id not in IDS:
            return []
        names = ("at", "kind", "by", "screening_id", "seat_id", "given_to")
        rows = await self._connector.run(HISTORY, {"ticket_id": ticket_id, "limit": HISTORY_LIMIT})
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def give(
        self, ticket_id: int, known_issue: int, to_whom: bytes, actor: str, *, by_hand: bool
    ) -> tuple[str, float | None]:
        """Give a ticket to somebody else.

        Args:
            ticket_id: the ticket, which exists.
            known_issue: its present issue, as far as the caller knows.
            to_whom: name and address, encrypted.
            actor: who gives it.
            by_hand: an administrator does, whatever the organiser's rules are.

        Returns:
            `given`; `changed` if it has another issue; or the code of a refusal. And when it was admitted, in
            seconds since the epoch.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        given = (ticket_id, known_issue, to_whom, actor, by_hand)
        async with self._connector.transaction() as connection:
            ((outcome, admitted_at),) = await connection.run(GIVE, given)
        return outcome, admitted_at

    async def list_of_holder(
        self, holder: str, *, limit: int, offset: int, before_id: int | None = None
    ) -> tuple[Sequence[Ticket], int]:
        """Return a page of a holder's tickets, newest first, and the total number.

        Args:
            holder: e.g. "user:7".
            limit: page length.
            offset: rows to skip.
            before_id: return tickets with lower ids than this one only.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.connection() as connection:
            ((total,),) = await connection.run(COUNT_OF_HOLDER, (holder,))
            wanted = {"holder": holder, "limit": limit, "offset": offset, "before_id": before_id}
            rows = await connection.run(TICKETS_OF_HOLDER, wanted)
        return [ticket_of(row) for row in rows], total
