"""The only module that uses the driver: runs SQL, and maps all errors to those of `persistence.errors`.

It also works around these properties of aiopg 1.4, psycopg2 and uvloop:

* When the server cancels a statement, aiopg raises `CancelledError`, as if the task had been cancelled.
* A timeout or a cancellation closes the socket while the server may still commit. So a connection whose
  statement was interrupted is discarded, and the outcome is unknown.
* aiopg implements its timeouts by `wait_for`, which can swallow a cancellation on Python 3.11. They are
  disabled; this module uses `asyncio.timeout`.
* aiopg's pool holds a lock while it connects, so one frozen server blocks even returning a good connection.
  The pool here holds no lock across an await, and connects within the borrower's time limit.
* libpq resolves host names synchronously, and changes its socket when it tries a name's next address, which
  aiopg does not notice. So this module resolves names, and tries the addresses one by one.
* libpq closes a broken connection's socket while the event loop still watches its descriptor. asyncio
  tolerates that; uvloop then refuses the next socket that gets the number, even one of an HTTP client. So
  `_DriverConnection` lets the loop watch a duplicate, and closes it after the loop has released it.
* uvloop reports an error of a socket once and then stops watching it, even if libpq has not read all data
  before the error. `_DriverConnection` keeps reading until the waiting statement has its result.
* Asynchronous mode has no `commit()`: BEGIN and COMMIT are statements. A string may contain several
  statements; the rows are those of the last.
"""

import asyncio
import os
import select
import socket
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any, Protocol, cast

import aiopg
import psycopg2  # type: ignore[import-untyped]
from psycopg2 import extensions

from engine.causes import cause
from engine.errors import StoreUnavailable
from persistence.errors import (
    ABORTED,
    REFUSING_CLASSES,
    TRANSIENT_CLASSES,
    ConnectionLost,
    DatabaseUnavailable,
    DefectiveStatement,
    NoAnswer,
    StatementAborted,
    StatementRefused,
    UnstorableText,
)

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any] | None

SESSION_SETUP = """
SET {scope} synchronous_commit = on;
SET {scope} statement_timeout = {timeout_ms};
SET {scope} idle_in_transaction_session_timeout = {timeout_ms};
SET {scope} pg_trgm.word_similarity_threshold = 0.35;
"""
"""The server has the same time limits, so that transactions of a lost client do not hold locks for long.

Of 200 longer words of real titles with one typing error (letters swapped, dropped, added or wrong), search
finds 96 in 100 at this threshold, among 7 titles at the median. 0.45 finds 73; 0.3 no more, and much else.
"""

KEEPALIVES = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


BEGIN_CAUSED = """
BEGIN; SELECT set_config('frontrow.request_id', %s, true), set_config('frontrow.trace', %s, true)
""".strip()


_joint: ContextVar["tuple[Connector, Connection, asyncio.Task[Any] | None] | None"] = ContextVar(
    "joint", default=None
)
"""The transaction that everything in `Connector.joint` belongs to, and the task that has opened it."""


class _DriverConnection(aiopg.Connection):
    """An aiopg connection whose file descriptor stays valid while the event loop watches it.

    When it is broken it closes itself, since the duplicate descriptor would stay readable forever. Until a
    waiting statement has its result, it keeps reading without being called.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        no_timeout: Any = None
        super().__init__(
            None, no_timeout, enable_json=False, enable_hstore=False, enable_uuid=False, **options
        )
        self._loop.remove_reader(self._conn.fileno())
        self._fileno = os.dup(self._conn.fileno())
        self._loop.add_reader(self._fileno, self._ready, self._weakref)

    @staticmethod
    def _ready(weak_self: "weakref.ref[Any]") -> None:
        aiopg.Connection._ready(weak_self)
        connection = weak_self()
        if connection is None:
            return
        if connection.closed:
            connection.close()
        elif connection._is_waiting and connection._hung_up:
            connection._loop.call_soon(connection._ready, weak_self)

    @property
    def _is_waiting(self) -> bool:
        """True if a statement waits for its result."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def _hung_up(self) -> bool:
        """True if the socket has an error or is closed by the server, even if there are unread bytes."""
        if self._fileno is None:
            return False
        poll = select.poll()
        poll.register(self._fileno, 0)
        return bool(poll.poll(0))

    def _close(self) -> None:
        super()._close()
        if self._fileno is not None:
            os.close(self._fileno)
            self._fileno = None


class Connection:
    """One connection in autocommit mode until BEGIN. It runs one statement at a time.

    Args:
        driver: an aiopg connection that has been set up.
        timeout_seconds: time limit of a statement.
        place: where the database is, for messages to operators: " at HOST:PORT", or nothing.
        transaction_setup: SQL to run at the beginning of each transaction.
    """

    def __init__(
        self, driver: aiopg.Connection, timeout_seconds: float, place: str = "", transaction_setup: str = ""
    ) -> None:
        self._driver = driver
        self._place = place
        self._timeout_seconds = timeout_seconds
        self._transaction_setup = transaction_setup

    @property
    def broken(self) -> bool:
        """True if the connection is closed."""
        return bool(self._driver.closed)

    @property
    def idle(self) -> bool:
        """True if the connection is open, outside a transaction and without a running statement."""
        status = self._driver.raw.info.transaction_status
        return not self.broken and bool(status == extensions.TRANSACTION_STATUS_IDLE)

    @property
    def backend_pid(self) -> int:
        """Process id of the server process."""
        return int(self._driver.raw.info.backend_pid)

    async def run(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Run statements and return the rows of the last one.

        Args:
            sql: one statement, or several separated by semicolons, with `%s` or `%(name)s` for values.
            parameters: the values.

        Raises:
            ConnectionLost: the connection broke, or time ran out (NoAnswer).
            StatementAborted: the server rolled it back because of a transient failure.
            StatementRefused: the data breaks a rule of the schema.
            DefectiveStatement: the statement does not fit the schema.
        """
        if self._transaction_setup and self.idle:
            sql = self._set_up(sql)
        try:
            async with asyncio.timeout(self._timeout_seconds), self._driver.cursor() as cursor:
                # The cursor and its unused transaction object form a cycle; break it.
                cast(Any, cursor)._transaction = None
                await cursor.execute(sql, parameters)
                return await cursor.fetchall() if cursor.description else []
        except asyncio.CancelledError as exc:
            if isinstance(exc.__context__, extensions.QueryCanceledError):
                raise self._translated(exc.__context__) from exc.__context__
            self.close()
            raise
        except TimeoutError as exc:
            self.close()
            raise NoAnswer(
                f"The database{self._place} has not answered within {self._timeout_seconds:g} s"
            ) from exc
        except psycopg2.Error as exc:
            raise self._translated(exc) from exc
        except ValueError as exc:
            raise UnstorableText(str(exc)) from exc

    def close(self) -> None:
        """Close the connection immediately; the server rolls back an open transaction."""
        with suppress(OSError):
            self._driver.close()

    def _set_up(self, sql: str) -> str:
        """Insert the settings of a transaction into the SQL that begins it."""
        if not sql.startswith("BEGIN"):
            return self._transaction_setup + sql
        begin, _, rest = sql.partition(";")
        return f"{begin};{self._transaction_setup}{rest}"

    def _translated(self, exc: psycopg2.Error) -> Exception:
        reason = _first_line(exc)
        if self.broken:
            return ConnectionLost(f"The database{self._place} went away: {reason}")
        sqlstate = exc.pgcode or ""
        if sqlstate[:2] in REFUSING_CLASSES:
            return StatementRefused(reason, sqlstate, exc.diag.constraint_name, exc.diag.message_detail)
        if sqlstate[:2] in TRANSIENT_CLASSES:
            return ABORTED.get(sqlstate, StatementAborted)(reason)
        return DefectiveStatement(f"{reason} (SQLSTATE {sqlstate or 'unknown'})")


class PoolObserver(Protocol):
    """Measures how a pool is used."""

    def connection_borrowed(self, wait_seconds: float) -> None:
        """A connection can be used, after a wait that includes connecting."""

    def pool_exhausted(self) -> None:
        """No connection became free within the time limit."""


class Connector:
    """A bounded pool of connections to one database. It connects when a connection is first needed.

    Args:
        database_url: a libpq URL or connection string.
        pool_size: maximum number of connections; dedicated ones are not counted.
        connect_timeout_seconds: time limit for connecting, or for waiting for a free connection.
        statement_timeout_seconds: time limit of a statement on a connection of the pool.
        through_pooler: the URL may lead to a pooler that runs each transaction in another session. So
            settings are made for each transaction, and a dedicated connection may share its session.
        observer: measures how the pool is used.

    Attributes:
        pool_size: the maximum number of connections.
        waiting_count: how many wait for a connection.

    Raises:
        ValueError: `database_url` cannot be parsed.
    """

    def __init__(
        self,
        database_url: str,
        *,
        pool_size: int = 8,
        connect_timeout_seconds: float = 2.0,
        statement_timeout_seconds: float = 5.0,
        through_pooler: bool = False,
        observer: PoolObserver | None = None,
    ) -> None:
        try:
            self._options: dict[str, Any] = {**KEEPALIVES, **extensions.parse_dsn(database_url)}
        except psycopg2.ProgrammingError:
            # Its message repeats the URL, and with it the password.
            raise ValueError("The database URL cannot be read") from None
        self._connect_timeout_seconds = connect_timeout_seconds
        self._statement_timeout_seconds = statement_timeout_seconds
        self._through_pooler = through_pooler
        self._observer = observer
        self.pool_size = pool_size
        self.waiting_count = 0
        self._busy = 0
        self._slots = asyncio.Semaphore(pool_size)
        self._idle: list[Connection] = []
        self._closed = False

    @property
    def idle_count(self) -> int:
        """Number of connections that are not in use."""
        return len(self._idle)

    @property
    def busy_count(self) -> int:
        """Number of connections that are in use, or being made for somebody."""
        return self._busy

    async def run(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Run statements in one transaction, on a connection of the pool.

        Raises:
            DatabaseUnavailable: no connection could be made.
            Exception: as `Connection.run`.
        """
        async with self.connection() as connection:
            return await connection.run(sql, parameters)

    @asynccontextmanager
    async def joint(self) -> AsyncIterator[Connection]:
        """Make one transaction of everything that the block runs through this connector.

        Transactions that the same task begins in the block join it and end with it; tasks that it starts do
        not. An exception that leaves the block, or leaves a statement in it, rolls everything back.
        """
        async with self.transaction() as connection:
            token = _joint.set((self, connection, asyncio.current_task()))
            try:
                yield connection
            finally:
                _joint.reset(token)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection inside a transaction, which an exception in the block rolls back.

        Triggers find the request that has caused it in the settings of the transaction.
        """
        if (shared := self._shared) is not None:
            yield shared
            return
        present = cause.get()
        async with self.connection() as connection:
            if present is None:
                await connection.run("BEGIN")
            else:
                await connection.run(BEGIN_CAUSED, (present.request_id, present.trace or ""))
            try:
                yield connection
            except Exception:
                with suppress(StoreUnavailable):
                    await connection.run("ROLLBACK")
                raise
            await connection.run("COMMIT")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Borrow a connection of the pool. If it is returned inside a transaction, it is closed."""
        if (shared := self._shared) is not None:
            yield shared
            return
        began = monotonic()
        self.waiting_count += 1
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                await self._slots.acquire()
        except TimeoutError as exc:
            if self._observer is not None:
                self._observer.pool_exhausted()
            raise DatabaseUnavailable("All connections to the database are busy") from exc
        finally:
            self.waiting_count -= 1
        self._busy += 1
        try:
            connection = self._take_idle() or await self._connect(self._statement_timeout_seconds)
            if self._observer is not None:
                self._observer.connection_borrowed(monotonic() - began)
            try:
                yield connection
            finally:
                if connection.idle and not self._closed:
                    self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._busy -= 1
            self._slots.release()

    async def dedicated(self, application_name: str, statement_timeout_seconds: float) -> Connection:
        """Open a connection outside the pool, which the caller closes.

        Args:
            application_name: its name in pg_stat_activity.
            statement_timeout_seconds: time limit of a statement.

        Raises:
            DatabaseUnavailable: no connection could be made.
        """
        return await self._connect(statement_timeout_seconds, application_name=application_name)

    def close(self) -> None:
        """Close the pool: idle connections immediately, borrowed ones when they are returned."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @property
    def _shared(self) -> Connection | None:
        """The connection of the `joint` block that the caller is in."""
        if (joint := _joint.get()) is None:
            return None
        connector, connection, task = joint
        # Tasks inherit the variable, and outlive the block.
        return connection if connector is self and task is asyncio.current_task() else None

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.broken:
                return connection
        return None

    async def _connect(self, statement_timeout_seconds: float, **options: str) -> Connection:
        if self._closed:
            raise DatabaseUnavailable("The connection to the database has been closed")
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                for address in await self._addresses():
                    try:
                        return await self._connect_to(
                            {**self._options, **options, **address}, statement_timeout_seconds
                        )
                    except (OSError, psycopg2.Error, StoreUnavailable, DefectiveStatement) as exc:
                        failure = exc
        except OSError as exc:  # TimeoutError, or a failure of name resolution
            failure = failure or exc
        reason = (getattr(failure, "strerror", None) or _first_line(failure)) if failure else ""
        raise DatabaseUnavailable(
            f"The database{place_of(self._options)} cannot be reached: {reason or 'no answer'}{self._advice}"
        ) from failure

    @property
    def _advice(self) -> str:
        # A directory is usually that of the embedded PostgreSQL, which no setting names.
        in_directory = str(self._options.get("host", "")).startswith("/")
        return "" if in_directory else "; see FRONTROW_DATABASE_URL"

    async def _connect_to(self, options: Mapping[str, Any], statement_timeout_seconds: float) -> Connection:
        driver = await _DriverConnection(options)
        timeout_ms = int(statement_timeout_seconds * 1000)
        place = place_of(self._options)
        if self._through_pooler:
            setup = SESSION_SETUP.format(scope="LOCAL", timeout_ms=timeout_ms)
            return Connection(driver, statement_timeout_seconds, place, setup)
        connection = Connection(driver, statement_timeout_seconds, place)
        try:
            await connection.run(SESSION_SETUP.format(scope="SESSION", timeout_ms=timeout_ms))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _addresses(self) -> list[dict[str, str]]:
        """Return the options for each address of the host, in the order in which they are tried."""
        host = self._options.get("host", "")
        if not host or host.startswith(("/", "@")) or "," in host or "hostaddr" in self._options:
            return [{}]
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return [{"hostaddr": str(address[4][0])} for address in found]


def place_of(options: Mapping[str, Any]) -> str:
    """Return where a database is, for messages to operators: " at HOST:PORT", or "" if that is not given.

    Args:
        options: of libpq.
    """
    given = [str(options[part]) for part in ("host", "port") if options.get(part)]
    return f" at {':'.join(given)}" if given else ""


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().partition("\n")[0]


def url_and_password(database_url: str) -> tuple[str, str | None]:
    """Split a URL into a libpq connection string without the password, and the password.

    Raises:
        ValueError: `database_url` cannot be parsed.
    """
    try:
        options = extensions.parse_dsn(database_url)
    except psycopg2.ProgrammingError:
        raise ValueError("The database URL cannot be read") from None
    password = options.pop("password", None)
    return extensions.make_dsn(**options), password
