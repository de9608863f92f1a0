"""The journal after batches that were not written, to the millisecond, in virtual time."""

import asyncio
import logging
from functools import partial

import pytest

from engine.errors import BadEntry, OwnershipLost
from engine.selling_errors import PaymentAlreadyUsed, TicketAdmitted
from persistence.errors import (
    ConnectionLost,
    DatabaseReadOnly,
    DefectiveStatement,
    DiskFull,
    LockTimeout,
    NoAnswer,
    StatementAborted,
    StatementRefused,
)
from tests.persistence.virtual import COMMIT_SECONDS, VirtualWorld, in_virtual_time, rounded, sizes, times


@in_virtual_time
async def test_a_batch_is_halved_after_a_time_out_and_doubled_after_a_quick_one() -> None:
    world = VirtualWorld()
    # 10 s are allowed, and less than 2.5 s are quick.
    plan = [(1000, 30.0), (500, 10.5), (250, 10.0), (250, 2.5), (250, 2.4), (500, 2.0), (850, 0.1)]
    seconds = iter([seconds for _, seconds in plan])
    world.database.seconds = lambda keys: next(seconds)
    for _ in range(700):
        for screening in (1, 2, 3):
            world.hold(screening)
    await world.journal.start()
    await world.journal.flushed()
    assert sizes(world) == [size for size, _ in plan]
    assert world.observer.failures == ["too_slow", "too_slow"]
    assert world.observer.sizes == [250, 250, 250, 500, 850]
    assert await world.journal.stop(1.0) == 0


@partial(in_virtual_time, limit_seconds=200.0)
async def test_a_screening_that_is_slow_alone_gets_more_and_more_time_while_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("persistence.journal.STATEMENT_SECONDS", 1.0)
    monkeypatch.setattr("persistence.journal.LAST_STATEMENT_SECONDS", 30.0)
    world = VirtualWorld()
    database = world.database
    database.seconds = lambda keys: 100.0 if (1, 2) in keys else 4.0 if (1, 3) in keys else COMMIT_SECONDS
    first, slow, third = [world.wait_for(world.held(1)) for _ in range(3)]
    await world.journal.start()
    await world.until(1.5)
    assert world.journal.delay_seconds == world.journal.lag_seconds == pytest.approx(1.5)
    # Set aside, it has had its first time-out in the main queue, and is tried in smaller parts.
    for _ in range(3):
        assert world.wait_for(world.held(2)) not in world.outcomes
        await asyncio.sleep(2 * COMMIT_SECONDS)
    assert [key[0] for key in world.outcomes] == [2, 2, 2]
    assert world.journal.depth == 3
    await world.until(70.0)
    database.seconds = lambda keys: 29.0 if (1, 2) in keys else COMMIT_SECONDS
    assert len(database.sessions) == 2
    await world.journal.flushed()
    await asyncio.sleep(0)
    assert len(database.sessions) == 1
    assert [world.outcomes[key][0] for key in (first, slow, third)] == [None] * 3
    aside = [each for each in database.transactions if each.keys[0][0] == 1]
    tried = [([seq for _, seq in each.keys], each.limit_seconds) for each in aside]
    # Attempts that make progress go on at once, and all others after half a second.
    assert rounded(*[each.at for each in aside][:5]) == [0, 1, 2.5, 2.504, 4.004]
    assert tried[:5] == [([1, 2, 3], 1), ([1, 2, 3], 1), ([1], 1), ([2, 3], 1), ([2], 1)]
    assert tried[5:] == [([2], seconds) for seconds in (2, 4, 8, 16, 30, 30, 30)] + [([3], 30)]
    # The next one that is set aside begins with the usual limit.
    world.database.seconds = lambda keys: 1.5 if (1, 4) in keys else COMMIT_SECONDS
    world.wait_for(world.held(1))
    await world.journal.flushed()
    assert [each.limit_seconds for each in database.transactions[-3:]] == [1, 1, 2]
    assert await world.journal.stop(1.0) == 0
    assert database.sessions == []


@in_virtual_time
async def test_a_locked_screening_is_looked_at_every_half_second_while_others_go_on() -> None:
    world = VirtualWorld()
    database, journal = world.database, world.journal
    database.locked = {2}
    keys = [world.wait_for(world.held(screening)) for screening in (1, 2, 3, 2)]
    world.answer("key")
    await journal.start()
    await world.until(0.503)
    assert journal.delay_seconds == journal.lag_seconds == pytest.approx(0.503)
    await world.until(0.6)
    # After half a second the lock is found, and the others are written.
    assert database.sent == [("key", (1, 1), (2, 1), (3, 1), (2, 2)), ("key", (1, 1), (3, 1))]
    assert times(world) == [0, 0.5] and database.looks == [0.5, 0.5]
    assert world.observer.failures == ["locked"]
    assert [key in world.outcomes for key in keys] == [True, False, True, False]
    assert journal.failure is None and journal.depth == 2
    await journal.flushed(1)
    of_screening, of_all = asyncio.create_task(journal.flushed(2)), asyncio.create_task(journal.flushed())
    later = world.wait_for(world.held(2))
    for at in (0.7, 1.1):
        await world.until(at)
        key = world.wait_for(world.held(3))
        await journal.flushed(3)
        assert key in world.outcomes and not (of_all.done() or of_screening.done())
    assert journal.lag_seconds == pytest.approx(1.104)
    await world.until(2.4)
    assert rounded(*database.looks[1:]) == [0.5, 1.0, 1.5, 2.0]
    assert journal.lag_seconds == pytest.approx(2.4)
    assert journal.delay_seconds == pytest.approx(2.4 - 1.104)
    database.locked = set()
    await of_screening
    await of_all
    assert rounded(world.loop.time()) == [2.504]
    assert database.sent[-1] == ((2, 1), (2, 2), (2, 3)) and world.outcomes[later][0] is None
    assert (journal.lag_seconds, journal.delay_seconds) == (0.0, 0.0)
    assert await journal.stop(1.0) == 0


@in_virtual_time
async def test_a_flush_of_a_screening_ends_when_what_delays_it_is_set_aside() -> None:
    world = VirtualWorld()
    world.database.locked = {2}
    world.wait_for(world.held(2))
    await world.journal.start()
    await world.journal.flushed(1)
    assert rounded(world.loop.time()) == [0.5]
    world.database.locked = set()
    assert await world.journal.stop(2.0) == 0


@in_virtual_time
async def test_a_locked_row_is_found_by_halving() -> None:
    """PostgreSQL says that a row is locked, but not which row."""
    world = VirtualWorld()
    database = world.database
    database.trouble = lambda keys: LockTimeout("a row") if (2, 1) in keys else None
    keys = [world.wait_for(world.held(screening)) for screening in (1, 2, 3, 1, 3, 1, 3)]
    await world.journal.start()
    await world.until(0.1)
    assert sizes(world)[:3] == [7, 3, 1]
    assert database.sent[2:6] == [((1, 1),), ((2, 1), (3, 1)), ((2, 1),), ((3, 1),)]
    assert len(world.outcomes) == 6 and keys[1] not in world.outcomes
    assert world.journal.failure is None
    database.trouble = lambda keys: None
    await world.journal.flushed()
    assert world.outcomes[keys[1]][0] is None
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_stored_responses_are_set_aside_too(caplog: pytest.LogCaptureFixture) -> None:
    world = VirtualWorld()
    world.database.trouble = lambda keys: LockTimeout("a table") if "key" in keys else None
    world.answer("key")
    await world.journal.start()
    await world.until(0.01)
    world.wait_for(world.held(1))
    await world.until(0.02)
    assert (1, 1) in world.outcomes and world.journal.depth == 1
    assert world.journal.failure is None
    world.database.trouble = lambda keys: None
    await world.journal.flushed()
    assert world.database.sent[-1] == ("key",)
    assert [record.message for record in caplog.records if "aside" in record.message] == [
        "Entries of stored responses are set aside; others go on"
    ]
    assert await world.journal.stop(1.0) == 0


FAILURES = {
    ConnectionLost("gone"): "connection_lost",
    DatabaseReadOnly("a standby"): "read_only",
    DiskFull("full"): "disk_full",
    StatementAborted("a deadlock"): "aborted",
    DefectiveStatement("a missing migration"): "defective",
}


@pytest.mark.parametrize("failure", FAILURES, ids=FAILURES.values())
def test_a_transient_failure_is_followed_by_attempts_at_growing_intervals(failure: Exception) -> None:
    @in_virtual_time
    async def run() -> None:
        world = VirtualWorld()
        database, journal = world.database, world.journal
        database.trouble = lambda keys: failure
        assert journal.failure is None
        await journal.start()
        key = world.wait_for(world.held(1))
        await world.until(2.9)
        # Attempts take 4 ms, and follow after 20, 40, 80, 160, 320, 500, 500 ms and so on.
        assert times(world) == rounded(0, 0.024, 0.068, 0.152, 0.316, 0.640, 1.144, 1.648, 2.152, 2.656)
        assert [each.session for each in database.transactions] == list(range(1, 11))
        assert database.sessions == []
        assert world.observer.failures == [FAILURES[failure]] * 10
        assert journal.failure is type(failure) and key not in world.outcomes
        database.trouble = lambda keys: None
        await world.until(3.2)
        assert rounded(world.outcomes[key][1]) == [3.164]
        world.hold(1)
        assert journal.failure is None
        assert await journal.stop(1.0) == 0

    run()


@pytest.mark.parametrize("failure", [NoAnswer("frozen")])
def test_no_answer_makes_the_next_batch_smaller(failure: Exception) -> None:
    @in_virtual_time
    async def run() -> None:
        world = VirtualWorld()
        world.database.trouble = lambda keys: failure if len(keys) > 1 else None
        for screening in (1, 2, 3):
            world.wait_for(world.held(screening))
        await world.journal.start()
        await world.journal.flushed()
        assert sizes(world) == [3, 1, 2, 1, 1]
        assert world.observer.failures == ["too_slow", "too_slow"]
        assert await world.journal.stop(1.0) == 0

    run()


@in_virtual_time
async def test_without_a_database_the_way_is_made_as_soon_as_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = VirtualWorld()
    database = world.database
    database.seconds = lambda keys: 20.0 if (1, 1) in keys else COMMIT_SECONDS
    slow = world.wait_for(world.held(1))
    await world.journal.start()
    await world.until(9.0)
    database.available = False
    await world.until(11.9)
    # The session that was given up has to be ended before anything else is written.
    other = world.wait_for(world.held(2))
    await world.until(12.9)
    assert len(database.transactions) == 1 and database.sessions == []
    database.available = True
    await world.until(13.1)
    assert world.outcomes[other] == (None, pytest.approx(13.004)) and slow not in world.outcomes
    database.available = False
    await world.until(50.0)
    database.available = True
    await world.journal.flushed()
    assert world.outcomes[slow][0] is None
    # A failure to look for locks counts as a locked screening, and is tried again.
    database.locked = {2}
    blocked, another = world.wait_for(world.held(2)), world.wait_for(world.held(3))
    began = world.loop.time()
    await world.until(began + 0.6)
    assert another in world.outcomes and blocked not in world.outcomes
    sent, failures = len(database.transactions), len(world.observer.failures)
    database.available = False
    await world.until(began + 3.0)
    assert len(database.transactions) == sent and len(world.observer.failures) == failures
    assert len(database.sessions) == 1
    database.available, database.locked = True, set()
    await world.journal.flushed()
    assert world.outcomes[blocked][0] is None
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert any("failed, and is repeated until it succeeds" in message for message in caplog.messages)
    assert any("succeeds again, after" in message for message in caplog.messages)
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_if_locks_cannot_be_looked_for_the_next_batch_is_smaller() -> None:
    world = VirtualWorld()
    database = world.database

    def lose_the_database(keys: tuple[object, ...]) -> Exception | None:
        if len(keys) < 3:
            return None
        database.available = False
        return LockTimeout("a row")

    database.trouble = lose_the_database
    for screening in (1, 2, 3):
        world.wait_for(world.held(screening))
    await world.journal.start()
    await world.until(0.003)
    assert len(database.sessions) == 1
    await world.until(0.01)
    assert database.sessions == []
    database.available = True
    await world.journal.flushed()
    assert sizes(world) == [3, 1, 2]
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_a_bad_entry_is_found_by_halving(caplog: pytest.LogCaptureFixture) -> None:
    world = VirtualWorld()
    bad = {(1, 4), (1, 5), (1, 11)}

    def refuse(keys: tuple[object, ...]) -> Exception | None:
        return StatementRefused("too long", "22001", "names") if bad.intersection(keys) else None

    world.database.trouble = refuse
    keys = [world.wait_for(world.held(1)) for _ in range(11)]
    await world.journal.start()
    await world.journal.flushed()
    for key in keys:
        outcome = world.outcomes[key][0]
        assert isinstance(outcome, BadEntry) if key in bad else outcome is None
    assert sizes(world) == [11, 5, 2, 3, 1, 2, 1, 1, 6, 3, 3, 1, 2, 1, 1]
    assert world.observer.failures == ["refused"] * 10
    assert world.observer.sizes == [11] and world.journal.depth == 0
    logged = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert logged == ["The database refused a journal entry: too long"] * 3
    assert await world.journal.stop(1.0) == 0


PAYMENT = StatementRefused("used", "23503", "tickets_payment")
ADMITTED = StatementRefused("admitted", "P0001", "tickets_admitted", "[7, 12.5]")


@in_virtual_time
async def test_refusals_name_what_is_wrong() -> None:
    world = VirtualWorld()
    here, there = world.stories[:2]
    (unpaid,), (paid,) = here.tickets(0), here.tickets(1, payment_id="P")
    first, second = here.tickets(2, 3)
    moved = there.there(paid, 1, 1399)
    plan = [
        (PAYMENT, (here.issued((unpaid, paid)),), PaymentAlreadyUsed("P")),
        (PAYMENT, (here.issued((first, second)),), BadEntry("The database refuses this (tickets_payment)")),
        (PAYMENT, (here.left(paid), there.moved((paid, moved), payment_id="Q")), PaymentAlreadyUsed("Q")),
        (ADMITTED, (here.cancelled(unpaid),), TicketAdmitted(7, 12.5)),
        (StatementRefused("no", "22001", "names"), (), BadEntry("The database refuses this (names)")),
        (StatementRefused("no", "22001"), (), BadEntry("The database refuses this (22001)")),
        (StatementRefused("no", ""), (), BadEntry("The database refuses this (unreadable)")),
    ]
    await world.journal.start()
    for refusal, events, expected in plan:
        world.database.trouble = lambda keys, refusal=refusal: refusal
        key = world.wait_for(*(events or (world.held(3),)))
        await world.journal.flushed()
        outcome = world.outcomes[key][0]
        assert (type(outcome), str(outcome)) == (type(expected), str(expected))
        assert vars(outcome) == vars(expected)
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_entries_of_past_epochs_are_lost_and_their_ownership_is_told_once() -> None:
    world = VirtualWorld(4)
    database = world.database
    deposed: list[tuple[int, int]] = []
    world.journal.on_ownership_lost(lambda *ownership: deposed.append(ownership))
    database.tables.epochs[1] = database.tables.epochs[4] = (2, "another")
    lost, kept = [], []
    for _ in range(2):
        lost.append(world.wait_for(world.held(1)))
        kept.append(world.wait_for(world.held(2)))
    world.hold(4, 2)
    ticket = world.stories[1].tickets(0)[0]
    moves = (world.stories[1].left(ticket), world.stories[3].moved((ticket, ticket)))
    await world.journal.start()
    await world.journal.flushed()
    assert [type(world.outcomes[key][0]) for key in lost] == [OwnershipLost] * 2
    assert [world.outcomes[key][0] for key in kept] == [None] * 2
    assert deposed == [(1, 1), (4, 1)]
    # A move to a screening that has been lost keeps the ownership of the first one.
    key = world.wait_for(*moves)
    await world.journal.flushed()
    assert type(world.outcomes[key][0]).__name__ == "MoveInterrupted" and len(deposed) == 2
    gone = world.stories[0].tickets(0)[0]
    key = world.wait_for(world.stories[0].left(gone), world.stories[1].moved((gone, gone)))
    await world.journal.flushed()
    assert type(world.outcomes[key][0]) is OwnershipLost and deposed[2:] == [(1, 1)]
    assert await world.journal.stop(1.0) == 0


@in_virtual_time
async def test_a_bug_in_the_writer_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = VirtualWorld()
    world.database.trouble = lambda keys: RuntimeError("a bug")
    key = world.wait_for(world.held(1))
    await world.journal.start()
    await world.until(0.1)
    assert world.database.sessions == []
    await world.until(0.6)
    assert times(world) == [0, 0.504] and sizes(world) == [1, 1]
    world.database.trouble = lambda keys: None
    await world.until(1.1)
    assert rounded(world.outcomes[key][1]) == [1.012] and world.outcomes[key][0] is None
    logged = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert logged == ["The journal's writer failed and is restarted"] * 2
    caplog.clear()
    assert await world.journal.stop(1.0) == 0
