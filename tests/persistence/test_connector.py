"""The connector with a real server that cancels, kills and freezes."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, process_time

import pytest
import uvloop

from engine.errors import StoreUnavailable
from persistence.connector import Connector
from persistence.errors import (
    ConnectionLost,
    DatabaseUnavailable,
    DefectiveStatement,
    StatementAborted,
    StatementRefused,
    UnstorableText,
)
from tests.database import execute

pytestmark = pytest.mark.gen_test


@asynccontextmanager
async def connected(database_url: str, **options: float) -> AsyncIterator[Connector]:
    connector = Connector(database_url, **options)
    try:
        yield connector
    finally:
        connector.close()


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SLEEPING = f"{OTHERS} AND wait_event = 'PgSleep'"
# Returns once they have ended.
TERMINATE_OTHERS = f"SELECT pg_terminate_backend(pid, 10000) {OTHERS}"


def backends(database_url: str) -> int:
    """Return the number of other server processes of this database."""
    ((count,),) = execute(database_url, f"SELECT count(*) {OTHERS}")
    return count


def sleeping(database_url: str) -> bool:
    """Return whether another server process of this database is running pg_sleep."""
    return bool(execute(database_url, f"SELECT 1 {SLEEPING}"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.02)


async def test_rows_of_the_last_statement(empty_database_url: str) -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    async with connected(empty_database_url) as connector:
        assert await connector.run("SELECT 1; SELECT %s::int, %s::text", (2, "50% off")) == [(2, "50% off")]
        assert await connector.run("SELECT '50%'") == [("50%",)]
        assert await connector.run("CREATE TABLE t (a int)") == []


async def test_statement_timeout_is_not_a_cancellation(empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=1) as connector:
        with pytest.raises(StatementAborted, match="statement timeout"):
            await connector.run("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)")
        assert asyncio.current_task().cancelling() == 0
        assert await connector.run("SELECT 1") == [(1,)]


async def test_cancel_from_the_server_is_not_a_cancellation(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connector:
        connection = await connector.dedicated("victim", 60)
        running = asyncio.create_task(connection.run("SELECT pg_sleep(60)"))
        await until(lambda: sleeping(empty_database_url))
        execute(empty_database_url, "SELECT pg_cancel_backend(%s)", connection.backend_pid)
        with pytest.raises(StatementAborted):
            await running
        assert await connection.run("SELECT 1") == [(1,)]
        connection.close()


async def test_cancelling_a_task_cancels_and_leaks_no_connection(empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=2) as connector:
        for _ in range(5):
            running = asyncio.create_task(connector.run("SELECT pg_sleep(60)"))
            await until(lambda: sleeping(empty_database_url))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            # It would only notice in a minute that its client has gone.
            execute(empty_database_url, f"SELECT pg_terminate_backend(pid, 10000) {SLEEPING}")
        assert await connector.run("SELECT 1") == [(1,)]
        assert connector.idle_count == 1
        await until(lambda: backends(empty_database_url) == 1)


async def test_a_statement_that_is_too_slow_loses_its_connection(empty_database_url: str) -> None:
    async with connected(empty_database_url, statement_timeout_seconds=1.0) as connector:
        # The server would time out at the same time; this stops it from doing so, as when it is frozen.
        with pytest.raises(ConnectionLost, match="1 s"):
            await connector.run("SET statement_timeout = 0; SELECT pg_sleep(4)")
        assert connector.idle_count == 0
        assert await connector.run("SELECT 1") == [(1,)]


async def test_terminated_while_running_and_while_idle(empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=1) as connector:
        running = asyncio.create_task(connector.run("SELECT pg_sleep(60)"))
        await until(lambda: sleeping(empty_database_url))
        execute(empty_database_url, TERMINATE_OTHERS)
        with pytest.raises(ConnectionLost):
            await running
        assert await connector.run("SELECT 1") == [(1,)]
        execute(empty_database_url, TERMINATE_OTHERS)
        await asyncio.sleep(0.05)
        assert await connector.run("SELECT 2") == [(2,)]


async def test_a_statement_that_the_server_never_read_fails_immediately(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connector:
        connection = await connector.dedicated("victim", 30)
        os.kill(connection.backend_pid, signal.SIGSTOP)
        running = asyncio.create_task(connection.run("SELECT 1"))
        await asyncio.sleep(0.05)
        # Once resumed, the server process exits before it reads its socket, so the socket is reset.
        os.kill(connection.backend_pid, signal.SIGTERM)
        os.kill(connection.backend_pid, signal.SIGCONT)
        while backends(empty_database_url):
            pass
        async with asyncio.timeout(60):
            with pytest.raises(StoreUnavailable, match="terminating connection"):
                await running


async def test_broken_connections_leave_no_trace_in_the_event_loop(empty_database_url: str) -> None:
    """Neither an open descriptor, nor one that the loop refuses to watch when it is reused."""
    loop = asyncio.get_running_loop()
    async with (
        connected(empty_database_url) as connector,
        connected("postgresql://u@127.0.0.1:1/d") as nobody,
    ):
        await connector.run("SELECT 1")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with pytest.raises(DatabaseUnavailable):
                await nobody.run("SELECT 1")
            execute(empty_database_url, TERMINATE_OTHERS)
            await asyncio.sleep(0.01)
            pairs = [socket.socketpair() for _ in range(3)]
            for one, other in pairs:
                readable = asyncio.Event()
                loop.add_reader(one, readable.set)
                other.send(b"!")
                async with asyncio.timeout(60):
                    await readable.wait()
                loop.remove_reader(one)
                one.close()
                other.close()
            assert await connector.run("SELECT 1") == [(1,)]
        assert len(os.listdir("/proc/self/fd")) == before


async def test_a_connection_that_broke_while_idle_uses_no_cpu(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connector:
        await connector.run("SELECT 1")
        execute(empty_database_url, TERMINATE_OTHERS)
        await asyncio.sleep(0.05)
        began, used = monotonic(), process_time()
        await asyncio.sleep(0.2)
        waited = monotonic() - began
        # A loop that the broken socket wakes repeatedly would use a whole core.
        assert process_time() - used < waited / 2


async def test_constraint_violations_name_the_constraint(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connector:
        await connector.run("CREATE TABLE t (a smallint CONSTRAINT t_a_key UNIQUE)")
        await connector.run("INSERT INTO t VALUES (1)")
        with pytest.raises(StatementRefused) as refusal:
            await connector.run("INSERT INTO t VALUES (1)")
        assert (refusal.value.sqlstate, refusal.value.constraint) == ("23505", "t_a_key")
        with pytest.raises(StatementRefused) as refusal:
            await connector.run("INSERT INTO t VALUES (%s)", (70_000,))
        assert refusal.value.sqlstate == "22003"
        with pytest.raises(DefectiveStatement):
            await connector.run("SELECT * FROM nowhere")
        assert connector.idle_count == 1


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_unstorable_text_is_refused_before_it_is_sent(empty_database_url: str, text: str) -> None:
    async with connected(empty_database_url) as connector:
        with pytest.raises(UnstorableText):
            await connector.run("SELECT %s", (text,))
        assert await connector.run("SELECT 1") == [(1,)]


async def test_transaction_commits_or_undoes(empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=1) as connector:
        await connector.run("CREATE TABLE t (a int)")
        async with connector.transaction() as connection:
            await connection.run("INSERT INTO t VALUES (1)")
        with pytest.raises(KeyError):
            async with connector.transaction() as connection:
                await connection.run("INSERT INTO t VALUES (2)")
                raise KeyError
        assert await connector.run("SELECT a FROM t") == [(1,)]

        async def interrupted() -> None:
            async with connector.transaction() as connection:
                await connection.run("INSERT INTO t VALUES (3)")
                await asyncio.sleep(60)

        task = asyncio.create_task(interrupted())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await connector.run("SELECT a FROM t") == [(1,)]


async def test_busy_pool_answers_in_bounded_time(empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=1, connect_timeout_seconds=1.0) as connector:
        async with connector.connection():
            with pytest.raises(DatabaseUnavailable, match="busy"):
                await connector.run("SELECT 1")
        assert await connector.run("SELECT 1") == [(1,)]


async def test_an_unreachable_server_is_reported() -> None:
    async with connected("postgresql://u:secret@127.0.0.1:1/d") as connector:
        with pytest.raises(StoreUnavailable) as unavailable:
            await connector.run("SELECT 1")
        assert "secret" not in str(unavailable.value)


async def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        async with connected(url, connect_timeout_seconds=0.1) as connector:
            with pytest.raises(DatabaseUnavailable, match="no answer"):
                await connector.run("SELECT 1")


async def test_a_frozen_backend_does_not_delay_other_connections(cluster, empty_database_url: str) -> None:
    async with connected(empty_database_url, pool_size=2, connect_timeout_seconds=1.0) as connector:
        async with connector.connection() as good:
            os.kill(cluster.postmaster_pid, signal.SIGSTOP)
            try:
                connecting = asyncio.create_task(connector.run("SELECT 1"))
                await asyncio.sleep(0.05)
                assert await good.run("SELECT 2") == [(2,)]
                with pytest.raises(DatabaseUnavailable):
                    await connecting
            finally:
                os.kill(cluster.postmaster_pid, signal.SIGCONT)
        assert connector.idle_count == 1


async def test_closed_connector_refuses(empty_database_url: str) -> None:
    connector = Connector(empty_database_url)
    await connector.run("SELECT 1")
    connector.close()
    with pytest.raises(DatabaseUnavailable):
        await connector.run("SELECT 1")
    await until(lambda: backends(empty_database_url) == 0)


async def test_host_names_are_resolved_and_addresses_tried_in_turn(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    silent = socket.create_server(("127.0.0.1", 0))
    silent.settimeout(5)
    port = silent.getsockname()[1]

    async def two_addresses(host: str, *_: object, **__: object) -> list[tuple]:
        assert host == "database.example"
        return [(2, 1, 6, "", (address, 0)) for address in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", two_addresses)
    async with connected(
        f"postgresql://u@database.example:{port}/d", connect_timeout_seconds=0.3
    ) as connector:
        with pytest.raises(DatabaseUnavailable):
            await connector.run("SELECT 1")
    accepted, _ = await asyncio.to_thread(silent.accept)
    accepted.close()
    silent.close()


def test_unreadable_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="cannot be read") as refusal:
        Connector("postgresql://u:secret@[::1/d")
    assert "secret" not in str(refusal.value)


def test_one_module_knows_the_driver() -> None:
    sources = Path(__file__).parents[2].glob("persistence/**/*.py")
    knowing = {
        path.name
        for path in sources
        if "import psycopg2" in path.read_text() or "import aiopg" in path.read_text()
    }
    assert knowing == {"connector.py"}


async def test_a_joint_transaction_is_all_or_nothing_and_not_that_of_tasks_begun_in_it(
    empty_database_url: str,
) -> None:
    begun: list[asyncio.Task[object]] = []

    async def later(text: str) -> object:
        await asyncio.sleep(0)
        return await connector.run("INSERT INTO notes VALUES (%s)", (text,))

    async def write(connector: Connector) -> None:
        async with connector.joint():
            await connector.run("INSERT INTO notes VALUES ('in a statement')")
            async with connector.transaction() as connection:
                await connection.run("INSERT INTO notes VALUES ('in a transaction')")
            begun.append(asyncio.create_task(later("in a task")))
            await asyncio.sleep(0.05)
            raise ZeroDivisionError

    async with connected(empty_database_url) as connector:
        await connector.run("CREATE TABLE notes (text text)")
        with pytest.raises(ZeroDivisionError):
            await write(connector)
        await asyncio.gather(*begun)
        assert await connector.run("SELECT text FROM notes") == [("in a task",)]
        async with connector.joint():
            await connector.run("INSERT INTO notes VALUES ('committed')")
        assert await connector.run("SELECT count(*) FROM notes") == [(2,)]
