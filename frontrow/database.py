"""Chooses the database of a process: the operator's, or the embedded one in the data directory.

The operator's database may be behind a pooler. Then there are two URLs: reads go through the pooler, and
everything that needs its own session goes directly to PostgreSQL.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from frontrow.settings import Settings, variable_of
from persistence.connector import Connector, PoolObserver
from persistence.data_directory import DataDirectory
from persistence.embedded import MAX_CONNECTIONS, EmbeddedPostgres
from persistence.pooler import address_behind_pooler, is_same_database

_OWN_CONNECTIONS = 4
"""Connections of a process besides its pool: two for the journal, one for the lock, one spare."""

_COMMAND_CONNECTIONS = 10
"""Connections of the embedded PostgreSQL for commands that run beside the server."""


class PoolerNotSupported(Exception):
    """A URL that must lead directly to PostgreSQL leads to a pooler or to another database."""


@contextmanager
def database_of(settings: Settings) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """Provide the database for the duration of the block. Blocking.

    An embedded server that another process has started is shared; the last process to leave stops it.

    Args:
        settings: use `database_url`, or without one the embedded server in `data_dir`.

    Yields:
        The URL that bypasses any pooler, and the embedded server if there is one.

    Raises:
        EmbeddedPostgresFailed: the embedded server does not start.
        OSError: the data directory cannot be used.
    """
    if settings.database_url:
        yield settings.direct_database_url or settings.database_url, None
        return
    limit = max(MAX_CONNECTIONS, connections_needed(settings) + _COMMAND_CONNECTIONS)
    embedded = EmbeddedPostgres(DataDirectory(settings.data_dir).path, max_connections=limit)
    embedded.start()
    try:
        yield embedded.url, embedded
    finally:
        embedded.stop()


def connections_needed(settings: Settings) -> int:
    """Return how many connections PostgreSQL must allow for `frontrow serve`."""
    of_process = settings.database_pool_size + _OWN_CONNECTIONS
    if settings.worker_count == 1:
        return of_process
    # During a reload there is one worker more. The supervisor has the last connection, for its lock.
    return (settings.worker_count + 1) * of_process + 1


def reading_connector(settings: Settings, database_url: str, observer: PoolObserver) -> Connector:
    """Return the connection pool for reads and the catalogue, through the pooler if there is one.

    Args:
        settings: the size of the pool, and the URL of a pooler.
        database_url: the URL of PostgreSQL itself.
        observer: measures how the pool is used.
    """
    return Connector(
        settings.database_url if settings.direct_database_url else database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        through_pooler=bool(settings.direct_database_url),
        observer=observer,
    )


async def require_own_sessions(settings: Settings, database_url: str) -> None:
    """Check that the journal and the server lock each get their own session.

    Args:
        settings: the URLs.
        database_url: the one that should lead directly to PostgreSQL.

    Raises:
        PoolerNotSupported: it leads to a pooler, or the two URLs lead to different databases.
        StoreUnavailable: the database cannot be reached.
    """
    wanted = variable_of("direct_database_url")
    with closing(Connector(database_url, pool_size=2, through_pooler=True)) as direct:
        address = await address_behind_pooler(direct)
        if address is not None:
            given = wanted if settings.direct_database_url else variable_of("database_url")
            raise PoolerNotSupported(
                f"{given} leads to a pooler that shares sessions between transactions (PgBouncer in "
                "transaction mode), but the journal, the server lock, migrations and backups need "
                f"sessions of their own: set {wanted} to the URL of PostgreSQL itself, for example "
                f"{address.url} with its password"
            )
        if not settings.direct_database_url:
            return
        with closing(Connector(settings.database_url, pool_size=1, through_pooler=True)) as pooled:
            if not await is_same_database(direct, pooled):
                raise PoolerNotSupported(
                    f"{wanted} and {variable_of('database_url')} lead to different databases; set both to "
                    "the same one, the first without and the second with the pooler"
                )
