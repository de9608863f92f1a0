"""The server lock: who has it, how it is lost, and who gets it then."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from persistence.connector import Connector
from persistence.server_lock import (
    NAME_LIMIT_BYTES,
    DatabaseInUse,
    Holder,
    ServerLock,
    ServerName,
    TakenOver,
    who_serves,
)
from tests.database import execute

pytestmark = pytest.mark.gen_test

SESSION = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
END = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"


@asynccontextmanager
async def locks(database_url: str, count: int, nodes: int = 0) -> AsyncIterator[list[ServerLock]]:
    """Locks of several servers and nodes of a cluster, none of them taken."""
    connector = Connector(database_url)
    found = [ServerLock(connector, shared=number >= count) for number in range(count + nodes)]
    try:
        yield found
    finally:
        for lock in found:
            lock.release()
        connector.close()


@asynccontextmanager
async def kept(lock: ServerLock) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(lock.keep())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def held_by(database_url: str, lock: ServerLock, other_than: int = 0) -> int:
    """Wait until a session of the server exists. Returns its process id."""
    async with asyncio.timeout(60):
        while True:
            for (pid,) in execute(database_url, SESSION, str(lock.name)):
                if pid != other_than:
                    return pid
            await asyncio.sleep(0.02)


async def refused_by_another(lock: ServerLock, holder: ServerName) -> ServerName | None:
    """Try to take the lock until PostgreSQL has noticed that `holder` is gone. Returns who holds it then."""
    async with asyncio.timeout(60):
        while True:
            with pytest.raises(DatabaseInUse) as refused:
                await lock.take()
            if refused.value.holder != holder:
                return refused.value.holder
            await asyncio.sleep(0.02)


def test_a_server_name_fits_with_a_long_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("box", "a" * 200, "frontrow-7d9f8b6c5d-x2x4z.ümlaut with spaces" * 3):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        name = ServerName.own()
        assert len(str(name).encode()) <= NAME_LIMIT_BYTES
        assert ServerName.parsed(str(name)) == name
        assert name.pid == os.getpid() and name.host and host.startswith(name.host[:5])
    assert ServerName.parsed("psql") is None


async def test_the_lock_is_exclusive_and_names_its_holder(database_url: str) -> None:
    async with locks(database_url, 2) as (one, other):
        await one.take()
        with pytest.raises(DatabaseInUse) as refused:
            await other.take()
        assert refused.value.holder == one.name
        one.release()
        async with asyncio.timeout(60):
            await other.wait()
        assert other.name.since >= one.name.since


async def test_nodes_of_a_cluster_share_the_lock_and_keep_single_servers_out(database_url: str) -> None:
    async with locks(database_url, 1, nodes=2) as (single, node, other):
        await node.take()
        await other.take()
        refusal = f"served by a cluster with process {os.getpid()} on .+; stop all processes of that cluster"
        with pytest.raises(DatabaseInUse, match=refusal) as refused:
            await single.take()
        assert refused.value.holder == node.name
        node.release()
        assert await refused_by_another(single, node.name) == other.name
        other.release()
        async with asyncio.timeout(60):
            await single.wait()


async def test_a_single_server_keeps_nodes_of_a_cluster_out(database_url: str) -> None:
    async with locks(database_url, 1, nodes=1) as (single, node):
        await single.take()
        assert (
            await who_serves(single._connector) == f"the database is served by {Holder(single.name, False)}"
        )
        refusal = f"served by process {os.getpid()} on .+ does not share the database with a cluster"
        with pytest.raises(DatabaseInUse, match=refusal) as refused:
            await node.take()
        assert refused.value.holder == single.name


async def test_a_node_that_lost_its_connection_joins_its_cluster_again(database_url: str) -> None:
    async with locks(database_url, 0, nodes=2) as (one, other):
        await one.take()
        await other.take()
        async with kept(one) as keeping:
            before = await held_by(database_url, one)
            execute(database_url, END, str(one.name))
            await held_by(database_url, one, other_than=before)
            assert not keeping.done()


async def test_a_node_stops_when_a_single_server_has_taken_the_lock(database_url: str) -> None:
    async with locks(database_url, 1, nodes=1) as (single, node):
        await node.take()
        execute(database_url, END, str(node.name))
        await single.take()
        with pytest.raises(TakenOver, match=f"now the database is served by process {os.getpid()} on "):
            await node.keep()


async def test_each_database_has_its_own_lock(database_url: str, empty_database_url: str) -> None:
    async with locks(database_url, 1) as (one,), locks(empty_database_url, 1) as (other,):
        await one.take()
        await other.take()


async def test_a_connection_that_ends_is_replaced(database_url: str) -> None:
    async with locks(database_url, 1) as (lock,):
        await lock.take()
        async with kept(lock) as keeping:
            for _ in range(2):
                before = await held_by(database_url, lock)
                execute(database_url, END, str(lock.name))
                await held_by(database_url, lock, other_than=before)
            assert not keeping.done()


async def test_an_abandoned_connection_that_is_still_alive_is_ended(database_url: str) -> None:
    """PostgreSQL may have been frozen for a long time, and still have the connection that we closed."""
    async with locks(database_url, 1) as (lock,):
        await lock.take()
        before = await held_by(database_url, lock)
        unnoticed, lock._connection = lock._connection, None
        async with kept(lock):
            assert await held_by(database_url, lock, other_than=before) != before
        assert unnoticed is not None
        unnoticed.close()


async def test_a_lock_that_another_server_took_is_not_taken_back(database_url: str) -> None:
    async with locks(database_url, 2) as (one, other):
        await one.take()
        execute(database_url, END, str(one.name))
        await other.take()
        with pytest.raises(TakenOver, match=f"now the database is served by process {os.getpid()} on "):
            await one.keep()
