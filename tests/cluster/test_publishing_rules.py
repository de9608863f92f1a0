"""Recipients of the changes of a node's screenings, with positions and times; in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster.beats import NodeState
from cluster.publishing import (
    CHANGE,
    GATHER_SECONDS,
    UNWATCH,
    WATCH,
    WATCH_SECONDS,
    ChangePublisher,
    Position,
)
from cluster.wire import decode_change
from engine.views import SeatsChanged, SeatsShown
from tests.cluster.servers import Members, Tally
from tests.cluster.virtual import Node, in_virtual_time, nodes

SECONDS = 5.0
SERVING, GONE = NodeState.SERVING, NodeState.GONE


def change(seq: int, epoch: int = 3, screening_id: int = 7) -> SeatsChanged:
    return SeatsShown(screening_id, epoch, seq, 1_000.0, "seats_held", ())


class Owner:
    """The node that publishes.

    Attributes:
        loaded: the positions of the screenings that are in memory.
        here: what its own sockets were told: the position before each change, and its number.
        hashes: the screenings of which its own sockets want hashes.
    """

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.loaded: dict[int, tuple[int, int]] = {7: (3, 20), 8: (5, 0)}
        self.here: list[tuple[Position, int]] = []
        self.hashes: set[int] = set()
        self.members = Members()
        self.members.become({self.name: SERVING})
        self.tally = Tally()
        self.publisher = ChangePublisher(node.links, self.members, self.loaded.get, self.tally)
        self.publisher.here = lambda before, change: self.here.append((before, change.seq))
        self.publisher.hashes_here = self.hashes.__contains__

    def publish(self, *seqs: int, epoch: int = 3) -> None:
        for seq in seqs:
            self.loaded[7] = (epoch, seq)
            self.publisher.publish(change(seq, epoch))

    @property
    def keeps(self) -> bool:
        """True as long as it keeps in mind that somebody watches screening 7."""
        self.hashes.add(7)
        wanted = self.publisher.wants_hashes(7)
        self.hashes.clear()
        return wanted


class Watcher:
    """A node that watches.

    Attributes:
        told: the changes that it was sent: the position before each, and its number.
        times: when they have come.
    """

    def __init__(self, node: Node, owner: Owner) -> None:
        self.name = node.name
        self._links = node.links
        self._owner = owner.name
        self.told: list[tuple[tuple[int, int], int]] = []
        self.times: list[float] = []
        node.links.on(CHANGE, self._changed)

    def _changed(self, _: str, value: Sequence[Any]) -> None:
        screening_id, epoch, seq, data = value
        changed = decode_change(data)
        assert screening_id == changed.screening_id == 7
        self.told.append(((epoch, seq), changed.seq))
        self.times.append(asyncio.get_running_loop().time())

    async def watch(self, *rows: Sequence[int]) -> list[tuple[int, ...]]:
        """Watch screenings. Returns those that have another position."""
        differing = await self._links.call(self._owner, WATCH, rows, SECONDS)
        return [tuple(row) for row in differing]

    async def unwatch(self, screening_id: int = 7) -> None:
        self._links.send(self._owner, UNWATCH, screening_id)
        await asyncio.sleep(0.1)

    @property
    def seqs(self) -> list[int]:
        return [seq for _, seq in self.told]


AT_20 = (7, 3, 20, 0)


@asynccontextmanager
async def stage(watchers: int = 1) -> AsyncIterator[Any]:
    """An owner, and nodes that may watch its screenings."""
    async with nodes(1 + watchers) as (node, *others):
        owner = Owner(node)
        yield (owner, *[Watcher(other, owner) for other in others])


@in_virtual_time
async def test_watchers_are_told_each_change_and_the_position_before_it() -> None:
    async with stage(3) as (owner, one, two, nobody):
        owner.publish(20)
        await one.watch(AT_20)
        await two.watch(AT_20)
        owner.publish(21, 24)
        await asyncio.sleep(0.1)
        assert one.told == two.told == [((3, 20), 21), ((3, 21), 24)]
        assert (nobody.told, owner.here, owner.tally.sent) == ([], [], 4)


@in_virtual_time
async def test_sockets_of_the_owner_are_told_immediately_and_nobody_else() -> None:
    async with stage() as (owner, other):
        assert owner.publisher.watch_here(7) == (3, 20)
        owner.publish(21, 22)
        assert owner.here == [((3, 20), 21), ((3, 21), 22)]
        await asyncio.sleep(0.1)
        assert (other.told, owner.tally.sent) == ([], 0)
        await other.watch((7, 3, 22, 0))
        owner.publisher.unwatch_here(7)
        owner.publish(23)
        await asyncio.sleep(0.1)
        assert (len(owner.here), other.told) == (2, [((3, 22), 23)])
        await other.unwatch()
        assert not owner.keeps


@in_virtual_time
async def test_the_position_before_a_change_goes_on_from_an_epoch_to_the_next_one_only() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        owner.publish(21)
        owner.publish(1, epoch=4)
        owner.publish(2, epoch=4)
        owner.publish(1, epoch=6)
        owner.publish(3, epoch=5)
        await asyncio.sleep(0.1)
        assert watcher.told == [((3, 20), 21), ((3, 21), 1), ((4, 1), 2), ((6, 0), 1), ((5, 0), 3)]


@in_virtual_time
async def test_a_screening_whose_position_was_not_known_begins_with_its_epoch() -> None:
    async with stage() as (owner, watcher):
        owner.members.become({watcher.name: SERVING})
        del owner.loaded[7]
        assert owner.publisher.watch_here(7) is None
        assert await watcher.watch(AT_20) == [(7, 0, 0)]
        owner.publish(5, epoch=4)
        await asyncio.sleep(0.1)
        assert watcher.told == owner.here == [((4, 0), 5)]


@in_virtual_time
async def test_a_watch_is_answered_with_the_positions_that_differ() -> None:
    async with stage() as (_, watcher):
        assert await watcher.watch(AT_20, (8, 5, 0, 0)) == []
        rows = [(7, 3, 19, 0), (8, 4, 0, 0)]
        assert await watcher.watch(*rows) == [(7, 3, 20), (8, 5, 0)]
        assert await watcher.watch((7, 2, 20, 0), (8, 0, 0, 1)) == [(7, 3, 20), (8, 5, 0)]


@in_virtual_time
async def test_a_screening_that_was_taken_again_has_two_positions_before_its_first_change() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        owner.loaded[7] = (4, 0)
        assert await watcher.watch(AT_20) == []
        assert await watcher.watch((7, 4, 0, 0)) == []
        assert await watcher.watch((7, 3, 19, 0)) == [(7, 3, 20)]
        owner.publish(1, epoch=4)
        await asyncio.sleep(0.1)
        assert watcher.told == [((3, 20), 1)]
        # Another node has had it in between.
        for loaded in ((6, 0), (7, 1)):
            owner.loaded[7] = loaded
            assert await watcher.watch((7, 4, 1, 0)) == [(7, *loaded)]


@in_virtual_time
async def test_a_screening_that_is_not_in_memory_has_its_last_position_at_its_owner() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        del owner.loaded[7]
        assert await watcher.watch(AT_20, (8, 5, 0, 0)) == []
        owner.members.become({watcher.name: SERVING})
        assert await watcher.watch(AT_20, (8, 5, 0, 0)) == [(7, 0, 0)]


@in_virtual_time
async def test_a_position_is_forgotten_if_another_node_may_have_changed_the_screening() -> None:
    async with stage() as (owner, watcher):
        mine, others = {owner.name: SERVING}, {watcher.name: SERVING}
        for path, known in (
            ([mine], True),
            ([others, mine], False),
        ):
            owner.loaded[7] = (3, 20)
            await watcher.watch(AT_20)
            del owner.loaded[7]
            for states in path:
                owner.members.become(states)
            assert await watcher.watch(AT_20) == ([] if known else [(7, 0, 0)])
        # A screening in the memory of this node is its own, even if another node should own it.
        owner.loaded[7] = (3, 20)
        await watcher.watch(AT_20)
        owner.publish(21)
        owner.members.become(others)
        owner.publish(22)
        await asyncio.sleep(0.1)
        assert watcher.told == [((3, 20), 21), ((3, 21), 22)]


# When changes travel


@in_virtual_time
async def test_changes_that_follow_one_another_are_gathered() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for seq in (21, 22, 23, 24):
            owner.publish(seq)
            await asyncio.sleep(GATHER_SECONDS / 4)
        await asyncio.sleep(0.1)
        # The network takes up to 4 ms.
        at_once, *gathered = [at - began for at in watcher.times]
        assert at_once < 0.005
        assert gathered == [gathered[0]] * 3 and GATHER_SECONDS < gathered[0] < GATHER_SECONDS + 0.005
        began = loop.time()
        owner.publish(25)
        await asyncio.sleep(0.1)
        assert watcher.times[-1] - began < 0.005
        assert (watcher.seqs, owner.tally.sent) == ([21, 22, 23, 24, 25], 5)


@in_virtual_time
async def test_an_answer_to_a_watch_comes_after_the_changes_before_it() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        told: list[int] = []
        asking = asyncio.ensure_future(watcher.watch((7, 0, 0, 0)))
        asking.add_done_callback(lambda _: told.extend(watcher.seqs))
        seq = 20
        while not asking.done():
            seq += 1
            owner.publish(seq)
            await asyncio.sleep(GATHER_SECONDS / 50)
        assert [(7, 3, told[-1])] == await asking


@in_virtual_time
async def test_a_flush_sends_what_was_gathered_once() -> None:
    async with stage() as (owner, watcher):
        await watcher.watch(AT_20)
        owner.publish(21)
        await asyncio.sleep(GATHER_SECONDS / 4)
        owner.publish(22)
        await asyncio.sleep(GATHER_SECONDS / 4)
        owner.publish(23)
        owner.publisher.flush()
        assert owner.tally.sent == 3
        await asyncio.sleep(0.1)
        assert (watcher.seqs, owner.tally.sent) == ([21, 22, 23], 3)


# Who watches, and wants hashes


@in_virtual_time
async def test_a_node_that_does_not_repeat_its_watch_is_forgotten() -> None:
    async with stage(2) as (owner, silent, other):
        owner.loaded[7] = (3, 20)
        loop = asyncio.get_running_loop()
        await silent.watch(AT_20)
        heard_at = loop.time()
        await asyncio.sleep(1)
        await other.watch(AT_20)
        await asyncio.sleep(WATCH_SECONDS - 1.1)
        assert loop.time() < heard_at + WATCH_SECONDS
        owner.publisher.forget_silent()
        owner.publish(21)
        await asyncio.sleep(0.2)
        owner.publisher.forget_silent()
        owner.publish(22)
        await asyncio.sleep(0.1)
        assert (silent.seqs, other.seqs) == ([21], [21, 22])
        assert owner.keeps
        await asyncio.sleep(1)
        owner.publisher.forget_silent()
        assert not owner.keeps


@in_virtual_time
async def test_sockets_of_the_owner_are_not_forgotten() -> None:
    async with stage() as (owner, watcher):
        owner.publisher.watch_here(7)
        await watcher.watch(AT_20)
        await asyncio.sleep(2 * WATCH_SECONDS)
        owner.publisher.forget_silent()
        owner.publish(21)
        await asyncio.sleep(0.1)
        assert (owner.here, watcher.told) == ([((3, 20), 21)], [])
        owner.publisher.unwatch_here(8)
        owner.publisher.unwatch_here(7)
        assert not owner.keeps


@in_virtual_time
async def test_a_watch_ends_when_the_node_says_so_or_is_gone() -> None:
    async with stage(3) as (owner, one, two, three):
        for watcher in (one, two, three):
            await watcher.watch(AT_20)
        await one.unwatch()
        await one.unwatch()
        await one.unwatch(99)
        states = {owner.name: SERVING, two.name: GONE, three.name: NodeState.DRAINING}
        owner.members.become(states)
        owner.publish(21)
        await asyncio.sleep(0.1)
        assert [watcher.seqs for watcher in (one, two, three)] == [[], [], [21]]
        assert owner.keeps
        await three.unwatch()
        assert not owner.keeps
        await two.watch((7, 3, 21, 0))
        owner.members.become(states)
        assert not owner.keeps


@in_virtual_time
@pytest.mark.parametrize(
    ("row", "wanted"),
    [(AT_20, False), ((7, 3, 20, 1), True), ((7, 3, 20), True), ((7, 3, 20, 0, 1), False)],
)
async def test_hashes_are_wanted_if_a_node_says_so_or_is_of_an_earlier_release(
    row: tuple[int, ...], wanted: bool
) -> None:
    async with stage(2) as (owner, one, two):
        assert not owner.publisher.wants_hashes(7)
        await one.watch(AT_20)
        await two.watch(row)
        assert owner.publisher.wants_hashes(7) is wanted
        assert not owner.publisher.wants_hashes(8)


@in_virtual_time
async def test_hashes_are_wanted_if_sockets_of_the_owner_want_them() -> None:
    async with stage() as (owner, watcher):
        owner.hashes.add(7)
        assert not owner.publisher.wants_hashes(7), "nobody watches"
        owner.publisher.watch_here(7)
        assert owner.publisher.wants_hashes(7)
        owner.hashes.clear()
        await watcher.watch(AT_20)
        assert not owner.publisher.wants_hashes(7)


@in_virtual_time
async def test_a_publisher_without_sockets_needs_nobody_to_tell() -> None:
    async with nodes(1) as (node,):
        members = Members()
        publisher = ChangePublisher(node.links, members, lambda screening_id: None, Tally())
        publisher.watch_here(7)
        publisher.publish(change(1))
        assert not publisher.wants_hashes(7)
