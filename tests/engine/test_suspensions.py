"""Changes of a screening that another server writes."""

import asyncio

import pytest

from engine.errors import OwnershipLost
from tests.engine.cluster import Cluster, SlowStore, pair
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


@pytest.fixture
def cluster() -> Cluster:
    return pair()


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


async def test_a_suspension_waits_for_an_activation() -> None:
    house = House()
    loading = SlowStore.under(house)
    held = asyncio.ensure_future(house.hold("user:7", 1))
    await turns()
    suspended = asyncio.ensure_future(house.screenings.suspend(1, "id"))
    await turns()
    assert not suspended.done()
    loading.go_on.set()
    await suspended
    assert (await held).epoch == 1
    assert house.screenings.active_count == 0
    await house.screenings.resume(1, "id")
    assert house.publisher.changes[-1].cause == "stock_shown"


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


async def test_a_suspension_ends_with_the_lease_that_ends_before_everything_is_written(
    cluster: Cluster,
) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    await turns()
    node.journal.automatic = False
    await node.hold("user:7", 2)
    suspended = asyncio.ensure_future(node.screenings.suspend(1, "id"))
    await turns(5)
    node.pause(10)
    node.journal.write_next(9)
    with pytest.raises(OwnershipLost):
        await suspended


async def test_a_server_suspends_no_screening_of_another_one(cluster: Cluster) -> None:
    await cluster.renew()
    with pytest.raises(OwnershipLost):
        await cluster["b"].screenings.suspend(1, "id")


@pytest.mark.parametrize("used", [False, True])
async def test_a_change_does_not_load_a_screening_that_no_other_server_has(
    cluster: Cluster, used: bool
) -> None:
    await cluster.renew()
    if used:
        await cluster["a"].seen(1)
        await cluster["a"].screenings.release(1)
    await cluster["a"].screenings.suspend(1, "id")
    assert cluster.database.epochs == ({1: 1} if used else {})


async def test_a_change_takes_a_screening_from_a_server_that_is_gone(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    await cluster["b"].screenings.suspend(1, "id")
    assert cluster.database.epochs == {1: 2}, "the earlier owner must not go on with what is changed"
    await cluster["b"].screenings.resume(1, "id")
    assert await cluster["b"].seen(1) == "reserved"
