"""Chooses the database of a process: the operator's, or the embedded one in the data directory.

The operator's database may be reached through a pooler. Then there are two URLs: reads go through the pooler,
and everything that needs a session of its own goes directly to PostgreSQL.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from frontrow.settings import Settings, variable_of
from persistence.connector import Connector
from persistence.data_directory import DataDirectory
from persistence.embedded import EmbeddedPostgres
from persistence.pooler import address_behind_pooler, is_same_database


class PoolerInTheWay(Exception):
    """A URL that must lead to PostgreSQL itself leads to a pooler, or to another database."""


@contextmanager
def database_of(settings: Settings) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The database for as long as the block lasts. Blocking.

    An embedded server that another process has started is shared with it; the last one out stops it.

    Args:
        settings: whose `database_url`, or else whose `data_dir`, names the database.

    Yields:
        Its URL, without a pooler where there is one, and the embedded server if it is one.

    Raises:
        EmbeddedPostgresFailed: the embedded server does not start.
        OSError: the data directory can't be used.
    """
    if settings.database_url:
        yield settings.direct_database_url or settings.database_url, None
        return
    embedded = EmbeddedPostgres(DataDirectory(settings.data_dir).path)
    embedded.start()
    try:
        yield embedded.url, embedded
    finally:
        embedded.stop()


def reading_connector(settings: Settings, database_url: str) -> Connector:
    """The connection pool for reading and for the catalogue, through the pooler if there is one.

    Args:
        settings: the size of the pool, and the URL of a pooler.
        database_url: the URL of PostgreSQL itself.
    """
    return Connector(
        settings.database_url if settings.direct_database_url else database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        through_pooler=bool(settings.direct_database_url),
    )


async def require_own_sessions(settings: Settings, database_url: str) -> None:
    """Check that the journal and the lock of the server get sessions of their own.

    Args:
        settings: the URLs.
        database_url: the one that should lead to PostgreSQL itself.

    Raises:
        PoolerInTheWay: it leads to a pooler, or both URLs lead to different databases.
        StoreUnavailable: the database cannot be reached.
    """
    wanted = variable_of("direct_database_url")
    with closing(Connector(database_url, pool_size=2, through_pooler=True)) as direct:
        address = await address_behind_pooler(direct)
        if address is not None:
            given = wanted if settings.direct_database_url else variable_of("database_url")
            raise PoolerInTheWay(
                f"{given} leads to a pooler that shares sessions between transactions (PgBouncer in "
                "transaction mode), but the journal, the lock of the server, migrations and backups need "
                f"sessions of their own: set {wanted} to PostgreSQL itself, {address.url} as it sees itself, "
                "with the password where it wants one"
            )
        if not settings.direct_database_url:
            return
        with closing(Connector(settings.database_url, pool_size=1, through_pooler=True)) as pooled:
            if not await is_same_database(direct, pooled):
                raise PoolerInTheWay(
                    f"{wanted} and {variable_of('database_url')} lead to different databases; "
                    "both must lead to the same one, without and with the pooler"
                )
