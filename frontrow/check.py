"""What `frontrow check` finds: whether this configuration can sell, and what would make it better."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple

from engine.errors import StoreUnavailable
from frontrow.settings import PREFIX, TABLE, Settings
from persistence.connector import Connector, DefectiveStatement

_OLDEST_TESTED_VERSION = 150_000

_PROBE = """
SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
       current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('max_connections')::integer
"""

_REVISION = "SELECT version_num FROM alembic_version"


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        good: nothing is to be done about it.
        fatal: the server would not work like this, or not keep its promises.
        text: a sentence for the operator.
    """

    good: bool
    fatal: bool
    text: str


async def advice(settings: Settings, database_url: str) -> list[Finding]:
    """Look at the settings and at the database.

    Args:
        settings: already valid, or they could not have been read.
        database_url: the database they name, or the embedded one's.
    """
    findings = list(_of_settings(settings))
    connector = Connector(database_url, pool_size=1)
    try:
        ((version, shown, fsync, full_pages, connections),) = await connector.run(_PROBE)
        findings.extend(_of_server(settings, version, shown, fsync == full_pages == "on", connections))
        findings.append(await _of_schema(connector))
    except StoreUnavailable as exc:
        findings.append(Finding(False, True, str(exc)))
    finally:
        connector.close()
    return findings


def _of_settings(settings: Settings) -> Iterator[Finding]:
    yield Finding(True, False, f"settings are valid ({settings.env})")
    known = [setting.variable for setting in TABLE.values()]
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known:
            likely = get_close_matches(variable, known, 1)
            hint = f"; {likely[0]} may be meant" if likely else ""
            yield Finding(False, False, f"{variable} is no setting and has no effect{hint}")
    if settings.database_url:
        yield Finding(True, False, f"the database is {settings.shown_database_url}")
    else:
        place = f"the embedded PostgreSQL in {settings.data_dir} is used"
        if settings.production:
            yield Finding(
                False, False, f"{place}; in production set FRONTROW_DATABASE_URL to a server with backups"
            )
        else:
            yield Finding(True, False, place)
    if settings.production and not settings.smtp_url:
        text = "mails are written to files; set FRONTROW_SMTP_URL, or nobody gets them"
        yield Finding(False, False, text)
    if not settings.jwt_secret and not settings.jwt_public_key:
        yield Finding(True, False, f"tokens are signed with development's secret in {settings.data_dir}")


def _of_server(
    settings: Settings, version: int, shown: str, durable: bool, connections: int
) -> Iterator[Finding]:
    yield Finding(
        version >= _OLDEST_TESTED_VERSION,
        False,
        f"PostgreSQL {shown}" + ("" if version >= _OLDEST_TESTED_VERSION else "; 15 or newer is advised"),
    )
    if durable:
        yield Finding(True, False, "fsync and full_page_writes are on")
    else:
        text = (
            "fsync or full_page_writes is off: acknowledged bookings could be lost in a crash; turn both on"
        )
        yield Finding(False, True, text)
    needed = settings.database_pool_size + 2
    if connections < needed:
        yield Finding(False, True, f"max_connections is {connections}, but this server needs {needed}")


async def _of_schema(connector: Connector) -> Finding:
    try:
        rows = await connector.run(_REVISION)
    except DefectiveStatement:
        rows = []
    if not rows:
        return Finding(False, False, "the schema is missing; `frontrow migrate` or `frontrow serve` makes it")
    return Finding(True, False, f"the schema is at {rows[0][0]}")
