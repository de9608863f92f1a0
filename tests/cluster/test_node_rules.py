"""Whole nodes on a database in memory, in virtual time: they join, own screenings, hand over and leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from cluster.beats import Facts, Load, NodeState, Rules, Timing
from cluster.errors import NatsUnavailable, NoAnswer, NodeRefused
from cluster.hashing import Ring
from cluster.heartbeat import BEAT
from cluster.node import STRANGER_SECONDS, Node
from cluster.peers import ACCEPT
from engine.accounts import RevokedToken
from engine.clock import SystemClock
from engine.commands import HoldSeats, ReadStock
from engine.directory import ScreeningDirectory
from engine.errors import StoreUnavailable
from engine.memory import MemoryDatabase, MemoryIds, MemoryJournal, MemoryStore, NullObserver
from engine.policy import Policy
from tests.cluster.servers import Layouts, Tally
from tests.cluster.virtual import connection, in_virtual_time, virtual_nats
from tests.engine.conftest import NOW, make_info, make_layout
from tests.simulation.network import Nats

RULES: Rules = {"FRONTROW_HOLD_SECONDS": 300.0}
TIMING = Timing()
SCREENINGS = range(1, 13)
SETTLED = 2.0
"""Enough for nodes to agree, and to give screenings away."""

_numbers = count(1)


class Store(MemoryStore):
    """The database as one node sees it.

    Attributes:
        away: it cannot be reached.
        slow: screenings are loaded when this is set.
        asked: how often it was asked what the node still owns.
        looked: how often it was asked for the screenings with holds.
    """

    away = False
    slow: asyncio.Event | None = None
    asked = looked = 0

    async def lost(self, epochs: Mapping[int, int]) -> Sequence[int]:
        self.asked += 1
        self._require()
        return await super().lost(epochs)

    async def overdue(self, *arguments: Any, **named: Any) -> Sequence[int]:
        self.looked += 1
        self._require()
        return await super().overdue(*arguments, **named)

    async def activate(self, *arguments: Any, **named: Any) -> Any:
        self._require()
        if self.slow is not None:
            await self.slow.wait()
        return await super().activate(*arguments, **named)

    def _require(self) -> None:
        if self.away:
            raise StoreUnavailable


class Server:
    """A node with a directory, and a feed that shows what its sockets are sent.

    Attributes:
        shown: screening and number of each change.
        repeated: how often it has told owners what its sockets watch.
    """

    repeated = 0

    def __init__(self, nats: Nats, database: MemoryDatabase, name: str = "", rules: Rules = RULES) -> None:
        now = nats.loop.time
        number = next(_numbers)
        self.mark = f"{number:08x}"
        self.name = name or f"node-{self.mark}"
        self.shown: list[tuple[int, int]] = []
        self.connection = connection(nats, self.name)
        facts = Facts(self.mark, self.name, f"{self.name}:1", "host", "1", 1, number)
        self.node = Node(self.connection, "cluster", facts, rules, TIMING, lambda mark: mark, now)
        self.clock = SystemClock(lambda: NOW + now(), now, now)
        self.store = Store(database, self.mark)
        self.journal = MemoryJournal(database)
        self.directory = ScreeningDirectory(
            *(self.store, self.journal, self.node.publisher(Tally()), NullObserver(), self.clock),
            *(MemoryIds(number * 1000), MemoryIds(number * 1000), Policy()),
            peers=self.node.peers,
        )
        self.screenings = self.node.own(
            *(self.directory, self, self.clock, Layouts(), Tally(), 10.0)  # type: ignore[arg-type]
        )
        self.node.load = lambda: (self.directory.active_count, 5, 0.25)

    # Its feed

    def observe_audiences(self, observer: Any) -> None:
        self.sockets = observer

    def oldest_since(self, screening_id: int) -> None:
        return None

    def wants_hashes(self, screening_id: int) -> bool:
        self.repeated += 1
        return False

    def publish(self, change: Any) -> None:
        self.shown.append((change.screening_id, change.seq))

    # Its life

    async def join(self, *living: "Server") -> None:
        """Join a cluster on a database that these servers use."""

        async def used() -> Mapping[str, str]:
            return {server.mark: server.name for server in (self, *living)}

        await self.node.join(used)

    async def stop(self) -> None:
        await self.node.leave()
        await self.directory.stop()

    def cut(self, away: bool = True) -> None:
        """Lose NATS, or find it again."""
        self.connection.cable.set("cut", "both", away)
        if away:
            self.connection.abandon()

    async def hold(self, seat: int, screening_id: int = 1) -> Any:
        return await self.screenings.ask(HoldSeats(screening_id, f"user:{seat}", (seat,)))

    def sees(self, other: "Server") -> NodeState | None:
        return self.node.membership.view.states.get(other.mark)

    @property
    def active(self) -> set[int]:
        return set(self.directory.active_ids())

    @property
    def share(self) -> set[int]:
        """The screenings that it should own."""
        return {number for number in SCREENINGS if self.node.membership.owner_of(number) == self.mark}


class Cluster:
    """Makes nodes on one database and one NATS server."""

    def __init__(self) -> None:
        self.nats = virtual_nats()
        self.database = MemoryDatabase()
        for number in SCREENINGS:
            self.database.add_screening(make_info(number), make_layout())
        self.servers: list[Server] = []

    def make(self, name: str = "", rules: Rules = RULES) -> Server:
        server = Server(self.nats, self.database, name, rules)
        self.servers.append(server)
        return server

    async def join(self) -> Server:
        server = self.make()
        await server.join()
        return server


@asynccontextmanager
async def cluster(number: int = 0) -> AsyncIterator[Any]:
    """A cluster, and nodes that have joined it."""
    made = Cluster()
    servers = [await made.join() for _ in range(number)]
    await asyncio.sleep(SETTLED)
    yield (made, *servers) if servers else made
    for server in made.servers:
        await server.stop()


def now() -> float:
    return asyncio.get_running_loop().time()


async def error_of(work: Awaitable[Any]) -> Any:
    (error,) = await asyncio.gather(work, return_exceptions=True)
    assert isinstance(error, Exception), error
    return error


# Joining


@in_virtual_time
async def test_a_node_that_has_joined_serves() -> None:
    async with cluster() as made:
        server = made.make()
        assert not server.node.lease_seconds > 0
        await server.join()
        assert server.connection.connected
        assert server.node.lease_seconds == pytest.approx(TIMING.lease_seconds, abs=0.5)
        assert server.node.states == {"serving": 1}
        assert (await server.hold(1)).seat_ids == (1,)
        await asyncio.sleep(60)
        assert (await server.hold(2)).seat_ids == (2,)
        (beat,) = server.node.membership.table()
        assert beat.load == Load(1, 5, 0.25)


@in_virtual_time
async def test_a_node_does_not_join_without_nats_or_with_other_settings() -> None:
    async with cluster(1) as (made, _):
        other = made.make(rules={"FRONTROW_HOLD_SECONDS": 60.0})
        assert isinstance(await error_of(other.join()), NodeRefused)
        made.nats.kill()
        assert isinstance(await error_of(made.make().join()), NatsUnavailable)


@in_virtual_time
async def test_a_node_waits_for_others_that_use_the_database() -> None:
    async with cluster() as made:
        late, server = made.make(), made.make()
        joining = asyncio.ensure_future(server.join(late))
        await asyncio.sleep(STRANGER_SECONDS / 2)
        assert not joining.done()
        assert server.store.looked == 0, "it does not own anything yet"
        await late.join()
        await joining
        await asyncio.sleep(SETTLED)
        assert server.sees(late) is late.sees(server) is NodeState.SERVING


@in_virtual_time
async def test_a_node_that_does_not_hear_others_does_not_join_and_says_which() -> None:
    async with cluster(1) as (made, known):
        strangers = [made.make(name) for name in ("stranger-1", "stranger-2", "stranger-3")]
        server = made.make()
        began = now()
        error = await error_of(server.join(known, *strangers))
        assert isinstance(error, NodeRefused)
        assert "is also served by stranger-1, which" in str(error)
        assert [now() - began] == pytest.approx([STRANGER_SECONDS + 1], abs=1)
        await asyncio.sleep(0.1)
        assert known.sees(server) is NodeState.GONE


@in_virtual_time
async def test_a_node_that_joins_loads_the_screenings_with_holds() -> None:
    async with cluster(1) as (made, server):
        await server.hold(1)
        await server.stop()
        made.servers.remove(server)
        # As if no server had owned any screening.
        made.database.owners.clear()
        made.database.epochs.clear()
        other = await made.join()
        await asyncio.sleep(SETTLED)
        assert other.active == {1}


# Sharing what there is


@in_virtual_time
async def test_screenings_move_to_a_node_that_has_joined_and_away_from_one_that_drains() -> None:
    async with cluster(1) as (made, first):
        for number in SCREENINGS:
            await first.hold(1, number)
        second = await made.join()
        await asyncio.sleep(SETTLED)
        assert first.share and second.share
        assert (first.active, second.active) == (first.share, second.share)
        for number in SCREENINGS:
            for seat, server in ((2, first), (3, second)):
                assert (await server.hold(seat, number)).seat_ids == (seat,)
        await second.node.drain(5)
        assert (first.active, second.active) == (set(SCREENINGS), set())
        assert second.node.readiness.reasons().keys() == {"node"}


@in_virtual_time
async def test_screenings_move_again_when_the_members_change_once_more() -> None:
    async with cluster(1) as (made, first):
        for number in SCREENINGS:
            await first.hold(1, number)
        others = [await made.join() for _ in range(2)]
        await asyncio.sleep(SETTLED)
        servers = [first, *others]
        assert [server.active for server in servers] == [server.share for server in servers]
        await others[0].stop()
        made.servers.remove(others[0])
        await asyncio.sleep(SETTLED)
        assert first.sees(others[0]) is NodeState.GONE
        for number in SCREENINGS:
            assert (await others[1].hold(2, number)).seat_ids == (2,)
        assert [server.active for server in (first, others[1])] == [first.share, others[1].share]


@in_virtual_time
async def test_members_that_only_change_their_state_move_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with cluster(2) as (made, first, _):
        await asyncio.sleep(SETTLED)
        first.store.away = True
        stranger = made.make(rules={"FRONTROW_HOLD_SECONDS": 60.0})
        await error_of(stranger.join())
        await asyncio.sleep(SETTLED)
        assert "could be moved" not in caplog.text
        first.store.away = False


@in_virtual_time
async def test_a_database_that_is_away_is_reported_and_the_next_change_of_members_moves_screenings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with cluster(1) as (made, first):
        await first.hold(1)
        first.store.away = True
        second = await made.join()
        await asyncio.sleep(SETTLED)
        assert "not all screenings could be moved to their owners" in caplog.text
        first.store.away = False
        await made.join()
        await asyncio.sleep(SETTLED)
        assert first.active <= first.share
        assert (await second.hold(2)).seat_ids == (2,)


@in_virtual_time
async def test_a_screening_that_is_loaded_while_others_are_given_away_is_given_away_as_well() -> None:
    async with cluster(1) as (made, first):
        second = made.make()
        ring = Ring((first.mark, second.mark))
        given, loaded, *_ = (number for number in SCREENINGS if ring.owner_of(number) == second.mark)
        await first.screenings.ask(ReadStock(given))
        first.store.slow, second.store.slow = asyncio.Event(), asyncio.Event()
        asked = asyncio.ensure_future(first.screenings.ask(ReadStock(loaded)))
        await second.join()
        await asyncio.sleep(SETTLED)
        first.store.slow.set()
        await asked
        assert first.active == {loaded}
        second.store.slow.set()
        await asyncio.sleep(SETTLED)
        assert (first.active, second.active) == (set(), {given, loaded})


@in_virtual_time
async def test_a_node_drains_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    async with cluster(2) as (_, first, second):
        for number in SCREENINGS:
            await first.hold(1, number)
        second.node.links.on(ACCEPT, lambda *_: asyncio.get_running_loop().create_future())
        began = now()
        await first.node.drain(1.5)
        assert [now() - began] == pytest.approx([1.5])
        assert "were not handed over in time" in caplog.text
        # It leaves although something is still being handed over.
        began = now()
        await first.node.leave()
        assert [now() - began] == pytest.approx([0.0], abs=0.1)


@in_virtual_time
async def test_a_single_node_that_drains_releases_its_screenings() -> None:
    async with cluster(1) as (_, server):
        await server.hold(1)
        await server.node.drain(5)
        assert server.active == set()


# Leaving


@in_virtual_time
async def test_a_node_that_leaves_says_goodbye_and_disconnects() -> None:
    async with cluster(2) as (made, first, second):
        first.node.links.on("hang", lambda *_: asyncio.get_running_loop().create_future())
        call = second.node.links.call(first.mark, "hang", None, 60)
        await asyncio.sleep(0.1)
        second.sockets.watched(next(iter(first.share)))
        looked, repeated = second.store.looked, second.repeated
        await second.stop()
        made.servers.remove(second)
        assert isinstance(call.exception(), NoAnswer)
        assert not second.connection.connected
        await asyncio.sleep(0.1)
        assert first.sees(second) is NodeState.GONE
        await asyncio.sleep(20)
        assert (second.store.looked, second.repeated) == (looked, repeated)


@in_virtual_time
async def test_a_node_that_has_not_joined_can_leave() -> None:
    async with cluster() as made:
        await made.make().node.leave()


# Leases, and connections that are lost


@in_virtual_time
async def test_a_node_without_nats_serves_what_it_owns_until_another_takes_it() -> None:
    async with cluster(2) as (_, first, second):
        for number in SCREENINGS:
            await first.hold(1, number)
        first.cut()
        await asyncio.sleep(2.5)
        assert first.node.readiness.reasons() == {}
        assert first.node.readiness.degraded().keys() == {"nats"}
        kept = next(iter(first.share))
        assert (await first.hold(2, kept)).seat_ids == (2,)
        first.store.die()
        await asyncio.sleep(10)
        assert (await second.hold(3, kept)).seat_ids == (3,)
        await asyncio.sleep(2)
        assert first.node.readiness.reasons().keys() == {"nats"}
        assert kept not in first.active
        first.cut(away=False)
        await asyncio.sleep(10)
        assert first.node.readiness.reasons() == {}
        assert (await first.hold(4, kept)).seat_ids == (4,)


@in_virtual_time
async def test_a_lease_that_has_lapsed_is_confirmed_by_the_database() -> None:
    async with cluster(1) as (_, server):
        await server.hold(1)
        for _ in range(2):
            server.store.away = True
            server.cut()
            await asyncio.sleep(10)
            assert not server.node.lease_seconds > 0
            assert server.node.readiness.reasons().keys() == {"node"}
            server.store.away = False
            server.cut(away=False)
            await asyncio.sleep(5)
            assert server.node.readiness.reasons() == {}
            assert (await server.screenings.ask(ReadStock(1))).available == 19


@in_virtual_time
async def test_a_lease_that_only_the_directory_takes_for_lapsed_is_confirmed_as_well() -> None:
    async with cluster(1) as (_, server):
        await server.hold(1)
        asked = server.store.asked
        await asyncio.sleep(10)
        assert server.store.asked == asked, "its beats come back"
        server.directory.owned.set_lease(-1.0)
        await asyncio.sleep(2 * TIMING.node_heartbeat_seconds)
        assert server.store.asked > asked
        assert (await server.screenings.ask(ReadStock(1))).available == 19


@in_virtual_time
async def test_a_connection_that_is_found_again_is_used_at_once() -> None:
    async with cluster(2) as (made, first, second):
        number = next(iter(first.share))
        second.sockets.watched(number)
        await asyncio.sleep(0.1)
        await first.hold(1, number)
        await asyncio.sleep(0.1)
        assert len(second.shown) == 1
        heard: list[tuple[str, float]] = []
        heartbeat_heard = first.node.links._handlers[BEAT]

        def hear(sender: str, value: Any) -> None:
            heard.append((sender, now()))
            heartbeat_heard(sender, value)

        first.node.links.on(BEAT, hear)
        # Just after a beat, so that the next one is far away.
        while not heard or heard[-1][0] != second.mark:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        second.cut()
        await first.hold(2, number)
        await asyncio.sleep(0.2)
        heard.clear()
        second.cut(away=False)
        await asyncio.sleep(0.3)
        assert second.connection.connected
        assert [shown for _, shown in second.shown] == [1, 2]
        assert second.mark in {sender for sender, _ in heard}
        assert made.servers == [first, second]


# Messages between nodes


class Told:
    """Stands at the end of what is shared: revocations, offers and the door."""

    def __init__(self) -> None:
        self.adopted: list[Any] = []
        self.cleared = 0
        self.counted: list[int] = []

    def adopt(self, revoked: Any) -> None:
        self.adopted.append(revoked)

    async def refresh(self) -> None: ...

    def on_revoked(self, handler: Callable[[Any], None]) -> None:
        self.revoke = handler

    def clear(self) -> None:
        self.cleared += 1

    def on_forget(self, handler: Callable[[], Awaitable[object]]) -> None:
        self.forget = handler

    def on_told(self, tell: Callable[[Collection[int]], None]) -> None:
        self.admit = tell

    def changed(self, screening_ids: Collection[int]) -> None:
        self.counted += screening_ids


@in_virtual_time
async def test_revocations_offers_and_the_door_are_shared() -> None:
    async with cluster(2) as (_, *servers):
        here, there = Told(), Told()
        for server, told in zip(servers, (here, there), strict=True):
            server.node.share(told, told, told)
        here.revoke(RevokedToken("t1", 7, 500.0))
        await here.forget()
        here.admit([7])
        await asyncio.sleep(0.1)
        assert there.adopted == [RevokedToken("t1", 7, 500.0)]
        assert (there.cleared, there.counted) == (1, [7])
