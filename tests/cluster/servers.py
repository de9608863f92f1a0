"""Servers on one database, over a real NATS server, whose sockets watch each other's screenings.

The membership is in the test's hands; directories, feeds and everything between are real.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import msgspec

from api.ws.feed import Changes, Frames, SeatFeed, Watcher
from api.ws.feed import Position as FeedPosition
from cluster.answering import Answering
from cluster.beats import NodeState
from cluster.connection import Connection
from cluster.forwarding import Forwarding
from cluster.hashing import Ring
from cluster.links import CALL, REPLY, SEND, Links
from cluster.membership import View
from cluster.peers import NodePeers
from cluster.publishing import ChangePublisher
from cluster.screenings import RoutedScreenings
from cluster.watching import Watching
from engine.clock import SystemClock
from engine.commands import Command, HoldSeats, ReadSeats, ReadStock, ReleaseHolds
from engine.memory import MemoryDatabase
from engine.records import Layout
from engine.views import ALL_SEATS_SHOWN, SeatsChanged
from tests.engine.conftest import make_layout
from tests.engine.house import House

RENEW_SECONDS = 0.2
WATCH_SECONDS = 60.0
"""So long that no owner forgets a watching node only because the machine is busy."""

SECONDS = 60.0

_numbers = count(1)


class LossyConnection(Connection):
    """Loses single messages, calls and replies between nodes, on request.

    Attributes:
        loses: decides by the kind of a message or call; "reply" for all replies.
    """

    loses: Callable[[str], bool] | None = None

    def publish(self, subject: str, content: bytes, reply: str = "") -> None:
        if self.loses is not None:
            message = msgspec.msgpack.decode(content)
            message[2] = [item for item in message[2] if not self.loses(_kind_of(item))]
            content = msgspec.msgpack.encode(message)
        super().publish(subject, content, reply)


def _kind_of(item: list[Any]) -> str:
    at = {SEND: 1, CALL: 3}.get(item[0])
    if at is None:
        return "reply" if item[0] == REPLY else ""
    return str(item[at])


class Tally:
    """Counts what `WatchObserver` counts, and frames.

    Attributes:
        outcomes: of forwarded commands.
    """

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str]] = []
        self.sent = self.received = self.gaps = self.filled = self.reloads = 0

    def changes_sent(self, count: int) -> None:
        self.sent += count

    def change_received(self) -> None:
        self.received += 1

    def gap_found(self) -> None:
        self.gaps += 1

    def gap_filled(self) -> None:
        self.filled += 1

    def screening_reloaded(self) -> None:
        self.reloads += 1

    def frames_sent(self, count: int) -> None: ...

    def update_sent(self, age_seconds: float) -> None: ...

    def forwarded(self, kind: str, seconds: float, outcome: str) -> None:
        self.outcomes.append((kind, outcome))


class Members:
    """The members, as all nodes see them."""

    state = NodeState.SERVING

    def __init__(self) -> None:
        self.view = View(0, {}, Ring(()))
        self._handlers: list[Callable[[View, View], None]] = []

    def owner_of(self, screening_id: int) -> str | None:
        return self.view.ring.owner_of(screening_id)

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        self._handlers.append(handler)

    def may_take(self, node: str) -> bool:
        return self.view.states.get(node) is NodeState.GONE

    def may_answer(self, node: str, raised_at: float) -> bool:
        return self.may_take(node)

    def become(self, states: dict[str, NodeState]) -> None:
        before = self.view
        serving = [node for node, state in states.items() if state is NodeState.SERVING]
        self.view = View(before.version + 1, states, Ring(serving))
        for handler in self._handlers:
            handler(before, self.view)


class Layouts:
    """The layout of all rooms, once it has been loaded.

    Attributes:
        loads: how often it was loaded.
    """

    def __init__(self) -> None:
        self.loads = 0

    def known_layout(self, room_id: int, version: int) -> Layout | None:
        return make_layout() if self.loads else None

    async def layout(self, room_id: int, version: int) -> Layout:
        self.loads += 1
        return make_layout()


class Server(House):
    """A node with sockets.

    Attributes:
        tally: counts.
        layouts: that it knows.
        prepared: answers to the next commands, instead of the owner's.
    """

    def __init__(self, fleet: "Fleet", url: str) -> None:
        self.name = f"{next(_numbers):08x}"
        self.fleet = fleet
        self.connection = LossyConnection([url], self.name)
        self.links = Links(self.connection, fleet.name, self.name)
        self.tally = Tally()
        self.layouts = Layouts()
        self.prepared: list[Any] = []
        self.changes_publisher = ChangePublisher(
            self.links,
            fleet.members,
            lambda screening_id: self.screenings.position_of(screening_id),
            self.tally,
            watch_seconds=WATCH_SECONDS,
        )
        peers = NodePeers(self.links, fleet.members, lambda name: name)  # type: ignore[arg-type]
        super().__init__(fleet.database, self.changes_publisher, owner=self.name, peers=peers)
        peers.serve(self.screenings, self.changes_publisher.flush)
        for ids in (self.hold_ids, self.ticket_ids):
            ids._next += 100_000 * len(fleet.nodes)
        self.feed = SeatFeed(SystemClock(), self.tally, tick_seconds=0)
        Answering(self.links, self.screenings)
        forwarding = Forwarding(
            self.links,
            fleet.members,
            self.layouts,
            self.tally,  # type: ignore[arg-type]
        )
        self.routed = RoutedScreenings(
            self.screenings,
            forwarding,
            self.links,
            fleet.members,
            SECONDS,  # type: ignore[arg-type]
        )
        self.watching = Watching(
            self.links,
            fleet.members,
            self.changes_publisher,
            self.feed,
            self.ask,
            self.clock,
            self.tally,
            renew_seconds=RENEW_SECONDS,
        )
        self.connection.on_regained(self.watching.reconnected)

    async def start(self, stack: AsyncExitStack) -> None:
        await self.connection.start()
        stack.push_async_callback(self.stop)
        self.watching.start()

    async def stop(self) -> None:
        self.watching.stop()
        await self.screenings.stop()
        self.links.stop()
        await self.connection.stop()

    async def ask(self, command: Command) -> Any:
        """Ask the owner of a screening."""
        if self.prepared:
            return self.prepared.pop(0)
        return await self.routed.ask(command)

    async def hold_at(self, holder: str, *seat_ids: int, screening_id: int = 1) -> Any:
        return await self.ask(HoldSeats(screening_id, holder, seat_ids))

    async def release_at(self, holder: str, *seat_ids: int, screening_id: int = 1) -> Any:
        return await self.ask(ReleaseHolds(screening_id, holder, seat_ids))

    async def viewer(self, screening_id: int = 1, *, hashed: bool = False) -> "Viewer":
        """A socket that watches a screening from now on, and may want hashes."""
        viewer = Viewer(self, screening_id, hashed=hashed)
        await viewer.join()
        return viewer


class Fleet:
    """The servers of a cluster, by name."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.database = MemoryDatabase()
        self.nodes: dict[str, Server] = {}
        self.living: list[str] = []
        self.name = f"watch-{next(_numbers)}"
        self.members = Members()
        self.states: dict[str, NodeState] = {}
        self._url = url
        self._stack = stack

    def home(self, screening_id: int) -> str:
        return self.members.owner_of(screening_id) or ""

    async def join(self, url: str = "") -> Server:
        """Start a server, which reaches NATS at another URL if one is given."""
        server = Server(self, url or self._url)
        self.nodes[server.name] = server
        self.living.append(server.name)
        await server.start(self._stack)
        await server.screenings.owned.confirm(lambda: 1e9)
        self.set_state(server, NodeState.SERVING)
        return server

    def set_state(self, server: Server, state: NodeState) -> None:
        """Let all servers see a state."""
        self.states = {**self.states, server.name: state}
        self.members.become(self.states)

    async def kill(self, server: Server) -> None:
        """End a server without a goodbye."""
        self.living.remove(server.name)
        await server.stop()
        self.set_state(server, NodeState.GONE)

    def owner_of(self, screening_id: int = 1) -> Server:
        return self.nodes[self.home(screening_id)]

    def others(self, screening_id: int = 1) -> list[Server]:
        return [self.nodes[name] for name in self.living if name != self.home(screening_id)]

    async def truth(self, screening_id: int = 1) -> dict[int, tuple[str, str | None]]:
        """Return the taken seats, according to the owner."""
        seat_map = await self.owner_of(screening_id).ask(ReadSeats(screening_id))
        return taken({view.seat_id: (view.status, view.holder) for view in seat_map.views.values()})


def taken(seats: dict[int, tuple[str, str | None]]) -> dict[int, tuple[str, str | None]]:
    return {seat_id: state for seat_id, state in seats.items() if state[0] != "available"}


class Viewer:
    """A socket that watches a screening, and what it has seen.

    Attributes:
        changes: that it was sent.
        available: the latest count.
    """

    def __init__(self, server: Server, screening_id: int, *, hashed: bool) -> None:
        self.server = server
        self.changes: list[SeatsChanged] = []
        self.available = -1
        self.seats: dict[int, tuple[str, str | None]] = {}
        self.position = (0, 0)
        _, layout = server.database.screenings[screening_id]
        self._all_seats = set(layout.by_id)
        self.watcher = Watcher(screening_id, "user:1", self._encode, lambda frames: None, self._failed)
        self.watcher.hashed = hashed

    async def join(self) -> None:
        screening_id = self.watcher.screening_id
        self.server.feed.join(self.watcher)
        self.watcher.buffer()
        # Both are asked at once, as no change may come in between.
        stock: Awaitable[Any] = self.server.ask(ReadStock(screening_id))
        if self._all_seats:
            seat_map = await self.server.ask(ReadSeats(screening_id))
            self.seats = {view.seat_id: (view.status, view.holder) for view in seat_map.views.values()}
            self.position = (seat_map.epoch, seat_map.seq)
        counted = await stock
        self.available = counted.available
        self.position = self.position if self._all_seats else (counted.epoch, counted.seq)
        self.watcher.follow(FeedPosition(*self.position))

    def leave(self) -> None:
        self.server.feed.leave(self.watcher)

    def _encode(self, batches: Sequence[Changes]) -> "Viewer":
        for change in (change for batch in batches for change in batch):
            assert self.position < (change.epoch, change.seq), (self.position, change)
            self.position = (change.epoch, change.seq)
            self.changes.append(change)
            self.available = change.available
            if change.cause == ALL_SEATS_SHOWN:
                assert {view.seat_id for view in change.views} == self._all_seats
            for view in change.views:
                self.seats[view.seat_id] = (view.status, view.holder)
        return self

    def frames(self, holder: str) -> Frames:
        return Frames(b"", 0)

    def _failed(self) -> None:
        raise AssertionError("the feed has failed")

    @property
    def causes(self) -> list[str]:
        return [change.cause for change in self.changes]

    @property
    def taken(self) -> dict[int, tuple[str, str | None]]:
        return taken(self.seats)


@asynccontextmanager
async def fleet(url: str, servers: int = 2) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        made = Fleet(url, stack)
        for _ in range(servers):
            await made.join()
        yield made


def seqs(changes: Iterable[SeatsChanged]) -> list[int]:
    return [change.seq for change in changes]


lose_changes = {"change"}.__contains__
