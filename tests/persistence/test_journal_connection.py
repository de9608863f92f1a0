"""A writer's connection by itself: how it is made, and the fate of refused batches."""

import asyncio
from typing import Any

import pytest

from engine.causes import Cause
from engine.errors import OwnershipLost
from engine.moving_errors import MoveInterrupted
from engine.ports import Entry
from engine.records import IdempotencyRecord, Receipt
from engine.replies import Booked
from persistence.errors import (
    ConnectionLost,
    DatabaseUnavailable,
    LockTimeout,
    StatementRefused,
)
from persistence.journal_connection import END_EARLIER_SESSIONS, JournalConnection, Queued
from persistence.statements import NOT_OWNED, PREPARATIONS, UNIQUE_VIOLATION
from tests.persistence.virtual import ScriptedDatabase, VirtualWorld, in_virtual_time
from tests.ports.adapters import encode
from tests.ports.story import ALICE


def connection_of(world: VirtualWorld) -> JournalConnection:
    return JournalConnection(world.database, encode, "a-journal", 7.0)


def queued(*entries: Entry, record: IdempotencyRecord | None = None) -> list[Queued]:
    return [Queued(entry, record, 0.0, number) for number, entry in enumerate(entries)]


def said(database: ScriptedDatabase) -> list[str]:
    """The first words of all statements."""
    return [sql.split(";")[0].split(" (")[0].strip()[:24] for sql, _ in database.statements]


@in_virtual_time
async def test_a_new_connection_first_ends_earlier_sessions() -> None:
    world = VirtualWorld()
    connection, database = connection_of(world), world.database
    database.earlier = [True, True]
    opened = await connection.connect()
    assert database.statements == [
        (END_EARLIER_SESSIONS, (2000, "a-journal")),
        (f"SET lock_timeout = 500;{PREPARATIONS}", None),
    ]
    assert await connection.connect() is opened and database.opened == 1
    connection.end()
    assert database.sessions == []
    connection.end()
    database.earlier = [True, False]
    with pytest.raises(DatabaseUnavailable, match="has not ended yet"):
        await connection.connect()
    assert database.sessions == [] and len(database.statements) == 3
    database.earlier = []
    for trouble, seen in (
        (ConnectionLost("gone"), DatabaseUnavailable),
        (RuntimeError("a bug"), RuntimeError),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ):
        database.setup_trouble = trouble
        with pytest.raises(seen):
            await connection.connect()
        assert database.sessions == []
    database.setup_trouble = None
    assert await connection.connect() is not opened
    assert [session.limit_seconds for session in database.sessions] == [7.0]


@in_virtual_time
async def test_a_batch_that_was_written_before_is_sent_again_once() -> None:
    world = VirtualWorld()
    connection, database = connection_of(world), world.database
    first, second = Entry((world.held(1),)), Entry((world.held(1),))
    assert await connection.write(queued(first)) == {}
    database.statements.clear()
    assert await connection.write(queued(first, second)) == {}
    assert len(database.tables.events) == 2
    assert [sql for sql in said(database) if sql != "BEGIN"] == ["ROLLBACK"]
    assert ["_again" in sql for sql, _ in database.statements] == [False, False, True]
    database.statements.clear()
    assert await connection.write(queued(first), again=True) == {}
    assert len(database.statements) == 1
    for trouble in (
        StatementRefused("exists", UNIQUE_VIOLATION, "another"),
        StatementRefused("no", "22001"),
        StatementRefused("division by zero", NOT_OWNED),
        LockTimeout("locked"),
    ):
        database.statements.clear()
        database.trouble = lambda keys, trouble=trouble: trouble
        with pytest.raises(type(trouble)):
            await connection.write(queued(first))
        repeated = getattr(trouble, "sqlstate", "") == UNIQUE_VIOLATION
        assert said(database).count("ROLLBACK") == said(database).count("BEGIN") == 1 + repeated


@in_virtual_time
async def test_entries_of_past_epochs_are_left_out_unless_they_are_written_already() -> None:
    world = VirtualWorld(4)
    connection, tables = connection_of(world), world.database.tables
    ticket, other = (story.tickets(0)[0] for story in world.stories[2:])
    assert await connection.write(queued(Entry((world.stories[2].issued((ticket,)),)))) == {}
    assert await connection.write(queued(Entry((world.stories[3].issued((other,)),)))) == {}
    before, late, kept = [Entry((world.held(screening),)) for screening in (1, 1, 2)]
    # The last two events of a decision that came through have one number each.
    assert await connection.write(queued(before)) == {}
    tables.epochs[1] = tables.epochs[4] = (2, "another")
    to_lost = Entry(
        (
            world.stories[2].left(ticket),
            world.stories[3].moved((ticket, world.stories[3].there(ticket, 1))),
        )
    )
    record = IdempotencyRecord(ALICE, "key", b"", 200, b"")
    batch = [*queued(before, late, kept, to_lost), *queued(Entry(()), record=record)]
    lost = await connection.write(batch)
    assert {identity: type(reason) for identity, reason in lost.items()} == {
        id(batch[1]): OwnershipLost,
        id(batch[3]): MoveInterrupted,
    }
    assert lost[id(batch[1])].screening_id == 1
    assert kept.events[0][:3] in tables.events and late.events[0][:3] not in tables.events
    assert (ALICE, "key") in tables.answers


@in_virtual_time
async def test_answers_are_stored_for_receipts_with_a_reply() -> None:
    world = VirtualWorld()
    connection, database = connection_of(world), world.database
    story = world.stories[0]
    receipt = Receipt(ALICE, "key", b"fingerprint", "tickets_created")
    (ticket,) = story.tickets(0)
    record = IdempotencyRecord(ALICE, "other", b"f", 409, b"no")
    batch = [
        *queued(Entry((story.issued((ticket,)),), receipt, Booked((ticket,)))),
        *queued(Entry((world.held(2),), receipt._replace(key="unanswered"))),
        *queued(Entry((world.held(2),), reply=Booked(()))),
        *queued(Entry(()), record=record),
    ]
    assert await connection.write(batch) == {}
    answers = {key: tuple(row.values()) for key, row in database.tables.answers.items()}
    assert answers == {
        (ALICE, "key"): (ALICE, "key", b"fingerprint", 201, b"tickets_created:Booked"),
        (ALICE, "other"): tuple(record),
    }
    broken = Entry((world.held(1)._replace(seat_ids=None),))
    with pytest.raises(StatementRefused, match="It cannot be encoded: TypeError") as refused:
        await connection.write(queued(broken))
    assert refused.value.sqlstate == ""


@in_virtual_time
async def test_events_have_the_cause_of_their_entry() -> None:
    world = VirtualWorld()
    cause = Cause("request-1")
    with_cause = Entry((world.held(1), world.held(1)), cause=cause)
    assert await connection_of(world).write(queued(with_cause, Entry((world.held(2),)))) == {}
    requests = {key[0::2]: row["request_id"] for key, row in world.database.tables.events.items()}
    assert requests == {(1, 1): "request-1", (1, 2): "request-1", (2, 1): None}


@in_virtual_time
async def test_locked_screenings_are_found() -> None:
    world = VirtualWorld()
    world.database.locked = {2, 3}
    assert await connection_of(world).blocked(iter((1, 2))) == {2}
    found: Any = Queued(Entry(()), None, 0.0, 0)
    assert found.screening_id is None
    assert Queued(Entry((world.held(2), world.held(1))), None, 0.0, 0).screening_id == 2


class SlowToConnect(ScriptedDatabase):
    async def _connect(self, statement_timeout_seconds: float, **options: str) -> Any:
        await asyncio.sleep(1.0)
        return await super()._connect(statement_timeout_seconds, **options)


@in_virtual_time
async def test_screenings_may_be_set_aside_while_it_connects_to_ask_which_are_locked() -> None:
    database = SlowToConnect(3)
    database.locked = {2}
    aside = dict.fromkeys((1, 2))
    connection = JournalConnection(database, encode, "a-journal", 7.0)
    asked = asyncio.ensure_future(connection.blocked(one for one in aside))
    await asyncio.sleep(0.5)
    aside[3] = None
    assert await asked == {2}
