"""Screenings as the catalogue knows them: what is shown, where and when.

Who writes here changes what the engine sells, so every change of a screening raises its epoch in the same
transaction: whatever server sells it under the old terms can write nothing from then on, and has to load
it again. So the tickets and holds that are looked at here are all there are.
"""

from collections.abc import Mapping
from typing import Any

from engine.catalogue_errors import Overlapping, SeatsInUse, UnknownReference
from engine.errors import NotFound, ScreeningCancelled, ScreeningHasBookings
from persistence.catalogue.table import Record, Rows, Table
from persistence.columns import IDS
from persistence.connector import Connector, Session

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
    "starts_at": "screenings.starts_at",
    "ends_at": "screenings.ends_at",
    "price": "screenings.price",
    "language": "screenings.language",
    "format": "screenings.format",
}

FILTERS = {
    "movie_id": "screenings.movie_id = %(movie_id)s",
    "room_id": "screenings.room_id = %(room_id)s",
    "cinema_id": "rooms.cinema_id = %(cinema_id)s",
    "language": "lower(screenings.language) = lower(%(language)s)",
    "format": "lower(screenings.format) = lower(%(format)s)",
    "date": "screenings.starts_at >= %(date)s::timestamp AT TIME ZONE 'UTC'"
    " AND screenings.starts_at < (%(date)s::date + 1)::timestamp AT TIME ZONE 'UTC'",
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

TO_COME = "SELECT id FROM screenings WHERE room_id = %s AND ends_at > now() AND cancelled_at IS NULL"

# Two that overlap would each wait for the other to end, hence one at a time in each room.
LOCK_ROOMS = """
SELECT id FROM rooms
WHERE id IN (%(room_id)s, (SELECT room_id FROM screenings WHERE id = %(id_)s))
ORDER BY id FOR NO KEY UPDATE
"""

LOCK = "SELECT cancelled_at IS NOT NULL FROM screenings WHERE id = %(id_)s FOR NO KEY UPDATE"

RAISE_EPOCH = """
INSERT INTO screening_epochs AS owned (screening_id, epoch, owner, taken_at)
VALUES (%(id_)s, 1, 'catalogue', now())
ON CONFLICT (screening_id) DO UPDATE SET epoch = owned.epoch + 1, owner = excluded.owner, taken_at = now()
"""

TAKEN_ELSEWHERE = """
SELECT seat_id FROM (
    SELECT seat_id FROM tickets WHERE screening_id = %(id_)s AND status IN ('pending', 'confirmed')
    UNION
    SELECT seat_id FROM holds WHERE screening_id = %(id_)s AND status = 'active'
) AS taken
WHERE seat_id NOT IN (
    SELECT seats.id FROM seats JOIN screenings USING (room_id) WHERE screenings.id = %(id_)s
)
ORDER BY seat_id
"""

SOLD = """
SELECT EXISTS (
    SELECT FROM tickets WHERE screening_id = %(id_)s AND status IN ('pending', 'confirmed')
), EXISTS (SELECT FROM tickets WHERE screening_id = %(id_)s)
"""

CANCEL = "UPDATE screenings SET cancelled_at = now(), updated_at = now() WHERE id = %(id_)s"

DELETE = "DELETE FROM screenings WHERE id = %(id_)s"


class ScreeningRows(Rows):
    """Screenings as they are stored.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, SCREENINGS)

    async def length_minutes(self, movie_id: int) -> int | None:
        """How long a movie is, if that is known.

        Raises:
            UnknownReference: there is no such movie.
        """
        rows = await self.connector.run(LENGTH_OF_MOVIE, (movie_id,))
        if not rows:
            raise UnknownReference("movie_id")
        minutes: int | None = rows[0][0]
        return minutes

    async def to_come(self, room_id: int) -> list[int]:
        """Ids of a room's screenings that are not over."""
        return [int(row[0]) for row in await self.connector.run(TO_COME, (room_id,))]

    async def insert(self, values: Mapping[str, Any], session: Session | None = None) -> Record:
        """Make a screening.

        Raises:
            UnknownReference: there is no such room or movie.
            Overlapping: the room has another screening at that time.
        """
        async with self.connector.transaction() as own:
            await own.run(LOCK_ROOMS, {"room_id": values["room_id"], "id_": None})
            return await super().insert(values, own)

    async def update(
        self, record_id: int, values: Mapping[str, Any], session: Session | None = None
    ) -> Record:
        """Change a screening that nothing is being sold for.

        Raises:
            NotFound: there is no such screening.
            ScreeningCancelled: it does not take place.
            UnknownReference: there is no such room or movie.
            Overlapping: the room has another screening at that time.
            SeatsInUse: seats that are sold or held are not in the room.
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
        """Remove a screening without live tickets: for ever, or marked if there ever were any.

        Raises:
            NotFound: there is no such screening.
            ScreeningHasBookings: there are live tickets.
        """
        bound = {"id_": record_id}
        async with self.connector.transaction() as session:
            await self._take(session, record_id)
            ((sold, ever_sold),) = await session.run(SOLD, bound)
            if sold:
                raise ScreeningHasBookings(record_id)
            await session.run(CANCEL if ever_sold else DELETE, bound)

    async def _take(self, session: Session, screening_id: int) -> bool:
        """Lock a screening and end its present ownership. Returns whether it is cancelled."""
        rows = await session.run(LOCK, {"id_": screening_id}) if screening_id in IDS else []
        if not rows:
            raise NotFound("screening", screening_id)
        await session.run(RAISE_EPOCH, {"id_": screening_id})
        return bool(rows[0][0])
