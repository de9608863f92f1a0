"""Conditions under which a node should not be sent requests."""

import time
from pathlib import Path

import pytest

from cluster.nats_server import NatsServer
from cluster.readiness import NodeReadiness
from engine.clock import since_boot
from tests.api.cinema import eventually
from tests.cluster.heartbeats import BRISK, Member, fleet
from tests.nats import own_nats_server

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


def readiness_of(member: Member) -> NodeReadiness:
    return NodeReadiness(member.connection, member.membership, since_boot)


async def test_a_serving_node_is_ready_until_it_drains(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        node, _ = await nodes.join(), await nodes.join()
        readiness = readiness_of(node)
        assert readiness.reasons() == {}
        node.membership.drain()
        assert "hands over" in readiness.reasons()["node"]


async def test_a_node_that_was_stopped_is_not_ready_before_it_knows_what_it_owns(
    nats_server: NatsServer,
) -> None:
    async with fleet(nats_server.url, BRISK) as nodes:
        node = await nodes.join()
        readiness = readiness_of(node)
        time.sleep(BRISK.node_gone_seconds)  # noqa: ASYNC251 - the whole process is stopped
        assert "not certain" in readiness.reasons()["node"]
        await eventually(lambda: readiness.reasons() == {})


async def test_a_node_without_nats_is_degraded_until_others_take_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.readiness.NATS_LOST_SECONDS", 3600.0)
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as nodes:
        node = await nodes.join()
        readiness = readiness_of(node)
        await nats.stop()
        await eventually(lambda: not node.connection.connected)
        assert not readiness.degraded(), "it may be back soon"
        monkeypatch.setattr("cluster.readiness.NATS_LOST_SECONDS", 0.1)
        await eventually(lambda: "no connection to NATS" in readiness.degraded().get("nats", ""))
        assert "nats" not in readiness.reasons()
        readiness.deposed()
        assert "other nodes take over" in readiness.reasons()["nats"]
        assert not readiness.degraded()
        await nats.start()
        await eventually(lambda: readiness.reasons() == {})
        readiness.deposed()
        assert readiness.reasons() == readiness.degraded() == {}, "a planned move"
