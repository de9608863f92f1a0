"""Shared by the tests of the journal: an observer of batches, a screening, and the writers' sessions."""

import asyncio

from engine.memory import NullObserver
from tests.database import execute
from tests.ports.adapters import PostgresWorld
from tests.ports.story import Story


class BatchObserver(NullObserver):
    """Keeps the sizes of batches and the reasons of failures."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.failures: list[str] = []

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        assert 0 <= seconds <= lag_seconds
        self.batches.append(entries)

    def flush_failed(self, reason: str) -> None:
        self.failures.append(reason)


async def begin(world: PostgresWorld, seats: int = 4) -> Story:
    """Create and activate a screening."""
    hall = world.add_hall(seats)
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)


WRITERS = "FROM pg_stat_activity WHERE application_name LIKE 'frontrow-journal-%%'"
"""The sessions of journals; the end of a query."""


async def writer_waits(database_url: str) -> None:
    """Wait until a journal's session waits for a lock."""
    waiting = f"SELECT pid {WRITERS} AND wait_event_type = 'Lock'"
    while not execute(database_url, waiting):  # noqa: ASYNC110 - there is nothing to wait for
        await asyncio.sleep(0.01)


def rows_of(world: PostgresWorld, table: str) -> int:
    ((count,),) = execute(world.database_url, f"SELECT count(*) FROM {table}")  # noqa: S608
    return count
