"""Heartbeats over a real NATS server: joining, leaving, crashes, and a server that is frozen or restarted."""

import asyncio
import time
from pathlib import Path
from threading import Thread

import pytest

from cluster.beats import NodeState
from cluster.errors import NodeRefused
from cluster.nats_server import NatsServer
from tests.api.cinema import eventually
from tests.cluster.heartbeats import BRISK, RULES, Member, fleet
from tests.nats import freeze, own_nats_server, thaw

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


async def test_nodes_find_each_other_and_agree(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
        assert first.answers and second.answers
        owners = {first.membership.owner_of(screening) for screening in range(100)}
        assert owners == {first.mark, second.mark}
        assert owners == {second.membership.owner_of(screening) for screening in range(100)}
        assert first.confirmations == second.confirmations == 1


async def test_a_goodbye_and_a_crash_are_noticed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, BRISK) as nodes:
        first, second, third = await nodes.join(), await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(third) == "serving")
        waiting = first.links.call(second.mark, "unknown", None, 60.0)
        await asyncio.gather(waiting, return_exceptions=True)
        await second.stop()
        assert not second.answers
        await eventually(lambda: first.sees(second) == "gone")
        await third.crash()
        await eventually(lambda: first.sees(third) == "gone")
        assert first.membership.may_take(second.mark) and first.membership.may_take(third.mark)


async def test_nodes_that_do_not_fit_are_refused(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        await nodes.join("box")
        with pytest.raises(NodeRefused, match=r"FRONTROW_HOLD_SECONDS is 1.0 here, but 300.0 on node box"):
            await nodes.join(rules={**RULES, "FRONTROW_HOLD_SECONDS": 1.0})
        with pytest.raises(NodeRefused, match="is also named box"):
            await nodes.join("box")


async def test_a_node_needs_postgres_to_join(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.heartbeat.JOIN_SECONDS", 1.0)
    async with fleet(nats_server.url) as nodes:
        monkeypatch.setattr("tests.cluster.heartbeats.Member._confirm", _unavailable)
        with pytest.raises(NodeRefused, match="could not join the cluster within 1 s"):
            await nodes.join()


async def _unavailable(_: object) -> None:
    await asyncio.sleep(60)


async def test_a_frozen_nats_server_ends_the_lease_unless_postgres_confirms(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, fleet(server.url, BRISK) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == "serving")
        first.postgres = False
        freeze(server)
        await eventually(lambda: not first.answers)
        # A confirmation by PostgreSQL is valid for a fifth of a second only.
        await eventually(lambda: second.answers and second.confirmations > 1 and not first.answers)
        assert not second.membership.may_take(first.mark)
        first.postgres = True
        await eventually(lambda: first.answers)
        thaw(server)
        await eventually(lambda: not first.membership.wants_confirmation)
        await eventually(lambda: first.sees(second) == second.sees(first) == "serving")


async def test_all_nodes_serve_again_after_nats_was_restarted(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
        members = [await nodes.join() for _ in range(3)]
        for _ in range(2):
            await server.stop()
            await asyncio.sleep(0.5)
            await server.start()
            await eventually(lambda: not any(member.membership.wants_confirmation for member in members))
        await eventually(
            lambda: all(member.state is NodeState.SERVING and member.answers for member in members)
        )
        assert len({member.membership.owner_of(1) for member in members}) == 1


async def test_a_node_is_drained(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await first.links.call(second.mark, "drain", None, 5.0)
        await eventually(lambda: first.sees(second) == "draining")
        assert second.answers
        assert {first.membership.owner_of(screening) for screening in range(50)} == {first.mark}


async def test_a_node_that_was_paused_answers_only_after_asking_postgres(nats_server: NatsServer) -> None:
    """A blocked event loop is what a stopped process is for the others."""
    async with fleet(nats_server.url, BRISK) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == "serving")
        loop = asyncio.new_event_loop()
        thread = Thread(target=loop.run_forever)
        thread.start()

        async def start() -> Member:
            third = Member(nodes.connect("third"), nodes.cluster, "third", RULES, BRISK)
            await third.join()
            return third

        async def pause(third: Member) -> tuple[bool, int]:
            time.sleep(4 * BRISK.node_gone_seconds)  # noqa: ASYNC251 - blocks on purpose
            return third.answers, third.confirmations

        try:
            third = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(start(), loop))
            await eventually(lambda: first.sees(third) == "serving")
            paused = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pause(third), loop))
            await eventually(lambda: first.sees(third) == second.sees(third) == "gone")
            answered, confirmations = await paused
            assert not answered
            await eventually(lambda: first.sees(third) == second.sees(third) == "serving")
            await eventually(lambda: third.answers and third.confirmations > confirmations)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(third.stop(), loop))
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
