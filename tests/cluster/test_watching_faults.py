"""Sockets when connections stall, messages are too long or not understood, and screenings vanish."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import pytest

from cluster import watching, wire
from cluster.beats import NodeState
from cluster.missed import ASKED_AT_ONCE
from cluster.nats_server import NatsServer
from cluster.publishing import CHANGE
from engine.commands import BookSeats, HoldPlaces, HoldSeats, PlaceOrder, ReadStock, ReleaseHolds
from engine.errors import EngineError
from engine.records import TicketType
from engine.replies import Changes
from tests.api.cinema import eventually
from tests.cluster.servers import Fleet, Server, fleet, lose_changes
from tests.engine.conftest import make_info, make_layout
from tests.relay import Relay, Stream

pytestmark = [pytest.mark.gen_test(timeout=510), pytest.mark.usefixtures("io_loop")]


def owner_and_next(house: Fleet) -> tuple[Server, Server, Server]:
    """Return the owner of screening 1 among three nodes, who takes it when that drains, and the third."""
    first, others = house.owner_of(), house.others()
    house.set_state(first, NodeState.DRAINING)
    second = house.owner_of()
    house.set_state(first, NodeState.SERVING)
    (gateway,) = [server for server in others if server is not second]
    return first, second, gateway


class Stalling(Relay):
    """A connection to NATS that can stop carrying anything to the node."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def connect(self) -> Stream:
        return await asyncio.open_connection("127.0.0.1", self._port)

    def stall(self) -> None:
        for circuit in self._circuits:
            circuit.server.transport.pause_reading()


@pytest.mark.usefixtures("brisk_pings")
async def test_a_slow_consumer_that_nats_gives_up_catches_up(nats_server: NatsServer) -> None:
    async with AsyncExitStack() as stack:
        house = Fleet(nats_server.url, stack)
        await house.join()
        parts = urlsplit(nats_server.url)
        relay = Stalling(parts.port or 0)
        port = await relay.listen()
        stack.push_async_callback(relay.stop)
        gateway = await house.join(f"nats://{parts.username}@127.0.0.1:{port}")
        while not (screenings := [n for n in (1, 2) if house.owner_of(n) is not gateway]):
            await house.join()
        screening = screenings[0]
        owner = house.owner_of(screening)
        viewer = await gateway.viewer(screening)
        await owner.hold_at("user:1", 20, screening_id=screening)
        await eventually(lambda: len(viewer.changes) == 1)
        relay.stall()
        for seat in range(1, 20):
            await owner.ask(HoldSeats(screening, "user:2", (seat,), note="x" * 100_000))
            await owner.ask(ReleaseHolds(screening, "user:2", (seat,)))
        await eventually(lambda: gateway.connection.number == 2)
        await eventually(lambda: viewer.position == owner.screenings.position_of(screening))
        assert viewer.taken == await house.truth(screening)


async def test_a_change_that_is_too_long_makes_the_node_ask(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        with monkeypatch.context() as patched:
            patched.setattr(wire, "CHANGE_BYTES_LIMIT", 10)
            await owner.hold_at("user:1", 2)
            await owner.hold_at("user:1", 3)
            await eventually(lambda: owner.tally.sent == 3)
        await eventually(lambda: len(viewer.changes) == 3)
        assert gateway.tally.reloads == 0
        with monkeypatch.context() as patched:
            patched.setattr(wire, "CHANGE_BYTES_LIMIT", 10)
            patched.setattr(wire, "MISSED_BYTES_LIMIT", 10)
            await owner.hold_at("user:1", 4)
            await eventually(lambda: len(viewer.taken) == 4)
        assert viewer.causes[-1] == "all_seats_shown"
        assert gateway.tally.reloads == 1
        assert viewer.taken == await house.truth()


async def test_a_change_of_a_newer_release_makes_the_node_ask(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        owner.connection.loses = lose_changes
        await owner.hold_at("user:1", 2)
        await eventually(lambda: owner.tally.sent == 2)
        owner.connection.loses = None
        owner.links.send(gateway.name, CHANGE, (1, *viewer.position, b"\xffnewer", "more"))
        await eventually(lambda: len(viewer.changes) == 2)
        await owner.hold_at("user:1", 3)
        await eventually(lambda: len(viewer.changes) == 3)
        assert viewer.causes == ["seats_held"] * 3


async def test_the_counts_of_an_event_without_seats_are_filled_too(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        kind = TicketType(70, 1000, 50, 10, None, None, closed=False)
        house.database.add_screening(make_info(7, seated=False, ticket_types={70: kind}), make_layout(0))
        owner, (gateway,) = house.owner_of(7), house.others(7)
        viewer = await gateway.viewer(7)
        orders = (PlaceOrder(70, 2),)
        await gateway.ask(HoldPlaces(7, "user:1", orders, 300.0))
        await eventually(lambda: viewer.available == 48)
        owner.connection.loses = lose_changes
        await gateway.ask(HoldPlaces(7, "user:2", orders, 300.0))
        await eventually(lambda: owner.tally.sent == 2)
        owner.connection.loses = None
        await eventually(lambda: viewer.available == 46)
        await gateway.ask(HoldPlaces(7, "user:3", orders, 300.0))
        await eventually(lambda: viewer.available == 44)
        seen = len(viewer.changes)
        gateway.watching._seek(gateway.watching._watched[7])
        await eventually(lambda: not gateway.watching._watched[7].asked)
        await gateway.ask(HoldPlaces(7, "user:4", orders, 300.0))
        await eventually(lambda: viewer.available == 42)
        assert len(viewer.changes) == seen + 1


async def test_only_a_few_screenings_are_asked_for_at_once(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        screenings = range(100, 160)
        for screening in screenings:
            house.database.add_screening(make_info(screening), make_layout())
        gateway, other = house.nodes.values()
        assert isinstance(gateway, Server) and isinstance(other, Server)
        viewers = [await gateway.viewer(screening) for screening in screenings]
        for screening in screenings:
            await gateway.hold_at("user:1", 1, screening_id=screening)
        await eventually(lambda: all(viewer.taken for viewer in viewers))
        await house.kill(other)
        most = 0

        def caught_up() -> bool:
            nonlocal most
            most = max(most, len(gateway.watching._missed._tasks))
            return all(
                viewer.position == gateway.screenings.position_of(n)
                for n, viewer in zip(screenings, viewers, strict=True)
            )

        await eventually(caught_up)
        assert 0 < most <= ASKED_AT_ONCE


async def test_an_owner_forgets_nodes_that_are_gone_or_silent(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, other) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await other.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: owner.tally.sent == 2)
        await house.kill(other)
        await owner.hold_at("user:1", 2)
        await eventually(lambda: len(viewer.changes) == 2)
        assert owner.tally.sent == 3
        assert gateway.watching._timer is not None
        owner.changes_publisher._watch_seconds = 0.5
        gateway.watching.renew()
        gateway.watching._timer.cancel()  # as if it was stopped for a while
        await eventually(lambda: not owner.changes_publisher._audiences)
        await owner.hold_at("user:1", 3)
        gateway.watching.renew()
        await eventually(lambda: len(viewer.changes) == 3)
        assert owner.tally.sent == 3
        await owner.hold_at("user:1", 4)
        await eventually(lambda: len(viewer.changes) == 4)


async def test_a_socket_misses_nothing_if_its_first_watch_is_lost(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ANSWER_SECONDS", 0.3)
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await owner.hold_at("user:1", 1)
        gateway.connection.loses = {"watch"}.__contains__
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 2)
        await owner.hold_at("user:1", 3)
        gateway.connection.loses = None
        await eventually(lambda: len(viewer.changes) == 2)
        assert viewer.causes == ["seats_held"] * 2
        await owner.hold_at("user:1", 4)
        await eventually(lambda: len(viewer.changes) == 3)


@pytest.mark.parametrize("moves", [1, 2])
async def test_a_socket_misses_nothing_if_epochs_have_begun_before_its_first_watch_arrives(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    monkeypatch.setattr(watching, "ANSWER_SECONDS", 0.3)
    async with fleet(nats_server.url, 3) as house:
        first, second, gateway = owner_and_next(house)
        gateway.connection.loses = {"watch"}.__contains__
        viewer = await gateway.viewer()
        await first.hold_at("user:1", 1)
        house.set_state(first, NodeState.DRAINING)
        await second.hold_at("user:1", 2)
        if moves == 2:
            house.set_state(first, NodeState.SERVING)
            await first.hold_at("user:1", 3)
        truth = await house.truth()
        assert viewer.taken == {}
        gateway.connection.loses = None
        await eventually(lambda: viewer.position == house.owner_of().screenings.position_of(1))
        assert viewer.taken == truth


@pytest.mark.parametrize("slice_", [1, 3])
async def test_what_is_watched_is_repeated_in_slices(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, slice_: int
) -> None:
    monkeypatch.setattr(watching, "SLICE", slice_)
    async with fleet(nats_server.url) as house:
        screenings = range(100, 110)
        for screening in screenings:
            house.database.add_screening(make_info(screening), make_layout())
        gateway, other = house.nodes.values()
        viewers = [await gateway.viewer(screening) for screening in screenings]
        for screening in screenings:
            await gateway.hold_at("user:1", 1, screening_id=screening)
        await eventually(lambda: all(viewer.taken for viewer in viewers))
        other.connection.loses = lose_changes
        for screening in screenings:
            await gateway.hold_at("user:1", 2, screening_id=screening)
        await eventually(lambda: all(len(viewer.taken) == 2 for viewer in viewers))


async def test_an_answer_of_an_outdated_owner_is_not_believed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        for seat in (1, 2):
            await owner.hold_at("user:1", seat)
        await eventually(lambda: len(viewer.changes) == 2)
        owner.connection.loses = lose_changes
        await owner.hold_at("user:1", 3)
        await eventually(lambda: owner.tally.sent == 3)
        owner.connection.loses = None
        gateway.prepared = [Changes(*viewer.position, ())._replace(seq=1)]
        await owner.hold_at("user:1", 4)
        await eventually(lambda: len(viewer.changes) == 4)
        assert gateway.prepared == []
        assert viewer.causes == ["seats_held"] * 4


async def test_a_former_owner_does_not_know_what_another_has_changed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        first, second, gateway = owner_and_next(house)
        viewer = await gateway.viewer()
        await first.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        # The screening moves away and comes back, and the gateway loses what has changed meanwhile.
        second.connection.loses = lose_changes
        house.set_state(first, NodeState.DRAINING)
        await second.hold_at("user:1", 2)
        house.set_state(first, NodeState.SERVING)
        await eventually(lambda: len(viewer.taken) == 2)


async def test_repeating_while_changes_are_on_their_way_finds_no_gaps(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 20)
        await eventually(lambda: len(viewer.changes) == 1)
        for _ in range(20):
            await owner.hold_at("user:1", 1)
            gateway.watching.renew()
            await owner.release_at("user:1", 1)
            await asyncio.sleep(0.001)
        await eventually(lambda: len(viewer.changes) == 41)
        # If the machine stalls, a change may be on its way for longer than it is waited for.
        assert gateway.tally.gaps <= 2


async def test_a_deleted_screening_is_not_asked_for_again_and_again(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        viewer = await gateway.viewer()
        await owner.hold_at("user:1", 1)
        await eventually(lambda: len(viewer.changes) == 1)
        await owner.release_at("user:1", 1)
        del house.database.screenings[1]
        house.set_state(owner, NodeState.DRAINING)
        await eventually(lambda: bool(gateway.watching._missed._timers))
        (timer,) = gateway.watching._missed._timers.values()
        assert timer.when() - asyncio.get_running_loop().time() > 10
        viewer.leave()


@pytest.mark.parametrize("seed", range(6))
async def test_pictures_are_true_after_losses_and_moves(nats_server: NatsServer, seed: int) -> None:
    draw = random.Random(seed)
    async with fleet(nats_server.url, 3) as house:
        servers = list(house.nodes.values())
        viewers = {n: await draw.choice(servers).viewer(draw.choice((1, 2))) for n in range(8)}

        def loses(kind: str) -> bool:
            return draw.random() < {"change": 0.3, "watch": 0.1, "unwatch": 0.5}.get(kind, 0)

        for step in range(300):
            server, screening = draw.choice(servers), draw.choice((1, 2))
            seats = tuple(draw.sample(range(1, 21), draw.randint(1, 3)))
            holder = f"user:{draw.randint(1, 3)}"
            with suppress(EngineError):
                match draw.randint(0, 9):
                    case 0 | 1 | 2 | 3:
                        await server.hold_at(holder, *seats, screening_id=screening)
                    case 4 | 5 | 6:
                        await server.release_at(holder, *seats, screening_id=screening)
                    case 7:
                        await server.ask(BookSeats(screening, holder, seats[:1]))
                    case 8:
                        number = draw.choice(list(viewers))
                        viewers.pop(number).leave()
                        viewers[number] = await server.viewer(screening)
                    case 9:
                        serving = [one for one in servers if house.states[one.name] is NodeState.SERVING]
                        if server not in serving:
                            house.set_state(server, NodeState.SERVING)
                        elif len(serving) > 1:
                            house.set_state(server, NodeState.DRAINING)
            server.connection.loses = draw.choice((None, None, loses))
            if step % 20 == 0:
                await asyncio.sleep(draw.random() * 0.05)
            if step == 150:
                victim = draw.choice(servers)
                servers.remove(victim)
                for number, viewer in list(viewers.items()):
                    if viewer.server is victim:
                        viewers[number] = await draw.choice(servers).viewer(viewer.watcher.screening_id)
                await house.kill(victim)
                if house.members.owner_of(1) is None:
                    house.set_state(draw.choice(servers), NodeState.SERVING)
        for server in servers:
            server.connection.loses = None
        truths = {screening: await house.truth(screening) for screening in (1, 2)}
        stocks = {screening: await servers[0].ask(ReadStock(screening)) for screening in (1, 2)}
        for viewer in viewers.values():
            screening = viewer.watcher.screening_id
            await eventually(lambda v=viewer, s=screening: v.taken == truths[s])
            assert viewer.available == stocks[screening].available
        assert sum(server.tally.gaps for server in servers) > 0
