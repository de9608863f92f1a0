"""A directory of screenings on memory adapters, for tests of actors."""

import asyncio
from collections.abc import Awaitable

from engine.commands import BookSeats, HoldSeats, ReadSeats
from engine.directory import ScreeningDirectory
from engine.memory import (
    ManualClock,
    MemoryDatabase,
    MemoryIds,
    MemoryJournal,
    MemoryStore,
    NullObserver,
    RecordingPublisher,
)
from engine.policy import Policy
from engine.ports import Observer, Peers, Publisher, Store
from engine.views import SeatMap
from tests.engine.conftest import NOW, make_info, make_layout


class House:
    """A directory on memory adapters, with the clock and the database in hand.

    Servers of different owners may share a database.
    """

    def __init__(
        self,
        database: MemoryDatabase | None = None,
        publisher: Publisher | None = None,
        observer: Observer | None = None,
        owner: str = "one",
        policy: Policy | None = None,
        store: Store | None = None,
        peers: Peers | None = None,
        **limits: float,
    ) -> None:
        self.database = database or MemoryDatabase()
        for screening_id in (1, 2):
            self.database.add_screening(make_info(screening_id), make_layout())
        self.clock = ManualClock(NOW)
        self.journal = MemoryJournal(self.database, limit=int(limits.pop("journal_limit", 100)))
        self.store = store or MemoryStore(self.database, owner)
        self.publisher = publisher or RecordingPublisher()
        first_id = 1000 if owner == "one" else 5000
        self.hold_ids, self.ticket_ids = MemoryIds(first_id + 1), MemoryIds(first_id + 1001)
        self.screenings = ScreeningDirectory(
            self.store,
            self.journal,
            self.publisher,
            observer or NullObserver(),
            self.clock,
            self.hold_ids,
            self.ticket_ids,
            policy or Policy(),
            peers=peers,
            **limits,  # type: ignore[arg-type]
        )

    def hold(self, holder: str, *seat_ids: int, screening_id: int = 1) -> Awaitable:
        return self.screenings.ask(HoldSeats(screening_id, holder, seat_ids))

    def book(self, holder: str, *seat_ids: int) -> Awaitable:
        return self.screenings.ask(BookSeats(1, holder, seat_ids))

    async def seen(self, seat_id: int) -> str:
        reply = await self.screenings.ask(ReadSeats(1))
        assert isinstance(reply, SeatMap)
        return reply.views[seat_id].status if seat_id in reply.views else "available"


async def turns(number: int = 3) -> None:
    """Let callbacks and tasks run that are ready."""
    for _ in range(number):
        await asyncio.sleep(0)
