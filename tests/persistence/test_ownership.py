"""Servers of a cluster on PostgreSQL: planned moves, takeovers, and an owner that was paused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest

from engine.clock import SystemClock
from engine.commands import BookSeats, HoldSeats, ReadChanges, ReadSeats
from engine.directory import ScreeningDirectory
from engine.errors import OwnershipLost
from engine.memory import MemoryIds, NullObserver, RecordingPublisher
from engine.policy import Policy
from engine.selling_errors import GuestLimitExceeded
from persistence.journal import PostgresJournal
from persistence.store import PostgresStore
from tests.database import execute
from tests.engine.cluster import Cluster, Neighbours
from tests.ports.adapters import NOW, Hall, PostgresWorld, encode, postgres_world

pytestmark = pytest.mark.gen_test

HERE = "192.0.2.0/24"
LEASE_SECONDS = 30.0

_first_ids = count(1, 1000)


class Node:
    """A server of the cluster on PostgreSQL."""

    def __init__(self, cluster: Cluster, world: PostgresWorld, name: str) -> None:
        self.journal = PostgresJournal(world.connector, encode, NullObserver())
        self.publisher = RecordingPublisher()
        # The screenings of the test begin an hour after `NOW`.
        self.clock = SystemClock(wall=lambda: NOW)
        self.screenings = ScreeningDirectory(
            PostgresStore(world.connector, name),
            self.journal,
            self.publisher,
            NullObserver(),
            self.clock,
            MemoryIds(next(_first_ids)),
            MemoryIds(next(_first_ids)),
            Policy(guest_seats_limit=1),
            peers=Neighbours(cluster, name),
        )

    async def renew(self) -> list[int]:
        return list(await self.screenings.owned.confirm(lambda: LEASE_SECONDS))

    def pause(self) -> None:
        """Let the lease expire, as if the process had been stopped."""
        self.screenings.owned.lease.until = self.clock.now()

    async def seen(self, hall: Hall) -> list[str]:
        views = (await self.screenings.ask(ReadSeats(hall.screening_id))).views
        return [views[seat].status if seat in views else "available" for seat in hall.seat_ids]


@asynccontextmanager
async def cluster_on(database_url: str) -> AsyncIterator[tuple[Cluster, PostgresWorld]]:
    """Two servers, "a" and "b"."""
    cluster = Cluster()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(postgres_world(database_url))
        for name in ("a", "b"):
            node = cluster.nodes[name] = Node(cluster, world, name)
            cluster.living.append(name)
            await node.journal.start()
            stack.push_async_callback(node.journal.stop, 5)
        await cluster.renew()
        yield cluster, world


async def test_a_planned_move_loses_nothing(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        hall = world.add_hall(12)
        sid, seats = hall.screening_id, hall.seat_ids
        for turn in range(10):
            old, new = cluster["ab"[turn % 2]], cluster["ba"[turn % 2]]
            cluster.homes[sid] = "ab"[turn % 2]
            booking = asyncio.ensure_future(old.screenings.ask(BookSeats(sid, "user:7", (seats[turn],))))
            if turn == 0:
                await old.screenings.ask(HoldSeats(sid, "client:a", (seats[11],), guest_network=HERE))
            await asyncio.sleep(0.001 * turn)
            cluster.homes[sid] = "ba"[turn % 2]
            statuses = await new.seen(hall)
            try:
                await booking
                assert statuses[turn] == "booked"
            except OwnershipLost:
                assert statuses[turn] == "available"
                await new.screenings.ask(BookSeats(sid, "user:7", (seats[turn],)))
            assert statuses[11] == "reserved"
            with pytest.raises(GuestLimitExceeded):
                await new.screenings.ask(HoldSeats(sid, "client:b", (seats[10],), guest_network=HERE))
        ((sold,),) = execute(database_url, "SELECT count(*) FROM tickets WHERE status = 'confirmed'")
        assert sold == 10


async def test_a_paused_owner_writes_nothing_and_steps_down(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        hall, kept = world.add_hall(), world.add_hall()
        zombie, heir = cluster["a"], cluster["b"]
        for each in (hall, kept):
            await zombie.screenings.ask(HoldSeats(each.screening_id, "user:7", each.seat_ids[:1]))
        await zombie.journal.flushed()
        zombie.pause()
        cluster.homes[hall.screening_id] = "b"
        cluster.living.remove("a")
        await heir.screenings.ask(HoldSeats(hall.screening_id, "user:8", hall.seat_ids[1:2]))
        cluster.living.append("a")
        cluster.homes[kept.screening_id] = "a"
        with pytest.raises(OwnershipLost):
            zombie.screenings.ask_active(HoldSeats(hall.screening_id, "user:9", hall.seat_ids[1:2]))
        assert await zombie.renew() == [hall.screening_id]
        assert zombie.screenings.active_ids() == [kept.screening_id]
        await zombie.screenings.ask(BookSeats(kept.screening_id, "user:7", kept.seat_ids[:1]))
        await heir.journal.flushed()
        events = "SELECT epoch, actor FROM screening_events WHERE screening_id = %s ORDER BY epoch, seq"
        assert execute(database_url, events, hall.screening_id) == [(1, "user:7"), (2, "user:8")]


async def test_an_owner_whose_journal_is_stuck_is_deposed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.directory.RELEASE_SECONDS", 0.2)
    async with cluster_on(database_url) as (cluster, world):
        hall = world.add_hall()
        old, new = cluster["a"], cluster["b"]
        await old.screenings.ask(HoldSeats(hall.screening_id, "user:7", hall.seat_ids[:1]))
        await old.journal.flushed()
        async with world.connector.transaction() as connection:
            await connection.run("LOCK holds IN SHARE MODE")
            booking = asyncio.ensure_future(
                old.screenings.ask(BookSeats(hall.screening_id, "user:7", hall.seat_ids[:1]))
            )
            await asyncio.sleep(0)
            cluster.homes[hall.screening_id] = "b"
            read = await asyncio.gather(new.seen(hall), return_exceptions=True)
            assert isinstance(read[0], OwnershipLost), "a read leaves it to its owner"
            hold = asyncio.ensure_future(
                new.screenings.ask(HoldSeats(hall.screening_id, "user:8", hall.seat_ids[1:2]))
            )
            await asyncio.sleep(0.5)
        await hold
        outcome = (await asyncio.gather(booking, return_exceptions=True))[0]
        # PostgreSQL decides whether the booking commits before the epoch is raised; both servers agree.
        sold = execute(database_url, "SELECT count(*) FROM tickets WHERE status = 'confirmed'") == [(1,)]
        assert sold is not isinstance(outcome, OwnershipLost)
        assert (await new.seen(hall))[0] == ("booked" if sold else "reserved")


async def raised(database_url: str, screening_id: int, epoch: int) -> None:
    """Return when a screening has an epoch."""
    for _ in range(1000):
        found = execute(
            database_url, "SELECT epoch FROM screening_epochs WHERE screening_id = %s", screening_id
        )
        if found == [(epoch,)]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the epoch is {found}")


async def test_a_taker_that_was_interrupted_waits_before_it_answers(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        cluster.takeover_seconds = 600.0
        hall = world.add_hall()
        sid = hall.screening_id
        old, new = cluster["a"], cluster["b"]
        held = await old.screenings.ask(HoldSeats(sid, "user:7", hall.seat_ids[:1]))
        await old.journal.flushed()
        cluster.living.remove("a")
        async with world.connector.transaction() as connection:
            # The epoch is raised, but then the holds cannot be read.
            await connection.run("LOCK holds IN ACCESS EXCLUSIVE MODE")
            taking = asyncio.ensure_future(new.screenings.owned.take(sid, depose=True))
            await raised(database_url, sid, 2)
            taking.cancel()
            await asyncio.wait([taking])
        asked = asyncio.ensure_future(new.screenings.ask(HoldSeats(sid, "user:8", hall.seat_ids[1:2])))
        await raised(database_url, sid, 3)
        await asyncio.wait([asked], timeout=0.3)
        assert not asked.done() and new.screenings.active_count == 0
        cluster.left.add("a")
        assert (await asked).epoch == 3
        assert cluster.asked == []
        (told, _) = new.publisher.changes
        assert (told.cause, held.epoch) == ("seats_reloaded", 1)


async def test_a_client_resumes_over_a_planned_move(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        hall = world.add_hall()
        sid = hall.screening_id
        held = await cluster["a"].screenings.ask(HoldSeats(sid, "user:7", hall.seat_ids[:1]))
        cluster.homes[sid] = "b"
        await cluster["a"].screenings.give_away(cluster["b"].screenings.accept)
        assert cluster["b"].screenings.active_ids() == [sid]
        more = await cluster["b"].screenings.ask(HoldSeats(sid, "user:7", hall.seat_ids[1:2]))
        resumed = await cluster["b"].screenings.ask(ReadChanges(sid, held.epoch, held.seq))
        assert (resumed.epoch, resumed.seq, resumed.missed) == (2, 1, (more,))
        assert cluster.asked == []


async def test_sweeps_and_changes_leave_a_screening_to_an_owner_that_lives(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        hall = world.add_hall()
        sid = hall.screening_id
        await cluster["a"].screenings.ask(HoldSeats(sid, "user:7", hall.seat_ids[:1]))
        await cluster["a"].journal.flushed()
        execute(database_url, "UPDATE holds SET expires_at = expires_at - interval '1 year'")
        # The hold is overdue as far as the other server knows.
        assert await cluster["b"].screenings.sweep() == 0
        cluster.homes[sid] = "b"
        cluster.silent.add("a")
        assert await cluster["b"].screenings.sweep() == 0
        with pytest.raises(OwnershipLost):
            await cluster["b"].screenings.change(sid, cluster["b"].screenings.sweep)
        with pytest.raises(OwnershipLost):
            await cluster["b"].screenings.ask(ReadSeats(sid))
        assert execute(database_url, "SELECT owner, epoch FROM screening_epochs") == [("a", 1)]
        cluster.living.remove("a")
        assert await cluster["b"].screenings.sweep() == 1
        assert execute(database_url, "SELECT owner, epoch FROM screening_epochs") == [("b", 2)]


async def test_a_new_owner_loads_what_has_holds_and_releases_it(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        halls = [world.add_hall() for _ in range(4)]
        for hall in halls[:3]:
            await cluster["a"].screenings.ask(HoldSeats(hall.screening_id, "user:7", hall.seat_ids[:1]))
        await cluster["a"].screenings.ask(ReadSeats(halls[3].screening_id))
        await cluster["a"].journal.flushed()
        cluster.living.remove("a")
        await cluster["b"].screenings.load_lapsing()
        assert cluster["b"].screenings.active_ids() == [hall.screening_id for hall in halls[:3]]
        assert cluster.asked == []


async def test_a_server_that_ends_in_order_leaves_no_owner(database_url: str) -> None:
    async with cluster_on(database_url) as (cluster, world):
        left, unfinished = world.add_hall(1), world.add_hall(1)
        for hall in (left, unfinished):
            cluster.homes[hall.screening_id] = "a"
            await cluster["a"].seen(hall)
        await PostgresStore(world.connector, "a").resign([unfinished.screening_id])

        store = PostgresStore(world.connector, "b")
        resigned, kept = await store.owner(left.screening_id), await store.owner(unfinished.screening_id)
        assert resigned is not None and resigned.own
        assert kept is not None and (kept.name, kept.own) == ("a", False)
        loaded = await store.activate(left.screening_id, depose=False)
        assert (loaded.owned, loaded.epoch) == (True, resigned.epoch + 1)
