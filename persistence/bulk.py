"""Creates users, cinemas, movies, rooms with seats, screenings and events for the demo and for load tests.

Each call runs one statement per table, for any number of rows.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from persistence.connector import Connector

_ADD_USER = """
INSERT INTO users (email, full_name, password_hash, is_admin) VALUES (%s, %s, %s, %s)
ON CONFLICT (lower(email)) DO UPDATE SET password_hash = excluded.password_hash
RETURNING id
"""

_ADD_CINEMA = "INSERT INTO cinemas (name, city, address, time_zone) VALUES (%s, %s, %s, %s) RETURNING id"

_FIND_CINEMA = "SELECT id, time_zone FROM cinemas WHERE name = %s ORDER BY id LIMIT 1"

_FIND_MOVIE = "SELECT min(id) FROM movies WHERE title = %s"

_ADD_MOVIE = """
INSERT INTO movies (title, description, genre, language, rating, duration_minutes, release_date)
VALUES (%s, %s, %s, %s, %s, %s, %s)
RETURNING id
"""

_ADD_ROOM = "INSERT INTO rooms (cinema_id, name) VALUES (%s, %s) RETURNING id"

# Locks out other inserts, so that the ids of a room's seats are consecutive.
_ADD_SEATS = """
LOCK TABLE seats IN SHARE ROW EXCLUSIVE MODE;
WITH added AS (
    INSERT INTO seats (room_id, row_label, seat_number, seat_type, x, y)
    SELECT %s, plan.* FROM unnest(%s::text[], %s::integer[], %s::text[], %s::real[], %s::real[]) AS plan
    RETURNING id
)
SELECT min(id), max(id) FROM added
"""

_ADD_SCREENINGS = """
INSERT INTO screenings (room_id, movie_id, title, starts_at, ends_at, price, language)
SELECT showing.*
FROM unnest(
    %s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::numeric[], %s::text[]
) AS showing
RETURNING id
"""

_UPCOMING = """
SELECT screenings.id, screenings.room_id, rooms.name, screenings.title, starts_at
FROM screenings JOIN rooms ON rooms.id = room_id
WHERE cinema_id = %s AND starts_at > %s
ORDER BY starts_at, screenings.id
"""

_ROOMS = "SELECT id, name FROM rooms WHERE cinema_id = %s ORDER BY id"


_ADD_EVENT = """
INSERT INTO events (title, description, venue, starts_at, ends_at, time_zone)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
"""

_ADD_TICKET_TYPES = """
INSERT INTO ticket_types (event_id, name, price, capacity, max_per_order)
SELECT %s, name, price, capacity, max_per_order
FROM unnest(%s::text[], %s::numeric[], %s::integer[], %s::integer[]) WITH ORDINALITY
    AS offer (name, price, capacity, max_per_order, number)
ORDER BY number
RETURNING id
"""

_UPCOMING_EVENT = """
SELECT events.id, title, starts_at, time_zone, ticket_types.id, name
FROM events JOIN ticket_types ON event_id = events.id
WHERE title = %s AND starts_at > %s
ORDER BY starts_at, events.id, ticket_types.id
LIMIT 1
"""


class Cinema(NamedTuple):
    """A cinema; `time_zone` is an IANA name."""

    id: int
    time_zone: str


class NewSeat(NamedTuple):
    """A seat to create; `engine.records.Seat` describes the fields."""

    row_label: str
    seat_number: int
    seat_type: str
    x: float
    y: float


class NewRoom(NamedTuple):
    """A room that was created; its seats have consecutive ids, in the order of the plan."""

    id: int
    first_seat_id: int
    last_seat_id: int


class Movie(NamedTuple):
    title: str
    description: str
    genre: str
    language: str
    rating: str
    duration_minutes: int
    release_date: date


class NewScreening(NamedTuple):
    """A screening to create. `price` is that of a standard seat."""

    room_id: int
    movie_id: int | None
    title: str
    starts_at: datetime
    ends_at: datetime
    price: Decimal
    language: str = ""


class UpcomingScreening(NamedTuple):
    """A screening that has not started."""

    id: int
    room_id: int
    room: str
    title: str
    starts_at: datetime


class NewEvent(NamedTuple):
    """An event to create."""

    title: str
    description: str
    venue: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str


class NewTicketType(NamedTuple):
    """A ticket type to create."""

    name: str
    price: Decimal
    capacity: int
    max_per_order: int


class UpcomingEvent(NamedTuple):
    """An event that has not started, with the first of its ticket types."""

    id: int
    title: str
    starts_at: datetime
    time_zone: str
    ticket_type_id: int
    ticket_type: str


class BulkLoader:
    """Inserts rows of the catalogue into the database."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def add_user(self, email: str, full_name: str, password_hash: str, is_admin: bool) -> int:
        """Create a user, or set the password of the one with this address. Returns the id."""
        rows = await self._connector.run(_ADD_USER, (email, full_name, password_hash, is_admin))
        return int(rows[0][0])

    async def find_cinema(self, name: str) -> Cinema | None:
        """Return the oldest cinema with this name, or None."""
        rows = await self._connector.run(_FIND_CINEMA, (name,))
        return Cinema(*rows[0]) if rows else None

    async def add_cinema(self, name: str, city: str, address: str, time_zone: str) -> Cinema:
        """Create a cinema.

        Args:
            name: of the cinema.
            city, address: where it is.
            time_zone: IANA name.
        """
        rows = await self._connector.run(_ADD_CINEMA, (name, city, address, time_zone))
        return Cinema(int(rows[0][0]), time_zone)

    async def find_movie(self, title: str) -> int | None:
        """Return the lowest id of the movies with this title, or None."""
        found: int | None = (await self._connector.run(_FIND_MOVIE, (title,)))[0][0]
        return found

    async def add_movie(self, movie: Movie) -> int:
        """Create a movie and return its id."""
        return int((await self._connector.run(_ADD_MOVIE, tuple(movie)))[0][0])

    async def add_room(self, cinema_id: int, name: str, seats: Sequence[NewSeat]) -> NewRoom:
        """Create a room and its seats.

        Args:
            cinema_id: the cinema it belongs to.
            name: of the room.
            seats: at least one, in the order of their ids.
        """
        async with self._connector.transaction() as connection:
            room_id = int((await connection.run(_ADD_ROOM, (cinema_id, name)))[0][0])
            columns = [list(column) for column in zip(*seats, strict=True)]
            ((first_id, last_id),) = await connection.run(_ADD_SEATS, (room_id, *columns))
        return NewRoom(room_id, int(first_id), int(last_id))

    async def rooms(self, cinema_id: int) -> list[tuple[int, str]]:
        """Return ids and names of a cinema's rooms, oldest first."""
        return [(int(row[0]), str(row[1])) for row in await self._connector.run(_ROOMS, (cinema_id,))]

    async def add_screenings(self, showings: Sequence[NewScreening]) -> list[int]:
        """Create screenings and return their ids in the same order."""
        columns = [list(column) for column in zip(*showings, strict=True)]
        return sorted(int(row[0]) for row in await self._connector.run(_ADD_SCREENINGS, columns))

    async def upcoming(self, cinema_id: int, after: datetime) -> list[UpcomingScreening]:
        """Return a cinema's screenings that start later than `after`, soonest first."""
        return [UpcomingScreening(*row) for row in await self._connector.run(_UPCOMING, (cinema_id, after))]

    async def add_event(self, occasion: NewEvent, offers: Sequence[NewTicketType]) -> UpcomingEvent:
        """Create an event with at least one ticket type."""
        async with self._connector.transaction() as connection:
            event_id = int((await connection.run(_ADD_EVENT, tuple(occasion)))[0][0])
            columns = [list(column) for column in zip(*offers, strict=True)]
            added = await connection.run(_ADD_TICKET_TYPES, (event_id, *columns))
        first_id = min(int(row[0]) for row in added)
        return UpcomingEvent(
            event_id, occasion.title, occasion.starts_at, occasion.time_zone, first_id, offers[0].name
        )

    async def upcoming_event(self, title: str, after: datetime) -> UpcomingEvent | None:
        """Return the next event of this title that starts later than `after` and has ticket types."""
        rows = await self._connector.run(_UPCOMING_EVENT, (title, after))
        return UpcomingEvent(*rows[0]) if rows else None
