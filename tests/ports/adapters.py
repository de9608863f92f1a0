"""The adapters of the engine's ports: one set in memory, one with PostgreSQL.

The shared suite works on a `World`; a test does not know which one it has.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

from engine.errors import EngineError
from engine.events import Event
from engine.memory import MemoryDatabase, MemoryIds, MemoryJournal, MemoryStore, NullObserver
from engine.memory_ledger import MemoryLedger
from engine.ports import Entry, IdSource, Journal, Ledger, LoadedScreening, Store
from engine.records import Layout, Receipt, ScreeningInfo, Seat, Ticket
from engine.replies import Reply
from engine.sale_rules import SaleRules
from persistence.connector import Connector
from persistence.ids import IdBlocks
from persistence.journal import PostgresJournal
from persistence.ledger import PostgresLedger
from persistence.server_lock import ServerLock
from persistence.store import PostgresStore
from tests.database import execute

NOW = 1_800_000_000.25
HOUR = 3600.0


class Hall(NamedTuple):
    """A screening to test with."""

    screening_id: int
    seat_ids: tuple[int, ...]


class World(Protocol):
    """One set of adapters on one database."""

    journal: Journal
    store: Store
    ledger: Ledger

    async def another_server(self) -> "AnotherServer":
        """Start a second server on the same database."""

    def add_hall(self, seats: int = 4) -> Hall:
        """Create a screening in a room of its own: row A, the first seat VIP (5.00 more), price 12.50."""

    def add_screening_beside(self, hall: Hall) -> Hall:
        """Create a second screening in the same room."""

    def set_rules(self, hall: Hall, rules: SaleRules) -> None:
        """Change how a screening is sold, of a server that has not loaded it."""

    def admit(self, ticket: Ticket, at: float) -> None:
        """Admit a ticket at the door."""

    def ids(self) -> IdSource:
        """Return a source of ids."""


class AnotherServer(NamedTuple):
    """A server that is alive until `die` is called."""

    store: Store
    die: Callable[[], None]


class MemoryWorld:
    """Adapters that keep everything in memory."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.journal = MemoryJournal(self.database)
        self.store = MemoryStore(self.database)
        self.ledger = MemoryLedger(self.database)
        self._seats = 0

    async def another_server(self) -> AnotherServer:
        store = MemoryStore(self.database, "another")
        return AnotherServer(store, store.die)

    def add_hall(self, seats: int = 4) -> Hall:
        room_id = len(self.database.screenings) + 1
        first = self._seats + 1
        self._seats += seats
        layout = Layout(
            room_id,
            1,
            [
                Seat(first + i, room_id, "A", i + 1, "standard" if i else "vip", float(i), 1.0)
                for i in range(seats)
            ],
        )
        return self._add_screening(layout)

    def add_screening_beside(self, hall: Hall) -> Hall:
        return self._add_screening(self.database.screenings[hall.screening_id][1])

    def set_rules(self, hall: Hall, rules: SaleRules) -> None:
        info, layout = self.database.screenings[hall.screening_id]
        self.database.add_screening(info._replace(rules=rules), layout)

    def admit(self, ticket: Ticket, at: float) -> None:
        self.database.admitted[ticket.id] = at

    def ids(self) -> IdSource:
        return MemoryIds()

    def _add_screening(self, layout: Layout) -> Hall:
        screening_id = len(self.database.screenings) + 1
        surcharges = {"standard": 0, "vip": 500, "wheelchair": 0}
        info = ScreeningInfo(screening_id, NOW + HOUR, NOW + 2 * HOUR, 1250, surcharges)
        self.database.add_screening(info, layout)
        return Hall(screening_id, tuple(seat.id for seat in layout.seats))


class PostgresWorld:
    """Adapters that keep everything in PostgreSQL."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.connector = Connector(database_url)
        self.journal = PostgresJournal(self.connector, encode, NullObserver())
        self.store = PostgresStore(self.connector, "test")
        self.ledger = PostgresLedger(self.connector, 1000)
        self.hold_ids = IdBlocks(self.connector, "hold_ids")

    async def another_server(self) -> AnotherServer:
        lock = ServerLock(self.connector)
        await lock.take()
        return AnotherServer(PostgresStore(self.connector, str(lock.name)), lock.release)

    async def start(self) -> None:
        await self.journal.start()
        await self.hold_ids.start()

    async def stop(self) -> None:
        await self.journal.stop(timeout_seconds=60)
        await self.hold_ids.stop()
        self.connector.close()

    def admit(self, ticket: Ticket, at: float) -> None:
        admission = "VALUES (%s, %s, to_timestamp(%s), 'North', to_timestamp(%s))"
        sql = f"INSERT INTO check_ins (ticket_id, screening_id, admitted_at, gate, changed_at) {admission}"
        execute(self.database_url, sql, ticket.id, ticket.screening_id, at, at)

    def add_hall(self, seats: int = 4) -> Hall:
        ((room_id,),) = execute(
            self.database_url,
            "WITH lux AS (INSERT INTO cinemas (name) VALUES ('Lux') RETURNING id) "
            "INSERT INTO rooms (cinema_id, name) SELECT id, 'one' FROM lux RETURNING id",
        )
        execute(
            self.database_url,
            "INSERT INTO seats (room_id, row_label, seat_number, seat_type, x, y) "
            "SELECT %s, 'A', i, CASE i WHEN 1 THEN 'vip' ELSE 'standard' END, i - 1, 1 "
            "FROM generate_series(1, %s) AS i",
            room_id,
            seats,
        )
        return self._add_screening(room_id)

    def add_screening_beside(self, hall: Hall) -> Hall:
        ((room_id,),) = execute(
            self.database_url, "SELECT room_id FROM screenings WHERE id = %s", hall.screening_id
        )
        return self._add_screening(room_id)

    def set_rules(self, hall: Hall, rules: SaleRules) -> None:
        execute(
            self.database_url,
            "UPDATE screenings SET orphan_rule = %s, orphan_share = %s, max_per_user = %s, "
            "sales_start = to_timestamp(%s), sales_end = to_timestamp(%s) WHERE id = %s",
            *(rules.orphan_rule, rules.orphan_share, rules.max_per_user),
            *(rules.sales_start, rules.sales_end, hall.screening_id),
        )

    def ids(self) -> IdSource:
        return self.hold_ids

    def _add_screening(self, room_id: int) -> Hall:
        ((screening_id,),) = execute(
            self.database_url,
            # One hour after the other screenings of the room, since two must not overlap.
            "INSERT INTO screenings (room_id, starts_at, ends_at, price) "
            "SELECT %s, to_timestamp(%s + %s * n), to_timestamp(%s + %s * (n + 1)), 12.50 "
            "FROM (SELECT count(*) AS n FROM screenings WHERE room_id = %s) AS others RETURNING id",
            *(room_id, NOW + HOUR, HOUR, NOW + HOUR, HOUR, room_id),
        )
        seats = execute(self.database_url, "SELECT id FROM seats WHERE room_id = %s ORDER BY id", room_id)
        return Hall(screening_id, tuple(seat_id for (seat_id,) in seats))


def encode(form: str, reply: Reply) -> tuple[int, bytes]:
    """Encode responses for these tests."""
    return 201, f"{form}:{type(reply).__name__}".encode()


class Settlement:
    """The outcome of an entry: `await it.outcome()`."""

    def __init__(self) -> None:
        self.calls: list[EngineError | None] = []
        self._settled = asyncio.Event()

    def __call__(self, error: EngineError | None) -> None:
        self.calls.append(error)
        self._settled.set()

    async def outcome(self) -> EngineError | None:
        async with asyncio.timeout(60):
            await self._settled.wait()
        return self.calls[0]


def submit(
    journal: Journal, *events: Event, receipt: Receipt | None = None, reply: Reply | None = None
) -> Settlement:
    """Append a durable entry."""
    settlement = Settlement()
    journal.append(Entry(events, receipt, reply, settlement))
    return settlement


async def write(
    journal: Journal, *events: Event, receipt: Receipt | None = None, reply: Reply | None = None
) -> EngineError | None:
    """Append a durable entry and wait for its outcome."""
    return await submit(journal, *events, receipt=receipt, reply=reply).outcome()


async def reload(world: World, hall: Hall) -> LoadedScreening:
    """Take the screening over and load what is stored."""
    return await world.store.activate(hall.screening_id)


@asynccontextmanager
async def postgres_world(database_url: str) -> AsyncIterator[PostgresWorld]:
    """A world on a database for the duration of the block."""
    world = PostgresWorld(database_url)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()
