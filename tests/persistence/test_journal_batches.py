"""Batches of the journal: their content, when they are sent, and when callers are notified."""

import asyncio
from time import monotonic, sleep

import pytest

from engine.errors import EngineError
from engine.ports import Entry
from persistence.journal import BATCH_LIMIT, CALLERS_PER_TURN, PostgresJournal
from tests.database import locked
from tests.persistence.journals import BatchObserver, begin, rows_of, writer_waits
from tests.ports.adapters import encode, postgres_world, reload, submit, write

pytestmark = pytest.mark.gen_test


async def drained(journal: PostgresJournal) -> None:
    """Wait until everything is written, without hurrying the journal as `flushed` does."""
    while journal.depth:  # noqa: ASYNC110 - `flushed` would hurry it
        await asyncio.sleep(0.001)


@pytest.mark.usefixtures("long_lock_timeout")
async def test_entries_during_a_commit_go_into_the_next_batch(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        await journal.start()
        with locked(database_url, "LOCK TABLE holds"):
            first = submit(journal, story.held(story.hold(0)))
            await writer_waits(database_url)
            for _ in range(BATCH_LIMIT + 500):
                journal.append(Entry((story.held(story.hold(0)),)))
        assert await first.outcome() is None
        await journal.flushed()
        assert observer.batches == [1, BATCH_LIMIT, 500]
        assert await journal.stop(timeout_seconds=60) == 0


@pytest.mark.usefixtures("long_lock_timeout")
async def test_the_next_batch_is_sent_before_callers_of_the_last_are_notified(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        seen: list[int] = []

        def watch_the_next_commit(error: EngineError | None) -> None:
            # The event loop is blocked meanwhile, so nothing more can be sent.
            while not (committed := rows_of(world, "holds") - 1) and monotonic() < give_up_at:
                sleep(0.01)
            seen.append(committed)

        with locked(database_url, "LOCK TABLE holds"):
            world.journal.append(Entry((story.held(story.hold(0)),), settled=watch_the_next_commit))
            await writer_waits(database_url)
            second = submit(world.journal, story.held(story.hold(1)))
            give_up_at = monotonic() + 20
        assert await second.outcome() is None
        assert seen == [1]


async def test_callers_of_a_large_batch_leave_the_event_loop_to_others(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        order: list[str] = []

        def answered(error: EngineError | None) -> None:
            if not order:
                asyncio.get_running_loop().call_soon(order.append, "others")
            order.append("a caller")

        for _ in range(3 * CALLERS_PER_TURN):
            journal.append(Entry((story.held(story.hold(0)),), settled=answered))
        await journal.start()
        await journal.flushed()
        assert order.count("a caller") == 3 * CALLERS_PER_TURN
        assert order.index("others") <= CALLERS_PER_TURN
        assert observer.batches == [3 * CALLERS_PER_TURN]
        assert await journal.stop(timeout_seconds=60) == 0


async def test_entries_without_waiting_callers_are_written_at_intervals(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.journal.PACE_SECONDS", 3600.0)
    async with postgres_world(database_url) as world:
        story = await begin(world)
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        await journal.start()

        async def hold(times: int) -> None:
            for _ in range(times):
                journal.append(Entry((story.held(story.hold(0)),)))
            # Enough time for a writer that does not wait.
            for _ in range(3):
                await world.connector.run("SELECT 1")

        await hold(1)
        await drained(journal)
        assert observer.batches == [1], "an idle journal writes immediately"
        await hold(3)
        assert await write(journal, story.issued(story.tickets(1))) is None
        assert observer.batches == [1, 4], "an awaited entry takes the waiting ones with it"
        await hold(2)
        await journal.flushed()
        assert observer.batches == [1, 4, 2], "so does a flush"
        await hold(BATCH_LIMIT)
        await drained(journal)
        assert observer.batches == [1, 4, 2, BATCH_LIMIT], "a full batch does not wait"
        assert await journal.stop(timeout_seconds=60) == 0


async def test_waiting_entries_are_written_after_the_interval(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.journal.PACE_SECONDS", 0.05)
    async with postgres_world(database_url) as world:
        story = await begin(world)
        assert await write(world.journal, story.held(story.hold(0))) is None
        world.journal.append(Entry((story.held(story.hold(1)),)))
        assert world.journal.depth == 1
        await drained(world.journal)
        assert len((await reload(world, story.hall)).holds) == 2
