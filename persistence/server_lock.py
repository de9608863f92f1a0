"""The advisory lock that lets one server at a time use a database, or the nodes of one cluster.

A server that runs alone takes the lock exclusively. The nodes of a cluster share it, so a single server and a
cluster never use one database at once.

The lock belongs to a dedicated connection. PostgreSQL releases it when that connection ends, however the
process ended, so there is never a stale lock to remove. The session's application_name is the name of the
server: it shows other servers who holds the lock, and lets `PostgresStore` check whether the owner of a
screening is alive.

A server can lose this connection and survive (PostgreSQL restarts, the network fails). It reconnects and
takes the lock again under the same name. If another server was faster, `keep` raises `TakenOver` and the
process must exit. Until it notices, there are two servers, and the epochs of the screenings decide which one
may write.
"""

import asyncio
import logging
import os
import secrets
import socket
from datetime import UTC, datetime
from typing import NamedTuple

from engine.errors import StoreUnavailable
from persistence.connector import Connection, Connector
from persistence.errors import DatabaseUnavailable

logger = logging.getLogger("frontrow")

POLL_SECONDS = 0.2
"""Time between two attempts to take the lock. We poll, because a session that waits inside
`pg_advisory_lock` keeps a snapshot for the whole time, which stops vacuum from removing anything."""

BEAT_SECONDS = 0.5
"""Time between two checks that the lock holder's connection is alive."""

PRECEDENCE_SECONDS = 2.0
"""Time that a standby waits after losing its own connection before it tries to take the lock. A restart of
PostgreSQL disconnects both servers, and the one that was serving should continue."""

STATEMENT_SECONDS = 5.0
SUPERVISOR = "supervisor"
"""The mark of a process that has a share of the lock for its workers, and is no node."""

NAME_LIMIT_BYTES = 63
"""PostgreSQL truncates longer application names."""

_KEYS = {"first_key": 1_179_800_654, "second_key": 1}
"""The lock's key within its database; the first number is "FRON" in ASCII."""

# PostgreSQL must notice a vanished machine as soon as our end does (`connector.KEEPALIVES`).
TAKE = """
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SELECT taken, CASE WHEN taken THEN set_config('application_name', %(name)s, false) END
FROM (SELECT CASE WHEN %(shared)s THEN pg_try_advisory_lock_shared(%(first_key)s, %(second_key)s)
                  ELSE pg_try_advisory_lock(%(first_key)s, %(second_key)s) END AS taken OFFSET 0) AS lock
"""

HOLDERS = """
SELECT activity.pid, application_name, mode = 'ShareLock'
FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND (classid, objid) = (%(first_key)s, %(second_key)s)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY backend_start
"""

# A process that is stopped or unreachable keeps its session, but does not look after it (`BEAT_SECONDS`).
LIVING = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND (classid, objid) = (%(first_key)s, %(second_key)s)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND state_change > clock_timestamp() - interval '2 seconds'
"""

END_SESSION = "SELECT pg_terminate_backend(%s)"


class ServerName(NamedTuple):
    """Identifies a server; used as the application_name of its session in PostgreSQL.

    Attributes:
        since: UTC time when it started serving, such as "2026-03-01T18:30:00Z".
        mark: random, so that names are unique.
        pid: process id.
        host: host name, possibly truncated.
    """

    since: str
    mark: str
    pid: int
    host: str

    @classmethod
    def own(cls, mark: str = "") -> "ServerName":
        """Return a new name for this process, with the current time as `since`.

        Args:
            mark: a random one by default.
        """
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        host = socket.gethostname().encode("ascii", "replace").decode().replace(" ", "_")
        name = cls(since, mark or secrets.token_hex(4), os.getpid(), host)
        return name._replace(host=host[: NAME_LIMIT_BYTES - len(str(name)) + len(host)])

    @classmethod
    def parsed(cls, application_name: str) -> "ServerName | None":
        """Parse an application_name; None if it is not a server's name."""
        match application_name.split(" "):
            case ["frontrow", since, mark, process] if process.partition("@")[0].isdigit():
                pid, _, host = process.partition("@")
                return cls(since, mark, int(pid), host)
        return None

    def __str__(self) -> str:
        return f"frontrow {self.since} {self.mark} {self.pid}@{self.host}"


class Holder(NamedTuple):
    """The server or node that holds the lock.

    Attributes:
        name: None if its session does not have a server's name.
        clustered: True if it shares the lock with the other nodes of a cluster.
    """

    name: ServerName | None
    clustered: bool

    def __str__(self) -> str:
        name, clustered = self
        if name is None:
            return "another session, which has no server's name"
        return f"{'a cluster with ' * clustered}process {name.pid} on {name.host} since {name.since}"


class DatabaseInUse(Exception):
    """Another server holds the lock.

    Args:
        by: the holder.
        shared: True if a node of a cluster wanted the lock.

    Attributes:
        holder: its name; None if its session does not have a server's name.
        now: a clause that says which server uses the database.
    """

    def __init__(self, by: Holder, *, shared: bool = False) -> None:
        self.holder = by.name
        self.now = f"the database is served by {by}"
        if shared:
            advice = "stop that server first, because it does not share the database with a cluster"
        elif by.clustered:
            advice = "stop all processes of that cluster first, or start this server as one of its nodes"
        else:
            advice = "stop that server first, or start this one with --standby"
        super().__init__(f"T{self.now[1:]}; {advice}")


class TakenOver(Exception):
    """Another server took the lock after this one lost its connection."""

    def __init__(self, now: str) -> None:
        super().__init__(f"This server stops: it lost its connection to PostgreSQL, and now {now}")


class ServerLock:
    """This process's right to serve a database, alone or with the other nodes of a cluster.

    Args:
        connector: the database, without a pooler; the lock uses its own connection.
        shared: True if this process is a node of a cluster.
        mark: of its name; a random one by default.

    Attributes:
        name: of this server; available once the lock was taken.
    """

    def __init__(self, connector: Connector, *, shared: bool = False, mark: str = "") -> None:
        self._connector = connector
        self._shared = shared
        self._mark = mark
        self._connection: Connection | None = None
        self.name = ServerName.own(mark)

    async def take(self) -> None:
        """Take the lock.

        Raises:
            DatabaseInUse: another server holds it, or a node that does not share it with this process.
            StoreUnavailable: the database cannot be reached.
        """
        self.name = ServerName.own(self._mark)
        await self._take()

    async def wait(self) -> None:
        """Wait until the lock is free and take it. Never gives up; database errors are retried."""
        while True:
            try:
                return await self.take()
            except DatabaseInUse:
                await asyncio.sleep(POLL_SECONDS)
            except StoreUnavailable as exc:
                logger.warning("the standby lost its connection to the database; reconnecting: %s", exc)
                await self._reconnect()
                await asyncio.sleep(PRECEDENCE_SECONDS)

    async def keep(self) -> None:
        """Keep the lock, taking it again whenever its connection is lost. Only returns by an exception.

        Raises:
            TakenOver: another server has taken it.
        """
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            connection = self._connection
            try:
                if connection is not None:
                    await connection.run("SELECT")
                else:
                    await self._take()
                    logger.warning("the server lock was taken again")
            except DatabaseInUse as exc:
                raise TakenOver(exc.now) from exc
            except StoreUnavailable as exc:
                # Otherwise it was released meanwhile, because the server ends.
                if connection is not None and connection is self._connection:
                    logger.warning("the connection with the server lock was lost; reconnecting: %s", exc)
                self.release()

    def release(self) -> None:
        """Close the connection, which releases the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _take(self) -> None:
        try:
            connection = self._connection = self._connection or await self._connect()
            parameters = {**_KEYS, "shared": self._shared, "name": str(self.name)}
            ((taken, _),) = await connection.run(TAKE, parameters)
            if taken:
                return
            holders = await connection.run(HOLDERS, _KEYS)
            if self._shared:
                holders = [holder for holder in holders if not holder[2]]
            earlier = [pid for pid, name, _ in holders if name == str(self.name)]
            if earlier:
                # This is our own earlier connection; PostgreSQL has not noticed yet that it is lost.
                await connection.run(END_SESSION, earlier[:1])
            if earlier or not holders:
                raise DatabaseUnavailable("The server lock is still held by a lost connection")
        except StoreUnavailable:
            self.release()
            raise
        raise DatabaseInUse(_holder(*holders[0]), shared=self._shared)

    async def _reconnect(self) -> None:
        """Connect as soon as possible, without taking the lock."""
        while self._connection is None:
            try:
                self._connection = await self._connect()
            except StoreUnavailable:
                await asyncio.sleep(POLL_SECONDS)

    async def _connect(self) -> Connection:
        return await self._connector.dedicated(f"frontrow standby {os.getpid()}", STATEMENT_SECONDS)


async def who_serves(connector: Connector) -> str | None:
    """Return a sentence that says which server uses a database, or None.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    holders = await connector.run(HOLDERS, _KEYS)
    return DatabaseInUse(_holder(*holders[0])).now if holders else None


async def living_nodes(connector: Connector) -> dict[str, str]:
    """Return the nodes that hold a share of the lock and are not stopped: where they run, by mark.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    names = [ServerName.parsed(name or "") for (name,) in await connector.run(LIVING, _KEYS)]
    return {
        name.mark: f"process {name.pid} on {name.host}"
        for name in names
        if name is not None and name.mark != SUPERVISOR
    }


def _holder(_: int, application_name: str | None, clustered: bool) -> Holder:
    return Holder(ServerName.parsed(application_name or ""), clustered)
