"""Reads holds, including past ones; the REST guides call them reservations.

The journal writes holds behind, so callers who need to see their latest hold wait for the flush first.
"""

from collections.abc import Sequence

from engine.records import Hold, ReservationStatistics, StoredReservation
from engine.waitlist_records import WAITLIST
from persistence.columns import HOLDS, IDS, hold_of, numbers
from persistence.connector import Connector
from persistence.tickets import BEFORE_ID

SEATS_OF_HOLDS = """
SELECT screening_id, seat_id FROM holds
WHERE holder = %s AND id = ANY(%s::bigint[]) AND seat_id > 0 ORDER BY id
"""

OF_HOLDER = (
    "WHERE holder = %(holder)s AND (%(all)s OR (status = 'active' AND expires_at > to_timestamp(%(now)s)))"
)

HOLDS_OF_HOLDER = HOLDS + OF_HOLDER + f" AND {BEFORE_ID} ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s"

COUNT_OF_HOLDER = "SELECT count(*) FROM holds " + OF_HOLDER  # noqa: S608 - two constants


KNOWN = """
SELECT EXISTS (SELECT FROM users WHERE id = substring(%(holder)s FROM '^user:([0-9]{1,18})$')::bigint)
    OR EXISTS (SELECT FROM guests WHERE holder = %(holder)s)
    OR EXISTS (SELECT FROM holds WHERE holder = %(holder)s)
    OR EXISTS (SELECT FROM tickets WHERE holder = %(holder)s)
"""

LIVE_IDS = """
SELECT DISTINCT screening_id, reservation_id FROM holds
WHERE holder = %s AND status = 'active' AND expires_at > to_timestamp(%s)
"""

# Holds of free rooms also have negative ids, so only places of the event's own ticket types are selected.
PLACES = """
FROM holds JOIN ticket_types ON ticket_types.id = (-seat_id) >> 20 AND event_id = screening_id
WHERE seat_id < 0
"""

GROUPED = f"""
SELECT screening_id, reservation_id, min(ticket_types.id), count(*), min(holder),
       extract(epoch FROM min(reserved_at))::float8, extract(epoch FROM min(expires_at))::float8, min(note),
       min(status), min(holds.price * 100)::bigint
{PLACES}
"""  # noqa: S608 - constants

RESERVATION = GROUPED + (
    "AND screening_id = %s AND reservation_id = %s GROUP BY screening_id, reservation_id"
)

LIVE_OF_HOLDER = "AND holder = %(holder)s AND status = 'active' AND expires_at > to_timestamp(%(now)s)"

RESERVATIONS_OF_HOLDER = f"""
{GROUPED} {LIVE_OF_HOLDER}
AND (%(before_id)s IS NULL OR reservation_id < %(before_id)s)
GROUP BY screening_id, reservation_id
ORDER BY reservation_id DESC LIMIT %(limit)s OFFSET %(offset)s
"""

COUNT_OF_LIVE = f"""
SELECT count(DISTINCT (screening_id, reservation_id)) {PLACES} {LIVE_OF_HOLDER}
"""

# A reservation is counted by its first hold.
STATISTICS = f"""
SELECT count(*) FILTER (WHERE status = 'active' AND expires_at > to_timestamp(%(now)s)),
       count(*) FILTER (WHERE status = 'active' AND expires_at <= to_timestamp(%(now)s)),
       count(*) FILTER (WHERE status = 'expired'),
       count(*) FILTER (WHERE status = 'converted'),
       count(*) FILTER (WHERE status = 'released'),
       extract(epoch FROM min(expires_at) FILTER (
           WHERE status = 'active' AND expires_at > to_timestamp(%(now)s)
       ))::float8
{PLACES} AND holds.id = reservation_id AND holder <> '{WAITLIST}'
"""  # noqa: S608 - constants


class Reservations:
    """The repository of holds."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def list_of_holder(
        self,
        holder: str,
        now: float,
        *,
        include_expired: bool,
        limit: int,
        offset: int,
        before_id: int | None = None,
    ) -> tuple[Sequence[tuple[Hold, str]], int]:
        """Return a page of a holder's holds with their status, newest first, and the total number.

        Args:
            holder: e.g. "user:7".
            now: seconds since the epoch; holds past their deadline count as expired, even if not yet
                released.
            include_expired: return all holds instead of only the active ones.
            limit: page length.
            offset: rows to skip.
            before_id: return holds with lower ids than this one only.

        Returns:
            Holds, each with "active", "expired", "released" or "converted".

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {
            "holder": holder,
            "now": now,
            "all": include_expired,
            "limit": limit,
            "offset": offset,
            "before_id": before_id,
        }
        async with self._connector.connection() as connection:
            ((total,),) = await connection.run(COUNT_OF_HOLDER, wanted)
            rows = await connection.run(HOLDS_OF_HOLDER, wanted)
        return [(hold, _status_at(now, hold, row[-1])) for row in rows if (hold := hold_of(row))], total

    async def knows(self, holder: str) -> bool:
        """Return whether a holder has an account, or has ever reserved or bought anything.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        ((known,),) = await self._connector.run(KNOWN, {"holder": holder})
        return bool(known)

    async def live_ids(self, holder: str, now: float) -> Sequence[tuple[int, int]]:
        """Return the screenings and ids of a holder's live reservations, of seats and of places.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(LIVE_IDS, (holder, now))
        return [(screening_id, reservation_id) for screening_id, reservation_id in rows]

    async def seats_of(self, holder: str, hold_ids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return screening and seat of a holder's holds of any status; unknown ones are left out.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return await self._connector.run(SEATS_OF_HOLDS, (holder, numbers(hold_ids)))

    async def reservation(
        self, screening_id: int, reservation_id: int, now: float
    ) -> StoredReservation | None:
        """Return a reservation of places at an event, in any status, or None.

        Args:
            screening_id: the event.
            reservation_id: the reservation.
            now: seconds since the epoch; holds past their deadline count as expired, even if not yet
                released.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        if screening_id not in IDS or reservation_id not in IDS:
            return None
        rows = await self._connector.run(RESERVATION, (screening_id, reservation_id))
        return _reservation_at(now, StoredReservation(*rows[0])) if rows else None

    async def live_reservations(
        self, holder: str, now: float, *, limit: int, offset: int, before_id: int | None = None
    ) -> tuple[Sequence[StoredReservation], int]:
        """Return a page of a holder's live reservations of places, newest first, and the total number.

        Args:
            holder: e.g. "session:…".
            now: seconds since the epoch.
            limit: page length.
            offset: rows to skip.
            before_id: return reservations with lower ids than this one only.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {"holder": holder, "now": now, "limit": limit, "offset": offset, "before_id": before_id}
        async with self._connector.connection() as connection:
            ((total,),) = await connection.run(COUNT_OF_LIVE, wanted)
            rows = await connection.run(RESERVATIONS_OF_HOLDER, wanted)
        return [StoredReservation(*row) for row in rows], total

    async def statistics(self, now: float) -> ReservationStatistics:
        """Count the reservations of places by status.

        Args:
            now: seconds since the epoch.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        (row,) = await self._connector.run(STATISTICS, {"now": now})
        return ReservationStatistics(*row)


def _reservation_at(now: float, stored: StoredReservation) -> StoredReservation:
    lapsed = stored.status == "active" and stored.expires_at <= now
    return stored._replace(status="expired") if lapsed else stored


def _status_at(now: float, hold: Hold, stored: str) -> str:
    return "expired" if stored == "active" and hold.expires_at <= now else stored
