"""Entries that cannot be written at present: batches that take too long, and locked rows."""

import asyncio
from contextlib import AbstractContextManager

import pytest

from engine.errors import OwnershipLost
from engine.ports import Entry
from engine.records import IdempotencyRecord
from persistence.journal import BATCH_LIMIT, PostgresJournal
from tests.database import connect, execute, locked
from tests.persistence.journals import WRITERS, BatchObserver, begin
from tests.ports.adapters import encode, postgres_world, reload, submit, write
from tests.ports.story import ALICE, Story

pytestmark = pytest.mark.gen_test

SLOW_HOLDS = """
CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {condition} THEN PERFORM pg_sleep({seconds}); END IF; RETURN NEW; END $$;
CREATE TRIGGER delay BEFORE INSERT ON holds FOR EACH ROW EXECUTE FUNCTION delay();
"""


def epoch_locked(database_url: str, story: Story) -> AbstractContextManager[None]:
    return locked(
        database_url,
        "SELECT FROM screening_epochs WHERE screening_id = %s FOR UPDATE",
        story.hall.screening_id,
    )


@pytest.fixture
def short_statement_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.journal.STATEMENT_SECONDS", 1.0)


@pytest.mark.usefixtures("short_statement_timeout")
async def test_a_batch_that_takes_too_long_shrinks_until_it_passes_and_grows_again(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        execute(database_url, SLOW_HOLDS.format(condition="true", seconds=0.02))
        stories = [await begin(world) for _ in range(3)]
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        for _ in range(70):
            for story in stories:
                journal.append(Entry((story.held(story.hold(0)),)))
        await journal.start()
        async with asyncio.timeout(120):
            await journal.flushed()
        assert "too_slow" in observer.failures
        assert max(observer.batches) < 70
        assert sum(observer.batches) == 210
        execute(database_url, "DROP TRIGGER delay ON holds")
        for _ in range(2 * BATCH_LIMIT):
            for story in stories:
                journal.append(Entry((story.held(story.hold(0)),)))
        async with asyncio.timeout(120):
            await journal.flushed()
        assert max(observer.batches) == BATCH_LIMIT
        assert await journal.stop(timeout_seconds=60) == 0
        for story in stories:
            assert len((await reload(world, story.hall)).holds) == 70 + 2 * BATCH_LIMIT


@pytest.mark.usefixtures("short_statement_timeout")
async def test_a_slow_entry_is_written_in_the_end_and_delays_no_other_screening(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        execute(database_url, SLOW_HOLDS.format(condition="NEW.holder = 'user:slow'", seconds=3))
        slow, other = await begin(world), await begin(world)
        order: list[str] = []
        first = submit(world.journal, slow.held(slow.hold(0, "user:slow")))
        behind = submit(world.journal, slow.issued(slow.tickets(1)))
        outcomes = [asyncio.create_task(settlement.outcome()) for settlement in (first, behind)]
        for task, name in zip(outcomes, ("first", "behind"), strict=True):
            task.add_done_callback(lambda _, name=name: order.append(name))
        for _ in range(5):
            assert await write(world.journal, other.held(other.hold(0))) is None
        assert first.calls == behind.calls == []
        assert await asyncio.gather(*outcomes) == [None, None]
        assert order == ["first", "behind"]
        assert world.journal.depth == 0 and world.journal.lag_seconds == 0


async def test_a_locked_epoch_only_delays_its_screening(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        stories = [await begin(world) for _ in range(20)]
        blocked, others = stories[7], [*stories[:7], *stories[8:]]
        hold = blocked.hold(0)
        with epoch_locked(database_url, blocked):
            waiting = []
            for round_ in range(3):
                waiting.append(submit(world.journal, blocked.held(blocked.hold(round_))))
                settlements = [submit(world.journal, story.issued(story.tickets(round_))) for story in others]
                assert {await settlement.outcome() for settlement in settlements} == {None}
            waiting.append(submit(world.journal, blocked.held(hold)))
            waiting.append(submit(world.journal, blocked.released(hold)))
            for story in others:
                await world.journal.flushed(story.hall.screening_id)
            everything = asyncio.create_task(world.journal.flushed())
            its_own = asyncio.create_task(world.journal.flushed(blocked.hall.screening_id))
            assert await write(world.journal, others[0].held(others[0].hold(3))) is None
            assert [settlement.calls for settlement in waiting] == [[]] * 5
            assert world.journal.depth == 5 and world.journal.lag_seconds > 0
            assert not everything.done() and not its_own.done()
        assert [await settlement.outcome() for settlement in waiting] == [None] * 5
        await everything
        await its_own
        assert world.journal.depth == 0
        assert len((await reload(world, blocked.hall)).holds) == 3
        assert execute(database_url, "SELECT status FROM holds WHERE id = %s", hold.id) == [("released",)]
        # The second connection only exists while it is needed.
        while execute(database_url, f"SELECT count(*) {WRITERS}") != [(1,)]:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)


async def test_a_locked_row_only_delays_its_screening(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        stories = [await begin(world) for _ in range(4)]
        blocked = stories[2]
        hold = blocked.hold(0)
        assert await write(world.journal, blocked.held(hold)) is None
        with locked(database_url, "SELECT FROM holds WHERE id = %s FOR UPDATE", hold.id):
            released = submit(world.journal, blocked.released(hold))
            for story in (stories[0], stories[1], stories[3]):
                assert await write(world.journal, story.issued(story.tickets(0))) is None
            assert released.calls == []
        assert await released.outcome() is None


async def test_responses_that_cannot_be_stored_delay_nothing(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        assert await write(world.journal, story.issued(story.tickets(3))) is None
        with locked(database_url, "LOCK TABLE idempotency_keys"):
            world.journal.remember(IdempotencyRecord(ALICE, "key", b"", 200, b""))
            for seat in range(3):
                assert await write(world.journal, story.issued(story.tickets(seat))) is None
            assert world.journal.depth == 1
        await world.journal.flushed()
        assert execute(database_url, "SELECT key FROM idempotency_keys") == [("key",)]


async def test_everything_is_locked_for_a_while(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.journal_connection.LOCK_SECONDS", 0.1)
    async with postgres_world(database_url) as world:
        stories = [await begin(world) for _ in range(6)]
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        await journal.start()
        assert await write(journal, stories[0].held(stories[0].hold(0))) is None
        with locked(database_url, "LOCK TABLE screening_events, screening_epochs"):
            settlements = [
                submit(journal, story.held(story.hold(seat))) for seat in range(4) for story in stories
            ]
            # The first attempt waits for the locks, the others for statements that are prepared.
            while len(observer.failures) < 5:  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0.01)
            assert [settlement.calls for settlement in settlements] == [[]] * 24
        assert {await settlement.outcome() for settlement in settlements} == {None}
        assert await journal.stop(timeout_seconds=60) == 0
        for story in stories[1:]:
            assert len((await reload(world, story.hall)).holds) == 4


async def test_a_postponed_screening_that_is_taken_over_is_lost(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story, other = await begin(world), await begin(world)
        deposed: list[tuple[int, int]] = []
        world.journal.on_ownership_lost(lambda *ownership: deposed.append(ownership))
        taker = connect(database_url)
        cursor = taker.cursor()
        cursor.execute(
            "BEGIN; UPDATE screening_epochs SET epoch = epoch + 1 WHERE screening_id = %s",
            (story.hall.screening_id,),
        )
        lost = [submit(world.journal, story.issued(story.tickets(seat))) for seat in range(2)]
        assert await write(world.journal, other.issued(other.tickets(0))) is None
        cursor.execute("COMMIT")
        taker.close()
        for settlement in lost:
            assert isinstance(await settlement.outcome(), OwnershipLost)
        assert deposed[0] == (story.hall.screening_id, story.epoch)
        assert execute(database_url, "SELECT count(*) FROM tickets") == [(1,)]


async def test_stopping_reports_postponed_entries(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        blocked, other = await begin(world), await begin(world)
        with epoch_locked(database_url, blocked):
            waiting = [submit(world.journal, blocked.held(blocked.hold(0))) for _ in range(3)]
            assert await write(world.journal, other.held(other.hold(0))) is None
            assert await world.journal.stop(timeout_seconds=0.5) == 3
            assert [settlement.calls for settlement in waiting] == [[]] * 3
