"""Reads holds, past ones included; the REST guides call them reservations.

The journal writes holds behind, so whoever wants to see their own latest one waits for it to be flushed.
"""

from collections.abc import Sequence

from engine.records import Hold
from persistence.columns import HOLDS, IDS, hold_of, numbers
from persistence.connector import Connector

LAST_HOLDS = """
SELECT DISTINCT ON (seat_id) seat_id, status FROM holds
WHERE holder = %s AND screening_id = %s AND seat_id = ANY(%s::bigint[])
ORDER BY seat_id, id DESC
"""

OF_HOLDER = (
    "WHERE holder = %(holder)s AND (%(all)s OR (status = 'active' AND expires_at > to_timestamp(%(now)s)))"
)

HOLDS_OF_HOLDER = HOLDS + OF_HOLDER + " ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s"

COUNT_OF_HOLDER = "SELECT count(*) FROM holds " + OF_HOLDER  # noqa: S608 - two constants


class Reservations:
    """Holds as they are stored.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def lapsed_seats(self, screening_id: int, holder: str, seat_ids: Sequence[int]) -> set[int]:
        """Which of `seat_ids` the holder's last hold on was not released by the holder but lapsed.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        named = numbers([seat_id for seat_id in seat_ids if seat_id in IDS])
        rows = await self._connector.run(LAST_HOLDS, (holder, screening_id, named))
        return {seat_id for seat_id, status in rows if status == "expired"}

    async def list_of_holder(
        self, holder: str, now: float, *, include_expired: bool, limit: int, offset: int
    ) -> tuple[Sequence[tuple[Hold, str]], int]:
        """A page of somebody's holds with their status, newest first, and how many there are in all.

        Args:
            holder: e.g. "user:7".
            now: seconds since the epoch; a hold whose deadline is past counts as expired at once.
            include_expired: all of them, not only those that are active.
            limit: length of the page.
            offset: how many to pass over.

        Returns:
            Holds, each with "active", "expired", "released" or "converted".

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {"holder": holder, "now": now, "all": include_expired, "limit": limit, "offset": offset}
        async with self._connector.session() as session:
            ((total,),) = await session.run(COUNT_OF_HOLDER, wanted)
            rows = await session.run(HOLDS_OF_HOLDER, wanted)
        return [(hold, _status_at(now, hold, row[-1])) for row in rows if (hold := hold_of(row))], total


def _status_at(now: float, hold: Hold, stored: str) -> str:
    return "expired" if stored == "active" and hold.expires_at <= now else stored
