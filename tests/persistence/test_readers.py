"""The readers with PostgreSQL beyond the shared suite: caches, pages, blocks of ids, hostile values."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf

import pytest

from engine.errors import IdsExhausted, StoreUnavailable
from engine.records import TicketType
from engine.selling_errors import ScreeningNotFound
from persistence.connector import Connector
from persistence.ids import IdBlocks
from persistence.reservations import Reservations
from persistence.store import PostgresStore
from persistence.tickets import Tickets
from tests.database import execute
from tests.ports.adapters import NOW, PostgresWorld, postgres_world, write
from tests.ports.story import ALICE, BOB, Story

pytestmark = pytest.mark.gen_test


async def begin(world: PostgresWorld, seats: int = 4) -> Story:
    hall = world.add_hall(seats)
    return Story(hall, (await world.store.activate(hall.screening_id)).epoch)


async def test_a_changed_room_gives_the_next_activation_a_new_layout(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        hall = world.add_hall()
        old = (await world.store.activate(hall.screening_id)).layout
        execute(database_url, "UPDATE seats SET seat_type = 'wheelchair' WHERE id = %s", hall.seat_ids[3])
        new = (await world.store.activate(hall.screening_id)).layout
        assert [seat.seat_type for seat in old.seats] == ["vip", "standard", "standard", "standard"]
        assert [seat.seat_type for seat in new.seats] == ["vip", "standard", "standard", "wheelchair"]
        assert new.version > old.version


async def test_rows_are_sorted_from_a_to_z_then_aa(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        hall = world.add_hall(1)
        execute(
            database_url,
            "INSERT INTO seats (room_id, row_label, seat_number) SELECT room_id, label, number "
            "FROM seats, unnest(ARRAY['AA', 'Z', 'B', 'B'], ARRAY[1, 1, 10, 9]) AS more (label, number)",
        )
        layout = (await world.store.activate(hall.screening_id)).layout
        assert [f"{seat.row_label}{seat.seat_number}" for seat in layout.seats] == [
            "A1",
            "B9",
            "B10",
            "Z1",
            "AA1",
        ]


async def test_a_room_without_seats_can_be_opened(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        hall = world.add_hall(0)
        assert (await world.store.activate(hall.screening_id)).layout.seats == ()


async def test_an_event_is_loaded_with_its_ticket_types(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        ((event_id,),) = execute(
            database_url,
            "INSERT INTO events (title, starts_at, ends_at) "
            "VALUES ('Concert', to_timestamp(%s), to_timestamp(%s)) RETURNING id",
            *(NOW, NOW + 3600),
        )
        rows = execute(
            database_url,
            "INSERT INTO ticket_types "
            "(event_id, name, price, capacity, max_per_order, sales_start, sales_end, closed_at) VALUES "
            "(%s, 'Standing', 19.99, 500, 6, NULL, to_timestamp(%s), NULL), "
            "(%s, 'Balcony', 35, 20, 2, to_timestamp(%s), NULL, now()) RETURNING id",
            *(event_id, NOW - 60, event_id, NOW - 3600),
        )
        (standing,), (balcony,) = rows
        loaded = await world.store.activate(event_id)
        assert (loaded.epoch, loaded.layout.seats) == (1, ())
        assert (loaded.info.starts_at, loaded.info.ends_at, loaded.info.free_seats) == (NOW, NOW + 3600, 0)
        assert not loaded.info.seated
        assert loaded.info.ticket_types == {
            standing: TicketType(standing, 1999, 500, 6, None, NOW - 60, False),
            balcony: TicketType(balcony, 3500, 20, 2, NOW - 3600, None, True),
        }
        execute(database_url, "UPDATE events SET closed_at = now()")
        closed = (await world.store.activate(event_id)).info.ticket_types
        assert [kind.closed for kind in closed.values()] == [True, True]


async def test_a_free_room_is_opened_without_seats(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        ((room_id,),) = execute(
            database_url, "INSERT INTO free_rooms (name) VALUES ('test_room') RETURNING id"
        )
        store = PostgresStore(world.connector, "test", free_room_seats=7)
        loaded = await store.activate(room_id)
        assert (loaded.epoch, loaded.info.free_seats, loaded.info.starts_at) == (1, 7, inf)
        execute(database_url, "DELETE FROM free_rooms")
        assert execute(database_url, "SELECT count(*) FROM screening_epochs") == [(0,)]
        with pytest.raises(ScreeningNotFound):
            await store.activate(room_id)


async def test_screenings_events_and_rooms_have_no_id_in_common(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        hall = world.add_hall()
        ((event_id,),) = execute(
            database_url,
            "INSERT INTO events (title, starts_at, ends_at) "
            "VALUES ('Concert', now(), now() + interval '1 hour') RETURNING id",
        )
        ((room_id,),) = execute(
            database_url, "INSERT INTO free_rooms (name) VALUES ('test_room') RETURNING id"
        )
        beside = world.add_screening_beside(hall)
        assert hall.screening_id < event_id < room_id < beside.screening_id


async def test_an_unknown_screening_leaves_no_epoch(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        with pytest.raises(Exception, match="not found"):
            await world.store.activate(404)
        assert execute(database_url, "SELECT count(*) FROM screening_epochs") == [(0,)]


READS_OF_SCREENINGS = """
SELECT sum(seq_tup_read)::int, sum(idx_tup_fetch)::int FROM pg_stat_user_tables WHERE relname = 'screenings'
"""


async def test_opening_one_of_ten_thousand_screenings_reads_no_other(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        hall = world.add_hall(300)
        execute(
            database_url,
            "INSERT INTO screenings (room_id, starts_at, ends_at, price) "
            "SELECT room_id, starts_at + day * interval '1 day', ends_at + day * interval '1 day', price "
            "FROM screenings, generate_series(1, 10000) AS day",
        )
        assert (await world.store.activate(hall.screening_id + 1)).epoch == 1
        for screening_id in range(hall.screening_id + 5000, hall.screening_id + 5005):
            store = PostgresStore(world.connector, "without a cached layout")
            assert len((await store.activate(screening_id)).layout.seats) == 300
    # PostgreSQL counts a session's reads when the session has ended.
    async with asyncio.timeout(60):
        while (counted := execute(database_url, READS_OF_SCREENINGS)[0])[1] < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert counted[0] < 10_000


async def test_reservations_page_by_page_newest_first(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        reservations = Reservations(world.connector)
        active, lapsing, released, converted = (story.hold(seat) for seat in range(4))
        lapsing = lapsing._replace(expires_at=NOW + 10)
        of_another = story.hold(0, BOB)
        await write(world.journal, story.held(active, lapsing, released, converted, of_another))
        await write(world.journal, story.released(released))
        await write(world.journal, story.issued(story.tickets(3), (converted,)))

        async def page(**wanted) -> tuple[list[tuple[int, str]], int]:
            rows, total = await reservations.list_of_holder(
                ALICE, **{"now": NOW + 10, "include_expired": True, "limit": 10, "offset": 0, **wanted}
            )
            return [(hold.id, status) for hold, status in rows], total

        everything = [
            (converted.id, "converted"),
            (released.id, "released"),
            (lapsing.id, "expired"),
            (active.id, "active"),
        ]
        assert await page() == (everything, 4)
        assert await page(limit=2, offset=1) == (everything[1:3], 4)
        assert await page(offset=9) == ([], 4)
        assert await page(include_expired=False) == ([(active.id, "active")], 1)
        assert await page(include_expired=False, now=NOW + 9.5) == (
            [(lapsing.id, "active"), (active.id, "active")],
            2,
        )
        rows, _ = await reservations.list_of_holder(BOB, NOW, include_expired=False, limit=1, offset=0)
        assert rows == [(of_another, "active")]


async def test_tickets_page_by_page_newest_first(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        mine = story.tickets(0, 1, 2, payment_id="P")
        await write(world.journal, story.issued(mine), story.issued(story.tickets(3, holder=BOB)))
        tickets = Tickets(world.connector)
        assert await tickets.list_of_holder(ALICE, limit=2, offset=0) == ([mine[2], mine[1]], 3)
        assert await tickets.list_of_holder(ALICE, limit=2, offset=2) == ([mine[0]], 3)
        assert await tickets.list_of_holder("user:9", limit=2, offset=0) == ([], 0)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE tickets; --", 'a "quoted" \\ {one}', "%s %(x)s", "NULL", "", "ü🎬"]
)
async def test_texts_are_bound_as_values(database_url: str, text: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        hold = story.hold(0, holder=text)
        tickets = story.tickets(1, 2, holder=text, payment_id=text)
        assert await write(world.journal, story.held(hold), story.issued(tickets)) is None
        assert tuple(await world.ledger.tickets_of_payment(text)) == tickets
        rows, _ = await Reservations(world.connector).list_of_holder(
            text, NOW, include_expired=False, limit=1, offset=0
        )
        assert rows == [(hold, "active")]


async def test_times_are_stored_to_the_microsecond_and_money_to_the_cent(database_url: str) -> None:
    async with postgres_world(database_url) as world:
        story = await begin(world)
        hold = story.hold(0, expires_at=1_800_000_123.456789)
        (ticket,) = (ticket._replace(price_cents=99_999_999_99) for ticket in story.tickets(1))
        await write(world.journal, story.held(hold), story.issued((ticket,)))
        loaded = await world.store.activate(story.hall.screening_id)
        assert (list(loaded.holds), list(loaded.tickets)) == ([hold], [ticket])


@asynccontextmanager
async def blocks_of(database_url: str, size: int) -> AsyncIterator[IdBlocks]:
    """Return ids from a sequence with short blocks."""
    execute(database_url, f"CREATE SEQUENCE IF NOT EXISTS few_ids INCREMENT BY {size}")
    connector = Connector(database_url)
    blocks = IdBlocks(connector, "few_ids")
    await blocks.start()
    yield blocks
    await blocks.stop()
    connector.close()


async def soon(take: Callable[[], int]) -> int:
    """Return what `take` returns as soon as there are ids again."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.01)
            with suppress(IdsExhausted):
                return take()


async def test_two_servers_never_take_the_same_id(database_url: str) -> None:
    async with blocks_of(database_url, 10) as one, blocks_of(database_url, 10) as two:
        taken: list[int] = []
        for turn in range(60):
            first = (one, two)[turn % 2].take(3)
            taken += range(first, first + 3)
            await asyncio.sleep(0.005)
        assert len(set(taken)) == len(taken) == 180


async def test_a_new_block_is_reserved_before_the_last_one_is_used(database_url: str) -> None:
    async with blocks_of(database_url, 4) as blocks:
        taken = [blocks.take(4), blocks.take(4)]
        with pytest.raises(IdsExhausted):
            blocks.take(1)
        taken.append(await soon(lambda: blocks.take(2)))
        assert taken == [1, 5, 9]
        with pytest.raises(IdsExhausted):
            blocks.take(5)


async def test_without_a_database_ids_last_for_two_blocks(database_url: str) -> None:
    async with blocks_of(database_url, 4) as blocks:
        execute(database_url, "ALTER SEQUENCE few_ids RENAME TO hidden_ids")
        execute(
            database_url,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert (blocks.take(4), blocks.take(4)) == (1, 5)
        await asyncio.sleep(0.05)
        with pytest.raises(IdsExhausted):
            blocks.take(1)
        execute(database_url, "ALTER SEQUENCE hidden_ids RENAME TO few_ids")
        assert await soon(lambda: blocks.take(2)) == 9


async def test_ids_are_reserved_again_after_an_unexpected_failure(database_url: str) -> None:
    async with blocks_of(database_url, 4) as blocks:
        # The query succeeds, but with an unexpected number of columns.
        execute(database_url, "ALTER SEQUENCE few_ids RENAME TO hidden_ids")
        execute(database_url, "CREATE TABLE few_ids (no_sequence int)")
        assert (blocks.take(4), blocks.take(4)) == (1, 5)
        await asyncio.sleep(0.05)
        execute(database_url, "DROP TABLE few_ids")
        execute(database_url, "ALTER SEQUENCE hidden_ids RENAME TO few_ids")
        assert await soon(lambda: blocks.take(2)) == 9


async def test_an_unreachable_database_is_an_unavailable_store() -> None:
    connector = Connector("postgresql://postgres@127.0.0.1:1/none")
    for asking in (
        PostgresStore(connector, "test").activate(1),
        PostgresStore(connector, "test").overdue(0.0, 1),
        Tickets(connector).ticket(1),
        IdBlocks(connector, "hold_ids").start(),
    ):
        with pytest.raises(StoreUnavailable):
            await asking
