"""The advisory lock that lets one server at a time serve a database.

The lock belongs to a connection that does nothing else. PostgreSQL releases it when that connection ends,
however the process ended, so there is never a stale lock to remove. The session's application_name is the
name of the server: another server can tell who holds the lock, and `PostgresStore` sees whether the owner of
a screening is alive.

A server can lose this connection and live (PostgreSQL restarts, the network breaks). It reconnects and takes
the lock again, under the same name. If another server was faster, `keep` raises `TakenOver` and the process
has to end. Until it notices there are two servers, and the epochs of the screenings decide which one may
write.
"""

import asyncio
import logging
import os
import secrets
import socket
from datetime import UTC, datetime
from typing import NamedTuple

from engine.errors import StoreUnavailable
from persistence.connector import Connector, DatabaseUnavailable, Session

logger = logging.getLogger("frontrow")

POLL_SECONDS = 0.2
"""Time between two attempts to take the lock. Polling, because a session that waits inside
`pg_advisory_lock` keeps a snapshot for all that time, and vacuum could remove nothing."""

BEAT_SECONDS = 0.5
"""Time between two checks of the lock's holder that its connection is alive."""

PRECEDENCE_SECONDS = 2.0
"""How long a standby that lost its own connection waits before it tries to take the lock. A restart of
PostgreSQL disconnects both servers, and the one that served before should go on."""

STATEMENT_SECONDS = 5.0
NAME_LIMIT_BYTES = 63
"""PostgreSQL cuts longer names of sessions."""

_KEYS = {"first_key": 1_179_800_654, "second_key": 1}
"""The lock within its database; the first number is "FRON" in ASCII."""

# The server's end must notice a machine that has vanished as soon as ours does (`connector.KEEPALIVES`).
TAKE = """
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SELECT taken, CASE WHEN taken THEN set_config('application_name', %(name)s, false) END
FROM (SELECT pg_try_advisory_lock(%(first_key)s, %(second_key)s) AS taken OFFSET 0) AS lock
"""

HOLDER = """
SELECT activity.pid, application_name
FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND (classid, objid) = (%(first_key)s, %(second_key)s)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

END_SESSION = "SELECT pg_terminate_backend(%s)"


class ServerName(NamedTuple):
    """Identifies a server; it is the application_name of its session in PostgreSQL.

    Attributes:
        since: when it began to serve, UTC, such as "2026-03-01T18:30:00Z".
        mark: random, so that names are unique.
        pid: its process id.
        host: its machine's name, perhaps cut.
    """

    since: str
    mark: str
    pid: int
    host: str

    @classmethod
    def own(cls) -> "ServerName":
        """A new name for this process, with the present time as `since`."""
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        host = socket.gethostname().encode("ascii", "replace").decode().replace(" ", "_")
        name = cls(since, secrets.token_hex(4), os.getpid(), host)
        return name._replace(host=host[: NAME_LIMIT_BYTES - len(str(name)) + len(host)])

    @classmethod
    def parsed(cls, application_name: str) -> "ServerName | None":
        """Parse an application_name; None if it is not a server's."""
        match application_name.split(" "):
            case ["frontrow", since, mark, process] if process.partition("@")[0].isdigit():
                pid, _, host = process.partition("@")
                return cls(since, mark, int(pid), host)
        return None

    def __str__(self) -> str:
        return f"frontrow {self.since} {self.mark} {self.pid}@{self.host}"


class ServedByAnother(Exception):
    """Another server has the lock.

    Attributes:
        holder: its name; None if its session is not named as a server's is.
        now: a clause that says who serves the database.
    """

    def __init__(self, holder: ServerName | None) -> None:
        self.holder = holder
        self.now = f"the database is served by {_described(holder)}"
        super().__init__(f"T{self.now[1:]}; stop that server first, or start this one with --standby")


class TakenOver(Exception):
    """Another server took the lock while this one had lost its connection."""

    def __init__(self, holder: ServerName | None) -> None:
        super().__init__(
            f"This server stops: it lost its connection to PostgreSQL, and the database is now served by "
            f"{_described(holder)}"
        )


class ServerLock:
    """This process's right to serve a database.

    Args:
        connector: the database, reached without a pooler; the lock takes a connection of its own.

    Attributes:
        name: of this server, from `take` on.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._session: Session | None = None
        self.name = ServerName.own()

    async def take(self) -> None:
        """Take the lock.

        Raises:
            ServedByAnother: another server has it.
            StoreUnavailable: the database cannot be reached.
        """
        self.name = ServerName.own()
        await self._take()

    async def wait(self) -> None:
        """Take the lock as soon as it is free, however long that takes, whatever the database does."""
        while True:
            try:
                return await self.take()
            except ServedByAnother:
                await asyncio.sleep(POLL_SECONDS)
            except StoreUnavailable as exc:
                logger.warning("the standby lost its connection to the database: %s", exc)
                await self._reconnect()
                await asyncio.sleep(PRECEDENCE_SECONDS)

    async def keep(self) -> None:
        """Keep the lock, and take it again whenever its connection is lost. Never returns.

        Raises:
            TakenOver: another server has taken it meanwhile.
        """
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            session = self._session
            try:
                if session is not None:
                    await session.run("SELECT")
                else:
                    await self._take()
                    logger.warning("the lock of the database has been taken again")
            except ServedByAnother as exc:
                raise TakenOver(exc.holder) from exc
            except StoreUnavailable as exc:
                self.release()
                if session is not None:
                    logger.warning("the connection that holds the lock of the database was lost: %s", exc)

    def release(self) -> None:
        """Close the connection, and with it give the lock back."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    async def _take(self) -> None:
        try:
            session = self._session = self._session or await self._connect()
            ((taken, _),) = await session.run(TAKE, {**_KEYS, "name": str(self.name)})
            if taken:
                return
            holders = await session.run(HOLDER, _KEYS)
            earlier = [pid for pid, name in holders if name == str(self.name)]
            if earlier:
                # Our own earlier connection, which PostgreSQL has not found to be lost yet.
                await session.run(END_SESSION, earlier[:1])
            if earlier or not holders:
                raise DatabaseUnavailable("The lock of the database is being given back")
        except StoreUnavailable:
            self.release()
            raise
        raise ServedByAnother(ServerName.parsed(holders[0][1] or ""))

    async def _reconnect(self) -> None:
        """Connect as soon as that is possible, without taking the lock."""
        while self._session is None:
            try:
                self._session = await self._connect()
            except StoreUnavailable:
                await asyncio.sleep(POLL_SECONDS)

    async def _connect(self) -> Session:
        return await self._connector.dedicated(f"frontrow standby {os.getpid()}", STATEMENT_SECONDS)


async def who_serves(connector: Connector) -> str | None:
    """A sentence that says which server serves a database, or None if none does.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    holders = await connector.run(HOLDER, _KEYS)
    return ServedByAnother(ServerName.parsed(holders[0][1] or "")).now if holders else None


def _described(holder: ServerName | None) -> str:
    if holder is None:
        return "another session, whose name says no more"
    return f"process {holder.pid} on {holder.host} since {holder.since}"
