"""Claims of keys, in virtual time, with members that need not agree."""

import asyncio
from itertools import pairwise

import pytest

from cluster.claims import AGAIN_SECONDS, ANNOUNCED_AT_ONCE
from engine.errors import StoreUnavailable, Unavailable
from tests.api.cinema import eventually
from tests.cluster.places import Place, Taken, places
from tests.cluster.virtual import in_virtual_time, nodes


@pytest.fixture(autouse=True)
def settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 0.2)


@in_virtual_time
async def test_a_claim_is_refused_until_the_other_has_ended() -> None:
    async with places() as (first, second):
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


@in_virtual_time
async def test_many_claims_are_announced_to_a_new_node() -> None:
    async with places() as (first, second):
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


@in_virtual_time
async def test_claims_made_while_others_are_announced_stay() -> None:
    async with places(3) as (first, second, third):
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


@in_virtual_time
async def test_a_key_that_has_moved_is_not_granted_before_its_claims_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 3600.0)
    async with places(3) as (first, second, third):
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


@in_virtual_time
async def test_a_node_that_announces_nothing_is_not_waited_for_long() -> None:
    async with places(3) as (first, second, third):
        key = first.key_of("box", second)
        for place in (first, second, third):
            place.believe_in(first, third)
        second.believe_in(first, second, third)
        await second.take(key)
        assert second.keeper.held == {key: second.name}


@in_virtual_time
async def test_claims_that_moved_are_dropped_later() -> None:
    async with places() as (first, second):
        kept = await first.take(first.key_of("box", second))
        for place in (first, second):
            place.believe_in(first)
        await eventually(lambda: first.keeper.held == {kept.key: first.name})
        await eventually(lambda: not second.keeper.held)
        assert first.keeper.held == {kept.key: first.name}


@in_virtual_time
async def test_a_node_that_missed_a_change_learns_all_claims() -> None:
    """The node believed that another one, which was not told, was gone, and dropped its claims."""
    async with places(3) as (first, second, third):
        key = first.key_of("box", second)
        await asyncio.sleep(5.0)
        await first.take(key)
        await asyncio.sleep(5.0)
        second.believe_in(second, third, gone=(first,))
        assert not second.keeper.held
        second.believe_in(first, second, third)
        first.believe_in(second, third)
        first.believe_in(first, second, third)
        await eventually(lambda: second.keeper.held == {key: first.name})
        assert second.keeper.ages == [pytest.approx(5.0, abs=0.1)]


@in_virtual_time
async def test_two_claims_of_one_key_become_one() -> None:
    async with places() as (first, second):
        key = first.key_of("box", second)
        first.believe_in(first)
        lost: list[str] = []
        await first.take(key, lambda: lost.append("first"))
        await second.take(key, lambda: lost.append("second"))
        first.believe_in(first, second)
        await eventually(lambda: lost == ["first"])
        assert len(first.claims) == 0 and len(second.claims) == 1


@in_virtual_time
async def test_a_claim_can_be_assumed_and_is_announced_then() -> None:
    async with places() as (first, second):
        key = first.key_of("box", second)
        lost: list[str] = []
        claim = first.claims.assume(key, "assumed", lambda: lost.append("first"))
        await eventually(lambda: second.keeper.held == {key: "assumed"})
        second.claims.assume(key, "assumed", lambda: lost.append("second"))
        await eventually(lambda: lost == ["second"])
        first.claims.leave(claim)
        await eventually(lambda: not second.keeper.held)
        assert len(first.claims) == len(second.claims) == 0


@in_virtual_time
async def test_a_claim_whose_key_moves_while_it_is_granted_is_announced() -> None:
    async with places() as (first, second):
        key = first.key_of("box", second)
        second.keeper.before_taking = lambda: first.believe_in(first)
        await first.take(key)
        await eventually(lambda: first.keeper.held == {key: first.name})


@in_virtual_time
async def test_an_end_that_could_not_be_told_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.claims.ANNOUNCED_AT_ONCE", 2)
    monkeypatch.setattr("cluster.claims.AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 3600.0)
    async with places() as (first, second):
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


@in_virtual_time
async def test_a_node_that_left_announces_nothing() -> None:
    async with places(1) as (first,):
        first.leave()
        first.claims.assume("box-1", "late")
        tasks = {task.get_name() for task in asyncio.all_tasks() if not task.cancelling()}
        assert "announce claims" not in tasks


@in_virtual_time
async def test_a_node_that_has_heard_of_no_change_announces_too() -> None:
    async with nodes(1) as (node,):
        alone = Place(node)
        alone.claims.assume("box-1", "assumed")
        await eventually(lambda: alone.keeper.held == {"box-1": "assumed"})
        alone.leave()


@in_virtual_time
async def test_a_claim_that_is_not_answered_is_not_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 3600.0)
    async with places(3) as (first, second, third):
        key = first.key_of("box", second)
        for place in (first, second, third):
            place.believe_in(first, third)
        for place in (first, second):
            place.believe_in(first, second, third)
        taking = asyncio.create_task(first.take(key))
        await asyncio.sleep(1.0)
        first.claims.assume(first.key_of("letter", second), "assumed")
        await eventually(lambda: "assumed" in second.keeper.held.values())
        assert key not in second.keeper.held, "the third node could have a claim of it"
        third.believe_in(first, second, third)
        await taking
        assert second.keeper.held[key] == first.name


@in_virtual_time
async def test_a_claim_whose_answer_does_not_come_ends() -> None:
    async with places() as (first, second):
        key = first.key_of("box", second)
        second.cable.set("cut", "out", True)
        taking = asyncio.create_task(first.take(key))
        await eventually(lambda: second.keeper.held == {key: first.name})
        with pytest.raises(Unavailable):
            await taking
        assert len(first.claims) == 0
        second.cable.set("cut", "out", False)
        await eventually(lambda: not second.keeper.held)


@in_virtual_time
async def test_an_announcement_that_fails_is_repeated_after_a_pause() -> None:
    now = asyncio.get_running_loop().time
    async with places() as (first, second):
        await asyncio.sleep(1.0)
        announced: list[float] = []

        def fail_twice(sender: str, part: list[object]) -> None:
            announced.append(now())
            if len(announced) < 3:
                raise StoreUnavailable
            second.claims.granted.announced(sender, part)

        second.links.on("box.announce", fail_twice)
        key = first.key_of("box", second)
        first.claims.assume(key, "assumed")
        await eventually(lambda: second.keeper.held == {key: "assumed"})
        await asyncio.sleep(10.0)
        pauses = [later - earlier for earlier, later in pairwise(announced)]
        assert pauses == [pytest.approx(AGAIN_SECONDS, abs=0.1)] * 2


@in_virtual_time
async def test_many_claims_keep_others_waiting_for_a_turn_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.claims.HASHED_AT_ONCE", 2)
    monkeypatch.setattr("cluster.claims.ANNOUNCED_AT_ONCE", 2)
    async with places(1) as (alone,):
        await asyncio.sleep(1.0)
        for number in range(5):
            alone.claims.assume(f"box-{number}", "assumed")
        alone.hashed = 0
        hashed, entered = [], []
        for _ in range(20):
            hashed.append(alone.hashed)
            entered.append(len(alone.keeper.held))
            await asyncio.sleep(0)
        assert sorted(set(hashed)) == [0, 2, 4, 5 + 5]
        assert sorted(set(entered)) == [0, 2, 4, 5]


@in_virtual_time
async def test_only_a_change_that_moves_keys_is_followed_by_an_announcement() -> None:
    async with places(3) as (first, second, third):
        await asyncio.sleep(1.0)
        claim = await first.take(first.key_of("box", second))
        announced: list[object] = []

        def answer_never_at_first(sender: str, part: object) -> object:
            announced.append(part)
            return asyncio.get_running_loop().create_future() if len(announced) == 1 else None

        second.links.on("box.announce", answer_never_at_first)
        first.believe_in(first, second, third, joining=("other",))
        await asyncio.sleep(5.0)
        first.claims.leave(claim)
        await eventually(lambda: not second.keeper.held)
        assert not announced
        first.believe_in(first, second)
        await eventually(lambda: len(announced) == 1)
        first.believe_in(first, second, third)
        await asyncio.sleep(10.0)
        assert len(announced) == 2, "the first announcement was given up"
