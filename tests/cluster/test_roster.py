"""Operators list the nodes of a cluster, and drain one, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cluster.beats import Load, NodeState
from cluster.errors import NodeNotDrained, NodesNotFound
from cluster.roster import Roster
from engine.errors import Unavailable
from tests.api.cinema import eventually
from tests.cluster.heartbeats import PATIENT, Fleet, Member, virtual_fleet
from tests.cluster.virtual import connection, in_virtual_time, virtual_nats
from tests.simulation.network import Nats


@asynccontextmanager
async def roster(nats: Nats) -> AsyncIterator[Roster]:
    operator = connection(nats, "operator")
    opened = Roster(operator, PATIENT)
    await operator.start()
    try:
        yield opened
    finally:
        opened.stop()
        await operator.stop()


async def two_nodes(nodes: Fleet) -> tuple[Member, Member]:
    """Two nodes that know each other; the second one owns nothing."""
    first, second = await nodes.join("box"), await nodes.join("office")
    second.load = Load(0)
    await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
    return first, second


@in_virtual_time
async def test_all_nodes_are_listed_by_name(caplog: pytest.LogCaptureFixture) -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats) as nodes:
        first, second = await two_nodes(nodes)
        async with roster(nats) as operator, asyncio.timeout(10 * PATIENT.node_heartbeat_seconds):
            for _ in range(2):
                listed = await operator.nodes()
                assert [(beat.facts.name, beat.facts.mark, beat.state) for beat in listed] == [
                    ("box", first.mark, NodeState.SERVING),
                    ("office", second.mark, NodeState.SERVING),
                ]
            for node in (first, second):
                node.mute()
            assert await operator.nodes(), "it asks, and does not wait for the next beat"
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


@in_virtual_time
async def test_exactly_one_cluster_must_use_nats() -> None:
    nats = virtual_nats()
    async with roster(nats) as operator:
        with pytest.raises(NodesNotFound, match="No node of a cluster uses these NATS servers"):
            await operator.nodes()
    async with virtual_fleet(nats) as one, virtual_fleet(nats) as other:
        async with roster(nats) as operator:
            await asyncio.gather(one.join(), other.join())
            with pytest.raises(NodesNotFound, match="More than one cluster uses these NATS servers"):
                await operator.nodes()


@in_virtual_time
async def test_nodes_that_do_not_answer_are_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    nats = virtual_nats()
    monkeypatch.setattr("cluster.roster.ANSWER_SECONDS", 0.25)
    async with virtual_fleet(nats) as nodes, roster(nats) as operator:
        await (await nodes.join()).stop()
        with pytest.raises(NodesNotFound, match=r"No node answered within 0\.25 s; try again"):
            await operator.nodes()


@in_virtual_time
async def test_an_operator_who_stops_does_not_wait_for_an_answer() -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats) as nodes, roster(nats) as operator:
        member = await nodes.join()
        asked = asyncio.Event()
        never = asyncio.get_running_loop().create_future()
        member.links.on("table", lambda sender, value: asked.set() or never)
        listing = asyncio.create_task(operator.nodes())
        await asked.wait()
        operator.stop()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(0.1):
                await listing


@in_virtual_time
async def test_a_node_is_drained_and_its_progress_told() -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats) as nodes, roster(nats) as operator:
        first, second = await two_nodes(nodes)
        first.load = Load(2)
        told: list[int] = []

        def progress(beat: object) -> None:
            told.append(beat.load.screenings)  # type: ignore[attr-defined]
            first.load = Load(max(0, first.load.screenings - 1))

        await operator.drain("box", progress)
        assert (told, first.state) == ([2, 1, 0], NodeState.DRAINING)
        with pytest.raises(NodesNotFound, match="office cannot be drained: no other node serves"):
            await operator.drain("office", progress)
        assert second.state is NodeState.SERVING
        told.clear()
        third = await nodes.join("third")
        await operator.drain(second.mark, progress)
        assert (told, second.state, third.state) == ([0], NodeState.DRAINING, NodeState.SERVING)


@in_virtual_time
async def test_a_node_that_stops_or_goes_on_owning_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    nats = virtual_nats()
    monkeypatch.setattr("cluster.roster.DRAIN_SECONDS", 1.0)
    async with virtual_fleet(nats) as nodes, roster(nats) as operator:
        first, second = await two_nodes(nodes)
        await nodes.join("third")
        told: list[int] = []
        first.load = Load(1)
        await operator.nodes()
        began_at = asyncio.get_running_loop().time()
        with pytest.raises(NodeNotDrained, match="box still owns 1 screenings after 1 s of draining"):
            await operator.drain("box", lambda beat: told.append(beat.load.screenings))
        assert asyncio.get_running_loop().time() - began_at == pytest.approx(1.0, abs=0.2)
        assert told == [1]
        monkeypatch.setattr("cluster.roster.DRAIN_SECONDS", 60.0)
        second.load = Load(1)
        draining = asyncio.create_task(operator.drain("office", lambda beat: told.append(7)))
        await eventually(lambda: told == [1, 7])
        await second.stop()
        await draining


@in_virtual_time
async def test_the_node_to_be_drained_must_be_known_and_the_only_one_of_its_name() -> None:
    nats = virtual_nats()
    async with virtual_fleet(nats) as nodes, roster(nats) as operator:
        first, second = await two_nodes(nodes)
        with pytest.raises(NodesNotFound, match="There is no node bx; `frontrow nodes` lists all"):
            await operator.drain("bx", lambda beat: None)
        await operator.drain("office", lambda beat: None)
        again = await nodes.join("office")
        await eventually(lambda: first.sees(again) == second.sees(again) == "serving")
        with pytest.raises(NodesNotFound, match=f"Several nodes .*: {second.mark}, {again.mark}$"):
            await operator.drain("office", lambda beat: None)
        for node in (second, again):
            await node.stop()
        await eventually(lambda: first.sees(second) == first.sees(again) == "gone")
        with pytest.raises(NodesNotFound, match="Node office is gone"):
            await operator.drain("office", lambda beat: None)
