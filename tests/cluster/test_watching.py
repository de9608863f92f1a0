"""Sockets of one node see the changes of screenings that another node owns, also after losses and moves."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cluster.beats import NodeState
from cluster.nats_server import NatsServer
from cluster.publishing import GATHER_SECONDS, NOWHERE, WATCH
from cluster.watching import ANSWER_SECONDS
from engine.commands import BookSeats, ReadStock
from engine.views import STATE_HASHED
from tests.api.cinema import eventually
from tests.cluster.nodes import Wiretap
from tests.cluster.servers import RENEW_SECONDS, Fleet, fleet, lose_changes
from tests.http.stage import on_both_loops
from tests.nats import own_nats_server

pytestmark = [pytest.mark.gen_test(timeout=510), pytest.mark.usefixtures("io_loop"), on_both_loops]


async def test_every_change_arrives_once_and_in_order(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, other) = house.owner_of(), house.others()
        viewers = [await server.viewer() for server in (owner, gateway, gateway, other)]
        for seat in range(1, 21):
            await (owner, gateway, other)[seat % 3].hold_at(f"user:{seat % 4}", seat)
        await gateway.ask(BookSeats(1, "user:1", (1, 5)))
        last = owner.screenings.position_of(1)
        await eventually(lambda: all(viewer.position == last for viewer in viewers))
        assert viewers[0].causes == ["seats_held"] * 20 + ["tickets_issued"]
        assert viewers[0].changes == viewers[1].changes == viewers[2].changes == viewers[3].changes
        truth = await house.truth()
        assert all(viewer.taken == truth and viewer.available == 0 for viewer in viewers)
        assert (gateway.tally.gaps, gateway.tally.reloads) == (0, 0)


async def test_a_change_is_sent_once_per_watching_node(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, _) = house.owner_of(), house.others()
        viewers = [await gateway.viewer() for _ in range(5)]
        await owner.hold_at("user:1", 1)
        await eventually(lambda: all(viewer.taken for viewer in viewers))
        assert (owner.tally.sent, gateway.tally.received) == (1, 1)
        for viewer in viewers[1:]:
            viewer.leave()
        await owner.hold_at("user:1", 2)
        await eventually(lambda: len(viewers[0].taken) == 2)
        assert owner.tally.sent == 2


async def test_hashes_are_made_while_a_socket_of_any_node_wants_them(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewers = [await gateway.viewer()]
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewers[0].changes) == 1)
        await owner.screenings.hash_states()
        assert owner.screenings.position_of(1) == viewers[0].position, "nobody has asked"
        viewers.append(await gateway.viewer(hashed=True))
        # The owner learns it when the watch is renewed.
        await eventually(lambda: owner.publisher.wants_hashes(1))
        await owner.screenings.hash_states()
        await eventually(lambda: all(viewer.causes[-1:] == [STATE_HASHED] for viewer in viewers))
        viewers[1].leave()
        await eventually(lambda: not owner.publisher.wants_hashes(1))
        here = await owner.viewer(hashed=True)
        assert owner.publisher.wants_hashes(1)
        here.leave()
        assert not owner.publisher.wants_hashes(1)
        viewers[0].leave()
        await gateway.viewer(hashed=True)
        await eventually(lambda: owner.publisher.wants_hashes(1))


async def test_nodes_of_earlier_releases_are_sent_hashes(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await gateway.links.call(owner.name, WATCH, [(1, *NOWHERE)], ANSWER_SECONDS)
        assert owner.publisher.wants_hashes(1)


async def test_changes_in_quick_succession_travel_together(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(10):
            for seat in range(1, 11):
                await owner.hold_at("user:1", seat)
                await asyncio.sleep(0)
            await owner.release_at("user:1", *range(1, 11))
        await eventually(lambda: len(viewer.changes) == 110)
        messages = sum(b"change" in content for _, content in tap.messages)
        assert messages <= (loop.time() - began) / GATHER_SECONDS + 2
        assert owner.tally.sent == 110


async def test_a_screening_that_nobody_watches_costs_no_message(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        viewer.leave()
        # Calls and messages keep their order, so the owner has been told when this is answered.
        await gateway.ask(ReadStock(1))
        await owner.hold_at("user:1", 2)
        here = await owner.viewer()
        await owner.hold_at("user:1", 3)
        await eventually(lambda: len(here.changes) == 1)
        await gateway.ask(ReadStock(1))
        await eventually(lambda: len(tap.messages) >= 8)
        assert sum(b"change" in content for _, content in tap.messages) == owner.tally.sent == 1


async def test_a_lost_change_is_found_by_the_next_one_and_filled(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        owner.connection.loses = lose_changes
        await owner.hold_at("user:1", 2)
        await owner.hold_at("user:1", 3)
        await eventually(lambda: owner.tally.sent == 3)
        owner.connection.loses = None
        await owner.hold_at("user:1", 4)
        await eventually(lambda: len(viewer.changes) == 4)
        assert [change.seq for change in viewer.changes] == [1, 2, 3, 4]
        assert (gateway.tally.gaps, gateway.tally.filled, gateway.tally.reloads) == (1, 1, 0)


async def test_a_lost_last_change_is_found_when_the_watch_is_renewed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        owner.connection.loses = lose_changes
        await owner.hold_at("user:1", 2)
        await eventually(lambda: owner.tally.sent == 2)
        owner.connection.loses = None
        await eventually(lambda: len(viewer.changes) == 2)
        assert viewer.taken == await house.truth()
        assert (gateway.tally.gaps, gateway.tally.filled, gateway.tally.reloads) == (1, 1, 0)
        # From now on nothing is missing.
        await asyncio.sleep(3 * RENEW_SECONDS)
        assert gateway.tally.gaps == 1


async def test_watchers_follow_a_planned_move(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, other) = house.owner_of(), house.others()
        viewers = [await server.viewer() for server in (owner, gateway, other)]
        await gateway.hold_at("user:1", 1, 2)
        await eventually(lambda: all(viewer.taken for viewer in viewers))
        house.set_state(owner, NodeState.DRAINING)
        successor = house.owner_of()
        assert successor is not owner
        await gateway.hold_at("user:1", 3)
        await other.hold_at("user:2", 4)
        await eventually(lambda: all(len(viewer.taken) == 4 for viewer in viewers))
        truth = await house.truth()
        assert all(viewer.taken == truth for viewer in viewers)
        house.set_state(owner, NodeState.SERVING)
        await gateway.release_at("user:1", 1)
        await eventually(lambda: all(len(viewer.taken) == 3 for viewer in viewers))
        causes = ["seats_held"] * 3 + ["holds_released"]
        assert [viewer.causes for viewer in viewers] == [causes] * 3
        assert [server.tally.reloads for server in (owner, gateway, other)] == [0, 0, 0]


async def test_watchers_learn_what_the_death_of_an_owner_has_changed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, other) = house.owner_of(), house.others()
        viewers = [await server.viewer() for server in (gateway, other)]
        await gateway.hold_at("user:1", 1)
        owner.journal.automatic = False
        await gateway.hold_at("user:1", 2)  # will be lost
        await eventually(lambda: all(len(viewer.taken) == 2 for viewer in viewers))
        await house.kill(owner)
        await eventually(lambda: all(len(viewer.taken) == 1 for viewer in viewers))
        truth = await house.truth()
        assert all(viewer.taken == truth and viewer.available == 19 for viewer in viewers)
        await gateway.hold_at("user:2", 3)
        await eventually(lambda: all(len(viewer.taken) == 2 for viewer in viewers))


async def test_what_was_missed_without_nats_is_filled_as_soon_as_it_is_back(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as nats, AsyncExitStack() as stack:
        house = Fleet(nats.url, stack)
        await house.join()
        await house.join()
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        await nats.stop()
        await eventually(lambda: not gateway.connection.connected and not owner.connection.connected)
        for seat in range(2, 6):
            await owner.hold_at("user:1", seat)
        await nats.start()
        await eventually(lambda: len(viewer.taken) == 5)
        assert viewer.causes == ["seats_held"] * 5
        await owner.hold_at("user:1", 6)
        await eventually(lambda: len(viewer.taken) == 6)
