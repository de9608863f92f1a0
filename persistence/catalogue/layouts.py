"""Layouts of rooms: all seats and what is drawn around them, read and published as a whole.

A layout is published while the engine has suspended the room's screenings to come. As in
`persistence.catalogue.screenings`, their epochs are raised in the same transaction: so the check for sold and
held seats sees all of them, and no server sells the old layout afterwards.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from engine.errors import NotFound, OwnershipLost
from persistence.catalogue.screenings import RAISE_EPOCHS, TO_COME
from persistence.catalogue.seats import LOCK_ROOM, PLAN, SEATS, plan_columns
from persistence.columns import IDS, numbers
from persistence.connector import Connection, Connector

LAYOUTS_KEPT = 32
"""Rooms whose layouts are kept in memory: while tickets go on sale, every customer reads the same ones."""

SHOWN_LIMIT = 100
"""Highest number of sold and held seats to name if they stand in the way of a layout."""

VERSION = "SELECT layout_version FROM rooms WHERE id = %(room_id)s"

# One statement, and so one snapshot, reads both the version and the seats.
LAYOUT = f"""
SELECT layout_version, surroundings, seats.id, row_label, seat_number, seat_type, x, y
FROM rooms LEFT JOIN seats ON room_id = rooms.id AND removed_at IS NULL
WHERE rooms.id = %(room_id)s
{SEATS.order_by("place")}
"""  # noqa: S608 - constants

SEAT_TYPES = "SELECT name, surcharge FROM seat_types ORDER BY surcharge, name"

COMPARISON = f"""
SELECT count(*) FILTER (WHERE seats.id IS NULL),
       count(*) FILTER (WHERE plan.row_label IS NULL),
       count(*) FILTER (WHERE (seats.x, seats.y) <> (plan.x, plan.y)),
       count(*) FILTER (WHERE seats.seat_type <> plan.seat_type)
FROM {PLAN} FULL JOIN (SELECT * FROM seats WHERE room_id = %(room_id)s AND removed_at IS NULL) AS seats
USING (row_label, seat_number)
"""  # noqa: S608 - constants

_MISSING = f"""
SELECT seats.id, seats.row_label, seats.seat_number FROM seats
WHERE seats.room_id = %(room_id)s AND seats.removed_at IS NULL
  AND NOT EXISTS (
      SELECT FROM {PLAN}
      WHERE plan.row_label = seats.row_label AND plan.seat_number = seats.seat_number
  )
"""  # noqa: S608 - constants

OBSTACLES = f"""
WITH missing AS ({_MISSING}), coming AS ({TO_COME}), taken AS (
    SELECT screening_id, seat_id, 'booked' AS status FROM tickets
    WHERE status IN ('pending', 'confirmed') AND screening_id IN (SELECT id FROM coming)
    UNION ALL
    SELECT screening_id, seat_id, 'reserved' FROM holds
    WHERE status = 'active' AND screening_id IN (SELECT id FROM coming)
    UNION ALL
    SELECT screening_id, seat_id, 'blocked' FROM blocks CROSS JOIN unnest(seat_ids) AS seat_id
    WHERE released_at IS NULL AND kind <> 'kill' AND screening_id IN (SELECT id FROM coming)
      AND NOT EXISTS (
          SELECT FROM tickets
          WHERE tickets.screening_id = blocks.screening_id AND tickets.seat_id = seat_id.seat_id
            AND status IN ('pending', 'confirmed')
      )
      AND NOT EXISTS (
          SELECT FROM holds
          WHERE holds.screening_id = blocks.screening_id AND holds.seat_id = seat_id.seat_id
            AND status = 'active'
      )
)
SELECT count(*) OVER (), screening_id, coalesce(nullif(screenings.title, ''), movies.title, ''),
       to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), cinemas.time_zone,
       row_label, seat_number, taken.status
FROM taken JOIN missing ON missing.id = seat_id
JOIN screenings ON screenings.id = screening_id
JOIN rooms ON rooms.id = screenings.room_id
JOIN cinemas ON cinemas.id = rooms.cinema_id
LEFT JOIN movies ON movies.id = screenings.movie_id
ORDER BY starts_at, screening_id, length(row_label), row_label COLLATE "C", seat_number
LIMIT %(shown)s
"""  # noqa: S608 - constants

PUBLISH = f"""
INSERT INTO seats (room_id, row_label, seat_number, seat_type, x, y)
SELECT %(room_id)s, plan.* FROM {PLAN}
ON CONFLICT ON CONSTRAINT seats_place_key DO UPDATE
SET seat_type = excluded.seat_type, x = excluded.x, y = excluded.y, removed_at = NULL
WHERE seats.removed_at IS NOT NULL
   OR (seats.seat_type, seats.x, seats.y) <> (excluded.seat_type, excluded.x, excluded.y)
"""  # noqa: S608 - constants

REMOVE = f"""
UPDATE seats SET removed_at = now() WHERE id IN (SELECT id FROM ({_MISSING}) AS missing)
"""  # noqa: S608 - constants

SURROUND = """
UPDATE rooms SET surroundings = %(surroundings)s::jsonb, layout_version = layout_version + 1
WHERE id = %(room_id)s AND surroundings <> %(surroundings)s::jsonb
"""


class StoredLayout(NamedTuple):
    """A room's layout.

    Attributes:
        version: increases whenever it changes.
        surroundings: the screen, sections, aisles and focal point, as they were published.
        seats: by column names, row by row from the front.
    """

    version: int
    surroundings: Mapping[str, Any]
    seats: Sequence[Mapping[str, Any]]


class Difference(NamedTuple):
    """The effects of a new layout; numbers of seats, except `screenings`.

    Attributes:
        version: of the layout now.
        moved: seats with other coordinates.
        retyped: seats of another type.
        screenings: number of screenings to come.
        taken: seats that would be removed though they are sold, held or kept back for somebody, counted
            once per screening.
        obstacles: these screenings, each with some of its seats.
    """

    version: int
    added: int
    removed: int
    moved: int
    retyped: int
    screenings: int
    taken: int
    obstacles: Sequence[Mapping[str, Any]]


class Layouts:
    """The repository of layouts.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._kept: OrderedDict[int, StoredLayout] = OrderedDict()

    async def version(self, room_id: int) -> int:
        """Return the version of a room's layout.

        Raises:
            NotFound: the room does not exist.
        """
        return await _version(self._connector, room_id)

    async def read(self, room_id: int) -> StoredLayout:
        """Return the layout of a room; the last ones are kept in memory, and only their version is read.

        Raises:
            NotFound: the room does not exist.
        """
        kept = self._kept.get(room_id)
        if kept is not None and kept.version == await self.version(room_id):
            self._kept.move_to_end(room_id)
            return kept
        rows = await self._connector.run(LAYOUT, {"room_id": room_id}) if room_id in IDS else []
        if not rows:
            raise NotFound("room", room_id)
        names = ("id", "row_label", "seat_number", "seat_type", "x", "y")
        seats = [dict(zip(names, row[2:], strict=True)) for row in rows if row[2] is not None]
        layout = self._kept[room_id] = StoredLayout(rows[0][0], rows[0][1], seats)
        if len(self._kept) > LAYOUTS_KEPT:
            self._kept.popitem(last=False)
        return layout

    async def seat_types(self) -> list[dict[str, Any]]:
        """Return the types that seats can have, with their surcharges, the cheapest first."""
        return [{"name": name, "surcharge": extra} for name, extra in await self._connector.run(SEAT_TYPES)]

    async def compare(self, room_id: int, seats: Sequence[Mapping[str, Any]]) -> Difference:
        """Return the effects of publishing a layout. Everything acknowledged must have been written.

        Args:
            room_id: the room.
            seats: the new seats by column names, at most one per row and number.

        Raises:
            NotFound: the room does not exist.
        """
        bound = {"room_id": room_id, **plan_columns(seats)}
        async with self._connector.transaction() as connection:
            version = await _version(connection, room_id)
            coming = await connection.run(TO_COME, bound)
            return await _difference(connection, bound, version, len(coming))

    async def publish(
        self,
        room_id: int,
        seats: Sequence[Mapping[str, Any]],
        surroundings: Mapping[str, Any] | None,
        suspended: Collection[int],
        accept: Callable[[Difference], None],
    ) -> Difference:
        """Replace the layout of a room, all of it or nothing.

        Seats are told apart by row and number: one that was in the room before keeps its id.

        Args:
            room_id: the room.
            seats: the new seats by column names, at most one per row and number.
            surroundings: the screen, sections, aisles and focal point; None to keep them.
            suspended: the screenings that are not sold meanwhile.
            accept: called with what would change, before anything is written. Its exceptions are passed
                on, and nothing changes.

        Returns:
            The changes, with the new version.

        Raises:
            NotFound: the room does not exist.
            OwnershipLost: a screening has been added that is not suspended; try again.
        """
        bound = {"room_id": room_id, **plan_columns(seats)}
        async with self._connector.transaction() as connection:
            if room_id not in IDS or not await connection.run(LOCK_ROOM, bound):
                raise NotFound("room", room_id)
            version = await _version(connection, room_id)
            # No screening can be added any more: that takes the same lock.
            coming = [int(id_) for (id_,) in await connection.run(TO_COME, bound)]
            if added := set(coming).difference(suspended):
                raise OwnershipLost(min(added))
            await connection.run(RAISE_EPOCHS, {"ids": numbers(coming)})
            difference = await _difference(connection, bound, version, len(coming))
            accept(difference)
            await connection.run(REMOVE, bound)
            await connection.run(PUBLISH, bound)
            if surroundings is not None:
                document = orjson.dumps(surroundings).decode()
                await connection.run(SURROUND, {"room_id": room_id, "surroundings": document})
            return difference._replace(version=await _version(connection, room_id))


async def _version(connection: Connector | Connection, room_id: int) -> int:
    rows = await connection.run(VERSION, {"room_id": room_id}) if room_id in IDS else []
    if not rows:
        raise NotFound("room", room_id)
    version: int = rows[0][0]
    return version


async def _difference(
    connection: Connection, bound: Mapping[str, Any], version: int, screenings: int
) -> Difference:
    ((added, removed, moved, retyped),) = await connection.run(COMPARISON, bound)
    rows = await connection.run(OBSTACLES, {**bound, "shown": SHOWN_LIMIT}) if removed else []
    obstacles = [
        {
            "screening_id": screening_id,
            "title": title,
            "starts_at": starts_at,
            "time_zone": time_zone,
            "seats": [
                {"row_label": row, "seat_number": number, "status": status}
                for *_, row, number, status in taken
            ],
        }
        for (screening_id, title, starts_at, time_zone), taken in groupby(rows, key=itemgetter(1, 2, 3, 4))
    ]
    return Difference(
        version, added, removed, moved, retyped, screenings, rows[0][0] if rows else 0, obstacles
    )
