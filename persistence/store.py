"""Recovery: takes a screening's ownership and reads back what it is to go on from.

The epoch is raised first, in a transaction of its own. From then on no other writer can commit anything
for the screening (the journal's transactions lock and check the epoch), so what is read afterwards is
all there will be, whatever the order in which it is read.
"""

from collections.abc import Sequence
from weakref import WeakValueDictionary

from engine.errors import ScreeningNotFound
from engine.ports import LoadedScreening
from engine.records import Layout, ScreeningInfo, Seat
from persistence.columns import HOLDS, IDS, TICKETS, hold_of, ticket_of
from persistence.connector import Connector, Row, Session

TAKE_OWNERSHIP = """
INSERT INTO screening_epochs AS owned (screening_id, epoch, owner, taken_at)
SELECT id, 1, %(owner)s, now() FROM screenings WHERE id = %(screening_id)s AND cancelled_at IS NULL
ON CONFLICT (screening_id) DO UPDATE SET epoch = owned.epoch + 1, owner = excluded.owner, taken_at = now()
RETURNING epoch
"""

SCREENING = """
SELECT room_id, extract(epoch FROM starts_at)::float8, extract(epoch FROM ends_at)::float8,
       (price * 100)::bigint, layout_version,
       (SELECT array_agg(name ORDER BY name) FROM seat_types),
       (SELECT array_agg((surcharge * 100)::bigint ORDER BY name) FROM seat_types)
FROM screenings JOIN rooms ON rooms.id = room_id
WHERE screenings.id = %s
"""

# Version and seats come from one statement, hence from one snapshot.
LAYOUT = """
SELECT layout_version, seats.id, room_id, row_label, seat_number, seat_type, x, y
FROM rooms LEFT JOIN seats ON room_id = rooms.id
WHERE rooms.id = %s
ORDER BY length(row_label), row_label COLLATE "C", seat_number
"""

ACTIVE_HOLDS = HOLDS + "WHERE screening_id = %s AND status = 'active'"

LIVE_TICKETS = TICKETS + "WHERE screening_id = %s AND status IN ('pending', 'confirmed')"

OVERDUE = """
SELECT screening_id FROM holds WHERE status = 'active' AND expires_at <= to_timestamp(%(now)s)
UNION
SELECT screening_id FROM tickets WHERE status = 'pending' AND payment_deadline <= to_timestamp(%(now)s)
ORDER BY screening_id
LIMIT %(limit)s
"""


class PostgresStore:
    """`engine.ports.Store` over Postgres.

    Args:
        connector: the database.
        owner: a name for this process, for people who look into the epochs.
    """

    def __init__(self, connector: Connector, owner: str) -> None:
        self._connector = connector
        self._owner = owner
        self._layouts: WeakValueDictionary[tuple[int, int], Layout] = WeakValueDictionary()

    async def activate(self, screening_id: int) -> LoadedScreening:
        """Raise the screening's epoch, durably, and only then load its state.

        Raises:
            ScreeningNotFound: there is none.
            StoreUnavailable: the database cannot be reached.
        """
        if screening_id not in IDS:
            raise ScreeningNotFound(screening_id)
        async with self._connector.session() as session:
            taken = await session.run(TAKE_OWNERSHIP, {"screening_id": screening_id, "owner": self._owner})
            rows = await session.run(SCREENING, (screening_id,))
            if not taken or not rows:
                raise ScreeningNotFound(screening_id)
            info, layout_version = _screening_of(screening_id, rows[0])
            return LoadedScreening(
                info,
                await self._layout(session, info.room_id, layout_version),
                taken[0][0],
                [hold_of(row) for row in await session.run(ACTIVE_HOLDS, (screening_id,))],
                [ticket_of(row) for row in await session.run(LIVE_TICKETS, (screening_id,))],
            )

    async def overdue(self, now: float, limit: int) -> Sequence[int]:
        """Ids of at most `limit` screenings with a stored deadline that is past.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        return [
            screening_id
            for (screening_id,) in await self._connector.run(OVERDUE, {"now": now, "limit": limit})
        ]

    async def _layout(self, session: Session, room_id: int, version: int) -> Layout:
        layout = self._layouts.get((room_id, version))
        if layout is None:
            rows = await session.run(LAYOUT, (room_id,))
            seats = (Seat(*seat) for _, *seat in rows if seat[0] is not None)
            layout = Layout(room_id, rows[0][0] if rows else version, seats)
            self._layouts[room_id, layout.version] = layout
        return layout


def _screening_of(screening_id: int, row: Row) -> tuple[ScreeningInfo, int]:
    room_id, starts_at, ends_at, price_cents, layout_version, seat_types, surcharges_cents = row
    surcharges = dict(zip(seat_types or (), surcharges_cents or (), strict=True))
    return ScreeningInfo(screening_id, room_id, starts_at, ends_at, price_cents, surcharges), layout_version
