"""Rooms that belong to no screening: made by being named, forgotten when nobody has needed them for a while.

How many there may be is counted under a lock, so that servers which make rooms at the same moment do not
exceed it together.
"""

from collections.abc import Sequence

from engine.errors import RoomLimitReached
from persistence.columns import numbers
from persistence.connector import Connector

FIND = "SELECT id FROM free_rooms WHERE name = %s"

USE = "UPDATE free_rooms SET used_at = now() WHERE name = %s RETURNING id"

# Two statements: the second sees what others have committed while the first waited for the lock.
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
     past_holds AS (DELETE FROM holds USING forgotten WHERE screening_id = forgotten.id)
SELECT id FROM forgotten
"""  # noqa: S608 - constant

_LOCK = 0x66726565_726F6F6D  # any number that nothing else locks
_FORGOTTEN_AT_ONCE = 100


class FreeRooms:
    """Free rooms as they are stored.

    Args:
        connector: the database.
        limit: how many there may be.
        idle_seconds: how long a room is kept that nobody needs.
    """

    def __init__(self, connector: Connector, *, limit: int, idle_seconds: float) -> None:
        self._connector = connector
        self._limit = limit
        self._idle_seconds = idle_seconds

    async def find(self, name: str) -> int | None:
        """The id of a room, if there is one of this name.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(FIND, (name,))
        return rows[0][0] if rows else None

    async def use(self, name: str) -> int | None:
        """As `find`; from now on the room counts as used.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(USE, (name,))
        return rows[0][0] if rows else None

    async def make(self, name: str) -> int:
        """The id of a room that is made if it is not there.

        Raises:
            RoomLimitReached: it is not there, and there are too many already.
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(MAKE, {"lock": _LOCK, "name": name, "limit": self._limit})
        if not rows:
            raise RoomLimitReached(self._limit)
        made: int = rows[0][0]
        return made

    async def touch(self, room_ids: Sequence[int]) -> None:
        """Count rooms as used now.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        await self._connector.run(TOUCH, (numbers(room_ids),))

    async def idle(self) -> Sequence[tuple[int, str]]:
        """Ids and names of some rooms in which nothing is held and that nobody has used for long.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        parameters = {"idle_seconds": self._idle_seconds, "limit": _FORGOTTEN_AT_ONCE}
        return [(room_id, name) for room_id, name in await self._connector.run(IDLE, parameters)]

    async def forget(self, room_id: int) -> bool:
        """Delete a room, if it is idle still; the log of events keeps its history.

        Returns:
            Whether it is gone.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return bool(await self._connector.run(FORGET, {"id": room_id, "idle_seconds": self._idle_seconds}))
