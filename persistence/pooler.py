"""Detects a pooler that shares sessions between transactions, as PgBouncer does in transaction mode.

Behind such a pooler each transaction may run in a different session, so session state is lost or leaks to
other clients. The journal's prepared statements, the server lock, and terminating a session that may still
commit all depend on session state; plain reads do not.

A pooler does not identify itself, so this module tests for one. If two clients in turn get the same
PostgreSQL session, or one client gets a different session each time, `pg_backend_pid()` shows it.
"""

import secrets
from typing import NamedTuple
from urllib.parse import quote

from engine.errors import StoreUnavailable
from persistence.connector import Connection, Connector

_TRIES = 3
_SECONDS = 5.0

BACKEND = "SELECT pg_backend_pid()"

# The settings are empty if the role may not read them.
REACHED_AT = """
SELECT current_user, current_database(), host(inet_server_addr()), inet_server_port(),
       coalesce((SELECT setting FROM pg_settings WHERE name = 'unix_socket_directories'), ''),
       current_setting('port')::integer
"""

# Every role may see the application_name and the database of a session.
IS_HERE = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()
)
"""


class Address(NamedTuple):
    """The address that PostgreSQL itself listens on, as PostgreSQL reports it.

    Attributes:
        host: an IP address or the directory of a Unix socket; empty if unknown.
    """

    user: str
    database: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """A URL without a password."""
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        if self.host.startswith("/"):
            return f"postgresql://{user}@/{database}?host={quote(self.host, safe='')}&port={self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host or "ADDRESS"
        return f"postgresql://{user}@{host}:{self.port}/{database}"


async def address_behind_pooler(connector: Connector) -> Address | None:
    """Return PostgreSQL's own address if connections share sessions, None if each has its own.

    Args:
        connector: the database; two of its connections are used.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    async with connector.connection() as one:
        if await _shares_sessions(connector, one):
            ((user, database, host, port, directories, local_port),) = await one.run(REACHED_AT)
            directory = directories.partition(",")[0].strip()
            return Address(user, database, host or directory, port or local_port)
    return None


async def is_same_database(direct: Connector, other: Connector) -> bool:
    """Return whether both connectors lead to the same database. `direct` must not use a pooler.

    Raises:
        StoreUnavailable: one of them cannot be reached.
    """
    name = f"frontrow {secrets.token_hex(8)}"
    connection = await direct.dedicated(name, _SECONDS)
    try:
        return bool((await other.run(IS_HERE, (name,)))[0][0])
    finally:
        connection.close()


async def _shares_sessions(connector: Connector, one: Connection) -> bool:
    ((first,),) = await one.run(BACKEND)
    for _ in range(_TRIES):
        if await one.run(BACKEND) != [(first,)]:
            return True
        try:
            async with connector.transaction() as other:
                if await other.run(BACKEND) == [(first,)] or await one.run(BACKEND) != [(first,)]:
                    return True
        except StoreUnavailable:
            # A pooler in session mode may have no session left for a second client.
            if one.broken:
                raise
            return False
    return False
