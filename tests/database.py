"""Real databases for tests: one embedded cluster per run, and a fresh migrated database per test."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection

from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate

_numbers = itertools.count(1)


@contextmanager
def temporary_data_directory() -> Iterator[Path]:
    """A directory for an embedded PostgreSQL.

    Not below pytest's own: each run that begins takes all rights on the common parent from others
    again, and where tests run as root PostgreSQL is one of these others.
    """
    with tempfile.TemporaryDirectory(prefix="frontrow-test-") as path:
        yield Path(path)


@pytest.fixture
def data_directory() -> Iterator[Path]:
    """A data directory for one test."""
    with temporary_data_directory() as path:
        yield path


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test run's own."""
    with temporary_data_directory() as path:
        embedded = EmbeddedPostgres(path)
        embedded.start()
        yield embedded
        embedded.stop()


def database_of(embedded: EmbeddedPostgres, name: str) -> str:
    """The URL of another database in a cluster."""
    return embedded.url.replace("@/postgres?", f"@/{name}?")


def connect(database_url: str) -> connection:
    """A plain blocking connection, each statement committed at once: the tests' own look at the tables."""
    plain = psycopg2.connect(database_url)
    plain.autocommit = True
    return plain


def execute(database_url: str, statement: str, *parameters: object) -> list[tuple]:
    """Run one statement from outside and return its rows."""
    plain = connect(database_url)
    try:
        with plain.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        plain.close()


@pytest.fixture(scope="session")
def template_database(cluster: EmbeddedPostgres) -> str:
    """Name of a migrated database that the databases of the tests are copied from."""
    execute(cluster.url, "CREATE DATABASE template_for_tests")
    migrate(database_of(cluster, "template_for_tests"))
    return "template_for_tests"


@pytest.fixture
def empty_database_url(cluster: EmbeddedPostgres) -> Iterator[str]:
    """A database without a schema."""
    yield from _database(cluster, "template0")


@pytest.fixture
def database_url(cluster: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """A migrated database without rows (but for the seat types)."""
    yield from _database(cluster, template_database)


def _database(embedded: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    named = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    _administer(embedded, "CREATE DATABASE {name} TEMPLATE {template}", named)
    yield database_of(embedded, name)
    _administer(embedded, "DROP DATABASE {name} WITH (FORCE)", named)


def _administer(embedded: EmbeddedPostgres, statement: str, names: dict[str, sql.Identifier]) -> None:
    plain = connect(embedded.url)
    try:
        with plain.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(**names))
    finally:
        plain.close()
