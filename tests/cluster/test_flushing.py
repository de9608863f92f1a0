"""Reading what another node has acknowledged: the journals of all nodes are flushed first."""

import asyncio

import pytest

from cluster.everybody import Everybody
from cluster.flushing import ClusterFlushing
from cluster.nats_server import NatsServer
from engine.errors import StoreUnavailable
from tests.api.cinema import eventually
from tests.cluster.heartbeats import BRISK, Fleet, Member, fleet

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]

SECONDS = 60.0
"""Timeout of flushes that succeed."""


class SlowJournal:
    """A journal that settles when it is told to; `asked` has the screenings of all flushes."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []
        self._settled = asyncio.Event()
        self._settled.set()

    def stall(self) -> None:
        self._settled.clear()

    def settle(self) -> None:
        self._settled.set()

    async def flushed(self, screening_id: int | None = None) -> None:
        self.asked.append(screening_id)
        await self._settled.wait()


class Box:
    """A node with a journal."""

    def __init__(self, member: Member, seconds: float) -> None:
        self.member = member
        self.journal = SlowJournal()
        everybody = Everybody(member.links, member.membership)
        self.flushing = ClusterFlushing(self.journal, member.links, everybody, seconds)


async def two_boxes(nodes: Fleet, seconds: float = SECONDS) -> tuple[Box, Box]:
    first, second = await nodes.join(), await nodes.join()
    await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
    return Box(first, seconds), Box(second, seconds)


async def test_the_journals_of_all_nodes_are_flushed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        near, far = await two_boxes(nodes)
        far.journal.stall()
        reading = asyncio.create_task(near.flushing.flushed())
        await eventually(lambda: far.journal.asked == [None])
        assert near.journal.asked == [None]
        assert not reading.done()
        far.journal.settle()
        await reading


async def test_one_screening_does_not_wait_for_others(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        near, far = await two_boxes(nodes)
        await near.flushing.flushed(7)
        assert near.journal.asked == far.journal.asked == [7]


async def test_callers_share_a_flush_but_never_one_that_began_before(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        near, far = await two_boxes(nodes)
        far.journal.stall()
        first = asyncio.create_task(near.flushing.flushed())
        await eventually(lambda: far.journal.asked == [None])
        later = [asyncio.create_task(near.flushing.flushed()) for _ in range(50)]
        await asyncio.sleep(0)
        far.journal.settle()
        await asyncio.gather(first, *later)
        assert near.journal.asked == far.journal.asked == [None, None]


async def test_a_caller_that_gives_up_does_not_disturb_others(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        near, far = await two_boxes(nodes)
        far.journal.stall()
        impatient = asyncio.create_task(near.flushing.flushed())
        patient = asyncio.create_task(near.flushing.flushed())
        await eventually(lambda: far.journal.asked == [None])
        impatient.cancel()
        far.journal.settle()
        await patient
        await near.flushing.flushed()


async def test_a_node_that_cannot_write_in_time_is_reported(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        near, far = await two_boxes(nodes, seconds=0.3)
        for screening in (None, 7):
            far.journal.stall()
            with pytest.raises(StoreUnavailable):
                await near.flushing.flushed(screening)
            far.journal.settle()
            near.journal.stall()
            with pytest.raises(StoreUnavailable):
                await near.flushing.flushed(screening)
            near.journal.settle()
        await near.flushing.flushed()


async def test_a_node_that_is_gone_is_not_waited_for(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, BRISK) as nodes:
        near, far = await two_boxes(nodes)
        await far.member.crash()
        with pytest.raises(StoreUnavailable):
            await near.flushing.flushed()
        await eventually(lambda: near.member.sees(far.member) == "gone")
        await near.flushing.flushed()
