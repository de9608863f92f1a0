"""Who may know of an event: the one thing that the event socket asks the database."""

from persistence.catalogue.events import VISIBLE_TO
from persistence.connector import Connector

MAY_WATCH = f"""
SELECT EXISTS (SELECT FROM screenings WHERE id = %(event_id)s AND cancelled_at IS NULL)
    OR EXISTS (SELECT FROM events WHERE id = %(event_id)s AND (%(admin)s OR {VISIBLE_TO}))
"""  # noqa: S608 - its only part is the constant above


class EventAccess:
    """`api.events.socket.EventAccess` over Postgres.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def may_watch(self, event_id: int, user_id: int, *, admin: bool) -> bool:
        """Whether there is such an event or screening, and the user may know of it: a private event is for
        those who are invited, and for administrators. A free room is no event.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        asked = {"event_id": event_id, "visible_to": user_id, "admin": admin}
        ((allowed,),) = await self._connector.run(MAY_WATCH, asked)
        return bool(allowed)
