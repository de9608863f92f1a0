"""Reads tickets. Only committed ones are returned, since the journal writes them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

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


ADMITTED_AT = "SELECT ticket_id, admitted_at FROM check_ins WHERE ticket_id = ANY (%s::bigint[])"

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
    """A live ticket for what has not begun, not used at the door; `starts_at` in seconds since the epoch."""

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
        """Return a holder's live tickets for what has not begun, ordered by id.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return [TicketToCome(*row) for row in await self._connector.run(TO_COME, (holder,))]

    async def admitted_at(self, ticket_ids: Sequence[int]) -> Mapping[int, datetime]:
        """Return when tickets were admitted, by id; those that were not are absent.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return dict(await self._connector.run(ADMITTED_AT, (numbers(ticket_ids),)))

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
