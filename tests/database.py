"""Real databases for tests: one embedded cluster per run, and a new migrated database per test."""

import itertools
import os
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection

from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate
from tests.debian import library_path, postgres_programs

_numbers = itertools.count(1)

CLUSTER = "FRONTROW_TEST_CLUSTER"
"""If "debian", tests run with Debian's PostgreSQL instead of the embedded one."""


SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the files have a temporary directory of their own there
SHARED_MEMORY_BYTES = 4 * 1024**3
"""Tests keep databases in memory if this much is free. A run uses some hundred megabytes."""


class DebianPostgres(EmbeddedPostgres):
    """A cluster of Debian's PostgreSQL, which is older than the embedded one.

    Args:
        data_directory: as for the embedded one.
    """

    LOCALE_PROVIDER = ()  # the built-in provider came with PostgreSQL 17

    def __init__(self, data_directory: Path) -> None:
        starters = data_directory / "bin"
        starters.mkdir()
        for name in ("initdb", "pg_ctl", "postgres"):
            starter = starters / name
            starter.write_text(
                f'#!/bin/sh\nLD_LIBRARY_PATH={library_path()} exec {postgres_programs() / name} "$@"\n'
            )
            starter.chmod(0o755)
        super().__init__(data_directory, starters)


@contextmanager
def temporary_data_directory() -> Iterator[Path]:
    """A directory for an embedded PostgreSQL, in memory if there is room.

    A database has some six hundred files, and copying them in memory is much cheaper. Killing servers loses
    neither.

    It is not below pytest's own directory: every pytest run that starts removes other users' rights on the
    common parent, and tests run by root run PostgreSQL as another user.
    """
    with tempfile.TemporaryDirectory(prefix="frontrow-test-", dir=_place_in_memory()) as path:
        yield Path(path)


def _place_in_memory() -> Path | None:
    try:
        memory = os.statvfs(SHARED_MEMORY)
    except FileNotFoundError:  # not Linux
        return None
    # `DebianPostgres` has programs in its directory. Containers often forbid those in shared memory.
    fits = memory.f_bavail * memory.f_frsize >= SHARED_MEMORY_BYTES and not memory.f_flag & os.ST_NOEXEC
    return SHARED_MEMORY if fits else None


@pytest.fixture
def empty_data_directory() -> Iterator[Path]:
    """A data directory for one test."""
    with temporary_data_directory() as path:
        yield path


def migrate_apart(database_url: str) -> None:
    """Migrate a database in a thread.

    `migrate` runs an event loop of its own. In this thread, a test would be left without a current one if its
    first database is only made after its event loop.
    """
    with ThreadPoolExecutor(1) as threads:
        threads.submit(migrate, database_url).result()


@pytest.fixture(scope="session")
def migrated_cluster() -> Iterator[Path]:
    """The files of an embedded PostgreSQL whose database is migrated. It is not running."""
    with temporary_data_directory() as path:
        embedded = EmbeddedPostgres(path)
        embedded.start()
        migrate_apart(embedded.url)
        # Copies are killed, but never lose their machine.
        execute(embedded.url, "ALTER SYSTEM SET fsync = off")
        embedded.stop()
        yield path / "postgres"


@pytest.fixture
def data_directory(empty_data_directory: Path, request: pytest.FixtureRequest) -> Path:
    """A data directory for one test, with a migrated database unless the test has another one.

    A server that creates its own database takes some seconds longer to start.
    """
    if "database_url" not in request.fixturenames:
        made = request.getfixturevalue("migrated_cluster")
        # It keeps the owner, which is not root.
        subprocess.run(["cp", "-a", made, empty_data_directory], check=True)  # noqa: S603, S607
    return empty_data_directory


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this test run."""
    with temporary_data_directory() as path:
        embedded = DebianPostgres(path) if os.environ.get(CLUSTER) == "debian" else EmbeddedPostgres(path)
        embedded.start()
        # Hundreds of databases are created and dropped, and each would wait for the disk. Tests kill
        # processes of this server but never the machine, so its writes survive without fsync.
        for setting in ("fsync", "full_page_writes"):
            execute(embedded.url, f"ALTER SYSTEM SET {setting} = off")
        execute(embedded.url, "SELECT pg_reload_conf()")
        yield embedded
        embedded.stop()


def database_of(embedded: EmbeddedPostgres, name: str) -> str:
    """Return the URL of another database in a cluster."""
    return embedded.url.replace("@/postgres?", f"@/{name}?")


def connect(database_url: str) -> connection:
    """A plain blocking connection in autocommit mode, for the tests' own queries."""
    plain = psycopg2.connect(database_url)
    plain.autocommit = True
    return plain


@contextmanager
def locked(database_url: str, statement: str, *parameters: object) -> Iterator[None]:
    """Keep a transaction of another session open for the block.

    Args:
        database_url: the database.
        statement: takes the locks.
        parameters: of the statement.
    """
    locker = connect(database_url)
    cursor = locker.cursor()
    cursor.execute("BEGIN")
    cursor.execute(statement, parameters or None)
    try:
        yield
    finally:
        locker.close()


def execute(database_url: str, statement: str, *parameters: object) -> list[tuple]:
    """Run one statement outside the code under test and return its rows."""
    plain = connect(database_url)
    try:
        with plain.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        plain.close()


@pytest.fixture(scope="session")
def template_database(cluster: EmbeddedPostgres) -> str:
    """Name of the migrated database that the tests' databases are copied from."""
    execute(cluster.url, "CREATE DATABASE template_for_tests")
    migrate_apart(database_of(cluster, "template_for_tests"))
    return "template_for_tests"


class DatabaseStock:
    """Creates databases in advance and drops them in the background, since that takes longer than most tests.

    Args:
        embedded: the cluster.
        template: the database to copy.
    """

    READY = 4

    def __init__(self, embedded: EmbeddedPostgres, template: str) -> None:
        self._embedded = embedded
        self._template = template
        self._ready: deque[Future[str]] = deque()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="databases")

    def take(self) -> str:
        """Return the name of an unused database. Restart the cluster if a failed test has left it dead."""
        if self._embedded.postmaster_pid is None:
            self._embedded.start()
        while len(self._ready) <= self.READY:
            self._ready.append(self._worker.submit(create_database, self._embedded, self._template))
        try:
            return self._ready.popleft().result()
        except psycopg2.OperationalError:
            # A test killed the server while it was being created.
            return self.take()

    def give_back(self, name: str) -> None:
        """Drop a database in the background."""
        self._worker.submit(drop_database, self._embedded, name)

    def close(self) -> None:
        """Stop creating databases."""
        self._worker.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def stock(cluster: EmbeddedPostgres, template_database: str) -> Iterator[DatabaseStock]:
    databases = DatabaseStock(cluster, template_database)
    yield databases
    databases.close()


@pytest.fixture
def database_url(cluster: EmbeddedPostgres, stock: DatabaseStock) -> Iterator[str]:
    """A migrated database without rows, except for the seat types."""
    name = stock.take()
    yield database_of(cluster, name)
    stock.give_back(name)


@pytest.fixture
def empty_database_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """A database without a schema."""
    name = create_database(cluster, "template0")
    yield database_of(cluster, name)
    drop_database(cluster, name)


def create_database(embedded: EmbeddedPostgres, template: str) -> str:
    """Copy a database. Returns the name of the copy."""
    name = f"test_{next(_numbers)}"
    named = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    # Copying files takes a third of the time of copying through the write-ahead log.
    _administer(embedded, "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY", named)
    return name


def drop_database(embedded: EmbeddedPostgres, name: str) -> None:
    """Drop a database, terminating its connections."""
    _administer(embedded, "DROP DATABASE {name} WITH (FORCE)", {"name": sql.Identifier(name)})


def _administer(embedded: EmbeddedPostgres, statement: str, names: dict[str, sql.Identifier]) -> None:
    plain = connect(embedded.url)
    try:
        with plain.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(**names))
    finally:
        plain.close()
