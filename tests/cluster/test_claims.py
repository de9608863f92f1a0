"""Claims of keys, over real connections, with members that need not agree."""

import asyncio

import pytest

from cluster.claims import ANNOUNCED_AT_ONCE
from cluster.nats_server import NatsServer
from engine.errors import StoreUnavailable
from tests.api.cinema import eventually
from tests.cluster.places import Taken, places

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


@pytest.fixture(autouse=True)
def settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 0.2)


async def test_a_claim_is_refused_until_the_other_has_ended(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        for owner in (first, second):
            key = first.key_of("box", owner)
            claim = await first.take(key)
            with pytest.raises(Taken):
                await second.take(key)
            first.claims.leave(claim)
            first.claims.leave(claim)
            await eventually(lambda owner=owner: not owner.keeper.held)
            await second.take(key)
            assert owner.keeper.held == {key: second.name}
        assert len(first.claims) == 0 and len(second.claims) == 2


async def test_many_claims_are_announced_to_a_new_node(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        first.believe_in(first)
        second.believe_in(first)
        number = 3 * ANNOUNCED_AT_ONCE
        claims = [await first.take(f"box-{key}") for key in range(number)]
        assert len(first.claims.granted) == number
        for place in (first, second):
            place.believe_in(first, second)
        # One that ends while all are announced does not come back.
        ended = first.key_of("box", second)
        first.claims.leave(claims[int(ended.rpartition("-")[2])])
        keys = {claim.key for claim in claims} - {ended}
        theirs = {key for key in keys if second.node_of(f"box {key}") == second.name}
        await eventually(lambda: set(second.keeper.held) == theirs)
        with pytest.raises(Taken):
            await second.take(theirs.pop())
        await second.take(ended)


async def test_claims_made_while_others_are_announced_stay(nats_server: NatsServer) -> None:
    async with places(nats_server, 3) as (first, second, third):
        taking = []
        for number in range(300):
            taking.append(asyncio.create_task(first.take(f"box-{number}")))
            if number % 20 == 0:
                first.believe_in(first, second)
                first.believe_in(first, second, third)
                await asyncio.sleep(0.002)
        claims = await asyncio.gather(*taking)
        await eventually(lambda: sum(len(place.claims.granted) for place in (first, second, third)) >= 300)
        await asyncio.sleep(0.5)
        held = {key for place in (first, second, third) for key in place.keeper.held}
        assert held == {claim.key for claim in claims}


async def test_a_key_that_has_moved_is_not_granted_before_its_claims_are_known(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 3600.0)
    async with places(nats_server, 3) as (first, second, third):
        key, free = first.key_of("box", second), second.key_of("box", third)
        for place in (first, second, third):
            place.believe_in(first, third)
        claim = await first.take(key)
        second.believe_in(first, second, third)
        third.believe_in(first, second, third)
        waiting = [asyncio.create_task(place.take(key)) for place in (second, third)]
        await asyncio.sleep(0.2)
        assert not second.keeper.held and not any(task.done() for task in waiting)
        assert await third.take(free), "a key that stays where it was need not wait"
        first.believe_in(first, second, third)
        assert [type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == [
            Taken
        ] * 2
        first.claims.leave(claim)
        await eventually(lambda: not second.keeper.held)
        await third.take(key)


async def test_a_node_that_announces_nothing_is_not_waited_for_long(nats_server: NatsServer) -> None:
    async with places(nats_server, 3) as (first, second, third):
        key = first.key_of("box", second)
        for place in (first, second, third):
            place.believe_in(first, third)
        second.believe_in(first, second, third)
        await second.take(key)
        assert second.keeper.held == {key: second.name}


async def test_claims_that_moved_are_dropped_later(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        kept = await first.take(first.key_of("box", second))
        for place in (first, second):
            place.believe_in(first)
        await eventually(lambda: first.keeper.held == {kept.key: first.name})
        await eventually(lambda: not second.keeper.held)
        assert first.keeper.held == {kept.key: first.name}


async def test_a_node_that_missed_a_change_learns_all_claims(nats_server: NatsServer) -> None:
    """It believed that a node was gone, which was not told, and dropped its claims."""
    async with places(nats_server, 3) as (first, second, third):
        key = first.key_of("box", second)
        await first.take(key)
        second.believe_in(second, third, gone=(first,))
        assert not second.keeper.held
        second.believe_in(first, second, third)
        first.believe_in(second, third)
        first.believe_in(first, second, third)
        await eventually(lambda: second.keeper.held == {key: first.name})


async def test_two_claims_of_one_key_become_one(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        key = first.key_of("box", second)
        first.believe_in(first)
        lost: list[str] = []
        await first.take(key, lambda: lost.append("first"))
        await second.take(key, lambda: lost.append("second"))
        first.believe_in(first, second)
        await eventually(lambda: lost == ["first"])
        assert len(first.claims) == 0 and len(second.claims) == 1


async def test_a_claim_can_be_assumed_and_is_announced_then(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        key = first.key_of("box", second)
        lost: list[str] = []
        claim = first.claims.assume(key, "assumed", lambda: lost.append("first"))
        await eventually(lambda: second.keeper.held == {key: "assumed"})
        assert all(0 <= age < 3600 for age in second.keeper.ages)
        second.claims.assume(key, "assumed", lambda: lost.append("second"))
        await eventually(lambda: lost == ["second"])
        first.claims.leave(claim)
        await eventually(lambda: not second.keeper.held)
        assert len(first.claims) == len(second.claims) == 0


async def test_a_claim_whose_key_moves_while_it_is_granted_is_announced(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        key = first.key_of("box", second)
        second.keeper.before_taking = lambda: first.believe_in(first)
        await first.take(key)
        await eventually(lambda: first.keeper.held == {key: first.name})


async def test_an_end_that_could_not_be_told_is_announced(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.claims.ANNOUNCED_AT_ONCE", 2)
    monkeypatch.setattr("cluster.claims.AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 3600.0)
    async with places(nats_server) as (first, second):
        keys = [key for key in map("box-{}".format, range(100)) if second.calls.is_own("box", key)]
        claims = [await first.take(key) for key in keys[:5]]
        refused: list[int] = []

        def fail(sender: str, value: object) -> None:
            refused.append(1)
            if len(refused) == 2:
                second.links.on("box.announce", second.claims.granted.announced)
            raise StoreUnavailable

        second.links.on("box.leave", fail)
        second.links.on("box.announce", fail)
        first.claims.leave(claims[0])
        await eventually(lambda: set(second.keeper.held) == set(keys[1:5]))
        second.believe_in(first)
        first.believe_in(first)
        second.believe_in(first, second)
        first.believe_in(first, second)
        await second.take(keys[5])
        assert set(second.keeper.held) == set(keys[1:6])


async def test_a_node_that_left_announces_nothing(nats_server: NatsServer) -> None:
    async with places(nats_server, 1) as (first,):
        first.leave()
        first.claims.assume("box-1", "late")
        tasks = {task.get_name() for task in asyncio.all_tasks() if not task.cancelling()}
        assert "announce claims" not in tasks
