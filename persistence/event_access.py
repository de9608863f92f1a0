"""Decides who may watch an event's socket."""

from persistence.catalogue.events import VISIBLE_TO
from persistence.connector import Connector

MAY_WATCH = f"""
SELECT EXISTS (SELECT FROM screenings WHERE id = %(event_id)s AND cancelled_at IS NULL)
    OR EXISTS (SELECT FROM events WHERE id = %(event_id)s AND (%(admin)s OR {VISIBLE_TO}))
"""  # noqa: S608 - its only part is the constant above


class EventAccess:
    """Implements `api.events.socket.EventAccess` with PostgreSQL."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def may_watch(self, event_id: int, user_id: int, *, admin: bool) -> bool:
        """Return whether the event or screening exists and the user may see it.

        Private events are only visible to invited users and administrators. A free room is not an event.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        asked = {"event_id": event_id, "visible_to": user_id, "admin": admin}
        ((allowed,),) = await self._connector.run(MAY_WATCH, asked)
        return bool(allowed)
