"""Servers of a cluster take screenings over, and look after their share."""

import asyncio

import pytest

from engine.errors import OwnershipLost, StoreUnavailable
from engine.events import SeatsHeld
from engine.memory import NullObserver
from engine.ports import LoadedScreening
from engine.selling_errors import ScreeningNotFound, SeatsUnavailable
from tests.engine.cluster import Cluster, Node, pair
from tests.engine.house import turns

pytestmark = pytest.mark.gen_test


@pytest.fixture
def cluster() -> Cluster:
    return pair()


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


async def test_nothing_is_left_to_do_for_a_screening_that_is_gone(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    del cluster.database.screenings[1]
    with pytest.raises(ScreeningNotFound):
        await cluster["b"].seen(1)
    assert not cluster["b"].screenings.owned.unfinished


async def test_a_server_that_has_lost_its_share_meanwhile_asks_nobody(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    cluster.homes[1] = "b"
    look = cluster["b"].store.owner

    async def look_slowly(screening_id: int) -> object:
        cluster.homes[1] = "a"
        return await look(screening_id)

    cluster["b"].store.owner = look_slowly
    with pytest.raises(OwnershipLost):
        await cluster["b"].hold("user:8", 2)
    assert cluster.asked == []
    assert await cluster["a"].seen(2) == "available"


async def test_a_server_that_has_lost_its_share_meanwhile_deposes_nobody(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    cluster.homes[1] = "b"
    new = cluster["b"].screenings.owned
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    new._peers.release = lambda name, screening_id: never
    held = asyncio.ensure_future(cluster["b"].hold("user:8", 2))
    await turns()
    cluster.homes[1] = "a"
    new.stop_asking(1)
    with pytest.raises(OwnershipLost):
        await held
    assert cluster.database.epochs == {1: 1}


# Until a silent owner certainly does not answer any more


async def taking(cluster: Cluster) -> "asyncio.Future[SeatsHeld]":
    """Let "b" take a screening from "a", which has gone silent, and wait before it answers."""
    cluster.takeover_seconds = 1.0
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    return await taking_again(cluster)


async def taking_again(cluster: Cluster) -> "asyncio.Future[SeatsHeld]":
    held = asyncio.ensure_future(cluster["b"].hold("user:8", 2))
    await turns(5)
    assert cluster["b"].screenings.active_count == 0 and not held.done()
    return held


async def pass_seconds(node: Node, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        node.clock.advance(0.1)
        await turns()


async def test_a_taker_waits_until_the_silent_owner_has_found_out(cluster: Cluster) -> None:
    held = await taking(cluster)
    assert cluster.database.epochs == {1: 2}
    await pass_seconds(cluster["b"], 0.9)
    assert not held.done()
    await pass_seconds(cluster["b"], 0.2)
    assert (await held).epoch == 2
    assert cluster.asked == []


async def test_what_the_silent_owner_has_changed_meanwhile_is_loaded(cluster: Cluster) -> None:
    held = await taking(cluster)
    cluster.database.epochs[1] = 3  # as a change of the layout does; nobody owns it then
    await pass_seconds(cluster["b"], 1.2)
    assert (await held).epoch == 4
    assert cluster.database.epochs == {1: 4}


async def test_who_has_lost_a_screening_does_not_change_it(cluster: Cluster) -> None:
    await cluster.renew()
    owner = cluster["a"]
    await owner.hold("user:7", 1)
    cluster.database.epochs[1], cluster.database.owners[1] = 2, "b"
    written: list[int] = []

    async def write() -> None:
        written.append(1)

    with pytest.raises(OwnershipLost):
        await owner.screenings.change(1, write)
    assert written == []


async def test_nothing_is_waited_for_after_a_goodbye(cluster: Cluster) -> None:
    cluster.left.add("a")
    cluster.takeover_seconds = 1.0
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    assert (await cluster["b"].hold("user:8", 2)).epoch == 2


async def test_a_silent_owner_that_is_heard_again_is_asked_to_hand_over(cluster: Cluster) -> None:
    held = await taking(cluster)
    cluster["a"].pause(0.5)
    await pass_seconds(cluster["b"], 0.5)
    cluster.living.append("a")
    cluster.homes[1] = "b"
    await pass_seconds(cluster["b"], 0.2)
    assert (await held).epoch == 2
    assert cluster.asked == [("a", 1)]
    assert cluster["a"].screenings.active_count == 0


async def test_a_silent_owner_that_is_heard_again_but_does_not_hand_over(cluster: Cluster) -> None:
    cluster.takeover_seconds = 1.0
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    seen = asyncio.ensure_future(cluster["b"].seen(1))
    await turns(5)
    cluster.living.append("a")
    cluster.silent.add("a")
    cluster.homes[1] = "b"
    await pass_seconds(cluster["b"], 0.2)
    with pytest.raises(OwnershipLost) as refused:
        await seen
    assert refused.value.owner == "a"
    assert isinstance(await cluster["b"].hold("user:8", 2), SeatsHeld), "a command deposes it"
    assert cluster.asked == [("a", 1), ("a", 1)]


@pytest.mark.parametrize("interruption", ["lease", "database"])
async def test_an_interrupted_taking_is_waited_for_again(cluster: Cluster, interruption: str) -> None:
    node = cluster["b"]
    raise_epoch = node.store.activate

    async def fail_after_raising(screening_id: int, **how: object) -> LoadedScreening:
        await raise_epoch(screening_id, **how)
        raise StoreUnavailable

    if interruption == "database":
        node.store.activate = fail_after_raising
        cluster.takeover_seconds = 1.0
        await cluster.renew()
        await cluster["a"].hold("user:7", 1)
        await turns()
        cluster.living.remove("a")
        with pytest.raises(StoreUnavailable):
            await node.hold("user:8", 2)
        node.store.activate = raise_epoch
    else:
        held = await taking(cluster)
        node.screenings.owned.set_lease(0)
        await pass_seconds(node, 0.2)
        with pytest.raises(OwnershipLost):
            await held
        await node.renew()
    assert cluster.database.owners == {1: "b"}
    suspended = asyncio.ensure_future(node.screenings.suspend(1, "id"))
    await turns(5)
    assert not suspended.done(), "a change of the screening waits as well"
    suspended.cancel()
    await turns(5)
    held = await taking_again(cluster)
    await pass_seconds(node, 1.1)
    assert (await held).epoch == 4
    (told, _) = node.publisher.changes
    assert told.cause == "seats_reloaded"


async def test_what_was_to_be_done_is_forgotten_when_another_server_has_taken_the_screening(
    cluster: Cluster,
) -> None:
    held = await taking(cluster)
    node = cluster["b"]
    node.screenings.owned.set_lease(0)
    await pass_seconds(node, 0.2)
    with pytest.raises(OwnershipLost):
        await held
    assert list(node.screenings.owned.unfinished) == [1]
    cluster.living.insert(0, "a")
    cluster["a"].pause(10)
    await cluster.renew()
    cluster.silent.add("b")
    await cluster["a"].hold("user:7", 3)
    cluster.homes[1] = "b"
    cluster.silent.add("a")
    with pytest.raises(OwnershipLost):
        await node.seen(1)
    assert not node.screenings.owned.unfinished


async def test_two_servers_that_ask_each_other_do_not_wait_for_each_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.takeovers._ANSWER_SECONDS", 600)
    monkeypatch.setattr("engine.directory.RELEASE_SECONDS", 600)
    old, new = cluster["a"], cluster["b"]
    held = await taking(cluster)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    new.screenings.owned._peers.release = lambda name, screening_id: never
    cluster.living.append("a")
    cluster.homes[1] = "b"
    await pass_seconds(new, 0.2)
    cluster.homes[1] = "a"
    old.pause(10)
    await old.renew()
    async with asyncio.timeout(60):
        assert (await old.hold("user:9", 3)).epoch == 3
        with pytest.raises(OwnershipLost):
            await held


async def test_who_was_deposed_is_told_to_the_next_taker() -> None:
    cluster = Cluster("a", "b", "c")
    held = await taking(cluster)
    cluster["b"].screenings.owned.set_lease(0)
    await pass_seconds(cluster["b"], 0.2)
    with pytest.raises(OwnershipLost):
        await held
    cluster.homes[1] = "c"
    held = asyncio.ensure_future(cluster["c"].hold("user:9", 3))
    await turns(20)
    await pass_seconds(cluster["c"], 0.9)
    assert not held.done()
    assert cluster.asked == [("b", 1)]
    await pass_seconds(cluster["c"], 0.2)
    assert (await held).epoch == 3


async def test_servers_that_deposed_each_other_do_not_keep_a_third_one_from_taking_the_screening() -> None:
    cluster = Cluster("a", "b", "c")
    await cluster.renew()
    cluster.homes[1] = "c"
    await cluster["c"].hold("user:7", 1)
    await cluster["c"].screenings.release(1)
    # During a partition both have raised the epoch, and neither got as far as to load the screening.
    for name, other in (("b", "c"), ("c", "b")):
        takeovers = cluster[name].screenings.owned._takeovers
        assert takeovers is not None
        takeovers.unfinished[1] = other
    cluster.homes[1] = "a"
    assert (await cluster["a"].hold("user:9", 3)).epoch == 2
    assert cluster["a"].screenings.owned._takeovers.unfinished == {}


async def test_an_owner_that_answers_too_late_is_deposed_by_a_command(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.takeovers._ANSWER_SECONDS", 0.02)
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


async def test_a_sweep_leaves_the_screenings_of_living_servers_to_them(cluster: Cluster) -> None:
    await cluster.renew()
    cluster.homes = {1: "a", 2: "b"}
    for screening_id, home in cluster.homes.items():
        await cluster[home].hold("user:7", 1, screening_id=screening_id)
    await turns()
    for node in cluster.nodes.values():
        node.pause(301)
    await cluster["b"].renew()
    assert await cluster["b"].screenings.sweep() == 0, "that of its own screening was released with the lease"
    assert cluster["b"].publisher.changes[-1].cause == "holds_expired"
    cluster["a"].clock.advance(0)
    assert cluster["a"].publisher.changes[-1].cause == "seats_held", "its owner has no lease"
    assert cluster.asked == [] and cluster.database.epochs == {1: 1, 2: 1}
    await cluster["a"].renew()
    assert cluster["a"].publisher.changes[-1].cause == "holds_expired"


async def test_the_new_owner_sweeps_what_a_dead_one_has_left(cluster: Cluster) -> None:
    cluster.takeover_seconds = 1.0
    await cluster.renew()
    for screening_id in (1, 2):
        await cluster["a"].hold("user:7", 1, screening_id=screening_id)
    await turns()
    cluster["b"].pause(301)
    await cluster["b"].renew()
    cluster.living.remove("a")
    sweeping = asyncio.ensure_future(cluster["b"].screenings.sweep())
    await turns(5)
    assert cluster["b"].screenings.active_count == 0
    await pass_seconds(cluster["b"], 1.1)
    assert await sweeping == 2, "it waits for all of them together"
    assert [change.cause for change in cluster["b"].publisher.changes].count("holds_expired") == 2


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
