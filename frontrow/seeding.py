"""Fills a database for load tests: any number of future screenings in halls of any size."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from api.venue_time import DEFAULT_TIME_ZONE
from persistence.bulk import BulkLoader, NewScreening, NewSeat

SCREENINGS_PER_ROOM = 50
_PRICE = Decimal("12.50")
_SLOT = timedelta(hours=3)
_LENGTH = timedelta(hours=2)


class SeededScreening(NamedTuple):
    """A screening as `frontrow seed` reports it; its seats have consecutive ids."""

    id: int
    room_id: int
    first_seat_id: int
    last_seat_id: int


def row_label(number: int) -> str:
    """Return the label of a row counted from 0: A to Z, then AA, AB, …"""
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def plain_hall(rows: int, seats_per_row: int) -> list[NewSeat]:
    """Build a rectangle of standard seats."""
    return [
        NewSeat(row_label(row), number, "standard", float(number), float(row + 1))
        for row in range(rows)
        for number in range(1, seats_per_row + 1)
    ]


async def seed(
    loader: BulkLoader, screenings: int, rows: int, seats_per_row: int
) -> AsyncIterator[list[SeededScreening]]:
    """Create screenings room by room; they start tomorrow and never overlap within a room.

    Args:
        loader: writes to the database.
        screenings: number of screenings.
        rows: rows per room.
        seats_per_row: seats per row.

    Yields:
        The screenings of one room.
    """
    opening = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    plan = plain_hall(rows, seats_per_row)
    cinema = await loader.add_cinema("Load test", "", "", DEFAULT_TIME_ZONE)
    for first in range(0, screenings, SCREENINGS_PER_ROOM):
        room = await loader.add_room(cinema.id, f"Hall {first // SCREENINGS_PER_ROOM + 1}", plan)
        starts = [opening + slot * _SLOT for slot in range(min(SCREENINGS_PER_ROOM, screenings - first))]
        ids = await loader.add_screenings(
            [NewScreening(room.id, None, "Load test", start, start + _LENGTH, _PRICE) for start in starts]
        )
        yield [SeededScreening(screening_id, *room) for screening_id in ids]
