"""The journal with PostgreSQL beyond the shared suite: batches, refusals, receipts, the log."""

import asyncio
import random
import string

import pytest

from engine.errors import BadEntry, OwnershipLost
from engine.memory import NullObserver
from engine.ports import Entry
from engine.records import IdempotencyRecord, Receipt
from engine.replies import Booked
from engine.selling_errors import PaymentAlreadyUsed
from persistence.idempotency import IdempotencyRows
from persistence.journal import PostgresJournal
from tests.database import execute, locked
from tests.persistence.journals import BatchObserver, begin, rows_of, writer_waits
from tests.ports.adapters import NOW, encode, postgres_world, reload, submit, write
from tests.ports.story import ALICE, BOB, Story

pytestmark = pytest.mark.gen_test


BAD = {
    "a NUL": lambda story: story.held(story.hold(0, holder="user:\0")),
    "a lone surrogate": lambda story: story.held(story.hold(0, holder="user:\ud800")),
    "an id beyond 64 bits": lambda story: story.held(story.hold(0)._replace(id=2**63)),
    "an invalid time": lambda story: story.held(story.hold(0, expires_at=float("nan"))),
    "a holder too long to index": lambda story: story.held(story.hold(0, holder=_incompressible(20_000))),
    "a price below zero": lambda story: story.issued(
        tuple(ticket._replace(price_cents=-1) for ticket in story.tickets(1))
    ),
    "a seat that is sold": lambda story: story.issued(story.tickets(3, holder=BOB)),
    "what cannot be encoded": lambda story: story.held(story.hold(0))._replace(seat_ids=None),
}


def _incompressible(length: int) -> str:
    return "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=length))


@pytest.mark.parametrize("fault", BAD)
async def test_one_bad_entry_among_a_hundred_fails_alone(database_url: str, fault: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        assert await write(world.journal, story.issued(story.tickets(3))) is None
        before = rows_of(world, "screening_events")
        events = [story.held(story.hold(0)) for _ in range(99)]
        events.insert(61, BAD[fault](story))
        settlements = [submit(world.journal, event) for event in events]
        outcomes = [await settlement.outcome() for settlement in settlements]
        assert isinstance(outcomes.pop(61), BadEntry)
        assert outcomes == [None] * 99
        assert all(len(settlement.calls) == 1 for settlement in settlements)
        assert rows_of(world, "screening_events") - before == 99
        assert len((await reload(world, story.hall)).holds) == 99


async def test_many_bad_entries_and_used_payments_among_good_ones(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world, seats=100)
        settlements = []
        for seat in range(100):
            payment_id = "used" if seat % 5 == 0 else f"P{seat}"
            holder = "user:\0" if seat % 7 == 3 else ALICE
            tickets = story.tickets(seat, holder=holder, payment_id=payment_id)
            settlements.append(submit(world.journal, story.issued(tickets)))
        outcomes = [await settlement.outcome() for settlement in settlements]
        for seat, outcome in enumerate(outcomes):
            if seat % 7 == 3:
                assert isinstance(outcome, BadEntry)
            elif seat % 5 == 0 and seat > 0:
                assert isinstance(outcome, PaymentAlreadyUsed)
            else:
                assert outcome is None
        assert rows_of(world, "tickets") == outcomes.count(None)


async def test_a_revived_ticket_is_refused(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        (ticket,) = story.tickets(0, pending_until=NOW + 900)
        await write(world.journal, story.issued((ticket,)))
        cancelled = submit(world.journal, story.cancelled(ticket))
        confirmed = submit(world.journal, story.confirmed(ticket, "P"))
        assert await cancelled.outcome() is None
        assert isinstance(await confirmed.outcome(), BadEntry)
        assert (await world.ledger.ticket(ticket.id)).status.value == "cancelled"
        assert rows_of(world, "payments") == 0


async def test_the_log_records_actor_time_and_states(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        holds = (story.hold(0), story.hold(1))
        tickets = story.tickets(0, 1, payment_id="P")
        (pending,) = story.tickets(2, pending_until=NOW + 900)
        (unpaid,) = story.tickets(3, pending_until=NOW + 900)
        for event in (
            *(story.held(*holds), story.extended(*holds), story.issued(tickets, holds)),
            *(story.cancelled(tickets[1]), story.issued((pending,)), story.confirmed(pending, "Q")),
            *(story.issued((unpaid,)), story.lapsed(unpaid)),
            *(story.held(lapsing := story.hold(3)), story.expired(lapsing)),
            *(story.held(given_back := story.hold(3, BOB)), story.released(given_back)),
        ):
            assert await write(world.journal, event) is None
        a, b, c, d = story.hall.seat_ids
        assert execute(
            database_url,
            "SELECT seq, extract(epoch FROM at)::float8 - %s, kind, actor, seat_ids, from_statuses, "
            "to_status FROM screening_events WHERE (screening_id, epoch) = (%s, %s) ORDER BY seq",
            *(NOW, story.hall.screening_id, story.epoch),
        ) == [
            (1, 0, "seats_held", ALICE, [a, b], ["available", "available"], "held"),
            (2, 1, "holds_extended", ALICE, [a, b], ["held", "held"], "held"),
            (3, 3, "tickets_issued", ALICE, [a, b], ["held", "held"], "booked"),
            (4, 5, "tickets_cancelled", ALICE, [b], ["booked"], "available"),
            (5, 3, "tickets_issued", ALICE, [c], ["available"], "pending"),
            (6, 4, "tickets_confirmed", ALICE, [c], ["pending"], "booked"),
            (7, 3, "tickets_issued", ALICE, [d], ["available"], "pending"),
            (8, 900, "tickets_lapsed", "system", [d], ["pending"], "available"),
            (9, 0, "seats_held", ALICE, [d], ["available"], "held"),
            (10, 300, "holds_expired", "system", [d], ["held"], "available"),
            (11, 0, "seats_held", BOB, [d], ["available"], "held"),
            (12, 2, "holds_released", BOB, [d], ["held"], "available"),
        ]


ODD_TEXTS = (
    "",
    " ",
    "NULL",
    'a "quoted" \\word\\',
    '","',
    "{braces}, commas, and 'apostrophes' %s %%",
    "line\nline\ttab\u2028",
    "żółw 🎟 ﷺ",
)


async def test_texts_are_stored_as_they_are(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world, seats=len(ODD_TEXTS))
        notes = (*ODD_TEXTS[1:], None)
        holds = [
            story.hold(seat, holder)._replace(note=note)
            for seat, (holder, note) in enumerate(zip(ODD_TEXTS, notes, strict=True))
        ]
        tickets = [
            story.tickets(seat, holder=text, payment_id=text)[0]._replace(code=code, paper=text.encode())
            for seat, (text, code) in enumerate(zip(ODD_TEXTS, notes, strict=True))
        ]
        for hold in holds:
            world.journal.append(Entry((story.held(hold),)))
        for ticket in tickets:
            world.journal.append(Entry((story.issued((ticket,)),)))
        await world.journal.flushed()
        loaded = await reload(world, story.hall)
        assert sorted(loaded.holds) == holds
        assert sorted(loaded.tickets) == tickets
        actors = execute(database_url, "SELECT actor FROM screening_events ORDER BY seq")
        assert actors == [(text,) for text in (*ODD_TEXTS, *ODD_TEXTS)]


async def test_all_changes_of_a_hold_within_a_batch_are_one_row(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world, seats=9)
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        left, later, longer, over, ended, sold = (story.hold(seat) for seat in range(6))
        twice = longer._replace(expires_at=NOW + 600, extensions=2)
        tickets = story.tickets(5, 6, 7, 8)
        for event in (
            *(story.held(left, later), story.held(longer), story.held(over, ended, sold)),
            story.extended(longer._replace(expires_at=NOW + 450, extensions=1), later),
            story.extended(twice),
            *(story.released(later), story.expired(over, ended), story.issued(tickets, (sold,))),
        ):
            journal.append(Entry((event,)))
        await journal.start()
        assert await journal.stop(timeout_seconds=60) == 0
        assert observer.batches == [8] and observer.failures == []
        # xmax is 0 in a row that was never updated.
        rows = execute(
            database_url,
            "SELECT id, status, extract(epoch FROM closed_at)::float8, xmax FROM holds ORDER BY id",
        )
        assert rows == [
            (left.id, "active", None, "0"),
            (later.id, "released", NOW + 2, "0"),
            (longer.id, "active", None, "0"),
            (over.id, "expired", NOW + 300, "0"),
            (ended.id, "expired", NOW + 300, "0"),
            (sold.id, "converted", NOW + 3, "0"),
        ]
        loaded = await reload(world, story.hall)
        assert sorted(loaded.holds) == [left, twice]
        assert sorted(loaded.tickets) == sorted(tickets)
        seats = execute(
            database_url,
            "SELECT kind, seat_ids, cardinality(from_statuses) FROM screening_events ORDER BY seq",
        )
        ids = story.hall.seat_ids
        assert seats == [
            ("seats_held", [ids[0], ids[1]], 2),
            ("seats_held", [ids[2]], 1),
            ("seats_held", [ids[3], ids[4], ids[5]], 3),
            ("holds_extended", [ids[2], ids[1]], 2),
            ("holds_extended", [ids[2]], 1),
            ("holds_released", [ids[1]], 1),
            ("holds_expired", [ids[3], ids[4]], 2),
            ("tickets_issued", [ids[5], ids[6], ids[7], ids[8]], 4),
        ]


async def test_rows_written_before_are_left_unchanged(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world, seats=6)
        together = story.held_together(0, 1, note="ours")
        held, gone = story.hold(2), story.hold(3)
        earlier = [
            *(together, story.held(held), story.held(gone), story.released(gone)),
            *(story.issued(story.tickets(4, payment_id="P")), story.issued(story.tickets(3), (held,))),
        ]
        for event in earlier:
            assert await write(world.journal, event) is None
        stored = await reload(world, story.hall)
        log = rows_of(world, "screening_events")
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        later = [story.held_together(2), story.issued(story.tickets(5, payment_id="Q"))]
        events = [*earlier[:3], *earlier[4:], *later]
        settlements = [submit(journal, event._replace(epoch=stored.epoch)) for event in events]
        await journal.start()
        assert [await settlement.outcome() for settlement in settlements] == [None] * 7
        assert await journal.stop(timeout_seconds=60) == 0
        assert (observer.batches, observer.failures) == ([7], [])
        loaded = await reload(world, story.hall)
        assert sorted(loaded.holds) == sorted((*stored.holds, *later[0].holds))
        assert sorted(loaded.tickets) == sorted((*stored.tickets, *later[1].tickets))
        # The same events of another epoch are new events.
        assert rows_of(world, "screening_events") == log + 7


async def test_changes_of_a_ticket_in_one_batch_are_written_in_order(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        observer = BatchObserver()
        journal = PostgresJournal(world.connector, encode, observer)
        (ticket,) = story.tickets(0)
        (again,) = story.tickets(0, holder=BOB)
        events = story.issued((ticket,)), story.cancelled(ticket), story.issued((again,))
        settlements = [submit(journal, event) for event in events]
        await journal.start()
        assert [await settlement.outcome() for settlement in settlements] == [None] * 3
        assert await journal.stop(timeout_seconds=60) == 0
        assert observer.batches == [3]
        assert execute(database_url, "SELECT holder, status FROM tickets ORDER BY id") == [
            (ALICE, "cancelled"),
            (BOB, "confirmed"),
        ]


async def test_a_response_is_stored_with_its_booking_or_not_at_all(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        keys = IdempotencyRows(world.connector)
        story = await begin(world)
        tickets = story.tickets(0, payment_id="P")
        receipt = Receipt(ALICE, "key-1", b"\x00\xffdigest", "tickets_created")
        reply = Booked(tickets)
        assert await write(world.journal, story.issued(tickets), receipt=receipt, reply=reply) is None
        kept = IdempotencyRecord(ALICE, "key-1", b"\x00\xffdigest", 201, b"tickets_created:Booked")
        assert await keys.lookup(ALICE, "key-1") == kept
        assert await keys.lookup(BOB, "key-1") is None
        refused = story.tickets(1, payment_id="P")
        outcome = await write(
            world.journal, story.issued(refused), receipt=receipt._replace(key="key-2"), reply=Booked(refused)
        )
        assert isinstance(outcome, PaymentAlreadyUsed)
        assert await keys.lookup(ALICE, "key-2") is None


async def test_the_first_answer_stays(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        first = IdempotencyRecord(ALICE, 'a "quoted" \\key', b"one", 200, b'{"a": "\\"b\\" \x00"}')
        world.journal.remember(first)
        world.journal.remember(first._replace(fingerprint=b"two", status=404))
        await world.journal.flushed()
        assert await IdempotencyRows(world.connector).lookup(ALICE, first.key) == first


async def test_old_responses_are_deleted(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.idempotency.FORGET_LIMIT", 3)
    async with postgres_world(database_url) as world:
        keys = IdempotencyRows(world.connector)
        for number in range(8):
            world.journal.remember(IdempotencyRecord(ALICE, f"key-{number}", b"", 200, b""))
        await world.journal.flushed()
        execute(
            database_url,
            "UPDATE idempotency_keys SET created_at = now() - '25h'::interval WHERE key < 'key-7'",
        )
        assert await keys.forget_older_than(24) == 7
        assert await keys.lookup(ALICE, "key-6") is None
        assert (await keys.lookup(ALICE, "key-7")).key == "key-7"


async def test_the_limit_refuses_clients_but_drops_no_entries(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        now = 50.0
        journal = PostgresJournal(world.connector, encode, NullObserver(), limit=3, monotonic=lambda: now)
        settlements = [submit(journal, story.held(story.hold(0))) for _ in range(3)]
        assert journal.full and journal.depth == 3
        settlements.append(submit(journal, story.held(story.hold(0))))
        journal.remember(IdempotencyRecord(ALICE, "dropped", b"", 200, b""))
        now = 53.5
        assert (journal.depth, journal.lag_seconds) == (4, 3.5)
        await journal.start()
        assert await journal.stop(timeout_seconds=60) == 0
        assert [settlement.calls for settlement in settlements] == [[None]] * 4
        assert await journal.stop(timeout_seconds=60) == 0
        assert not journal.full and journal.lag_seconds == 0.0
        assert rows_of(world, "idempotency_keys") == 0


async def test_a_callback_with_a_defect_stops_nothing(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)

        def defective(error: object) -> None:
            raise RuntimeError("a defect")

        world.journal.append(Entry((story.held(story.hold(0)),), settled=defective))
        assert await write(world.journal, story.held(story.hold(1))) is None
        assert len((await reload(world, story.hall)).holds) == 2


async def test_nothing_is_written_for_a_screening_that_another_server_took_over(database_url: str) -> None:
    """Two servers on one database by mistake: the second to open a screening owns it."""
    async with postgres_world(database_url) as first, postgres_world(database_url) as second:
        story = await begin(first)
        (ticket,) = story.tickets(0, payment_id="P", pending_until=NOW + 900)
        hold = story.hold(1)
        await write(first.journal, story.issued((ticket,)), story.held(hold))
        taken = await second.store.activate(story.hall.screening_id)

        def all_rows() -> list[list[tuple]]:
            tables = (
                "holds",
                "tickets",
                "payments",
                "screening_events",
                "idempotency_keys",
                "screening_epochs",
            )
            return [execute(database_url, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608

        before = all_rows()
        receipt = Receipt(ALICE, "key", b"", "tickets_created")
        more = story.tickets(2, payment_id="Q")
        outcomes = [
            submit(first.journal, story.held(story.hold(3))),
            submit(first.journal, story.issued(more), receipt=receipt, reply=Booked(more)),
            submit(first.journal, story.confirmed(ticket, "P")),
            submit(first.journal, story.cancelled(ticket)),
            submit(first.journal, story.released(hold)),
            submit(first.journal, story.expired(hold)),
        ]
        assert [type(await each.outcome()).__name__ for each in outcomes] == ["OwnershipLost"] * 6
        assert all_rows() == before
        story_of_second = Story(story.hall, taken.epoch)
        assert await write(second.journal, story_of_second.cancelled(ticket)) is None


async def test_lost_entries_do_not_affect_the_rest_of_the_batch(database_url: str) -> None:
    async with postgres_world(database_url) as first, postgres_world(database_url) as second:
        stories = [await begin(first) for _ in range(4)]
        lost = stories[1:3]
        for story in lost:
            await second.store.activate(story.hall.screening_id)
        deposed: list[tuple[int, int]] = []
        first.journal.on_ownership_lost(lambda *ownership: deposed.append(ownership))
        outcomes = {
            (story, seat): submit(first.journal, story.held(story.hold(seat)))
            for seat in range(4)
            for story in stories
        }
        answer = IdempotencyRecord(ALICE, "key", b"", 200, b"")
        first.journal.remember(answer)
        for (story, _), settlement in outcomes.items():
            assert isinstance(await settlement.outcome(), OwnershipLost) == (story in lost)
        await first.journal.flushed()
        assert deposed == [(story.hall.screening_id, story.epoch) for story in lost]
        assert await IdempotencyRows(first.connector).lookup(ALICE, "key") == answer
        for story in stories:
            holds = (await reload(second, story.hall)).holds
            assert len(holds) == (0 if story in lost else 4)


@pytest.mark.usefixtures("long_lock_timeout")
async def test_taking_over_waits_for_a_write_in_progress(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        await write(world.journal, story.held(story.hold(1)))
        tickets = story.tickets(0)
        with locked(database_url, "LOCK TABLE tickets IN SHARE MODE"):
            issued = submit(world.journal, story.issued(tickets))
            await writer_waits(database_url)
            taking_over = asyncio.create_task(reload(world, story.hall))
            await asyncio.sleep(0.1)
            assert not taking_over.done()
        assert await issued.outcome() is None
        assert tuple((await taking_over).tickets) == tickets
