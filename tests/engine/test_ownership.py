"""Servers of a cluster: leases, planned moves, takeovers, and what an owner does after a pause."""

import asyncio

import pytest

from engine.commands import HoldSeats, ReadSeats, ReadStock, ReleaseHolds, ReleaseLapsed
from engine.errors import OwnershipLost, StoreUnavailable
from engine.events import SeatsHeld
from engine.handover import MEMORY_LIMIT, Memory
from engine.memory import MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.selling_errors import GuestLimitExceeded, HoldLifeSpent, SeatsUnavailable
from tests.engine.cluster import LEASE_SECONDS, Cluster
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

HERE = "192.0.2.0/24"


@pytest.fixture
def cluster() -> Cluster:
    policy = Policy(guest_seats_limit=4, hold_life_seconds=900.0)
    return Cluster("a", "b", policy=policy, ask_timeout_seconds=60.0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait briefly for handovers."""
    monkeypatch.setattr("engine.directory.RELEASE_SECONDS", 0.05)


# The lease


async def test_a_server_without_a_cluster_needs_no_lease() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(1e9)
    assert await house.seen(1) == "available"


async def test_a_server_answers_nothing_before_its_first_lease(cluster: Cluster) -> None:
    with pytest.raises(OwnershipLost):
        await cluster["a"].seen(1)
    assert cluster.database.epochs == {}
    await cluster.renew()
    assert await cluster["a"].seen(1) == "available"


async def test_after_the_lease_every_command_is_refused_and_nothing_changes(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    await turns()
    queued = [asyncio.ensure_future(node.hold("user:8", 2)), asyncio.ensure_future(node.seen(1))]
    await asyncio.sleep(0)
    written, told = len(cluster.database.events), len(node.publisher.changes)
    node.pause(LEASE_SECONDS)
    for answer in queued:
        with pytest.raises(OwnershipLost):
            await answer
    for command in (HoldSeats(1, "user:9", (3,)), ReadSeats(1), ReadStock(1), ReleaseLapsed(1)):
        with pytest.raises(OwnershipLost):
            node.screenings.ask_active(command)
        with pytest.raises(OwnershipLost):
            await node.screenings.ask(command)
    with pytest.raises(OwnershipLost):
        await node.hold("user:9", 1, screening_id=2)
    await turns()
    assert (len(cluster.database.events), len(node.publisher.changes)) == (written, told)
    assert not node.screenings.owned.renew_lease(node.clock.now() + LEASE_SECONDS)


async def test_a_timer_releases_nothing_without_a_lease(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.clock.advance(301)
    assert len(node.publisher.changes) == 1
    assert await node.renew() == []
    assert [change.cause for change in node.publisher.changes] == ["seats_held", "holds_expired"]
    await node.hold("user:8", 1)
    node.clock.advance(1)
    await node.renew()
    node.clock.advance(1)
    assert await node.seen(1) == "reserved"


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_the_lease_moves_with_the_clock(cluster: Cluster, step: float) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.clock.step(step)
    assert await node.seen(1) == "reserved"
    node.pause(LEASE_SECONDS - 0.01)
    assert await node.seen(1) == "reserved"
    node.pause(0.01)
    with pytest.raises(OwnershipLost):
        await node.seen(1)
    node.clock.step(step)
    with pytest.raises(OwnershipLost):
        await node.seen(1)
    await node.renew()
    held = (await node.screenings.ask(ReadSeats(1))).views[1]
    assert held.expires_at == node.clock.now() + 300 - LEASE_SECONDS


# After a pause


async def test_an_owner_that_was_stopped_answers_nothing_false_and_steps_down(cluster: Cluster) -> None:
    await cluster.renew()
    zombie, heir = cluster["a"], cluster["b"]
    await zombie.hold("user:7", 1)
    await zombie.hold("user:7", 1, screening_id=2)
    await turns()
    zombie.journal.automatic = False
    booking = asyncio.ensure_future(zombie.book("user:9", 9))
    await turns()

    cluster.living.remove("a")
    zombie.pause(10)
    heir.pause(10)
    await heir.renew()
    await heir.hold("user:8", 2)
    heir.clock.advance(1)
    told = len(zombie.publisher.changes)

    for command in (HoldSeats(1, "user:6", (2,)), ReadSeats(1)):
        with pytest.raises(OwnershipLost):
            zombie.screenings.ask_active(command)
    cluster.living.append("a")
    assert await zombie.renew() == [1]
    assert zombie.screenings.active_ids() == [2]
    assert len(zombie.publisher.changes) == told
    zombie.journal.automatic = True
    zombie.journal.write_next(9)
    with pytest.raises(OwnershipLost):
        await booking
    assert cluster.database.tickets == {}
    assert [key for key in cluster.database.events if key[:2] == (1, 1)] == [(1, 1, 1)]
    cluster.homes[1] = "b"
    with pytest.raises(OwnershipLost):
        await zombie.hold("user:6", 2)
    assert await heir.seen(2) == "reserved"


async def test_an_owner_that_was_stopped_goes_on_with_what_nobody_took(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    await turns()
    node.pause(10)
    assert await node.renew() == []
    await node.hold("user:7", 2)
    assert cluster.database.epochs == {1: 1}


async def test_the_lease_is_not_renewed_without_the_database(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.pause(10)

    async def away(epochs: object) -> None:
        raise StoreUnavailable

    node.store.lost = away  # type: ignore[method-assign] # a database that is away
    with pytest.raises(StoreUnavailable):
        await node.renew()
    with pytest.raises(OwnershipLost):
        await node.seen(1)


async def test_a_screening_that_was_being_loaded_during_the_pause_is_not_owned(cluster: Cluster) -> None:
    await cluster.renew()
    node, loading = cluster["a"], SlowStore.under(cluster["a"])
    asked = asyncio.ensure_future(node.seen(1))
    await turns()
    node.pause(10)
    await node.renew()
    loading.go_on.set()
    with pytest.raises(OwnershipLost):
        await asked
    assert node.screenings.active_count == 0
    assert await node.seen(1) == "available"


# Planned moves


class SlowStore(MemoryStore):
    """Returns what it has loaded when the test says so."""

    go_on: asyncio.Event

    @classmethod
    def under(cls, house: House) -> "SlowStore":
        """Put it under a house."""
        house.store.__class__ = cls
        house.store.go_on = asyncio.Event()
        return house.store

    async def activate(self, screening_id: int, **how: object) -> LoadedScreening:
        loaded = await super().activate(screening_id, **how)
        await self.go_on.wait()
        return loaded


async def test_a_planned_move_loses_nothing(cluster: Cluster) -> None:
    await cluster.renew()
    old, new = cluster["a"], cluster["b"]
    await old.guest("client:a", HERE, 1, 2, 3)
    await old.hold("user:7", 5)
    await old.hold("user:8", 6)
    await old.screenings.ask(ReleaseHolds(1, "user:8"))
    old.journal.automatic = False
    booking = asyncio.ensure_future(old.book("user:7", 5))
    await turns()

    cluster.homes[1] = "b"
    moved = asyncio.ensure_future(new.hold("user:9", 10))
    await turns()
    with pytest.raises(OwnershipLost):
        await old.hold("user:6", 11)
    with pytest.raises(OwnershipLost):
        old.screenings.ask_active(ReadSeats(1))
    assert not booking.done() and not moved.done()
    old.journal.automatic = True
    old.journal.write_next(99)
    assert (await booking).tickets[0].seat_id == 5
    held = await moved
    assert isinstance(held, SeatsHeld)
    assert (held.epoch, old.screenings.active_count) == (2, 0)
    assert [await new.seen(seat) for seat in (1, 2, 3, 5, 10)] == ["reserved"] * 3 + ["booked", "reserved"]
    with pytest.raises(GuestLimitExceeded):
        await new.guest("client:b", HERE, 12, 13)
    assert cluster.asked == [("a", 1)]


@pytest.mark.parametrize("moves", [0, 3])
async def test_a_planned_move_starts_no_new_life_of_a_hold(cluster: Cluster, moves: int) -> None:
    await cluster.renew()
    for _ in range(3):
        node = cluster[cluster.home(1)]
        await node.hold("user:7", 1)
        for one in cluster.nodes.values():
            one.pause(299)
        await cluster.renew()
        await node.screenings.ask(ReleaseHolds(1, "user:7"))
        if moves:
            cluster.homes[1] = "b" if cluster.home(1) == "a" else "a"
    for one in cluster.nodes.values():
        one.pause(10)
    await cluster.renew()
    with pytest.raises(HoldLifeSpent):
        await cluster[cluster.home(1)].hold("user:7", 1)


async def test_watchers_learn_of_the_new_epoch(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    cluster.homes[1] = "b"
    await cluster["b"].seen(1)
    (told,) = cluster["b"].publisher.changes
    assert (told.cause, told.epoch, told.views, told.available) == ("seats_reloaded", 2, (), 19)


async def test_queued_commands_are_refused_by_a_release(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    release = asyncio.ensure_future(cluster["a"].screenings.release(1))
    queued = [asyncio.ensure_future(cluster["a"].hold(f"user:{n}", n)) for n in (1, 2)]
    answers = await asyncio.gather(*queued, return_exceptions=True)
    assert [type(answer) for answer in answers] == [OwnershipLost] * 2
    assert (await release).epoch == 1
    assert cluster.database.holds == {}


async def test_a_release_may_be_repeated(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.guest("client:a", HERE, 1)
    first, second = await asyncio.gather(*(node.screenings.release(1) for _ in range(2)))
    assert first == second == await node.screenings.release(1)
    assert (first.epoch, first.seq) == (1, 1)
    assert first.memory == Memory(False, (), (("client:a", HERE),))
    # Nobody has taken it: it is loaded again, and remembers.
    with pytest.raises(GuestLimitExceeded):
        await node.guest("client:b", HERE, 2, 3, 4, 5)
    assert (await node.screenings.release(1)).epoch == 2


async def test_a_screening_that_is_not_loaded_is_released_as_it_is(cluster: Cluster) -> None:
    await cluster.renew()
    assert (await cluster["a"].screenings.release(1))[1:] == (0, 0, None)
    await cluster["a"].seen(1)
    cluster["a"].pause(2)
    await cluster.renew()
    cluster["a"].screenings._upkeep._idle_seconds = 1.0
    assert await cluster["a"].screenings.passivate_idle() == 1
    cluster.homes[1] = "b"
    await cluster["b"].hold("user:7", 1)
    assert cluster.database.epochs == {1: 2}


async def test_a_handover_is_bounded() -> None:
    lives = tuple((seat, "user:7", 0.0, 0.0) for seat in range(MEMORY_LIMIT + 2))
    networks = tuple((f"client:{n}", HERE) for n in range(MEMORY_LIMIT + 1))
    memory = Memory(False, lives, networks).limited()
    assert (len(memory.lives), len(memory.networks)) == (MEMORY_LIMIT, MEMORY_LIMIT)
    assert memory.lives[-1] == lives[-1]


async def test_a_screening_is_accepted_without_asking(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].guest("client:a", HERE, 1, 2, 3, 4)
    cluster.homes[1] = "b"
    await cluster["b"].screenings.accept(await cluster["a"].screenings.release(1))
    assert cluster.asked == []
    assert cluster["b"].screenings.active_ids() == [1]
    with pytest.raises(GuestLimitExceeded):
        await cluster["b"].guest("client:b", HERE, 5)


async def test_what_belongs_to_another_server_is_not_accepted(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    handover = await cluster["a"].screenings.release(1)
    with pytest.raises(OwnershipLost):
        await cluster["b"].screenings.accept(handover)
    with pytest.raises(OwnershipLost):
        await cluster["b"].hold("user:7", 1)
    assert cluster.database.epochs == {1: 1}


async def test_a_release_waits_for_an_activation(cluster: Cluster) -> None:
    await cluster.renew()
    node, loading = cluster["a"], SlowStore.under(cluster["a"])
    asked = asyncio.ensure_future(node.seen(1))
    await turns()
    release = asyncio.ensure_future(node.screenings.release(1))
    await turns()
    with pytest.raises(OwnershipLost):
        await node.hold("user:7", 1)
    loading.go_on.set()
    assert (await release).epoch == 1
    assert await asyncio.gather(asked, return_exceptions=True)
    assert node.screenings.active_count == 0


async def test_a_release_waits_for_a_change(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    change = asyncio.ensure_future(node.screenings.change(1, lambda: written))
    await turns()
    release = asyncio.ensure_future(node.screenings.release(1))
    await turns()
    for asking in (node.hold("user:8", 2), node.screenings.suspend(1, "another")):
        with pytest.raises(OwnershipLost):
            await asking
    assert not release.done()
    written.set_result("written")
    assert await change == "written"
    await release
    cluster.homes[1] = "b"
    assert await cluster["b"].seen(1) == "reserved"


async def test_a_release_ends_in_time_though_the_journal_is_stuck(cluster: Cluster, hurried: None) -> None:
    await cluster.renew()
    old, new = cluster["a"], cluster["b"]
    await old.hold("user:7", 1)
    await turns()
    old.journal.automatic = False
    await old.hold("user:7", 2)
    booking = asyncio.ensure_future(old.book("user:7", 1))
    await turns()
    with pytest.raises(StoreUnavailable):
        await old.screenings.release(1)
    assert old.screenings.active_count == 0

    cluster.homes[1] = "b"
    await new.hold("user:8", 3)
    assert (await new.seen(1), await new.seen(2)) == ("reserved", "available")
    old.journal.write_next(9)
    with pytest.raises(OwnershipLost):
        await booking
    assert cluster.database.tickets == {}


# Takeovers


async def test_a_command_takes_a_screening_from_an_owner_that_does_not_answer(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.homes[1] = "b"
    cluster.silent.add("a")
    for asking in (
        cluster["b"].seen(1),
        cluster["b"].screenings.change(1, cluster["b"].screenings.sweep),
        cluster["b"].screenings.suspend(1, "id"),
    ):
        with pytest.raises(OwnershipLost) as refused:
            await asking
        assert refused.value.owner == "a"
    await cluster["a"].hold("user:7", 2)
    await turns()
    for node in cluster.nodes.values():
        node.pause(301)
    await cluster.renew()
    assert await cluster["b"].screenings.sweep() == 0
    assert cluster.database.epochs == {1: 1}
    await cluster["b"].hold("user:8", 3)
    assert cluster.database.epochs == {1: 2}


async def test_an_owner_that_comes_back_during_the_takeover_is_told(cluster: Cluster) -> None:
    await cluster.renew()
    old, new = cluster["a"], cluster["b"]
    await old.hold("user:7", 1)
    await turns()
    old.pause(10)
    new.pause(10)
    cluster.living.remove("a")
    await new.renew()
    raise_epoch = new.store.activate
    go_on = asyncio.Event()

    async def raise_late(screening_id: int, **how: object) -> LoadedScreening:
        await go_on.wait()
        return await raise_epoch(screening_id, **how)

    new.store.activate = raise_late
    cluster.homes[1] = "b"
    taking = asyncio.ensure_future(new.hold("user:8", 2))
    await turns()
    cluster.living.append("a")
    assert await old.renew() == [], "at that time it still owns the screening"
    go_on.set()
    await taking
    assert cluster.asked == [("a", 1)]
    with pytest.raises(OwnershipLost):
        await old.seen(1)


async def test_a_server_that_is_gone_is_not_asked(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    assert await cluster["b"].seen(1) == "reserved"
    assert cluster.asked == []


async def test_an_owner_that_answers_too_late_is_deposed_by_a_command(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.owned._ANSWER_SECONDS", 0.02)
    await cluster.renew()
    cluster["a"].journal.automatic = False
    await cluster["a"].hold("user:7", 1)
    cluster.homes[1] = "b"
    await cluster["b"].hold("user:8", 2)
    assert cluster.database.epochs == {1: 2}


async def test_of_two_takers_one_wins_and_the_other_looks_again() -> None:
    cluster = Cluster("a", "b", "c")
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    one, two = cluster["b"], cluster["c"]
    both_looked = asyncio.Barrier(2)
    for node in (one, two):
        look = node.store.owner

        async def looked(screening_id: int, look=look) -> object:
            found = await look(screening_id)
            if cluster.database.epochs[1] == 1:
                await both_looked.wait()
            return found

        node.store.owner = looked
    # For a moment both believe that it belongs to them.
    two.screenings.owned._peers.belongs_here = lambda screening_id: cluster.database.epochs[1] == 1
    answers = await asyncio.gather(one.hold("user:8", 1), two.hold("user:9", 1), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["OwnershipLost", "SeatsUnavailable"]
    assert one.screenings.active_ids() == [1] and two.screenings.active_ids() == []


async def test_a_taker_that_was_too_late_asks_the_one_that_was_faster(cluster: Cluster) -> None:
    await cluster.renew()
    slow, fast = cluster["b"], cluster["a"]
    look = slow.store.owner
    looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def look_slowly(screening_id: int) -> object:
        found = await look(screening_id)
        await looked
        return found

    cluster.homes[1] = "b"
    slow.store.owner = look_slowly
    asked = asyncio.ensure_future(slow.hold("user:8", 2))
    await turns()
    cluster.homes[1] = "a"
    await fast.hold("user:7", 1)
    cluster.homes[1] = "b"
    looked.set_result(None)
    assert (await asked).epoch == 2
    assert cluster.asked == [("a", 1)]
    with pytest.raises(SeatsUnavailable):
        await slow.hold("user:8", 1)


async def test_a_command_behind_a_read_takes_what_the_read_may_not(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    cluster.homes[1] = "b"
    cluster.silent.add("a")
    read, hold = await asyncio.gather(
        cluster["b"].seen(1), cluster["b"].hold("user:8", 3), return_exceptions=True
    )
    assert isinstance(read, OwnershipLost)
    assert isinstance(hold, SeatsHeld)


# The share of a server


async def test_a_sweep_releases_the_share_of_its_server(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.upkeep._PAGE", 1)
    await cluster.renew()
    for screening_id in (1, 2):
        await cluster["a"].hold("user:7", 1, screening_id=screening_id)
    await turns()
    cluster.living.remove("a")
    cluster.nodes["c"] = type(cluster["b"])(cluster, "c")
    cluster.living.append("c")
    cluster.homes = {1: "b", 2: "c"}
    for name in cluster.living:
        cluster[name].pause(301)
    await cluster.renew()
    assert await cluster["c"].screenings.sweep() == 1
    assert cluster["c"].screenings.active_ids() == [2]
    assert await cluster["b"].screenings.sweep() == 1


async def test_a_sweep_fetches_what_was_moved_here_from_a_server_that_lives(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await cluster["a"].screenings.release(1)
    cluster.homes[1] = "b"
    for node in cluster.nodes.values():
        node.pause(301)
    await cluster.renew()
    assert await cluster["b"].screenings.sweep() == 1


async def test_a_new_owner_loads_what_has_holds(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.upkeep._PAGE", 1)
    await cluster.renew()
    for screening_id in (1, 2):
        await cluster["a"].hold("user:7", 1, screening_id=screening_id)
    await turns()
    cluster.homes[1] = "b"
    cluster.silent.add("a")
    await cluster["b"].screenings.load_lapsing()
    assert cluster["b"].screenings.active_ids() == [], "its owner lives and does not give it up"
    cluster.living.remove("a")
    await cluster["b"].screenings.load_lapsing()
    assert cluster["b"].screenings.active_ids() == [1, 2]
    cluster["b"].pause(299)
    await cluster["b"].renew()
    cluster["b"].clock.advance(1)
    assert cluster["b"].screenings.hold_count == 0


# Changes that another server writes


async def test_a_suspended_screening_sells_nothing_until_it_is_resumed() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.suspend(1, "id")
    await house.screenings.suspend(1, "id")
    waiting = asyncio.ensure_future(house.hold("user:8", 2))
    await turns()
    assert not waiting.done() and house.screenings.active_count == 0
    assert not house.database.epochs[1] > 1
    await house.screenings.resume(1, "id")
    assert (await waiting).epoch == 2
    assert "stock_shown" in [change.cause for change in house.publisher.changes]


async def test_a_suspended_screening_that_was_not_loaded_stays_so() -> None:
    house = House()
    await house.screenings.suspend(1, "id")
    await house.screenings.resume(1, "id")
    assert house.database.epochs == {}


async def test_a_suspension_ends_by_itself_and_a_late_resume_loads_what_was_written() -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.suspend(1, "id", 10.0)
    waiting = asyncio.ensure_future(house.hold("user:8", 2))
    await turns()
    house.clock.advance(10)
    await waiting
    assert house.database.epochs == {1: 2}
    await house.screenings.resume(1, "id", changed=False)
    assert house.database.epochs == {1: 2}
    await house.screenings.resume(1, "id")
    await house.seen(1)
    assert house.database.epochs == {1: 3}


async def test_a_suspension_ends_in_time_though_the_journal_is_stuck() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.journal.automatic = False
    await house.hold("user:7", 2)
    suspended = asyncio.ensure_future(house.screenings.suspend(1, "id", 10.0))
    await turns(5)
    house.clock.advance(10)
    waiting = asyncio.ensure_future(house.seen(2))
    await turns()
    house.journal.automatic = True
    house.journal.write_next(9)
    assert await waiting == "reserved"
    with pytest.raises(OwnershipLost):
        await suspended


async def test_a_suspension_that_fails_lets_commands_go_on(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.journal.automatic = False
    await node.hold("user:7", 2)
    one = asyncio.ensure_future(node.screenings.suspend(1, "id"))
    same = asyncio.ensure_future(node.screenings.suspend(1, "id"))
    await turns()
    one.cancel()
    with pytest.raises(OwnershipLost):
        await same
    node.journal.automatic = True
    node.journal.write_next(9)
    assert await node.seen(2) == "reserved"


async def test_a_suspension_ends_with_the_lease(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.pause(10)
    with pytest.raises(OwnershipLost):
        await node.screenings.suspend(1, "id")
    with pytest.raises(OwnershipLost):
        await cluster["b"].screenings.suspend(1, "id")


async def test_a_change_takes_a_screening_from_a_server_that_is_gone(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    await cluster["b"].screenings.suspend(1, "id")
    assert cluster.database.epochs == {1: 2}, "the earlier owner must not go on with what is changed"
    await cluster["b"].screenings.resume(1, "id")
    assert await cluster["b"].seen(1) == "reserved"


async def test_takeovers_are_counted_by_reason() -> None:
    reasons: list[str] = []

    class Counting(NullObserver):
        def screening_taken_over(self, reason: str) -> None:
            reasons.append(reason)

    cluster = Cluster("a", "b", observer=Counting())
    await cluster.renew()
    await cluster["a"].seen(1)
    cluster.homes[1] = "b"
    await cluster["b"].seen(1)
    cluster.living.remove("b")
    await cluster["a"].seen(1)
    cluster.living.append("b")
    cluster["b"].pause(10)
    await cluster.renew()
    cluster.silent.add("a")
    await cluster["b"].hold("user:7", 1)
    assert reasons == ["handed_over", "gone", "deposed"]
