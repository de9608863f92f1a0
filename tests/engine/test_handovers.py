"""Planned moves of screenings between servers of a cluster."""

import asyncio

import pytest

from engine.commands import HoldSeats, ReadChanges, ReadSeats, ReleaseHolds
from engine.errors import OutcomeUnknown, Overloaded, OwnershipLost, StoreUnavailable
from engine.events import SeatsHeld
from engine.handover import MEMORY_LIMIT, Handover, Handovers, Memory
from engine.replies import Changes
from engine.selling_errors import GuestLimitExceeded, HoldLifeSpent
from tests.engine.cluster import Cluster, Node, SlowStore, pair, sent
from tests.engine.conftest import make_info, make_layout
from tests.engine.house import turns

pytestmark = pytest.mark.gen_test

HERE = "192.0.2.0/24"


@pytest.fixture
def cluster() -> Cluster:
    return pair()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait briefly for handovers."""
    monkeypatch.setattr("engine.directory.RELEASE_SECONDS", 0.05)


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


async def test_watchers_learn_of_the_new_epoch_after_a_crash(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    await turns()
    cluster.living.remove("a")
    await cluster["b"].seen(1)
    (told,) = cluster["b"].publisher.changes
    assert (told.cause, told.epoch, told.views, told.available) == ("seats_reloaded", 2, (), 19)
    assert (await missed(cluster["b"], 1, 1)).missed is None


# Clients that resume


async def missed(node: Node, epoch: int, since: int) -> Changes:
    reply = await node.screenings.ask(ReadChanges(1, epoch, since))
    assert isinstance(reply, Changes)
    return reply


async def test_watchers_who_have_seen_everything_do_not_notice_a_planned_move(cluster: Cluster) -> None:
    await cluster.renew()
    for seat in (1, 2):
        await cluster["a"].hold("user:7", seat)
    old = await missed(cluster["a"], 1, 2)
    assert (old.epoch, old.seq, old.missed) == (1, 2, ())
    cluster.homes[1] = "b"
    moved = await missed(cluster["b"], 1, 2)
    assert (moved.epoch, moved.seq, moved.missed) == (2, 0, ())
    assert cluster["b"].publisher.changes == []
    held = await cluster["b"].hold("user:8", 3)
    assert (await missed(cluster["b"], 1, 2)).missed == (held,) == (await missed(cluster["b"], 2, 0)).missed
    for epoch, since in ((1, 1), (1, 3), (0, 2), (1, 0), (3, 2)):
        assert (await missed(cluster["b"], epoch, since)).missed is None


async def test_a_booking_that_commits_during_the_move_is_included(cluster: Cluster) -> None:
    await cluster.renew()
    old = cluster["a"]
    old.journal.automatic = False
    booking = asyncio.ensure_future(old.book("user:7", 5))
    await turns()
    cluster.homes[1] = "b"
    moved = asyncio.ensure_future(missed(cluster["b"], 1, 0))
    await turns()
    old.journal.automatic = True
    old.journal.write_next(9)
    await booking
    assert (await moved).missed is None
    last = old.publisher.changes[-1]
    assert (last.cause, (await missed(cluster["b"], 1, last.seq)).missed) == ("tickets_issued", ())


async def test_several_moves_without_a_change_are_not_noticed(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].hold("user:7", 1)
    for home in "baba":
        cluster.homes[1] = home
        await cluster[home].seen(1)
    for position in ((1, 1), (2, 0), (4, 0)):
        assert (await missed(cluster["a"], *position)).missed == ()
    held = await cluster["a"].hold("user:7", 2)
    assert (await missed(cluster["a"], 1, 1)).missed == (held,)
    cluster.homes[1] = "b"
    for position in ((1, 1), (5, 0)):
        assert (await missed(cluster["b"], *position)).missed is None
    assert (await missed(cluster["b"], 5, held.seq)).missed == ()


@pytest.mark.parametrize("moved", [False, True])
async def test_a_change_of_the_screening_is_noticed(cluster: Cluster, moved: bool) -> None:
    await cluster.renew()
    node = cluster["a"]
    held = await node.hold("user:7", 1)
    await node.screenings.suspend(1, "id")
    await node.screenings.resume(1, "id", changed=moved)
    if moved:
        cluster.homes[1] = "b"
        node = cluster["b"]
    assert (await missed(node, 1, held.seq)).missed is None


async def test_a_change_after_a_release_that_nobody_has_used_is_noticed(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.guest("client:a", HERE, 1)
    await node.screenings.release(1)
    await node.screenings.change(1, node.screenings.passivate_idle)
    assert (await missed(node, 1, 1)).missed is None
    with pytest.raises(GuestLimitExceeded):
        await node.guest("client:b", HERE, 2, 3, 4, 5)


async def test_what_was_not_written_in_time_is_not_skipped(cluster: Cluster, hurried: None) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.hold("user:7", 1)
    await turns()
    node.journal.automatic = False
    booking = asyncio.ensure_future(node.book("user:7", 1))
    await turns()
    with pytest.raises(StoreUnavailable):
        await node.screenings.release(1)
    node.journal.automatic = True
    node.journal.write_next(9)
    await booking
    assert (await missed(node, 1, 1)).missed is None


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
    assert (await cluster["a"].screenings.release(1))[1:4] == (0, 0, None)
    await cluster["a"].seen(1)
    cluster["a"].pause(2)
    await cluster.renew()
    cluster["a"].screenings._upkeep._idle_seconds = 1.0
    assert await cluster["a"].screenings.passivate_idle() == 1
    cluster.homes[1] = "b"
    await cluster["b"].hold("user:7", 1)
    assert cluster.database.epochs == {1: 2}


async def test_a_screening_that_has_failed_is_released_when_everything_is_written(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.seen(1)
    node.journal.automatic = False
    await node.hold("user:7", 1)
    with pytest.raises(TypeError):
        await node.screenings.ask(HoldSeats(1, "user:7", None))  # type: ignore[arg-type]
    release = asyncio.ensure_future(node.screenings.release(1))
    await turns(5)
    assert not release.done()
    node.journal.write_next(9)
    await release
    cluster.homes[1] = "b"
    assert await cluster["b"].seen(1) == "reserved"


async def test_nothing_is_handed_over_of_a_screening_that_is_lost_meanwhile(cluster: Cluster) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.seen(1)
    node.journal.automatic = False
    await node.hold("user:7", 1)
    release = asyncio.ensure_future(node.screenings.release(1))
    await turns(5)
    cluster.database.epochs[1] = 2
    node.journal.write_next(9)
    assert await release == Handover(1, 0, 0, None)


async def test_a_screening_that_was_not_written_in_time_remembers_guests(
    cluster: Cluster, hurried: None
) -> None:
    await cluster.renew()
    node = cluster["a"]
    await node.guest("client:a", HERE, 1)
    await turns()
    node.journal.automatic = False
    booking = asyncio.ensure_future(node.book("user:7", 9))
    await turns()
    with pytest.raises(StoreUnavailable):
        await node.screenings.release(1)
    node.journal.automatic = True
    node.journal.write_next(9)
    await booking
    with pytest.raises(GuestLimitExceeded):
        await node.guest("client:b", HERE, 2, 3, 4, 5)


async def test_only_the_latest_guests_are_handed_over(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.handover.MEMORY_LIMIT", 2)
    await cluster.renew()
    for number in (1, 2, 3):
        await cluster["a"].guest(f"client:{number}", f"192.0.{number}.0/24", number)
    handover = await cluster["a"].screenings.release(1)
    assert handover.memory is not None
    assert [guest for guest, _ in handover.memory.networks] == ["client:2", "client:3"]


async def test_a_handover_is_bounded() -> None:
    lives = tuple((seat, "user:7", 0.0, 0.0) for seat in range(MEMORY_LIMIT + 2))
    networks = tuple((f"client:{n}", HERE) for n in range(MEMORY_LIMIT + 1))
    memory = Memory(False, lives, networks).limited()
    assert (len(memory.lives), len(memory.networks)) == (MEMORY_LIMIT, MEMORY_LIMIT)
    assert memory.lives[-1] == lives[-1]


async def test_the_oldest_handovers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handovers, "_LIMIT", 2)
    handovers = Handovers()
    for screening_id, epoch in ((1, 1), (2, 1), (2, 2)):
        handovers.keep(Handover(screening_id, epoch, 0, None))
    assert [(kept.screening_id, kept.epoch) for kept in handovers.values()] == [(1, 1), (2, 2)]
    handovers.keep(Handover(3, 1, 0, None))
    assert list(handovers) == [2, 3]


async def test_a_screening_is_accepted_without_asking(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].guest("client:a", HERE, 1, 2, 3, 4)
    cluster.homes[1] = "b"
    await cluster["b"].screenings.accept(await cluster["a"].screenings.release(1))
    assert cluster.asked == []
    assert cluster["b"].screenings.active_ids() == [1]
    with pytest.raises(GuestLimitExceeded):
        await cluster["b"].guest("client:b", HERE, 5)


# When the share of a server changes


def move(cluster: Cluster, *screening_ids: int, to: str) -> None:
    cluster.homes.update(dict.fromkeys(screening_ids, to))


async def filled(number: int) -> Cluster:
    """Screenings at "a", loaded in the order of their ids, with a hold on seat 1."""
    cluster = pair()
    for screening_id in range(3, number + 1):
        cluster.database.add_screening(make_info(screening_id), make_layout())
    await cluster.renew()
    for screening_id in range(1, number + 1):
        cluster["a"].clock.advance(0.001)
        await cluster["a"].hold("user:7", 1, screening_id=screening_id)
    return cluster


async def test_what_belongs_to_another_server_is_given_away() -> None:
    cluster = await filled(6)
    move(cluster, 2, 3, 5, to="b")
    given: list[int] = []

    async def give(handover: Handover) -> None:
        given.append(handover.screening_id)
        await cluster["b"].screenings.accept(sent(handover))

    assert await cluster["a"].screenings.give_away(give) == 0
    assert given == [5, 3, 2], "those that were used last come first"
    assert cluster["a"].screenings.active_ids() == [1, 4, 6]
    assert cluster["b"].screenings.active_ids() == [2, 3, 5]
    assert cluster.asked == []
    for screening_id in (2, 3, 5):
        missed = await cluster["b"].screenings.ask(ReadChanges(screening_id, 1, 1))
        assert (missed.epoch, missed.seq, missed.missed) == (2, 0, ())
    assert await cluster["a"].screenings.give_away(give) == 0
    assert given == [5, 3, 2]


async def test_few_screenings_are_given_away_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.upkeep._GIVEN_AT_ONCE", 2)
    cluster = await filled(6)
    move(cluster, *range(1, 7), to="b")
    go_on = asyncio.Event()

    async def give(handover: Handover) -> None:
        await go_on.wait()
        await cluster["b"].screenings.accept(handover)

    giving = asyncio.ensure_future(cluster["a"].screenings.give_away(give))
    await turns(10)
    assert cluster["a"].screenings.active_ids() == [1, 2, 3, 4]
    await cluster["b"].hold("user:8", 2)
    assert cluster.asked == [("a", 1)], "a command does not wait until its screening is given away"
    go_on.set()
    assert await giving == 0
    assert cluster["b"].screenings.active_ids() == [1, 2, 3, 4, 5, 6]


async def test_what_is_not_accepted_is_taken_by_the_next_command(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    cluster = await filled(3)
    move(cluster, 1, 2, 3, to="b")
    await cluster["a"].guest("client:a", HERE, 5, 6, 7, 8)

    async def give(handover: Handover) -> None:
        raise (OutcomeUnknown(), Overloaded(2), ZeroDivisionError())[handover.screening_id - 1]

    assert await cluster["a"].screenings.give_away(give) == 0
    assert cluster["a"].screenings.active_count == 0
    told = {record.args[0]: (record.levelname, record.getMessage()) for record in caplog.records}
    assert [told[screening_id][0] for screening_id in (1, 2, 3)] == ["INFO", "INFO", "ERROR"]
    assert "has not answered" in told[1][1]
    assert "was not handed over" in told[2][1]
    for screening_id in (1, 2, 3):
        await cluster["b"].hold("user:8", 2, screening_id=screening_id)
    assert cluster.asked == [("a", 1), ("a", 2), ("a", 3)]
    with pytest.raises(GuestLimitExceeded):
        await cluster["b"].guest("client:b", HERE, 9)


async def test_a_screening_that_comes_back_while_others_are_given_away_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.upkeep._GIVEN_AT_ONCE", 1)
    cluster = await filled(3)
    move(cluster, 1, 2, 3, to="b")

    async def give(handover: Handover) -> None:
        move(cluster, 2, to="a")
        await cluster["b"].screenings.accept(handover)

    assert await cluster["a"].screenings.give_away(give) == 0
    assert cluster["a"].screenings.active_ids() == [2]


async def test_what_belongs_to_another_server_is_not_accepted(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    handover = await cluster["a"].screenings.release(1)
    with pytest.raises(OwnershipLost):
        await cluster["b"].screenings.accept(handover)
    with pytest.raises(OwnershipLost):
        await cluster["b"].hold("user:7", 1)
    assert cluster.database.epochs == {1: 1}


async def test_what_its_owner_has_loaded_again_is_not_taken_from_it_by_an_offer(cluster: Cluster) -> None:
    await cluster.renew()
    await cluster["a"].seen(1)
    handover = await cluster["a"].screenings.release(1)
    await cluster["a"].hold("user:7", 1)
    cluster.homes[1] = "b"
    cluster.silent.add("a")
    with pytest.raises(OwnershipLost):
        await cluster["b"].screenings.accept(handover)
    assert (cluster.database.owners, cluster.database.epochs) == ({1: "a"}, {1: 2})


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
