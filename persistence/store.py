"""Recovery: takes ownership of a screening and loads its state.

First the epoch is raised, in its own transaction. From then on no other writer can commit anything for the
screening, because the journal's transactions lock and check the epoch. So the state can be read afterwards in
any order and is still complete.

Reading does not take a screening away from a live server. A server is alive while PostgreSQL has a session
with its name (`persistence.server_lock`). Screenings that it owns are loaded from one snapshot as a copy,
without ownership.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

from engine.errors import OwnershipLost, StoreUnavailable
from engine.ports import LoadedScreening, Owner
from engine.records import Area, Focus, Layout, ScreeningInfo, Seat, TicketType
from engine.sale_rules import OrphanRule, Presale, SaleRules
from engine.sales_windows import TOLD_SECONDS
from engine.selling_errors import ScreeningNotFound
from persistence.columns import (
    BLOCKS,
    HOLDS,
    IDS,
    TICKETS,
    WAITLIST,
    block_of,
    entry_of,
    hold_of,
    ticket_of,
)
from persistence.connector import Connection, Connector
from persistence.errors import DefectiveStatement

EXISTS = """
   (EXISTS (SELECT FROM screenings WHERE id = %(screening_id)s AND cancelled_at IS NULL)
    OR EXISTS (SELECT FROM events WHERE id = %(screening_id)s)
    OR EXISTS (SELECT FROM free_rooms WHERE id = %(screening_id)s))
"""

_TAKE = (
    """
INSERT INTO screening_epochs AS owned (screening_id, epoch, owner, taken_at)
SELECT %(screening_id)s, 1, %(owner)s, now()
WHERE """
    + EXISTS
    + """
{condition_of_new}
ON CONFLICT (screening_id) DO UPDATE SET epoch = owned.epoch + 1, owner = excluded.owner, taken_at = now()
{condition_of_taken}
RETURNING epoch
"""
)

TAKE_FROM_ANYBODY = _TAKE.format(condition_of_new="", condition_of_taken="")

# The rows are those of the view pg_stat_activity, which would take longer to plan than all the rest.
TAKE_FROM_THE_DEAD = _TAKE.format(
    condition_of_new="",
    condition_of_taken="""
WHERE owned.owner IN (excluded.owner, '')
   OR NOT EXISTS (SELECT FROM pg_stat_get_activity(NULL) WHERE application_name = owned.owner)
""",
)

TAKE_AT_EPOCH = _TAKE.format(
    condition_of_new="""
   AND (%(known_epoch)s = 0 OR EXISTS (SELECT FROM screening_epochs WHERE screening_id = %(screening_id)s))
""",
    condition_of_taken="WHERE owned.epoch = %(known_epoch)s",
)

OWNER = """
SELECT owner, epoch, owner IN (%(owner)s, '') FROM screening_epochs WHERE screening_id = %(screening_id)s
"""

# Sessions of other programs may have an empty application_name, so this is no case of the dead.
RESIGN = """
UPDATE screening_epochs SET owner = '' WHERE owner = %s AND screening_id <> ALL(%s::bigint[])
"""

LOST = """
SELECT screening_id
FROM unnest(%(screening_ids)s::bigint[], %(epochs)s::bigint[]) AS owned (screening_id, epoch)
WHERE NOT EXISTS (
    SELECT FROM screening_epochs AS present
    WHERE present.screening_id = owned.screening_id AND present.epoch = owned.epoch
)
"""

KNOWN = "SELECT" + EXISTS

BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

# Read in the same snapshot as the state, so that the last event's number matches the state.
POSITION = """
SELECT epoch, (
    SELECT coalesce(max(seq), 0) FROM screening_events
    WHERE screening_events.screening_id = owned.screening_id AND screening_events.epoch = owned.epoch
)
FROM screening_epochs AS owned WHERE screening_id = %(screening_id)s
"""

SCREENING = """
SELECT room_id, layout_version, extract(epoch FROM starts_at)::float8, extract(epoch FROM ends_at)::float8,
       (price * 100)::bigint, orphan_rule, orphan_share, max_per_user,
       extract(epoch FROM sales_start)::float8, extract(epoch FROM sales_end)::float8, presales,
       types, surcharges_cents,
       CASE WHEN moves_allowed THEN coalesce(extract(epoch FROM moves_until)::float8, 'infinity')
            ELSE '-infinity' END,
       EXISTS (SELECT FROM holds WHERE screening_id = screenings.id AND status = 'active')
       OR EXISTS (
           SELECT FROM tickets WHERE screening_id = screenings.id AND status IN ('pending', 'confirmed')
       )
       OR EXISTS (SELECT FROM blocks WHERE screening_id = screenings.id AND released_at IS NULL)
       OR EXISTS (
           SELECT FROM waitlist WHERE screening_id = screenings.id AND status IN ('waiting', 'offered')
       )
FROM screenings JOIN rooms ON rooms.id = room_id CROSS JOIN (
    SELECT array_agg(name ORDER BY name) AS types,
           array_agg((surcharge * 100)::bigint ORDER BY name) AS surcharges_cents
    FROM seat_types
) AS seat_types
WHERE screenings.id = %s
"""

EVENT = """
SELECT extract(epoch FROM starts_at)::float8, extract(epoch FROM ends_at)::float8, max_per_user,
       extract(epoch FROM sales_start)::float8, extract(epoch FROM sales_end)::float8, presales,
       CASE WHEN moves_allowed THEN coalesce(extract(epoch FROM moves_until)::float8, 'infinity')
            ELSE '-infinity' END
FROM events WHERE id = %s
"""

TICKET_TYPES = """
SELECT ticket_types.id, (price * 100)::bigint, capacity, max_per_order,
       extract(epoch FROM ticket_types.sales_start)::float8,
       extract(epoch FROM ticket_types.sales_end)::float8,
       ticket_types.closed_at IS NOT NULL OR events.closed_at IS NOT NULL, ticket_types.max_per_user
FROM ticket_types JOIN events ON events.id = event_id
WHERE event_id = %s
"""

FREE_ROOM = "SELECT id FROM free_rooms WHERE id = %s"

# One statement, and so one snapshot, reads the version, what is around the seats (once), and the seats.
LAYOUT = """
SELECT layout_version,
       CASE WHEN row_number() OVER (ORDER BY length(row_label), row_label COLLATE "C", seat_number) = 1
            THEN surroundings END,
       seats.id, room_id, row_label, seat_number, seat_type, x, y
FROM rooms LEFT JOIN seats ON room_id = rooms.id AND removed_at IS NULL
WHERE rooms.id = %s
ORDER BY length(row_label), row_label COLLATE "C", seat_number
"""

ACTIVE_HOLDS = HOLDS + "WHERE screening_id = %s AND status = 'active'"

LIVE_TICKETS = TICKETS + "WHERE screening_id = %s AND status IN ('pending', 'confirmed')"

PRESENT_BLOCKS = BLOCKS + "WHERE screening_id = %s AND released_at IS NULL ORDER BY id"
WAITING = (
    WAITLIST
    + "WHERE screening_id = %s AND status IN ('waiting', 'offered') ORDER BY joined_epoch, joined_seq"
)

OVERDUE = """
SELECT screening_id FROM (
    SELECT screening_id FROM holds WHERE status = 'active' AND expires_at <= to_timestamp(%(now)s)
    UNION
    SELECT screening_id FROM tickets WHERE status = 'pending' AND payment_deadline <= to_timestamp(%(now)s)
    UNION
    SELECT screening_id FROM blocks WHERE released_at IS NULL AND release_at <= to_timestamp(%(now)s)
    UNION
    SELECT live.screening_id
    FROM (
        SELECT DISTINCT screening_id, ticket_type_id FROM waitlist WHERE status = 'waiting'
    ) AS live
    LEFT JOIN screenings ON screenings.id = live.screening_id
    LEFT JOIN events ON events.id = live.screening_id
    LEFT JOIN ticket_types ON ticket_types.id = ticket_type_id
    WHERE least(
        screenings.starts_at, screenings.sales_end, events.starts_at, events.sales_end, ticket_types.sales_end
    ) <= to_timestamp(%(now)s)
    UNION
    SELECT screening_id FROM sales_times
    WHERE at >= to_timestamp(%(now)s - %(told)s) AND at <= to_timestamp(%(now)s + %(told)s)
) AS due
WHERE screening_id > %(after_id)s AND (%(of_all)s OR NOT EXISTS (
    SELECT FROM screening_epochs JOIN pg_stat_activity ON application_name = owner
    WHERE screening_epochs.screening_id = due.screening_id AND owner NOT IN (%(owner)s, '')
))
ORDER BY screening_id
LIMIT %(limit)s
"""

NO_SEATS = Layout(0, 0, ())
"""The layout of screenings that belong to no room."""

FAILURE_KEPT_SECONDS = 10.0
"""Time for which a failure to load a screening is reported if no other screening is loaded."""


class PostgresStore:
    """Implements `engine.ports.Store` with PostgreSQL.

    Args:
        connector: the database.
        owner: the name of this server, and of its session in PostgreSQL.
        free_room_seats: maximum number of held seats in a free room.
    """

    def __init__(self, connector: Connector, owner: str, *, free_room_seats: int = 1000) -> None:
        self._connector = connector
        self._owner = owner
        self._free_room_seats = free_room_seats
        self._layouts: WeakValueDictionary[tuple[int, int], Layout] = WeakValueDictionary()
        self._layouts[0, 0] = NO_SEATS
        self._failure: type[Exception] | None = None
        self._failed_at = 0.0

    @property
    def failure(self) -> type[Exception] | None:
        """Error of loading the last screening; None if it was loaded, or after `FAILURE_KEPT_SECONDS`.

        It expires because it may be long until another screening is loaded.
        """
        return self._failure if monotonic() - self._failed_at < FAILURE_KEPT_SECONDS else None

    async def activate(
        self, screening_id: int, *, depose: bool = True, known_epoch: int | None = None
    ) -> LoadedScreening:
        """Raise the screening's epoch durably, then load its state.

        Args:
            screening_id: the screening.
            depose: take it even from a live server; otherwise such a screening is only read.
            known_epoch: raise only this epoch (0 if there is none); `depose` has no effect then.

        Raises:
            ScreeningNotFound: it does not exist.
            OwnershipLost: it has another epoch than `known_epoch`.
            StoreUnavailable: the database cannot be reached.
        """
        if screening_id not in IDS:
            raise ScreeningNotFound(screening_id)
        try:
            loaded = await self._activated(screening_id, depose, known_epoch)
        except (StoreUnavailable, DefectiveStatement) as failure:
            self._failure, self._failed_at = type(failure), monotonic()
            raise
        self._failure = None
        return loaded

    async def _activated(self, screening_id: int, depose: bool, known_epoch: int | None) -> LoadedScreening:
        wanted = {"screening_id": screening_id, "owner": self._owner, "known_epoch": known_epoch}
        if known_epoch is not None:
            take = TAKE_AT_EPOCH
        else:
            take = TAKE_FROM_ANYBODY if depose else TAKE_FROM_THE_DEAD
        async with self._connector.connection() as connection:
            taken = await connection.run(take, wanted)
            if taken:
                return await self._loaded(connection, screening_id, taken[0][0])
            if (known_epoch is None and depose) or await connection.run(KNOWN, wanted) == [(False,)]:
                raise ScreeningNotFound(screening_id)
            if known_epoch is not None:
                raise OwnershipLost(screening_id)
            ((epoch, seq),) = await connection.run(f"{BEGIN_SNAPSHOT};{POSITION}", wanted)
            loaded = await self._loaded(connection, screening_id, epoch)
            await connection.run("COMMIT")
            return loaded._replace(owned=False, seq=seq)

    async def owner(self, screening_id: int) -> Owner | None:
        """Return the server that has taken a screening last; None if none has.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        if screening_id not in IDS:
            return None
        rows = await self._connector.run(OWNER, {"screening_id": screening_id, "owner": self._owner})
        return Owner(*rows[0]) if rows else None

    async def lost(self, epochs: Mapping[int, int]) -> Sequence[int]:
        """Return the screenings whose epoch is no longer the given one.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {"screening_ids": list(epochs), "epochs": list(epochs.values())}
        return [screening_id for (screening_id,) in await self._connector.run(LOST, wanted)]

    async def overdue(
        self, now: float, limit: int, *, after_id: int = 0, of_all: bool = False
    ) -> Sequence[int]:
        """Return the ids of overdue screenings, ascending.

        A screening is overdue if the deadline of a stored hold, payment or block has passed, if somebody
        waits although sales have ended, or if sales open or close within `TOLD_SECONDS` of now.

        Args:
            now: seconds since the epoch.
            limit: highest number of ids.
            after_id: only ids above this one.
            of_all: include the screenings of other live servers.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted = {"now": now, "limit": limit, "owner": self._owner, "after_id": after_id, "of_all": of_all}
        wanted["told"] = TOLD_SECONDS
        return [screening_id for (screening_id,) in await self._connector.run(OVERDUE, wanted)]

    async def _loaded(self, connection: Connection, screening_id: int, epoch: int) -> LoadedScreening:
        info, layout, untouched = await self._described(connection, screening_id)
        if untouched:
            return LoadedScreening(info, layout, epoch, [], [])
        return LoadedScreening(
            info,
            layout,
            epoch,
            [hold_of(row) for row in await connection.run(ACTIVE_HOLDS, (screening_id,))],
            [ticket_of(row) for row in await connection.run(LIVE_TICKETS, (screening_id,))],
            blocks=[block_of(row) for row in await connection.run(PRESENT_BLOCKS, (screening_id,))],
            waitlist=[entry_of(row) for row in await connection.run(WAITING, (screening_id,))],
        )

    async def _described(
        self, connection: Connection, screening_id: int
    ) -> tuple[ScreeningInfo, Layout, bool]:
        """Load the terms and the layout of a screening, an event or a free room.

        The third value is true if nothing is held, sold or kept back in a screening, so that need not be
        asked for. Only the screenings' own statement finds that out.
        """
        if rows := await connection.run(SCREENING, (screening_id,)):
            room_id, layout_version, starts_at, ends_at, price_cents, orphan_rule, *rest = rows[0]
            *terms, presales, types, surcharges_cents, moves_until, has_sales = rest
            surcharges = dict(zip(types or (), surcharges_cents or (), strict=True))
            layout = await self._layout(connection, room_id, layout_version)
            info = ScreeningInfo(
                *(screening_id, starts_at, ends_at, price_cents, surcharges),
                rules=SaleRules(OrphanRule(orphan_rule), *terms)._replace(presales=_presales_of(presales)),
                moves_until=moves_until,
            )
            return info, layout, not has_sales
        if rows := await connection.run(EVENT, (screening_id,)):
            types = (TicketType(*row) for row in await connection.run(TICKET_TYPES, (screening_id,)))
            starts_at, ends_at, *terms, presales, moves_until = rows[0]
            rules = SaleRules(OrphanRule.OFF, 0.0, *terms)._replace(presales=_presales_of(presales))
            by_id = {kind.id: kind for kind in types}
            info = ScreeningInfo(
                *(screening_id, starts_at, ends_at, 0, {}, by_id),
                seated=False,
                rules=rules,
                moves_until=moves_until,
            )
            return info, NO_SEATS, False
        if await connection.run(FREE_ROOM, (screening_id,)):
            info = ScreeningInfo(screening_id, inf, inf, 0, {}, free_seats=self._free_room_seats)
            return info, NO_SEATS, False
        raise ScreeningNotFound(screening_id)

    async def resign(self, unfinished: Collection[int]) -> None:
        """Record that this server ends and owns no screening any more, so that others need not wait for it.

        Args:
            unfinished: screenings that this server was taking from another one, which may not know it.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        await self._connector.run(RESIGN, (self._owner, list(unfinished)))

    def known_layout(self, room_id: int, version: int) -> Layout | None:
        """Return a layout that is in memory: of this version or the newest one of the room."""
        return self._layouts.get((room_id, version))

    async def layout(self, room_id: int, version: int) -> Layout:
        """Load a layout.

        Args:
            room_id: the room.
            version: of the layout. Only the newest one of a room is stored, so the result may be newer; it
                is then also known by this version.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.connection() as connection:
            layout = await self._layout(connection, room_id, version)
        self._layouts[room_id, version] = layout
        return layout

    async def _layout(self, connection: Connection, room_id: int, version: int) -> Layout:
        layout = self._layouts.get((room_id, version))
        if layout is None:
            rows = await connection.run(LAYOUT, (room_id,))
            seats = (Seat(*seat) for _, _, *seat in rows if seat[0] is not None)
            latest, around = rows[0][:2] if rows else (version, {})
            focus = around.get("focus")
            layout = Layout(
                room_id,
                latest,
                seats,
                _areas(around, "sections"),
                _areas(around, "aisles"),
                Focus(focus["x"], focus["y"], frozenset(focus["rows"])) if focus else None,
            )
            self._layouts[room_id, layout.version] = layout
        return layout


def _areas(surroundings: Mapping[str, Any], kind: str) -> list[Area]:
    """Return the sections or the aisles of a room."""
    return [
        Area(
            area["x"], area["y"], area["x"] + area["width"], area["y"] + area["height"], area.get("name", "")
        )
        for area in surroundings.get(kind, ())
    ]


def _presales_of(stored: Sequence[tuple[str, float]]) -> tuple[Presale, ...]:
    return tuple([Presale(*presale) for presale in stored])
