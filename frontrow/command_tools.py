"""Tools shared by commands: the option for the data directory, short errors, and the database."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from frontrow.database import database_of, require_own_sessions
from frontrow.expected_errors import sentence_for
from frontrow.settings import Settings
from persistence.connector import Connector
from persistence.errors import DefectiveStatement
from persistence.migrations import MigrationFailed, migrate

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the embedded PostgreSQL and development's secrets. [FRONTROW_DATA_DIR, or .frontrow]",
)


@contextmanager
def short_errors() -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        sentence = sentence_for(exc)
        if sentence is None:
            raise
        raise click.ClickException(sentence) from exc


@contextmanager
def opened_database(settings: Settings) -> Iterator[str]:
    """Yield the URL of the database, bypassing a pooler.

    These commands set session parameters, which would leak to other clients of the pooler.
    """
    with database_of(settings) as (url, _):
        if settings.database_url:
            asyncio.run(require_own_sessions(settings, url))
        yield url


def with_database(settings: Settings, work: Callable[[Connector], Any]) -> Any:
    """Migrate the database and run `work` on it."""
    with opened_database(settings) as url:
        migrate(url)
        return asyncio.run(_connected(url, work))


def on_database(settings: Settings, work: Callable[[Connector], Any]) -> Any:
    """Run `work` on a database that has a schema."""
    with opened_database(settings) as url:
        try:
            return asyncio.run(_connected(url, work))
        except DefectiveStatement as exc:
            raise MigrationFailed(
                "The database has no schema, or one of another version; run frontrow migrate"
            ) from exc


async def _connected(url: str, work: Callable[[Connector], Any]) -> Any:
    connector = Connector(url, pool_size=1, statement_timeout_seconds=120)
    try:
        return await work(connector)
    finally:
        connector.close()
