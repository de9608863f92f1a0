"""Ticket types, which an event sells by quantity.

Changing a ticket type changes its event, so it happens in the transaction of `EventRows.taken`.
"""

from collections.abc import Mapping
from typing import Any

from engine.catalogue_errors import AlreadyExists, CapacityTooLow, InUse
from engine.places import CAPACITY_LIMIT, place_id
from persistence.catalogue.events import EventRows
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.connector import Connection
from persistence.tickets import OF_ANY_STATUS


def _name_taken() -> AlreadyExists:
    return AlreadyExists("ticket_type", "The event has a ticket type with this name")


COLUMNS = own_columns(
    "ticket_types",
    "id",
    "event_id",
    "name",
    "description",
    "price",
    "capacity",
    "max_per_order",
    "max_per_user",
    "sales_start",
    "sales_end",
    "closed_at",
    "created_at",
    "updated_at",
)

TICKET_TYPES = Table(
    name="ticket_types",
    kind="ticket_type",
    columns=COLUMNS,
    filters={"event_id": "ticket_types.event_id = %(event_id)s"},
    references={"ticket_types_event_id_fkey": "event_id"},
    conflicts={"ticket_types_name_key": _name_taken},
)

OFFERS = Table(
    name="ticket_types",
    kind="ticket_type",
    columns={
        "id": "ticket_types.id",
        "name": "ticket_types.name",
        "price": "ticket_types.price",
        "event_id": "events.id",
        "title": "events.title",
        "venue": "events.venue",
        "starts_at": "events.starts_at",
        "private": "events.private",
        "invited_user_ids": "events.invited_user_ids",
    },
    joins="JOIN events ON events.id = ticket_types.event_id",
)
"""The columns that reserving a ticket type needs."""

_OF_TYPE = "screening_id = %(event_id)s AND seat_id BETWEEN %(last)s AND %(first)s"

TAKEN = f"""
SELECT (SELECT count(*) FROM tickets WHERE {_OF_TYPE} AND status IN ('pending', 'confirmed')),
       (SELECT count(*) FROM (
            (SELECT seat_id FROM holds WHERE {_OF_TYPE} AND status = 'active'
             UNION
             SELECT seat_id FROM blocks CROSS JOIN unnest(seat_ids) AS seat_id
             WHERE {_OF_TYPE} AND released_at IS NULL)
            EXCEPT
            SELECT seat_id FROM tickets WHERE {_OF_TYPE} AND status IN ('pending', 'confirmed')
        ) AS reserved),
       EXISTS (SELECT FROM tickets WHERE {_OF_TYPE} AND {OF_ANY_STATUS})
"""  # noqa: S608 - constants

DELETE = "DELETE FROM ticket_types WHERE id = %(id_)s"


class TicketTypeRows(Rows):
    """The repository of ticket types.

    Args:
        events: the repository of events.
    """

    def __init__(self, events: EventRows) -> None:
        super().__init__(events.connector, TICKET_TYPES)
        self._events = events
        self._offers = Rows(events.connector, OFFERS)

    async def offer(self, ticket_type_id: int) -> Record:
        """Return a ticket type with the columns of `OFFERS`, which include some of its event.

        Raises:
            NotFound: the ticket type does not exist.
        """
        return await self._offers.find(ticket_type_id)

    async def insert(self, values: Mapping[str, Any], connection: Connection | None = None) -> Record:
        """Create a ticket type.

        Raises:
            NotFound: the event does not exist.
            AlreadyExists: the event has a ticket type with this name.
        """
        async with self._events.taken(values["event_id"]) as own:
            return await super().insert(values, own)

    async def update(
        self, record_id: int, values: Mapping[str, Any], connection: Connection | None = None
    ) -> Record:
        """Update a ticket type; it cannot move to another event.

        Raises:
            NotFound: the ticket type does not exist.
            AlreadyExists: the event has another ticket type with this name.
            CapacityTooLow: more tickets are sold and reserved than the new capacity.
        """
        present = await self.find(record_id)
        async with self._events.taken(present["event_id"]) as own:
            if (capacity := values.get("capacity")) is not None:
                sold, reserved, _ = await self._taken(own, present)
                if capacity < sold + reserved:
                    raise CapacityTooLow(record_id, capacity, sold, reserved)
            return await super().update(record_id, values, own)

    async def delete(self, record_id: int) -> None:
        """Delete a ticket type.

        Raises:
            NotFound: the ticket type does not exist.
            InUse: tickets are reserved, or some were sold at any time.
        """
        present = await self.find(record_id)
        async with self._events.taken(present["event_id"]) as connection:
            _, reserved, ever_sold = await self._taken(connection, present)
            if reserved or ever_sold:
                raise InUse("ticket_type", record_id)
            await connection.run(DELETE, {"id_": record_id})

    @staticmethod
    async def _taken(connection: Connection, ticket_type: Record) -> tuple[int, int, bool]:
        """Return the numbers of sold and of reserved or blocked tickets, and whether any were ever sold."""
        bound = {
            "event_id": ticket_type["event_id"],
            "first": place_id(ticket_type["id"], 0),
            "last": place_id(ticket_type["id"], CAPACITY_LIMIT),
        }
        ((sold, reserved, ever_sold),) = await connection.run(TAKEN, bound)
        return sold, reserved, ever_sold
