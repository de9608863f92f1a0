"""The journal in virtual time, on a database that takes as long, and fails, as a test says.

What it writes goes to the virtual tables of `tests.simulation`, which decide as PostgreSQL does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NamedTuple

from engine.errors import EngineError
from engine.events import Event
from engine.memory import NullObserver
from engine.ports import Entry
from engine.records import IdempotencyRecord, Layout, Seat
from persistence.connector import Connector, Row
from persistence.errors import ConnectionLost, DatabaseUnavailable, LockTimeout, StatementCancelled
from persistence.journal import PostgresJournal
from persistence.journal_connection import BLOCKED, END_EARLIER_SESSIONS, LOCK_SECONDS
from tests.engine.conftest import make_info
from tests.ports.adapters import Hall, encode
from tests.ports.story import Story
from tests.simulation import queries
from tests.simulation.forms import TRANSACTION, executed
from tests.simulation.loop import VirtualLoop
from tests.simulation.tables import Tables

MS = 0.001

COMMIT_SECONDS = 0.004
"""Duration of a transaction, unless a test says otherwise."""


def in_virtual_time(
    test: Callable[..., Awaitable[None]], limit_seconds: float = 100.0
) -> Callable[..., None]:
    """Run a test on a loop whose clock jumps to the next timer.

    Args:
        test: what to run.
        limit_seconds: how long it may take, in virtual seconds.
    """

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        async def limited() -> None:
            async with asyncio.timeout(limit_seconds):
                await test(*arguments, **named)

        loop = VirtualLoop()
        try:
            loop.run_until_complete(limited())
            assert loop.failures == []
        finally:
            loop.end()

    return run


class Transaction(NamedTuple):
    """An attempt of the journal to write a batch.

    Attributes:
        at: when it was sent, in seconds.
        keys: the screening and number of each event, and the keys of answers.
        limit_seconds: its time limit.
        session: the number of its session.
    """

    at: float
    keys: tuple[Any, ...]
    limit_seconds: float
    session: int


class ScriptedDatabase(Connector):
    """The database.

    Attributes:
        tables: what has been written.
        transactions: all attempts.
        sessions: those that are open.
        looks: when the journal asked which screenings are locked.
        available: whether sessions can be opened.
        locked: screenings whose epoch somebody else has locked.
        seconds: how long a transaction takes, by what it writes.
        trouble: an error that a transaction gets instead of being carried out, or None.
        earlier: whether the sessions that a new one terminates have ended.
        setup_trouble: an error that statements of a new session get, or None.
        statements: all that was run, as (SQL, parameters).
    """

    def __init__(self, screenings: int) -> None:
        super().__init__("")
        self.tables = Tables(
            {number: (make_info(number), _layout(number)) for number in range(1, screenings + 1)}
        )
        self.tables.epochs.update({number: (1, "") for number in range(1, screenings + 1)})
        self.transactions: list[Transaction] = []
        self.sessions: list[_Session] = []
        self.looks: list[float] = []
        self.available = True
        self.locked: set[int] = set()
        self.seconds: Callable[[tuple[Any, ...]], float] = lambda keys: COMMIT_SECONDS
        self.trouble: Callable[[tuple[Any, ...]], Exception | None] = lambda keys: None
        self.earlier: list[bool] = []
        self.setup_trouble: BaseException | None = None
        self.statements: list[tuple[str, Any]] = []
        self.opened = 0

    @property
    def sent(self) -> list[tuple[Any, ...]]:
        """The entries that each attempt was to write."""
        return [transaction.keys for transaction in self.transactions]

    async def _connect(self, statement_timeout_seconds: float, **options: str) -> Any:
        if not self.available:
            raise DatabaseUnavailable("The database cannot be reached")
        self.opened += 1
        session = _Session(self, self.opened, options["application_name"], statement_timeout_seconds)
        self.sessions.append(session)
        return session


def _layout(number: int) -> Layout:
    seats = [Seat(100 * number + place, number, "A", place, "standard", place, 1.0) for place in range(50)]
    return Layout(number, 1, seats)


class _Session:
    def __init__(self, database: ScriptedDatabase, number: int, name: str, limit_seconds: float) -> None:
        self.name = name
        self._database = database
        self._number = number
        self.limit_seconds = limit_seconds

    async def run(self, sql: str, parameters: Any = None) -> list[Row]:
        database = self._database
        if self not in database.sessions:
            raise ConnectionLost("The connection is closed")
        database.statements.append((sql, parameters))
        if sql == END_EARLIER_SESSIONS:
            return [(ended,) for ended in database.earlier]
        if sql.startswith("SET ") and database.setup_trouble is not None:
            raise database.setup_trouble
        if sql == BLOCKED:
            database.looks.append(asyncio.get_running_loop().time())
            if not database.available:
                raise ConnectionLost("The database went away")
            wanted = map(int, filter(None, parameters["ids"][1:-1].split(",")))
            return [(each,) for each in wanted if each in database.locked]
        if not sql.startswith(TRANSACTION):
            return (
                []
                if sql == "ROLLBACK" or sql.startswith("SET ")
                else queries.run(database.tables, sql, parameters)
            )
        await self._transact(sql, parameters)
        return []

    async def _transact(self, sql: str, parameters: Any) -> None:
        database, keys = self._database, _written(sql, parameters)
        now = asyncio.get_running_loop().time()
        database.transactions.append(Transaction(now, keys, self.limit_seconds, self._number))
        if not database.available:
            raise ConnectionLost("The database went away")
        if (error := database.trouble(keys)) is not None:
            await asyncio.sleep(COMMIT_SECONDS)
            raise error
        if database.locked.intersection(queries.screenings_in(sql, parameters)):
            await asyncio.sleep(LOCK_SECONDS)
            raise LockTimeout("locked")
        seconds = database.seconds(keys)
        if seconds > self.limit_seconds:
            await asyncio.sleep(self.limit_seconds)
            raise StatementCancelled("It takes too long")
        await asyncio.sleep(seconds)
        database.tables.write(sql, parameters)

    def close(self) -> None:
        if self in self._database.sessions:
            self._database.sessions.remove(self)


def _written(sql: str, parameters: Any) -> tuple[Any, ...]:
    keys: list[Any] = []
    for name, _, rows, _ in executed(sql, parameters, ("held", "events", "sales", "answers")):
        keys += [row["key"] if name == "answers" else (row["screening_id"], row["seq"]) for row in rows]
    return tuple(keys)


class BatchLog(NullObserver):
    """Keeps batches as (entries, seconds, lag), and the reasons of failures."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, float, float]] = []
        self.failures: list[str] = []

    @property
    def sizes(self) -> list[int]:
        return [entries for entries, _, _ in self.batches]

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        self.batches.append((entries, round(seconds, 9), round(lag_seconds, 9)))

    def flush_failed(self, reason: str) -> None:
        self.failures.append(reason)


class VirtualWorld:
    """A journal on such a database, and stories of screenings 1, 2, 3 and so on.

    Attributes:
        outcomes: outcome and time of each entry that `wait_for` has appended, by its first event's key.
    """

    def __init__(self, screenings: int = 3, *, limit: int = 100_000, tracer: Any = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.database = ScriptedDatabase(screenings)
        self.observer = BatchLog()
        self.journal = PostgresJournal(
            *(self.database, encode, self.observer),
            limit=limit,
            tracer=tracer,
            monotonic=self.loop.time,
        )
        self.stories = [
            Story(Hall(number, tuple(layout.by_id)))
            for number, (_, layout) in self.database.tables.screenings.items()
        ]
        self.outcomes: dict[Any, tuple[EngineError | None, float]] = {}

    def held(self, screening: int) -> Event:
        """Return the event of a new hold."""
        story = self.stories[screening - 1]
        return story.held(story.hold(0))

    def hold(self, screening: int, times: int = 1) -> None:
        """Append entries that nobody waits for."""
        for _ in range(times):
            self.journal.append(Entry((self.held(screening),)))

    def wait_for(self, *events: Event) -> Any:
        """Append an entry that somebody waits for. Returns its key."""
        key = (events[0].screening_id, events[0].seq)

        def settled(error: EngineError | None) -> None:
            assert key not in self.outcomes
            self.outcomes[key] = (error, self.loop.time())

        self.journal.append(Entry(events, settled=settled))
        return key

    def answer(self, key: str) -> None:
        """Append a response to store."""
        self.journal.remember(IdempotencyRecord("user:7", key, b"", 200, b""))

    async def until(self, at: float) -> None:
        """Let time pass until this many seconds after the start."""
        await asyncio.sleep(at - self.loop.time())
        assert round(self.loop.time() - at, 9) == 0


def rounded(*times: float) -> list[float]:
    """Return times without the errors of adding them up."""
    return [round(time, 9) for time in times]


def times(world: VirtualWorld) -> list[float]:
    """Return when transactions were sent."""
    return rounded(*[transaction.at for transaction in world.database.transactions])


def sizes(world: VirtualWorld) -> list[int]:
    """Return how much each transaction was to write."""
    return list(map(len, world.database.sent))
