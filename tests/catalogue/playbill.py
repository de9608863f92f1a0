"""Movies and their screenings for several tests of the catalogue."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.database import execute
from tests.house import House

MOVIES = "/api/v1/movies"


class Hall(NamedTuple):
    """A room with two standard seats and one VIP seat."""

    cinema_id: int
    room_id: int
    seat_ids: list[int]
    vip_seat_id: int


async def add_movie(house: House, title: str, **details: object) -> int:
    created = await house.admin.send("POST", f"{MOVIES}/", {"title": title, **details})
    assert created.status == 201, created.body
    return created.json["id"]


async def titles(house: House, query: str) -> list[str]:
    """Return the titles of a list below `/movies`, in its order."""
    answer = await house.guest.send("GET", MOVIES + query)
    assert answer.status == 200, answer.body
    return [movie["title"] for movie in answer.json]


def add_hall(house: House, cinema: str = "Odeon") -> Hall:
    ((cinema_id,),) = execute(
        house.database_url, "INSERT INTO cinemas (name) VALUES (%s) RETURNING id", cinema
    )
    ((room_id,),) = execute(
        house.database_url, "INSERT INTO rooms (cinema_id, name) VALUES (%s, '1') RETURNING id", cinema_id
    )
    seats = execute(
        house.database_url,
        "INSERT INTO seats (room_id, row_label, seat_number, seat_type) "
        "VALUES (%s, 'A', 1, 'standard'), (%s, 'A', 2, 'standard'), (%s, 'A', 3, 'vip') RETURNING id",
        *[room_id] * 3,
    )
    seat_ids = [seat_id for (seat_id,) in seats]
    return Hall(cinema_id, room_id, seat_ids, seat_ids[-1])


def schedule(house: House, hall: Hall, movie_id: int, in_days: int = 1, hour: int = 20) -> int:
    """Create a screening of two hours, some days from now, starting at an hour in UTC."""
    start = datetime.now(UTC).replace(hour=hour, minute=0, second=0) + timedelta(days=in_days)
    ((screening_id,),) = execute(
        house.database_url,
        "INSERT INTO screenings (room_id, movie_id, starts_at, ends_at, price) "
        "VALUES (%s, %s, %s, %s, 10) RETURNING id",
        *(hall.room_id, movie_id, start, start + timedelta(hours=2)),
    )
    return screening_id


def day(in_days: int) -> str:
    """Return a day in the format of queries."""
    return (datetime.now(UTC) + timedelta(days=in_days)).date().isoformat()
