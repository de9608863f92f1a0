"""The lease of a server of a cluster, and what an owner does after a pause."""

import asyncio

import pytest

from engine.commands import HoldSeats, ReadSeats, ReadStock, ReleaseLapsed
from engine.errors import OwnershipLost, StoreUnavailable
from tests.engine.cluster import LEASE_SECONDS, Cluster, SlowStore, pair
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


@pytest.fixture
def cluster() -> Cluster:
    return pair()


async def test_a_server_without_a_cluster_needs_no_lease() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(1e9)
    assert await house.seen(1) == "available"


async def test_a_pause_between_queued_commands_ends_what_may_be_answered(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:1", 1)
    await turns()
    monkeypatch.setattr(node.publisher, "publish", lambda change: node.pause(LEASE_SECONDS))
    first, second = (asyncio.ensure_future(node.hold("user:2", seat)) for seat in (2, 3))
    await turns()
    assert first.done() and first.exception() is None
    with pytest.raises(OwnershipLost):
        await second


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
    node.screenings.owned.set_lease(LEASE_SECONDS)
    with pytest.raises(OwnershipLost):
        node.screenings.ask_active(ReadSeats(1))


async def test_a_lease_can_be_ended_and_shortened(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    assert node.screenings.owned.set_lease(0.5)
    node.pause(0.4)
    assert await node.seen(1) == "reserved"
    node.screenings.owned.set_lease(-1.0)
    with pytest.raises(OwnershipLost):
        await node.seen(1)
    assert not node.screenings.owned.set_lease(LEASE_SECONDS)
    with pytest.raises(OwnershipLost):
        await node.seen(1)
    assert await node.screenings.owned.confirm(lambda: 0.9) == []
    assert await node.seen(1) == "reserved"
    node.pause(0.9)
    with pytest.raises(OwnershipLost):
        await node.seen(1)


async def test_a_lease_that_ends_while_it_is_confirmed_begins_anew(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.clock.advance(1)
    answered: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    node.store.lost = lambda epochs: answered  # type: ignore[assignment,method-assign] # a slow database
    confirmed = asyncio.ensure_future(node.screenings.owned.confirm(lambda: 600.0))
    await turns()
    node.screenings.owned.set_lease(0)
    node.clock.advance(300)
    answered.set_result([])
    await confirmed
    assert [change.cause for change in node.publisher.changes] == ["seats_held", "holds_expired"]


async def test_a_hold_that_lapses_with_the_lease_is_released_when_that_begins_anew(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.screenings.owned.set_lease(300.0)
    answered: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    node.store.lost = lambda epochs: answered  # type: ignore[assignment,method-assign] # a slow database
    confirmed = asyncio.ensure_future(node.screenings.owned.confirm(lambda: 600.0))
    await turns()
    node.clock.advance(300.0)
    assert node.publisher.changes[-1].cause == "holds_expiring"
    answered.set_result([])
    await confirmed
    assert node.publisher.changes[-1].cause == "holds_expired"


async def test_a_screening_that_was_loaded_again_meanwhile_is_not_lost(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.seen(1)
    answered: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    node.store.lost = lambda epochs: answered  # type: ignore[assignment,method-assign] # a slow database
    confirmed = asyncio.ensure_future(node.screenings.owned.confirm(lambda: LEASE_SECONDS))
    await turns()
    await node.screenings.release(1)
    await node.seen(1)
    answered.set_result([1])
    await confirmed
    assert node.screenings.active_ids() == [1]


async def test_an_answer_that_comes_late_is_worth_the_lease_that_there_is_then(cluster: Cluster) -> None:
    """Otherwise it would have expired already, and nothing would renew it."""
    await cluster.renew()
    node, lease_seconds = cluster["a"], 0.9
    await node.hold("user:7", 1)
    answered: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    node.store.lost = lambda epochs: answered  # type: ignore[assignment,method-assign] # a slow database
    node.screenings.owned.set_lease(0)
    confirmed = asyncio.ensure_future(node.screenings.owned.confirm(lambda: lease_seconds))
    await turns()
    node.clock.advance(2.0)
    lease_seconds = 2.7
    answered.set_result([])
    await confirmed
    node.screenings.owned.set_lease(lease_seconds)
    assert await node.seen(1) == "reserved"


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


async def test_a_step_at_the_end_of_the_lease_moves_holds_when_that_is_renewed(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    node.pause(LEASE_SECONDS)
    node.clock.step(3600.0)
    await node.screenings.owned.confirm(lambda: 0.0)
    assert [change.cause for change in node.publisher.changes] == ["seats_held"]
    await node.renew()
    held = (await node.screenings.ask(ReadSeats(1))).views[1]
    assert held.expires_at == node.clock.now() + 300 - LEASE_SECONDS


async def test_a_hold_keeps_its_time_if_the_clock_is_stepped_while_it_is_loaded() -> None:
    house = House()
    await house.hold("user:7", 1)
    await turns()
    later = House(house.database)
    loading = SlowStore.under(later)
    later.clock.step(60.0)
    reading = asyncio.ensure_future(later.screenings.ask(ReadSeats(1)))
    await turns()
    later.clock.step(3600.0)
    loading.go_on.set()
    assert (await reading).views[1].expires_at == later.clock.now() + 300 - 60


async def test_a_step_of_the_clock_is_logged_and_the_end_of_a_suspend_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.clock.step(0.0)
    assert caplog.records == []
    house.clock.step(-2.0)
    assert "stepped by -2.0 s" in caplog.text


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


@pytest.mark.parametrize("taken", [False, True])
async def test_a_screening_that_was_being_loaded_is_confirmed_too(cluster: Cluster, taken: bool) -> None:
    await cluster.renew()
    node, loading = cluster["a"], SlowStore.under(cluster["a"])
    asked = asyncio.ensure_future(node.seen(1))
    await turns()
    assert await node.screenings.owned.confirm(lambda: LEASE_SECONDS) == ()
    if taken:
        cluster.living.remove("a")
        assert await cluster["b"].seen(1) == "available"
    loading.go_on.set()
    if taken:
        with pytest.raises(OwnershipLost):
            await asked
    else:
        assert await asked == "available"
    assert node.screenings.active_count == (not taken)


async def test_a_screening_is_loaded_without_another_question_if_nothing_was_confirmed_meanwhile() -> None:
    house = House()

    async def away(epochs: object) -> None:
        raise StoreUnavailable

    house.store.lost = away  # type: ignore[method-assign] # a database that answers no more questions
    assert await house.seen(1) == "available"


async def test_a_lease_that_ends_while_a_screening_is_loaded(cluster: Cluster) -> None:
    await cluster.renew()
    node, loading = cluster["a"], SlowStore.under(cluster["a"])
    asked = asyncio.ensure_future(node.seen(1))
    await turns()
    node.pause(LEASE_SECONDS)
    loading.go_on.set()
    with pytest.raises(OwnershipLost):
        await asked
    assert node.screenings.active_count == 0


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
