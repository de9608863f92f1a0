"""The journal while its database is cancelled, cut off, killed and frozen: nothing lost, nothing twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil
import pytest

from engine.errors import OwnershipLost
from engine.ports import Entry
from persistence.embedded import EmbeddedPostgres
from tests.database import connect, execute
from tests.persistence.cutting_proxy import CuttingProxy
from tests.persistence.journals import WRITERS, begin, writer_waits
from tests.ports.adapters import PostgresWorld, postgres_world, reload, submit, write
from tests.ports.story import Story

pytestmark = pytest.mark.gen_test


@asynccontextmanager
async def cut_off(database_url: str) -> AsyncIterator[tuple[CuttingProxy, PostgresWorld, Story]]:
    """A world whose journal writes through a proxy that can cut."""
    proxy = CuttingProxy(database_url)
    url = await proxy.start()
    try:
        async with postgres_world(database_url) as direct, postgres_world(url) as world:
            story = await begin(direct)
            await write(world.journal, story.held(story.hold(0)))
            yield proxy, world, story
    finally:
        await proxy.stop()


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def everything(cluster: EmbeddedPostgres) -> list[int]:
    """Return all processes of the cluster, the postmaster first."""
    postmaster = psutil.Process(cluster.postmaster_pid)
    return [postmaster.pid, *(child.pid for child in postmaster.children())]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_outcome_is_determined_by_resending(database_url: str, cut: str) -> None:
    async with cut_off(database_url) as (proxy, world, story):
        getattr(proxy, f"cut_{cut}_commit")(times=3)
        tickets = story.tickets(1, 2, payment_id="P")
        settlement = submit(world.journal, story.issued(tickets))
        assert await settlement.outcome() is None
        assert proxy.cuts == 3 and settlement.calls == [None]
        assert set(await world.ledger.tickets_of_payment("P")) == set(tickets)
        assert execute(database_url, "SELECT count(*) FROM screening_events") == [(2,)]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_taken_over_before_the_outcome_is_known(database_url: str, cut: str) -> None:
    """Committed entries are reported as committed although their epoch is over; the rest are lost."""
    async with cut_off(database_url) as (proxy, world, story), postgres_world(database_url) as other:
        getattr(proxy, f"cut_{cut}_commit")()
        settlement = submit(world.journal, story.issued(story.tickets(1, payment_id="P")))
        while not proxy.cuts:
            await asyncio.sleep(0.001)
            proxy.admitting = False
        loaded = await other.store.activate(story.hall.screening_id)
        proxy.admitting = True
        outcome = await settlement.outcome()
        if cut == "after":
            assert outcome is None and len(loaded.tickets) == 1
        else:
            assert isinstance(outcome, OwnershipLost) and len(loaded.tickets) == 0
        assert len((await reload(other, story.hall)).tickets) == len(loaded.tickets)


async def test_the_writer_is_cancelled_and_terminated_repeatedly(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        chance = random.Random(4)
        settlements = []
        for _ in range(100):
            settlements += [submit(world.journal, story.held(story.hold(0))) for _ in range(20)]
            await asyncio.sleep(chance.uniform(0, 0.01))
            weapon = chance.choice(["pg_cancel_backend", "pg_terminate_backend"])
            execute(database_url, f"SELECT {weapon}(pid) {WRITERS}")
        assert {await settlement.outcome() for settlement in settlements} == {None}
        await world.journal.flushed()
        # It reconnects with the next write, and the extra connections are closed.
        assert await write(world.journal, story.held(story.hold(0))) is None
        while execute(database_url, f"SELECT count(*) {WRITERS}") != [(1,)]:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)
        assert len((await reload(world, story.hall)).holds) == 2001


@pytest.mark.usefixtures("long_lock_timeout")
async def test_a_cancelled_wait_for_a_lock_is_repeated(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        await write(world.journal, story.held(story.hold(0)))
        locker = connect(database_url)
        locker.cursor().execute("BEGIN; LOCK TABLE tickets")
        settlement = submit(world.journal, story.issued(story.tickets(1)))
        for _ in range(3):
            await writer_waits(database_url)
            execute(database_url, f"SELECT pg_cancel_backend(pid) {WRITERS}")
            await asyncio.sleep(0.05)
        assert settlement.calls == []
        locker.close()
        assert await settlement.outcome() is None


async def test_an_abandoned_attempt_never_commits_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.journal.STATEMENT_SECONDS", 0.3)
    monkeypatch.setattr("persistence.journal_connection.END_EARLIER_SESSIONS_MS", 100)
    async with postgres_world(database_url) as world:
        story = await begin(world)
        hold = story.hold(0)
        await write(world.journal, story.held(story.hold(1)))
        ((writer,),) = execute(database_url, f"SELECT pid {WRITERS}")
        with frozen(writer):
            held = submit(world.journal, story.held(hold))
            await asyncio.sleep(0.6)
            released = submit(world.journal, story.released(hold))
            await asyncio.sleep(0.5)
            assert held.calls == released.calls == []
        assert [await held.outcome(), await released.outcome()] == [None, None]
        assert not psutil.pid_exists(writer) or psutil.Process(writer).status() == "zombie"
        assert execute(database_url, "SELECT status FROM holds WHERE id = %s", hold.id) == [("released",)]


async def test_kill_9_of_postgres_during_group_commits(cluster: EmbeddedPostgres, database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        settlements = []
        for _ in range(5):
            settlements += [submit(world.journal, story.held(story.hold(0))) for _ in range(300)]
            await asyncio.sleep(0.01)
            os.kill(cluster.postmaster_pid, signal.SIGKILL)
            settlements += [submit(world.journal, story.held(story.hold(0))) for _ in range(300)]
            # While it is dying, `start` would take it for running, and do nothing.
            while cluster.postmaster_pid is not None:  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0.01)
            await asyncio.to_thread(cluster.start)
            await world.journal.flushed()
        assert [settlement.calls for settlement in settlements] == [[None]] * 3000
        assert len((await reload(world, story.hall)).holds) == 3000
        assert execute(database_url, "SELECT count(*) FROM screening_events") == [(3000,)]


async def test_a_frozen_postgres_blocks_no_caller(
    cluster: EmbeddedPostgres, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.journal.STATEMENT_SECONDS", 0.5)
    async with postgres_world(database_url) as world:
        story = await begin(world)
        await write(world.journal, story.held(story.hold(0)))
        settlements = []
        with frozen(*everything(cluster)):
            for _ in range(200):
                settlements.append(submit(world.journal, story.held(story.hold(0))))
                await asyncio.sleep(0.01)
            assert world.journal.lag_seconds > 1.5
        async with asyncio.timeout(60):
            await world.journal.flushed()
        assert [settlement.calls for settlement in settlements] == [[None]] * 200
        assert len((await reload(world, story.hall)).holds) == 201


async def test_stopping_flushes_the_queue(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        for _ in range(5000):
            world.journal.append(Entry((story.held(story.hold(0)),)))
        assert await world.journal.stop(timeout_seconds=60) == 0
        assert len((await reload(world, story.hall)).holds) == 5000


async def test_stopping_without_a_database_reports_unwritten_entries(database_url: str) -> None:
    async with cut_off(database_url) as (proxy, world, story):
        proxy.admitting = False
        proxy.cut_before_commit()
        settlement = submit(world.journal, story.held(story.hold(1)))
        assert await world.journal.stop(timeout_seconds=0.3) == 1
        assert settlement.calls == []
