"""Public statistics over all nodes, over real connections."""

import asyncio

import pytest

from api.ws.socket_counts import SocketCounts
from api.ws.totals import OwnTotals
from cluster.everybody import Everybody
from cluster.nats_server import NatsServer
from cluster.totals import EVENT_SOCKETS, ROOMS, SCREENING_SOCKETS, ClusterTotals
from tests.api.cinema import eventually
from tests.cluster.heartbeats import Fleet, Member, fleet

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


class Rooms:
    def __init__(self, client_count: int, occupied: tuple[int, ...]) -> None:
        self.client_count = client_count
        self.occupied = occupied


async def totals_of(
    member: Member, screenings: tuple[int, ...], clients: int, rooms: Rooms, holds: int
) -> ClusterTotals:
    """Return what counts over all nodes from one that has these sockets."""
    counts, events = SocketCounts(), SocketCounts()
    for screening_id in screenings:
        counts.add(screening_id)
    for _ in range(clients):
        events.clients += 1
        events.add(1)
        events.add(2)
    own = OwnTotals(counts, events, rooms, lambda: holds)
    return ClusterTotals(own, member.links, Everybody(member.links, member.membership))


async def two_nodes(nodes: Fleet) -> tuple[ClusterTotals, Member]:
    first, second = await nodes.join(), await nodes.join()
    await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
    await totals_of(second, (8, 9), 3, Rooms(2, (8, 9)), 30)
    return await totals_of(first, (7, 8, 8), 1, Rooms(4, (7, 8)), 4), second


async def test_totals_are_those_of_all_nodes(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        totals, _ = await two_nodes(nodes)
        assert await totals.screening_sockets() == {7: 1, 8: 3, 9: 1}
        assert await totals.event_sockets() == (4, 8)
        clients, rooms, holds = await totals.rooms()
        assert (clients, sorted(rooms), holds) == (6, [7, 8, 9], 34)


async def test_a_node_that_does_not_answer_is_left_out(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.totals.WAIT_SECONDS", 0.1)
    async with fleet(nats_server.url) as nodes:
        totals, second = await two_nodes(nodes)
        never = asyncio.get_running_loop().create_future()
        for kind in (SCREENING_SOCKETS, EVENT_SOCKETS, ROOMS):
            second.links.on(kind, lambda sender, value: never)
        assert await totals.screening_sockets() == {7: 1, 8: 2}
        assert await totals.event_sockets() == (1, 2)
        clients, rooms, holds = await totals.rooms()
        assert (clients, sorted(rooms), holds) == (4, [7, 8], 4)
        never.cancel()


async def test_a_newer_node_may_tell_more(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        totals, second = await two_nodes(nodes)
        second.links.on(EVENT_SOCKETS, lambda sender, value: (3, 6, "new"))
        second.links.on(ROOMS, lambda sender, value: (2, (9,), 30, "new"))
        assert await totals.event_sockets() == (4, 8)
        assert (await totals.rooms())[2] == 34


async def test_requests_that_come_together_share_an_answer(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        totals, second = await two_nodes(nodes)
        asked = []

        def answer(sender: str, value: object) -> tuple[int, int]:
            asked.append(sender)
            return 3, 6

        second.links.on(EVENT_SOCKETS, answer)
        assert await asyncio.gather(*(totals.event_sockets() for _ in range(50))) == [(4, 8)] * 50
        assert len(asked) == 1
