"""Calls about keys and claims of keys, over real connections, with members that need not agree."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from cluster.beats import NodeState
from cluster.claims import ANNOUNCED_AT_ONCE, Claim, Claims
from cluster.errors import NodeUnreachable
from cluster.hashing import Ring
from cluster.keys import KeyedCalls, Patience
from cluster.membership import View
from cluster.nats_server import NatsServer
from tests.api.cinema import eventually
from tests.cluster.nodes import Node, nodes

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]

PATIENT = Patience(20.0, retries=True)


@pytest.fixture(autouse=True)
def settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.granted_claims.SETTLE_SECONDS", 0.2)


class Taken(Exception):
    """Somebody else has the key."""


class OneEach:
    """Grants each key once; of two claims that were granted elsewhere the older one stays."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def take(self, key: str, value: Any, lost: Callable[[], None]) -> str:
        if key in self.held:
            raise Taken
        self.held[key] = value
        return key

    def restore(self, key: str, value: Any, seconds: float, lost: Callable[[], None]) -> str | None:
        if key in self.held:
            lost()
            return None
        self.held[key] = value
        return key

    def leave(self, granted: str) -> None:
        del self.held[granted]


class Place:
    """A node, and the members that it believes in."""

    def __init__(self, node: Node) -> None:
        self.links = node.links
        self.connection = node.connection
        self.name = node.name
        self.view = View(0, MappingProxyType({node.name: NodeState.SERVING}), Ring([node.name]))
        self._handlers: list[Callable[[View, View], None]] = []
        self.calls = KeyedCalls(node.links, self)
        self.asked: list[tuple[str, str, Any]] = []
        self.calls.on("letter", {"write": self._write})
        self.keeper = OneEach()
        self.claims = Claims(self.calls, "box", self.keeper, (Taken,), PATIENT)

    def _write(self, sender: str, key: str, value: Any) -> str:
        self.asked.append((sender, key, value))
        return f"{self.name} has {key}"

    # What `Membership` does

    def node_of(self, key: str) -> str | None:
        return self.view.ring.node_of(key)

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        self._handlers.append(handler)

    def believe_in(self, *places: "Place", gone: tuple["Place", ...] = ()) -> None:
        states = {place.name: NodeState.SERVING for place in places}
        states.update({place.name: NodeState.GONE for place in gone})
        states.setdefault(self.name, NodeState.JOINING)
        serving = [name for name in states if states[name] is NodeState.SERVING]
        before, self.view = self.view, View(self.view.version + 1, MappingProxyType(states), Ring(serving))
        for handler in self._handlers:
            handler(before, self.view)

    def leave(self) -> None:
        self.believe_in(gone=(self,))

    def key_of(self, kind: str, place: "Place") -> str:
        """Return a key that belongs to a node, as this one sees it."""
        keys = (f"{kind}-{number}" for number in range(1000))
        return next(key for key in keys if self.calls.node_of(kind, key) == place.name)

    async def take(self, key: str, lost: Callable[[], None] = lambda: None) -> Claim:
        claim = self.claims.take(key, self.name, lost)
        return await claim if isinstance(claim, Awaitable) else claim


@asynccontextmanager
async def places(server: NatsServer, number: int = 2) -> AsyncIterator[list[Place]]:
    """Nodes that believe in each other."""
    async with nodes(server.url, number) as made:
        theirs = [Place(node) for node in made]
        for place in theirs:
            place.believe_in(*theirs)
        yield theirs
        for place in theirs:
            place.leave()


async def test_the_node_of_a_key_answers(nats_server: NatsServer) -> None:
    async with places(nats_server, 3) as everybody:
        for asking in everybody:
            for answering in everybody:
                key = asking.key_of("letter", answering)
                answer = await asking.calls.call("letter", "write", key, ["x", 1], PATIENT)
                assert answer == f"{answering.name} has {key}"
                assert answering.asked[-1] == (asking.name, key, ["x", 1])
                told = asking.calls.tell("letter", "write", key, "told")
                assert (told is None) is (asking is answering)
                if told is not None:
                    await told
                assert answering.asked[-1] == (asking.name, key, "told")


async def test_a_node_that_does_not_believe_that_a_key_is_its_own_does_not_answer(
    nats_server: NatsServer,
) -> None:
    async with places(nats_server) as (first, second):
        key = first.key_of("letter", second)
        second.believe_in(first)
        with pytest.raises(NodeUnreachable):
            await first.calls.call("letter", "write", key, None, Patience(0.2, retries=True))
        answer = asyncio.create_task(first.calls.call("letter", "write", key, None, PATIENT))
        await asyncio.sleep(0.1)
        assert not first.asked and not second.asked
        second.believe_in(first, second)
        assert await answer == f"{second.name} has {key}"
        second.believe_in(first)
        answer = asyncio.create_task(first.calls.call("letter", "write", key, None, PATIENT))
        await asyncio.sleep(0.1)
        first.believe_in(first)
        assert await answer == f"{first.name} has {key}"


async def test_an_impatient_caller_does_not_wait_for_another_node(nats_server: NatsServer) -> None:
    async with places(nats_server) as (first, second):
        key = first.key_of("letter", second)
        await second.connection.stop()
        with pytest.raises(NodeUnreachable):
            await asyncio.wait_for(
                first.calls.call("letter", "write", key, None, Patience(3600.0, retries=False)), 20
            )


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
