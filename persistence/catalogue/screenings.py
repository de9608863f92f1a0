"""Screenings as the catalogue sees them: movie, room and times.

These changes affect what the engine sells. So each one raises the screening's epoch in the same transaction:
a server that sells it under the old terms can write nothing more and has to load it again, and the checks
here see all its tickets and holds.
"""

from collections.abc import Mapping
from typing import Any

from engine.catalogue_errors import Overlapping, SeatsInUse, UnknownReference
from engine.errors import NotFound
from engine.selling_errors import ScreeningCancelled, ScreeningHasBookings
from persistence.catalogue.days import on_day
from persistence.catalogue.table import Record, Rows, Table
from persistence.columns import IDS, numbers
from persistence.connector import Connection, Connector
from persistence.tickets import OF_ANY_STATUS

JOINS = """
JOIN rooms ON rooms.id = screenings.room_id
JOIN cinemas ON cinemas.id = rooms.cinema_id
LEFT JOIN movies ON movies.id = screenings.movie_id
"""

COLUMNS = {
    "id": "screenings.id",
    "movie_id": "screenings.movie_id",
    "title": "coalesce(nullif(screenings.title, ''), movies.title, '')",
    "cinema_id": "rooms.cinema_id",
    "cinema_name": "cinemas.name",
    "room_id": "screenings.room_id",
    "room_name": "rooms.name",
    "time_zone": "cinemas.time_zone",
    "starts_at": "screenings.starts_at",
    "ends_at": "screenings.ends_at",
    "price": "screenings.price",
    "language": "screenings.language",
    "format": "screenings.format",
    "sales_start": "screenings.sales_start",
    "sales_end": "screenings.sales_end",
    "max_per_user": "screenings.max_per_user",
    "presales": "screenings.presales",
}

FILTERS = {
    "movie_id": "screenings.movie_id = %(movie_id)s",
    "room_id": "screenings.room_id = %(room_id)s",
    "cinema_id": "rooms.cinema_id = %(cinema_id)s",
    "language": "lower(screenings.language) = lower(%(language)s)",
    "format": "lower(screenings.format) = lower(%(format)s)",
    "date": on_day("screenings.starts_at", "cinemas.time_zone"),
    "from": "screenings.starts_at >= %(from)s",
    "to": "screenings.starts_at < %(to)s",
    "cancelled": "(screenings.cancelled_at IS NOT NULL) = %(cancelled)s",
}

ORDERS = {
    "starts_at": "screenings.starts_at",
    "-starts_at": "screenings.starts_at DESC",
    "price": "screenings.price, screenings.starts_at",
    "-price": "screenings.price DESC, screenings.starts_at",
}

SCREENINGS = Table(
    name="screenings",
    kind="screening",
    columns={
        **COLUMNS,
        "orphan_rule": "screenings.orphan_rule",
        "orphan_share": "screenings.orphan_share",
        "reentry": "screenings.reentry",
        "moves_allowed": "screenings.moves_allowed",
        "moves_until": "screenings.moves_until",
        "transfers_allowed": "screenings.transfers_allowed",
        "cancelled_at": "screenings.cancelled_at",
        "created_at": "screenings.created_at",
        "updated_at": "screenings.updated_at",
    },
    joins=JOINS,
    filters=FILTERS,
    orders=ORDERS,
    references={"screenings_room_id_fkey": "room_id", "screenings_movie_id_fkey": "movie_id"},
    conflicts={"screenings_overlap": Overlapping},
)

LENGTH_OF_MOVIE = "SELECT duration_minutes FROM movies WHERE id = %s"

ZONE_OF_ROOM = "SELECT time_zone FROM rooms JOIN cinemas ON cinemas.id = cinema_id WHERE rooms.id = %s"

PRICES = """
SELECT seat_types.name, screenings.price + seat_types.surcharge
FROM screenings CROSS JOIN seat_types
WHERE screenings.id = %(id_)s
  AND seat_types.name IN (SELECT seat_type FROM seats WHERE seats.room_id = screenings.room_id)
ORDER BY seat_types.surcharge, seat_types.name
"""

TO_COME = "SELECT id FROM screenings WHERE room_id = %(room_id)s AND ends_at > now() AND cancelled_at IS NULL"

# Two overlapping inserts would wait for each other and deadlock, so they are serialised per room.
LOCK_ROOMS = """
SELECT id FROM rooms
WHERE id IN (%(room_id)s, (SELECT room_id FROM screenings WHERE id = %(id_)s))
ORDER BY id FOR NO KEY UPDATE
"""

LOCK = "SELECT cancelled_at IS NOT NULL FROM screenings WHERE id = %(id_)s FOR NO KEY UPDATE"

# Nobody has the screenings afterwards: no server loads what was there before.
RAISE_EPOCHS = """
INSERT INTO screening_epochs AS owned (screening_id, epoch, owner, taken_at)
SELECT id, 1, '', now() FROM unnest(%(ids)s::bigint[]) AS changed (id) ORDER BY id
ON CONFLICT (screening_id) DO UPDATE SET epoch = owned.epoch + 1, owner = excluded.owner, taken_at = now()
"""

TAKEN_ELSEWHERE = """
SELECT seat_id FROM (
    SELECT seat_id FROM tickets WHERE screening_id = %(id_)s AND status IN ('pending', 'confirmed')
    UNION
    SELECT seat_id FROM holds WHERE screening_id = %(id_)s AND status = 'active'
    UNION ALL
    SELECT unnest(seat_ids) FROM blocks WHERE screening_id = %(id_)s AND released_at IS NULL
) AS taken
WHERE seat_id NOT IN (
    SELECT seats.id FROM seats JOIN screenings USING (room_id)
    WHERE screenings.id = %(id_)s AND seats.removed_at IS NULL
)
ORDER BY seat_id
"""

SOLD = f"""
SELECT EXISTS (
    SELECT FROM tickets WHERE screening_id = %(id_)s AND status IN ('pending', 'confirmed')
), EXISTS (SELECT FROM tickets WHERE screening_id = %(id_)s AND {OF_ANY_STATUS})
"""  # noqa: S608 - constant

CANCEL = "UPDATE screenings SET cancelled_at = now(), updated_at = now() WHERE id = %(id_)s"

DELETE = "DELETE FROM screenings WHERE id = %(id_)s"


class ScreeningRows(Rows):
    """The repository of screenings."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, SCREENINGS)

    async def length_minutes(self, movie_id: int) -> int | None:
        """Return the length of a movie in minutes, None if it is unknown.

        Raises:
            UnknownReference: the movie does not exist.
        """
        rows = await self.connector.run(LENGTH_OF_MOVIE, (movie_id,))
        if not rows:
            raise UnknownReference("movie_id")
        minutes: int | None = rows[0][0]
        return minutes

    async def time_zone(self, room_id: int) -> str:
        """Return the time zone of a room's cinema.

        Raises:
            UnknownReference: the room does not exist.
        """
        rows = await self.connector.run(ZONE_OF_ROOM, (room_id,))
        if not rows:
            raise UnknownReference("room_id")
        return str(rows[0][0])

    async def prices(self, screening_id: int) -> list[Record]:
        """Return the price of each seat type of a screening's room, the lowest price first.

        Raises:
            NotFound: the screening does not exist.
        """
        await self.find(screening_id)
        rows = await self.connector.run(PRICES, {"id_": screening_id})
        return [{"seat_type": seat_type, "price": price} for seat_type, price in rows]

    async def to_come(self, room_id: int) -> list[int]:
        """Return the ids of a room's screenings that have not ended."""
        return [int(row[0]) for row in await self.connector.run(TO_COME, {"room_id": room_id})]

    async def insert(self, values: Mapping[str, Any], connection: Connection | None = None) -> Record:
        """Create a screening.

        Raises:
            UnknownReference: the room or the movie does not exist.
            Overlapping: the room has another screening at that time.
        """
        async with self.connector.transaction() as own:
            await own.run(LOCK_ROOMS, {"room_id": values["room_id"], "id_": None})
            return await super().insert(values, own)

    async def update(
        self, record_id: int, values: Mapping[str, Any], connection: Connection | None = None
    ) -> Record:
        """Update a screening; the engine must not be selling it meanwhile.

        Raises:
            NotFound: the screening does not exist.
            ScreeningCancelled: it was cancelled.
            UnknownReference: the room or the movie does not exist.
            Overlapping: the room has another screening at that time.
            SeatsInUse: sold or held seats would not be in the new room.
        """
        bound = {"id_": record_id, "room_id": values.get("room_id")}
        async with self.connector.transaction() as own:
            await own.run(LOCK_ROOMS, bound)
            if await self._take(own, record_id):
                raise ScreeningCancelled(record_id)
            record = await super().update(record_id, values, own)
            if missing := await own.run(TAKEN_ELSEWHERE, bound):
                raise SeatsInUse([seat_id for (seat_id,) in missing])
            return record

    async def delete(self, record_id: int) -> None:
        """Delete a screening without live tickets, or mark it as cancelled if it ever had any.

        Raises:
            NotFound: the screening does not exist.
            ScreeningHasBookings: there are live tickets.
        """
        bound = {"id_": record_id}
        async with self.connector.transaction() as connection:
            await self._take(connection, record_id)
            ((sold, ever_sold),) = await connection.run(SOLD, bound)
            if sold:
                raise ScreeningHasBookings(record_id)
            await connection.run(CANCEL if ever_sold else DELETE, bound)

    async def _take(self, connection: Connection, screening_id: int) -> bool:
        """Lock a screening and revoke its owner's right to write. Returns whether it is cancelled."""
        rows = await connection.run(LOCK, {"id_": screening_id}) if screening_id in IDS else []
        if not rows:
            raise NotFound("screening", screening_id)
        await connection.run(RAISE_EPOCHS, {"ids": numbers([screening_id])})
        return bool(rows[0][0])
