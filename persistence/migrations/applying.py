"""Applies pending revisions with Alembic. Few processes find any, and importing it takes half a second."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy.pool import NullPool

from persistence.connector import place_of
from persistence.migrations.revisions import MigrationFailed, is_known, newest_revision
from persistence.requirements import ABILITIES, FOUND_EXTENSIONS, joined, unmet_requirements

ADVISORY_LOCK = 7_466_281_955
"""Lock held while migrating, so that of several processes one migrates and the others find it done."""


def apply_pending(database_url: str) -> list[str]:
    """Apply pending revisions in one transaction; as `migrate`."""
    applied: list[str] = []
    config = _config()
    try:
        url = sqlalchemy.make_url(database_url).set(drivername="postgresql+psycopg2")
        engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            revision = MigrationContext.configure(connection).get_current_revision()
            if revision == newest_revision():
                return applied
            if revision is not None and not is_known(revision):
                raise MigrationFailed(
                    f"The database is at {revision}, which a newer version of Frontrow has made: start that "
                    "version, or restore a backup"
                )
            _require_all(connection)
            config.attributes.update(connection=connection, applied=applied)
            command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as exc:
        reason = str(exc.orig).strip().partition("\n")[0]
        if exc.connection_invalidated:
            place = place_of({"host": url.host or url.query.get("host"), "port": url.port})
            raise MigrationFailed(
                f"The database{place} went away while its schema was checked or migrated: {reason}"
            ) from exc
        raise MigrationFailed(f"The database could not be migrated: {reason}") from exc
    except (sqlalchemy.exc.SQLAlchemyError, CommandError) as exc:
        raise MigrationFailed(f"The database could not be migrated: {exc}") from exc
    return applied


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _require_all(connection: sqlalchemy.Connection) -> None:
    """Check the prerequisites of a migration before anything is changed."""
    abilities = connection.exec_driver_sql(ABILITIES).one()
    missing = list(unmet_requirements(abilities, connection.exec_driver_sql(FOUND_EXTENSIONS).all()))
    if missing:
        raise MigrationFailed(f"The database cannot be migrated, and nothing was changed: {joined(missing)}")
