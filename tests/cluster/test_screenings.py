"""Commands and changes for screenings of other nodes while owners come and go."""

import asyncio
from typing import Any

import msgspec
import pytest

from cluster import screenings
from cluster.beats import NodeState
from cluster.errors import NOT_DONE, NoOwner
from cluster.forwarding import ASK
from cluster.links import CALL
from cluster.nats_server import NatsServer
from engine.commands import ReadStock
from engine.errors import Overloaded, Unavailable
from tests.api.cinema import eventually
from tests.cluster.nodes import Wiretap
from tests.cluster.servers import SECONDS, fleet
from tests.http.stage import on_both_loops
from tests.nats import kill, own_nats_server

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]


async def test_a_command_waits_for_the_successor_of_an_owner_that_has_left(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, _) = house.owner_of(), house.others()
        await gateway.hold_at("user:1", 1)
        # NATS knows at once that nobody receives what is sent to it; the others do not.
        house.living.remove(owner.name)
        await owner.stop()
        asked = asyncio.ensure_future(gateway.hold_at("user:1", 2))
        await asyncio.sleep(0.1)
        assert not asked.done()
        house.set_state(owner, NodeState.GONE)
        await asked
        assert set(await house.truth()) >= {2}
        assert house.owner_of() is not owner


async def test_an_owner_that_drains_hands_over_while_it_is_asked(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, _) = house.owner_of(), house.others()

        async def hold(seat: int) -> None:
            await gateway.hold_at(f"user:{seat % 4}", seat)

        holds = []
        for seat in range(1, 21):
            holds.append(asyncio.ensure_future(hold(seat)))
            if seat == 10:
                house.set_state(owner, NodeState.DRAINING)
            await asyncio.sleep(0.002)
        await asyncio.gather(*holds)
        assert house.owner_of() is not owner
        assert set(await house.truth()) == set(range(1, 21))


async def test_without_nats_a_node_answers_for_its_own_screenings_and_503_for_others(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenings, "_SHARE_FOR_LOOKING_AGAIN", 0.003)
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await owner.hold_at("user:1", 1)
        kill(nats)
        await eventually(lambda: not (gateway.connection.connected or owner.connection.connected))
        await owner.hold_at("user:1", 2)
        with pytest.raises(NOT_DONE) as refused:
            await gateway.hold_at("user:1", 3)
        assert isinstance(refused.value, Unavailable)
        assert owner.screenings.hold_count == 2


async def test_without_any_owner_a_command_is_refused_within_its_time(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenings, "_SHARE_FOR_LOOKING_AGAIN", 0.003)
    async with fleet(nats_server.url) as house:
        gateway = house.others()[0]
        house.members.become({})
        with pytest.raises(NoOwner):
            await gateway.hold_at("user:1", 1)


async def test_commands_whose_owner_is_looked_up_again_are_limited(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenings, "ASKING_AGAIN_LIMIT", 3)
    async with fleet(nats_server.url) as house:
        gateway = house.others()[0]
        house.members.become({})
        waiting = [asyncio.ensure_future(gateway.hold_at("user:1", seat)) for seat in (1, 2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await gateway.hold_at("user:1", 4)
        assert not any(one.done() for one in waiting)
        house.members.become(house.states)
        await asyncio.gather(*waiting)
        assert set(await house.truth()) == {1, 2, 3}
        await gateway.hold_at("user:1", 4)


async def test_a_command_whose_owner_is_found_late_gets_the_rest_of_its_time(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        gateway = house.others()[0]
        house.members.become({})
        asked = asyncio.ensure_future(gateway.hold_at("user:1", 1))
        await asyncio.sleep(0.2)
        house.members.become(house.states)
        await asked
        await tap.catch_up()
        items = [item for _, content in tap.messages for item in msgspec.msgpack.decode(content)[2]]
        (milliseconds,) = [item[2] for item in items if item[0] == CALL and item[3] == ASK]
        assert 0 < milliseconds <= SECONDS * 1000 - 200


async def test_a_change_at_one_node_suspends_the_screening_at_its_owner(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await owner.hold_at("user:1", 1)
        asked: list[asyncio.Future[Any]] = []

        async def write() -> str:
            asked.extend(asyncio.ensure_future(server.ask(ReadStock(1))) for server in (owner, gateway))
            await asyncio.sleep(0.05)
            assert not any(one.done() for one in asked)
            return "written"

        assert await gateway.routed.change(1, write) == "written"
        await asyncio.gather(*asked)
        assert set(await house.truth()) == {1}


async def test_a_change_survives_the_death_of_the_owner(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, _) = house.owner_of(), house.others()
        await owner.hold_at("user:1", 1)

        async def write() -> str:
            await house.kill(owner)
            return "written"

        assert await gateway.routed.change(1, write) == "written"
        await gateway.hold_at("user:1", 2)
        assert set(await house.truth()) >= {2}


async def test_several_screenings_are_suspended_together_and_rivals_do_not_block_each_other(
    nats_server: NatsServer,
) -> None:
    async with fleet(nats_server.url, 3) as house:
        writing = 0

        async def write() -> str:
            nonlocal writing
            writing += 1
            assert writing == 1
            await asyncio.sleep(0.02)
            writing -= 1
            return "written"

        servers = [house.owner_of(), *house.others()]
        changes = (
            server.routed.change_all(ids, write)
            for server, ids in zip(servers, ((1, 2), (2, 1), (1,)), strict=True)
        )
        assert await asyncio.gather(*changes) == ["written"] * 3


async def test_a_failed_change_resumes_the_screening(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        gateway = house.others()[0]

        async def write() -> None:
            raise ValueError("not valid")

        with pytest.raises(ValueError, match="not valid"):
            await gateway.routed.change(1, write)
        await gateway.hold_at("user:1", 1)
        assert set(await house.truth()) == {1}


async def test_a_sweep_at_one_node_releases_what_has_lapsed_at_all(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        screening_ids = (1, 2)
        for screening_id in screening_ids:
            await house.others()[0].hold_at("user:1", 1, screening_id=screening_id)
        assert await house.others()[0].routed.sweep() == 0
        for server in house.nodes.values():
            server.clock._now += 100_000.0
        assert await house.others()[0].routed.sweep() == len(screening_ids)
