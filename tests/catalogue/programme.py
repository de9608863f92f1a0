"""Creates a cinema with rooms, seats and screenings over HTTP, for many tests of the catalogue."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.caller import Response
from tests.house import House

SCREENINGS = "/api/v1/screenings"


_TOMORROW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
"""Midnight that all tests of a run share, since the run may last beyond midnight."""


def hour(number: float) -> str:
    """Return a time tomorrow, some hours after midnight in UTC, in the API's format."""
    time = _TOMORROW + timedelta(hours=number)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def set_soon(change: Callable[[datetime], Awaitable[object]]) -> datetime:
    """Set a time that is still to come when the server has taken it over, and return it.

    It is about a second away, and more if the server has taken longer. It is a whole second, since messages
    have no microseconds: one that is sent in time must not look earlier.

    Args:
        change: sends a time to the server.
    """
    seconds = 2
    while True:
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        await change(at)
        if datetime.now(UTC) < at:
            return at
        seconds *= 2


async def make(house: House, path: str, body: object) -> Any:
    made = await house.admin.send("POST", path, body)
    assert made.status == 201, made.body
    return made.json


async def make_room(house: House, name: str = "Great Hall", cinema_id: int | None = None) -> int:
    """Create a room, in a new cinema unless one is given."""
    if cinema_id is None:
        cinema_id = (await make(house, "/api/v1/cinemas/", {"name": "Odeon"}))["id"]
    return (await make(house, f"/api/v1/cinemas/{cinema_id}/rooms/", {"name": name}))["id"]


async def add_seats(house: House, room_id: int, rows: str = "AB", seats_per_row: int = 3) -> list[int]:
    """Create a rectangle of standard seats."""
    seats = [
        {"row_label": row, "seat_number": number} for row in rows for number in range(1, seats_per_row + 1)
    ]
    made = await make(house, f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": seats})
    return [seat["id"] for seat in made]


async def schedule(house: House, room_id: int, start: float = 18, **details: object) -> Response:
    """Request a screening of two hours."""
    body = {
        "room_id": room_id,
        "title": "Brass and Thunder",
        "starts_at": hour(start),
        "ends_at": hour(start + 2),
        "price": 12.5,
        **details,
    }
    return await house.admin.send("POST", f"{SCREENINGS}/", body)


async def make_screening(house: House, room_id: int, start: float = 18, **details: object) -> int:
    made = await schedule(house, room_id, start, **details)
    assert made.status == 201, made.body
    return made.json["id"]


async def open_house(house: House) -> tuple[int, Sequence[int]]:
    """Create a screening in a room of six seats. Returns its id and theirs."""
    room_id = await make_room(house)
    seat_ids = await add_seats(house, room_id)
    return await make_screening(house, room_id), seat_ids
