"""Shared by the tests of the journal: an observer of batches, and an activated screening."""

from engine.memory import NullObserver
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
    """A screening in the database, activated."""
    hall = world.add_hall(seats)
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)
