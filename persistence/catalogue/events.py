"""Events: occasions that sell tickets by quantity.

Who writes here changes what the engine sells, so every change raises the event's epoch in the same
transaction, as it does for screenings; the tickets and holds that are looked at are then all there are.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from engine.catalogue_errors import InUse
from engine.errors import NotFound
from persistence.catalogue.screenings import RAISE_EPOCH
from persistence.catalogue.search import matching
from persistence.catalogue.table import Record, Rows, Table
from persistence.columns import IDS
from persistence.connector import Connector, Session

VISIBLE_TO = "NOT events.private OR %(visible_to)s = ANY (events.invited_user_ids)"
"""Which events a user may know of; NULL is a caller without an account, who is invited nowhere."""

EVENTS = Table(
    name="events",
    kind="event",
    columns={
        name: f"events.{name}"
        for name in (
            "id",
            "title",
            "description",
            "venue",
            "starts_at",
            "ends_at",
            "private",
            "invited_user_ids",
            "closed_at",
            "created_at",
            "updated_at",
        )
    },
    filters={
        "visible_to": VISIBLE_TO,
        "q": matching("events.title || ' ' || events.venue"),
        "venue": "lower(events.venue) = lower(%(venue)s)",
        "from": "events.starts_at >= %(from)s",
        "to": "events.starts_at < %(to)s",
    },
    orders={"": "events.starts_at"},
)

LOCK = "SELECT id FROM events WHERE id = %(id_)s FOR NO KEY UPDATE"

TAKEN = """
SELECT EXISTS (SELECT FROM tickets WHERE screening_id = %(id_)s)
    OR EXISTS (SELECT FROM holds WHERE screening_id = %(id_)s AND status = 'active')
"""

DELETE_TYPES = "DELETE FROM ticket_types WHERE event_id = %(id_)s"

DELETE = "DELETE FROM events WHERE id = %(id_)s"


class EventRows(Rows):
    """Events as they are stored.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, EVENTS)

    async def update(
        self, record_id: int, values: Mapping[str, Any], session: Session | None = None
    ) -> Record:
        """Change an event.

        Raises:
            NotFound: there is no such event.
        """
        async with self.taken(record_id) as own:
            return await super().update(record_id, values, own)

    async def delete(self, record_id: int) -> None:
        """Remove an event and its ticket types.

        Raises:
            NotFound: there is no such event.
            InUse: tickets of it are reserved, or have ever been sold.
        """
        async with self.taken(record_id) as session:
            bound = {"id_": record_id}
            ((in_use,),) = await session.run(TAKEN, bound)
            if in_use:
                raise InUse("event", record_id)
            await session.run(DELETE_TYPES, bound)
            await session.run(DELETE, bound)

    @asynccontextmanager
    async def taken(self, event_id: int) -> AsyncIterator[Session]:
        """A transaction in which the event is locked and its present ownership has ended.

        Raises:
            NotFound: there is no such event.
        """
        async with self.connector.transaction() as session:
            bound = {"id_": event_id}
            if event_id not in IDS or not await session.run(LOCK, bound):
                raise NotFound("event", event_id)
            await session.run(RAISE_EPOCH, bound)
            yield session
