"""Who may know of an event: the one thing that the event socket asks the database."""

from persistence.connector import Connector

MAY_WATCH = """
SELECT EXISTS (SELECT FROM screenings WHERE id = %(event_id)s AND cancelled_at IS NULL)
    OR EXISTS (SELECT FROM events
               WHERE id = %(event_id)s
                 AND (NOT private OR %(admin)s OR %(user_id)s = ANY (invited_user_ids)))
"""


class EventAccess:
    """`api.event_socket.EventAccess` over Postgres.

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
        asked = {"event_id": event_id, "user_id": user_id, "admin": admin}
        ((allowed,),) = await self._connector.run(MAY_WATCH, asked)
        return bool(allowed)
