"""Free rooms, which belong to no screening: created when first named, deleted when unused for a while.

Rooms are counted under a lock, so that concurrent servers cannot exceed the limit together.
"""

from collections.abc import Sequence

from engine.catalogue_errors import RoomLimitReached
from persistence.columns import numbers
from persistence.connector import Connector

FIND = "SELECT id FROM free_rooms WHERE name = %s"

USE = "UPDATE free_rooms SET used_at = now() WHERE name = %s RETURNING id"

# Two statements: the second sees what was committed while the first waited for the lock.
MAKE = """
SELECT pg_advisory_xact_lock(%(lock)s);
INSERT INTO free_rooms (name) SELECT %(name)s
WHERE EXISTS (SELECT FROM free_rooms WHERE name = %(name)s) OR (SELECT count(*) FROM free_rooms) < %(limit)s
ON CONFLICT (name) DO UPDATE SET used_at = now()
RETURNING id
"""

TOUCH = "UPDATE free_rooms SET used_at = now() WHERE id = ANY(%s::bigint[])"

_UNUSED = """
used_at < now() - make_interval(secs => %(idle_seconds)s)
  AND NOT EXISTS (SELECT FROM holds WHERE screening_id = free_rooms.id AND status = 'active')
"""

IDLE = f"SELECT id, name FROM free_rooms WHERE {_UNUSED} ORDER BY used_at LIMIT %(limit)s"  # noqa: S608 - constant

FORGET = f"""
WITH forgotten AS (DELETE FROM free_rooms WHERE id = %(id)s AND {_UNUSED} RETURNING id),
     past_holds AS (DELETE FROM holds USING forgotten WHERE screening_id = forgotten.id AND seat_id < 0)
SELECT id FROM forgotten
"""  # noqa: S608 - constant

_LOCK = 0x66726565_726F6F6D  # arbitrary, but used for no other lock
_FORGOTTEN_AT_ONCE = 100


class FreeRooms:
    """The repository of free rooms.

    Args:
        connector: the database.
        limit: maximum number of rooms.
        idle_seconds: time after which an unused room may be deleted.
    """

    def __init__(self, connector: Connector, *, limit: int, idle_seconds: float) -> None:
        self._connector = connector
        self._limit = limit
        self._idle_seconds = idle_seconds

    async def find(self, name: str) -> int | None:
        """Return the id of the room with this name, or None.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(FIND, (name,))
        return rows[0][0] if rows else None

    async def use(self, name: str) -> int | None:
        """Like `find`, and also mark the room as used now.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(USE, (name,))
        return rows[0][0] if rows else None

    async def make(self, name: str) -> int:
        """Return the id of the room with this name, creating it if necessary.

        Raises:
            RoomLimitReached: it does not exist, and the limit is reached.
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(MAKE, {"lock": _LOCK, "name": name, "limit": self._limit})
        if not rows:
            raise RoomLimitReached(self._limit)
        made: int = rows[0][0]
        return made

    async def touch(self, room_ids: Sequence[int]) -> None:
        """Mark rooms as used now.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        await self._connector.run(TOUCH, (numbers(room_ids),))

    async def idle(self) -> Sequence[tuple[int, str]]:
        """Return ids and names of some rooms without holds that have not been used for `idle_seconds`.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        parameters = {"idle_seconds": self._idle_seconds, "limit": _FORGOTTEN_AT_ONCE}
        return [(room_id, name) for room_id, name in await self._connector.run(IDLE, parameters)]

    async def forget(self, room_id: int) -> bool:
        """Delete a room if it is still idle; its events stay in the log.

        Returns:
            True if it was deleted.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return bool(await self._connector.run(FORGET, {"id": room_id, "idle_seconds": self._idle_seconds}))
