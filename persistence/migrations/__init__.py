"""Migrates a database to the schema that this version of the code expects.

Alembic orders the revisions and records which were applied; the changes themselves are plain SQL, one file
per revision next to its Python stub in `versions/`. A released revision is never edited; a new one follows
it. All pending revisions are applied in one transaction.
"""

import asyncio
from contextlib import closing

from engine.errors import StoreUnavailable
from persistence.connector import Connector
from persistence.errors import DefectiveStatement
from persistence.migrations.revisions import MigrationFailed, is_known, newest_revision

__all__ = ["REVISION", "MigrationFailed", "is_known", "migrate", "newest_revision"]

REVISION = "SELECT version_num FROM alembic_version"
"""Reads the revision of a database; fails if it has no schema."""


def migrate(database_url: str) -> list[str]:
    """Apply pending revisions. Blocking; safe to run in several processes at once.

    Args:
        database_url: a `postgresql://` URL.

    Returns:
        The applied revisions, oldest first, such as "0001_seat_sales"; empty if there were none.

    Raises:
        MigrationFailed: nothing was changed.
    """
    if asyncio.run(_is_migrated(database_url)):
        return []
    from persistence.migrations.applying import apply_pending

    return apply_pending(database_url)


async def _is_migrated(database_url: str) -> bool:
    """Return whether nothing needs to be applied; False also if that cannot be found out."""
    try:
        with closing(Connector(database_url, pool_size=1)) as connector:
            return await connector.run(REVISION) == [(newest_revision(),)]
    except (StoreUnavailable, DefectiveStatement):
        return False
