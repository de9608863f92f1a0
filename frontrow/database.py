"""Which database a process works on: the operator's, or the embedded one of the data directory."""

from collections.abc import Iterator
from contextlib import contextmanager

from frontrow.settings import Settings
from persistence.data_directory import DataDirectory
from persistence.embedded import EmbeddedPostgres


@contextmanager
def database_of(settings: Settings) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The database for as long as the block lasts. Blocking.

    An embedded server that another process has started is shared with it; the last one out stops it.

    Args:
        settings: whose `database_url`, or else whose `data_dir`, names the database.

    Yields:
        Its URL, and the embedded server if it is one.

    Raises:
        EmbeddedPostgresFailed: the embedded server does not start.
        OSError: the data directory can't be used.
    """
    if settings.database_url:
        yield settings.database_url, None
        return
    embedded = EmbeddedPostgres(DataDirectory(settings.data_dir).path)
    embedded.start()
    try:
        yield embedded.url, embedded
    finally:
        embedded.stop()
