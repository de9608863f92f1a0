"""Questions to all other nodes, over real connections: who is asked, and what if a node is silent."""

import asyncio

import pytest

from cluster.errors import NodeUnreachable
from cluster.everybody import Everybody
from cluster.nats_server import NatsServer
from engine.errors import StoreUnavailable
from tests.api.cinema import eventually
from tests.cluster.heartbeats import Fleet, Member, fleet
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]

SECONDS = 60.0
"""Timeout of questions that are answered."""


async def three_nodes(nodes: Fleet) -> tuple[Everybody, Member, Member]:
    """Return what asks from the first of three nodes, and the other two."""
    first, second, third = await nodes.join(), await nodes.join(), await nodes.join()
    await eventually(lambda: first.sees(second) == first.sees(third) == "serving")
    for number, node in enumerate((first, second, third)):
        node.links.on("number", lambda sender, value, number=number: number + value)
    return Everybody(first.links, first.membership), second, third


async def test_all_others_are_asked(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        everybody, second, third = await three_nodes(nodes)
        third.membership.drain()
        assert await everybody.ask("number", 10, SECONDS) == {second.mark: 11, third.mark: 12}
        assert await everybody.ask_all("number", 20, SECONDS) == {second.mark: 21, third.mark: 22}


async def test_a_node_that_is_alone_asks_nobody(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        only = await nodes.join()
        everybody = Everybody(only.links, only.membership)
        assert (
            await everybody.ask("number", 10, SECONDS) == await everybody.ask_all("number", 1, SECONDS) == {}
        )


async def test_silent_nodes_are_left_out_or_reported(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        everybody, second, third = await three_nodes(nodes)
        never = asyncio.get_running_loop().create_future()
        third.links.on("number", lambda sender, value: never)
        assert await everybody.ask("number", 10, 0.2) == {second.mark: 11}
        with pytest.raises(NodeUnreachable, match=third.mark):
            await everybody.ask_all("number", 10, 0.2)
        never.cancel()


async def test_a_refusal_is_left_out_or_raised(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        everybody, second, third = await three_nodes(nodes)

        async def refuse(sender: str, value: int) -> int:
            raise StoreUnavailable

        second.links.on("number", refuse)
        assert await everybody.ask("number", 10, SECONDS) == {third.mark: 12}
        with pytest.raises(StoreUnavailable):
            await everybody.ask_all("number", 10, SECONDS)


async def test_a_node_that_goes_while_it_is_asked_need_not_answer(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        everybody, second, third = await three_nodes(nodes)
        asked, never = asyncio.Event(), asyncio.get_running_loop().create_future()

        def ask(sender: str, value: int) -> object:
            asked.set()
            return never

        third.links.on("number", ask)
        replies = asyncio.create_task(everybody.ask_all("number", 10, SECONDS))
        await asked.wait()
        await third.heartbeat.leave()
        assert await replies == {second.mark: 11}
        assert everybody.others() == [second.mark]
        never.cancel()


async def test_without_nats_nobody_answers(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        _, second, _ = await three_nodes(nodes)
        everybody = Everybody(second.links, second.membership)
        await second.connection.stop()
        assert await everybody.ask("number", 10, SECONDS) == {}
        with pytest.raises(NodeUnreachable):
            await everybody.ask_all("number", 10, SECONDS)
