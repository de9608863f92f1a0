"""Creates screenings in a database as `frontrow seed` does."""

from typing import NamedTuple

from frontrow.seeding import seed
from persistence.bulk import BulkLoader
from persistence.connector import Connector


class SeededScreening(NamedTuple):
    """A screening that `frontrow seed` has created."""

    id: int
    room_id: int
    first_seat_id: int
    last_seat_id: int

    @property
    def seat_ids(self) -> range:
        """The ids of all its seats."""
        return range(self.first_seat_id, self.last_seat_id + 1)


async def seeded(database_url: str, screenings: int, rows: int, seats_per_row: int) -> list[SeededScreening]:
    """Create future screenings, each in a room of its own."""
    connector = Connector(database_url, pool_size=1)
    try:
        return [
            SeededScreening(*screening)
            async for batch in seed(BulkLoader(connector), screenings, rows, seats_per_row)
            for screening in batch
        ]
    finally:
        connector.close()
