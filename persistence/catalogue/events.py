"""Events, which sell tickets by quantity.

These changes affect what the engine sells. So each one raises the event's epoch in the same transaction, as
for screenings: no server can then commit more tickets or holds, and the checks here see all of them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from engine.catalogue_errors import InUse
from engine.errors import NotFound
from persistence.catalogue.cinemas import unknown_time_zone
from persistence.catalogue.days import on_day
from persistence.catalogue.screenings import RAISE_EPOCHS
from persistence.catalogue.search import matching
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.columns import IDS, numbers
from persistence.connector import Connection, Connector
from persistence.tickets import OF_ANY_STATUS

VISIBLE_TO = "NOT events.private OR %(visible_to)s = ANY (events.invited_user_ids)"
"""Events that a user may see. NULL stands for a caller without an account, who is never invited."""

EVENTS = Table(
    name="events",
    kind="event",
    columns=own_columns(
        "events",
        "id",
        "title",
        "description",
        "venue",
        "time_zone",
        "starts_at",
        "ends_at",
        "private",
        "invited_user_ids",
        "sales_start",
        "sales_end",
        "max_per_user",
        "presales",
        "reentry",
        "moves_allowed",
        "moves_until",
        "transfers_allowed",
        "closed_at",
        "created_at",
        "updated_at",
    ),
    filters={
        "visible_to": VISIBLE_TO,
        "q": matching("events", "events.title || ' ' || events.venue"),
        "venue": "lower(events.venue) = lower(%(venue)s)",
        "from": "events.starts_at >= %(from)s",
        "to": "events.starts_at < %(to)s",
        "date": on_day("events.starts_at", "events.time_zone"),
    },
    orders={"": "events.starts_at"},
    conflicts={"events_time_zone_known": unknown_time_zone},
)

LOCK = "SELECT id FROM events WHERE id = %(id_)s FOR NO KEY UPDATE"

TAKEN = f"""
SELECT EXISTS (SELECT FROM tickets WHERE screening_id = %(id_)s AND {OF_ANY_STATUS})
    OR EXISTS (SELECT FROM holds WHERE screening_id = %(id_)s AND status = 'active')
    OR EXISTS (SELECT FROM blocks WHERE screening_id = %(id_)s AND released_at IS NULL)
"""  # noqa: S608 - constant

DELETE_TYPES = "DELETE FROM ticket_types WHERE event_id = %(id_)s"

DELETE = "DELETE FROM events WHERE id = %(id_)s"


class EventRows(Rows):
    """The repository of events."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, EVENTS)

    async def update(
        self, record_id: int, values: Mapping[str, Any], connection: Connection | None = None
    ) -> Record:
        """Update an event.

        Raises:
            NotFound: the event does not exist.
        """
        async with self.taken(record_id) as own:
            return await super().update(record_id, values, own)

    async def delete(self, record_id: int) -> None:
        """Delete an event and its ticket types.

        Raises:
            NotFound: the event does not exist.
            InUse: tickets are reserved, or some were sold at any time.
        """
        async with self.taken(record_id) as connection:
            bound = {"id_": record_id}
            ((in_use,),) = await connection.run(TAKEN, bound)
            if in_use:
                raise InUse("event", record_id)
            await connection.run(DELETE_TYPES, bound)
            await connection.run(DELETE, bound)

    @asynccontextmanager
    async def taken(self, event_id: int) -> AsyncIterator[Connection]:
        """Begin a transaction that locks the event and revokes its present owner's right to write.

        Raises:
            NotFound: the event does not exist.
        """
        async with self.connector.transaction() as connection:
            bound = {"id_": event_id}
            if event_id not in IDS or not await connection.run(LOCK, bound):
                raise NotFound("event", event_id)
            await connection.run(RAISE_EPOCHS, {"ids": numbers([event_id])})
            yield connection
