"""Times at which the journal writes and notifies its callers, to the millisecond; in virtual time."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from engine.causes import Cause
from engine.errors import JournalFull
from engine.ports import Entry
from engine.records import IdempotencyRecord
from persistence.errors import (
    DiskFull,
    LockTimeout,
    NoAnswer,
)
from persistence.journal import BATCH_LIMIT, CALLERS_PER_TURN
from tests.persistence.virtual import MS, VirtualWorld, in_virtual_time, rounded, sizes, times


@in_virtual_time
async def test_entries_wait_for_the_pace_unless_somebody_waits_for_them() -> None:
    world = VirtualWorld()
    await world.journal.start()
    world.hold(1)
    await world.until(5 * MS)
    world.hold(1, 2)
    await world.until(31 * MS)
    assert times(world) == [0.0, 0.02] and sizes(world) == [1, 2]
    world.hold(1)
    await world.until(35 * MS)
    key = world.wait_for(world.held(2))
    await world.until(56 * MS)
    assert times(world)[2:] == [35 * MS] and sizes(world)[2:] == [2]
    assert world.outcomes[key] == (None, pytest.approx(39 * MS))
    # The wait that began at 31 ms ended with the batch at 35 ms.
    world.hold(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert times(world)[3:] == [56 * MS]
    await world.until(62 * MS)
    world.hold(1, BATCH_LIMIT - 1)
    await world.until(65 * MS)
    assert len(times(world)) == 4
    world.hold(1)
    await world.until(66 * MS)
    assert times(world)[4:] == [65 * MS] and sizes(world)[4:] == [BATCH_LIMIT]
    assert world.observer.batches[-2:] == [(2, 4 * MS, 8 * MS), (1, 4 * MS, 4 * MS)]
    await world.until(70 * MS)
    assert world.observer.batches[-1] == (BATCH_LIMIT, 4 * MS, 7 * MS)
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_batches_follow_one_another_while_more_waits() -> None:
    world = VirtualWorld()
    world.hold(1, 2 * BATCH_LIMIT + 5)
    await world.journal.start()
    await world.until(11 * MS)
    world.hold(1)
    await world.until(0.05)
    assert sizes(world) == [BATCH_LIMIT, BATCH_LIMIT, 5, 1]
    assert times(world) == rounded(0, 4 * MS, 8 * MS, 28 * MS)
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_a_flush_does_not_wait_for_the_pace() -> None:
    world = VirtualWorld()
    await world.journal.start()
    world.hold(1)
    for at in (1 * MS, 3 * MS):
        await world.until(at)
        world.hold(1)
    await world.until(5 * MS)
    assert world.journal.delay_seconds == pytest.approx(4 * MS)
    await world.journal.flushed()
    assert times(world) == rounded(0, 5 * MS)
    # It ends when all callers have been told.
    for _ in range(3 * CALLERS_PER_TURN):
        world.wait_for(world.held(1))
    await world.journal.flushed()
    assert len(world.outcomes) == 3 * CALLERS_PER_TURN
    assert await world.journal.stop(1.0) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_callers_are_answered_sixteen_in_a_turn_and_after_the_next_batch_was_sent() -> None:
    world = VirtualWorld()
    journal, database = world.journal, world.database
    turn, turns, sent, depths = 0, [], [], []

    def count() -> None:
        nonlocal turn
        turn += 1
        if turn < 10:
            world.loop.call_soon(count)

    def settled(error: object) -> None:
        if not turns:
            world.loop.call_soon(count)
        turns.append(turn)
        sent.append(len(database.transactions))
        depths.append(journal.depth)

    def append(number: int) -> None:
        for _ in range(number):
            journal.append(Entry((world.held(1),), settled=settled))

    append(5)
    world.hold(1, 7)
    append(3 * CALLERS_PER_TURN - 5)
    await journal.start()
    await world.until(MS)
    world.wait_for(world.held(2))
    assert journal.depth == 3 * CALLERS_PER_TURN + 8
    await world.until(5 * MS)
    assert turns == [0] * CALLERS_PER_TURN + [1] * CALLERS_PER_TURN + [2] * CALLERS_PER_TURN
    assert sent == [2] * len(turns)
    assert depths == [*range(3 * CALLERS_PER_TURN, 0, -1)]
    assert await journal.stop(1.0) == 0


@in_virtual_time
async def test_a_full_journal_takes_entries_but_no_responses() -> None:
    assert VirtualWorld(limit=0).journal.full
    world = VirtualWorld(limit=3)
    journal, told = world.journal, []
    record = IdempotencyRecord("user:7", "key", b"", 200, b"")
    assert not journal.full and not VirtualWorld(limit=1).journal.full
    for number in range(3):
        assert (journal.full, journal.depth) == (False, number)
        if number:
            world.hold(1)
        else:
            journal.remember(record, told.append)
    assert journal.full
    journal.remember(record)
    journal.remember(record, told.append)
    assert [type(reason) for reason in told] == [JournalFull] and journal.depth == 3
    world.hold(1)
    assert journal.full and journal.depth == 4
    world.database.seconds = lambda keys: 1.0
    await journal.start()
    await world.until(0.5)
    world.hold(2, 3)
    assert journal.depth == 7
    await world.until(1.0 + MS)
    assert journal.depth == 3 and journal.full and told[1:] == [None]
    assert await journal.stop(10.0) == 0 and not journal.full


@in_virtual_time
async def test_stopping_flushes_at_once_and_says_what_could_not_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    idle = VirtualWorld()
    idle.hold(1)
    assert await idle.journal.stop(1.0) == 1
    world = VirtualWorld()
    await world.journal.start()
    world.hold(1)
    await world.until(5 * MS)
    keys = [world.wait_for(world.held(1)) for _ in range(100)]
    world.hold(1)
    assert await world.journal.stop(1.0) == 0
    assert rounded(world.loop.time()) == rounded(9 * MS) and set(keys) == set(world.outcomes)
    assert world.database.sessions == []
    assert await world.journal.stop(1.0) == 0
    assert not caplog.records

    world = VirtualWorld()
    world.database.locked = {1}
    await world.journal.start()
    blocked, other = world.wait_for(world.held(1)), world.wait_for(world.held(2))
    began = world.loop.time()
    await world.until(began + 0.7)
    world.hold(1, 2)
    assert len(world.database.sessions) == 2
    assert await world.journal.stop(2.0) == 3
    assert rounded(world.loop.time() - began) == [2.7] and world.database.sessions == []
    assert other in world.outcomes and blocked not in world.outcomes
    assert "The journal stops with 3 entries that may not have been written" in caplog.messages


@in_virtual_time
async def test_stopping_tells_callers_whose_outcomes_are_known() -> None:
    world = VirtualWorld()
    await world.journal.start()
    keys = [world.wait_for(world.held(1)) for _ in range(20 * CALLERS_PER_TURN)]
    while not world.outcomes:  # noqa: ASYNC110 - in the very turn in which the first ones are told
        await asyncio.sleep(0.0 if world.loop.time() >= 4 * MS else MS)
    assert len(world.outcomes) < len(keys)
    assert await world.journal.stop(0.0) == 0
    assert len(world.outcomes) == len(keys)


@in_virtual_time
async def test_whoever_waits_for_a_flush_may_give_up() -> None:
    world = VirtualWorld()
    await world.journal.start()
    world.hold(1)
    await asyncio.sleep(MS)
    flushes = [asyncio.create_task(world.journal.flushed()) for _ in range(3)]
    await asyncio.sleep(MS)
    flushes[0].cancel()
    await asyncio.wait(flushes)
    assert flushes[0].cancelled() and rounded(world.loop.time()) == [4 * MS]
    assert await world.journal.stop(1.0) == 0


class Spans:
    """Keeps the spans that are recorded: name, beginning, end, parent, and those that it is linked to."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Any, ...]] = []

    def record(
        self, name: str, began: float, ended: float, *, parent: str | None = None, links: Any = (), **_: Any
    ) -> str:
        self.recorded.append((name, *rounded(began, ended), parent, tuple(links)))
        return name


@in_virtual_time
async def test_batches_of_traced_requests_are_recorded() -> None:
    spans = Spans()
    world = VirtualWorld(tracer=spans)
    await world.journal.start()
    world.hold(1)
    await world.until(MS)
    for trace in ("a", None):
        world.journal.append(Entry((world.held(1),), cause=Cause("request", trace)))
    await world.journal.flushed()
    assert spans.recorded == [
        ("journal batch", *rounded(MS, 8 * MS), None, ("a",)),
        ("commit", *rounded(4 * MS, 8 * MS), "journal batch", ()),
        ("journal", *rounded(MS, 8 * MS), "a", ("journal batch",)),
    ]
    assert await world.journal.stop(1.0) == 0


@pytest.mark.parametrize("seed", range(12))
def test_random_entries_flushes_and_troubles(seed: int) -> None:
    """Depth, age and flushes are those of a plain list; order is kept, and everything is written once."""

    @partial(in_virtual_time, limit_seconds=300.0)
    async def run() -> None:
        chance = random.Random(seed)
        limit = chance.choice((3, 10, 40))
        world = VirtualWorld(4, limit=limit)
        journal, database, loop = world.journal, world.database, world.loop
        unsettled: dict[Any, float] = {}
        settled_at: dict[Any, float] = {}

        def append(screening: int) -> None:
            event = world.held(screening)
            key = (screening, event.seq)

            def settled(error: object) -> None:
                assert error is None
                del unsettled[key]
                settled_at[key] = loop.time()

            unsettled[key] = loop.time()
            journal.append(Entry((event,), settled=settled))

        async def flush(screening: int | None) -> None:
            began, before = loop.time(), list(unsettled)
            await journal.flushed(screening)
            waited = [key for key in before if screening in (None, key[0])]
            assert not unsettled.keys() & waited
            # One that is for all ends with the last entry, in the same instant.
            if screening is None:
                assert loop.time() == max([began, *(settled_at[key] for key in waited)])

        await journal.start()
        flushes = []
        for _ in range(150):
            await asyncio.sleep(chance.choice((0.0, 0.001, 0.01, 0.3)))
            match chance.choice("aaaaaafflst"):
                case "a":
                    for _ in range(chance.choice((1, 2, 8))):
                        append(chance.randint(1, 4))
                case "f":
                    flushes.append(asyncio.create_task(flush(chance.choice((None, 1, 2, 3, 4)))))
                case "l":
                    database.locked = (
                        set(chance.choices(range(1, 5), k=2)) if chance.random() < 0.5 else set()
                    )
                case "s":
                    slow, seconds = chance.randint(1, 4), chance.choice((0.004, 2.6, 11.0, 25.0))
                    database.seconds = lambda keys, slow=slow, seconds=seconds: (
                        seconds if any(key[0] == slow for key in keys) else 0.004
                    )
                case "t":
                    left = iter(
                        chance.choices((LockTimeout("a row"), NoAnswer("frozen"), DiskFull("full")), k=2)
                    )
                    database.trouble = lambda keys, left=left: next(left, None)
            assert journal.depth == len(unsettled) and journal.full == (len(unsettled) >= limit)
            oldest = min(unsettled.values(), default=loop.time())
            assert journal.lag_seconds == pytest.approx(loop.time() - oldest)
            assert journal.delay_seconds <= journal.lag_seconds
        database.locked, database.seconds = set(), lambda keys: 0.004
        await journal.flushed()
        assert not unsettled and await journal.stop(100.0) == 0
        if flushes:
            await asyncio.wait(flushes)
            assert [flush.exception() for flush in flushes] == [None] * len(flushes)
        for screening in range(1, 5):
            of_screening = [key for key in settled_at if key[0] == screening]
            assert of_screening == sorted(of_screening)
        assert len(database.tables.events) == len(settled_at)
        assert database.sessions == []

    run()
