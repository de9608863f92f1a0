"""Detects a pooler that shares PostgreSQL sessions between transactions, as PgBouncer does by default.

Behind such a pooler every transaction may run in another session. State of a session is lost, or met by other
clients: the journal's prepared statements, the lock of the server, and ending a session that may still
commit. Reading needs none of these.

A pooler does not identify itself, so this module experiments. Two clients get the same PostgreSQL session one
after the other, or, if the pooler takes turns, one client gets a different session each time. Either shows in
`pg_backend_pid()`.
"""

import secrets
from typing import NamedTuple
from urllib.parse import quote

from engine.errors import StoreUnavailable
from persistence.connector import Connector, Session

_TRIES = 3
_SECONDS = 5.0

BACKEND = "SELECT pg_backend_pid()"

# The settings are empty for a role that may not read them.
REACHED_AT = """
SELECT current_user, current_database(), host(inet_server_addr()), inet_server_port(),
       coalesce((SELECT setting FROM pg_settings WHERE name = 'unix_socket_directories'), ''),
       current_setting('port')::integer
"""

# The name and the database of a session are shown to every role.
IS_HERE = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()
)
"""


class Address(NamedTuple):
    """Where PostgreSQL itself listens, as PostgreSQL reports it.

    Attributes:
        host: an address, or the directory of a Unix socket; empty if unknown.
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
    """Where PostgreSQL listens, if connections share sessions; None if each has a session of its own.

    Args:
        connector: the database; two of its connections are used.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    async with connector.session() as one:
        if await _shares_sessions(connector, one):
            ((user, database, host, port, directories, local_port),) = await one.run(REACHED_AT)
            directory = directories.partition(",")[0].strip()
            return Address(user, database, host or directory, port or local_port)
    return None


async def is_same_database(direct: Connector, other: Connector) -> bool:
    """Whether two connectors lead to the same database of the same PostgreSQL. `direct` must have no pooler.

    Raises:
        StoreUnavailable: one of them cannot be reached.
    """
    name = f"frontrow {secrets.token_hex(8)}"
    session = await direct.dedicated(name, _SECONDS)
    try:
        return bool((await other.run(IS_HERE, (name,)))[0][0])
    finally:
        session.close()


async def _shares_sessions(connector: Connector, one: Session) -> bool:
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
