"""Reads a database for `frontrow verify`: the event log, the hashes of owners and the tables, side by side.

All are read in one snapshot. The journal writes an event and what it changes in one transaction, so they
agree in every snapshot, however far the owners are ahead in memory. Each is read through a cursor, in the
order of the screenings, so memory does not grow with the database.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple

from persistence.columns import numbers
from persistence.connector import Connection, Connector, Row
from persistence.replay import Difference, LoggedEvent, Replay, StoredHash, StoredSeat
from persistence.store import BEGIN_SNAPSHOT

FETCHED_ROWS = 2000
"""Rows that are read at once from each cursor."""

_OF_THESE = "screening_id = ANY (%(screening_ids)s::bigint[])"

_LOG = """
DECLARE log NO SCROLL CURSOR FOR
SELECT screening_id, epoch, seq, kind, actor, seat_ids, from_statuses, to_status, holder, block_id,
       block_seat_ids
FROM screening_events WHERE {wanted} ORDER BY screening_id, epoch, seq
"""

_HASHES = """
DECLARE hashes NO SCROLL CURSOR FOR
SELECT screening_id, epoch, seq, seats, hash FROM state_hashes WHERE {wanted}
ORDER BY screening_id, epoch, seq
"""

_STORED = """
DECLARE stored NO SCROLL CURSOR FOR
SELECT screening_id, seat_id, 'held', holder, NULL::bigint AS block_id
FROM holds WHERE status = 'active' AND {wanted}
UNION ALL
SELECT screening_id, seat_id, CASE status WHEN 'pending' THEN 'pending' ELSE 'booked' END, holder, NULL
FROM tickets WHERE status IN ('pending', 'confirmed') AND {wanted}
UNION ALL
SELECT screening_id, unnest(seat_ids), 'blocked', NULL, id FROM blocks WHERE released_at IS NULL AND {wanted}
ORDER BY screening_id
"""

_SEAT = "SELECT row_label || seat_number FROM seats WHERE id = %s"


class Verified(NamedTuple):
    """The result for one screening.

    Attributes:
        event_count: number of its events, up to the first difference.
        hash_count: number of hashes that owners have stored.
        difference: the first one; None if there is none.
        seat: what people call the seat of the difference; None if it has no name.
        logged: False if the log has nothing of the screening, so that there is nothing to compare.
    """

    screening_id: int
    event_count: int
    hash_count: int
    difference: Difference | None = None
    seat: str | None = None
    logged: bool = True


class _Cursor:
    """The rows of a cursor whose first column is the screening; the next row can be looked at."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._fetch = f"FETCH {FETCHED_ROWS} FROM {name}"
        self._rows: Sequence[Row] = ()
        self._place = 0

    async def next_id(self) -> int | None:
        """Return the screening of the next row; None after the last one."""
        if self._place == len(self._rows):
            self._rows, self._place = await self._connection.run(self._fetch), 0
        return int(self._rows[self._place][0]) if self._rows else None

    async def of(self, screening_id: int) -> AsyncIterator[Row]:
        """Yield the next rows, as long as they are of a screening."""
        while await self.next_id() == screening_id:
            row = self._rows[self._place]
            self._place += 1
            yield row


async def verified(
    connector: Connector, screening_ids: Collection[int] | None = None, *, trimmed: bool = False
) -> AsyncIterator[Verified]:
    """Rebuild screenings, events and free rooms from the log, and compare them with the tables.

    Args:
        connector: the database; nothing is changed.
        screening_ids: only these; None for all.
        trimmed: as for `Replay`.

    Yields:
        The result for each that the log or the tables know, by id.

    Raises:
        StoreUnavailable: the database cannot be reached, or a statement takes too long.
        DefectiveStatement: the schema is of another version.
    """
    wanted = "true" if screening_ids is None else _OF_THESE
    bound = {"screening_ids": numbers(sorted(screening_ids or ()))}
    async with connector.connection() as connection:
        await connection.run(BEGIN_SNAPSHOT)
        for declaration in (_LOG, _HASHES, _STORED):
            await connection.run(declaration.format(wanted=wanted), bound)
        log, hashes, stored = (_Cursor(connection, name) for name in ("log", "hashes", "stored"))
        while ids := [one for cursor in (log, hashes, stored) if (one := await cursor.next_id()) is not None]:
            yield await _verified(connection, min(ids), log, hashes, stored, trimmed=trimmed)
        await connection.run("COMMIT")


async def _verified(
    connection: Connection,
    screening_id: int,
    log: _Cursor,
    hashes: _Cursor,
    stored: _Cursor,
    *,
    trimmed: bool,
) -> Verified:
    replay = Replay(trimmed=trimmed)
    of_owner = [StoredHash(*row[1:]) async for row in hashes.of(screening_id)]
    of_owner.reverse()
    hash_count = len(of_owner)
    async for row in log.of(screening_id):
        event = LoggedEvent(*row[1:])
        while of_owner and of_owner[-1][:2] < event[:2]:
            replay.compare_hash(of_owner.pop())
        replay.apply(event)
    for last in reversed(of_owner):
        replay.compare_hash(last)
    rows = [StoredSeat(*row[1:]) async for row in stored.of(screening_id)]
    if not replay.event_count and not hash_count:
        return Verified(screening_id, 0, 0, logged=False)
    replay.compare_tables(rows)
    difference, seat = replay.difference, None
    if difference is not None and difference.seat_id is not None:
        named = await connection.run(_SEAT, (difference.seat_id,))
        seat = named[0][0] if named else None
    return Verified(screening_id, replay.event_count, hash_count, difference, seat)
