"""Creates screenings in a database as `frontrow seed` does."""

from frontrow.seeding import seed
from persistence.bulk import BulkLoader
from persistence.connector import Connector
from tests.acceptance.server_process import SeededScreening


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
