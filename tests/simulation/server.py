"""A simulated server: the real parts of a node, put together as `frontrow.server` does, on virtual adapters.

Real are the engine, the journal, the store, the pool, the ledger, the box office, links, membership,
heartbeat, forwarding, watching and the feed of the sockets. Virtual are the clock, the network, NATS and
PostgreSQL. Ids come from memory. `tests.simulation.desk` has what endpoints do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from api.limits import Limits
from api.rest.idempotency import IdempotencyKeys, KeysInFlight
from api.sales.receipts import encode_reply
from api.ws.feed import SeatFeed
from cluster.beats import Facts, Timing
from cluster.errors import NatsUnavailable, NodeRefused
from cluster.keys import KeyedCalls
from cluster.node import Node
from engine.clock import SystemClock
from engine.commands import Command
from engine.directory import ScreeningDirectory
from engine.errors import EngineError, StoreUnavailable
from engine.memory import MemoryIds, NullObserver
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.screening import Screening
from engine.screening_state import Decision
from frontrow.background import Recurring
from frontrow.shared_counts import SharedRequests
from persistence.idempotency import IdempotencyRows
from persistence.journal import PostgresJournal
from persistence.store import PostgresStore
from tests.cluster.servers import Tally
from tests.simulation.desk import Desk, Request
from tests.simulation.loop import Process
from tests.simulation.network import Cable, VirtualConnection
from tests.simulation.postgres import VirtualConnector

if TYPE_CHECKING:
    from tests.simulation.world import World

WALL = 1_800_000_000.0
"""The wall clock at the beginning."""

POLICY = Policy(hold_seconds=8.0, hold_life_seconds=1e6, expiry_warning_seconds=0.0, offer_seconds=3.0)
ASK_SECONDS = 2.0
STOP_SECONDS = 4.0
SWEEP_SECONDS = 5.0
IDLE_SECONDS = 3.0


class Server:
    """A server.

    Args:
        world: where it runs.
        name: of the node; its mark is new for each attempt to start it.
        number: how many servers were started before.
        rate: how fast its clock is.
    """

    def __init__(self, world: "World", name: str, number: int, rate: float) -> None:
        self.world = world
        self.name = name
        self._attempts = 0
        self.process = Process(world.loop, name)
        self.nats_cable = world.nats_cables.setdefault(name, Cable(world.loop, world.network_rng))
        self.database_cable = world.database_cables.setdefault(name, Cable(world.loop, world.network_rng))
        self.serving = False
        self.directory: ScreeningDirectory | None = None
        self._rate = rate
        self._started_at = world.loop.time()
        self._number = number

    @property
    def mark(self) -> str:
        """Names this attempt to start the server, as a new process has a name of its own."""
        return f"{self.name}{self._attempts:03x}{self._number:04x}"

    def since_boot(self) -> float:
        """This machine's clock."""
        return 1000.0 + self.world.loop.time() * self._rate

    def wall(self) -> float:
        """The wall clock, which is right on all machines."""
        return WALL + self.world.loop.time()

    async def run(self, living: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        """Start it; try again until that succeeds, as a supervisor does."""
        while not self.serving:
            try:
                await self._start(living)
            except (EngineError, NatsUnavailable, NodeRefused) as failure:
                self.world.trace("cannot start", self.name, type(failure).__name__)
                self.world.cannot_start(self)
                await self._stop_parts()
                await asyncio.sleep(0.5)
                self._attempts += 1

    async def _start(self, living: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        world = self.world
        self.clock = SystemClock(self.wall, self.since_boot, self.since_boot)
        self.connector = VirtualConnector(world.postgres, self.process, self.database_cable)
        self.observer = ServerObserver(self)
        self.journal = PostgresJournal(
            self.connector, encode_reply, self.observer, limit=2000, monotonic=world.loop.time
        )
        self.store = PostgresStore(self.connector, self.mark)
        connection = VirtualConnection(world.nats, self.process, self.nats_cable)
        facts = Facts(self.mark, self.name, f"{self.name}:1", self.name, "1", 1, self._started_at)
        self.node = Node(connection, "sim", facts, {}, Timing(), lambda name: name, self.since_boot)
        tally = Tally()
        first_id = 1 + 1_000_000 * self._number + 10_000 * self._attempts
        self.directory = ScreeningDirectory(
            *(self.store, self.journal, self.node.publisher(tally), self.observer, self.clock),
            *(MemoryIds(first_id), MemoryIds(first_id), POLICY),
            ask_timeout_seconds=ASK_SECONDS,
            idle_seconds=IDLE_SECONDS,
            change_memory=16,
            peers=self.node.peers,
        )
        load = self.directory.owned._load
        self.directory.owned._load = lambda loaded: self._judged(load, loaded)
        self.feed = SeatFeed(self.clock, tally, tick_seconds=0.02)
        self.screenings = self.node.own(
            *(self.directory, self.feed, self.clock, self.store, tally, ASK_SECONDS)
        )
        flushing = self.node.flushing(self.journal, ASK_SECONDS)
        calls = KeyedCalls(self.node.links, self.node.membership)
        in_flight = SharedRequests(calls, KeysInFlight(1000), world.loop.time)
        keys = IdempotencyKeys(IdempotencyRows(self.connector), self.journal, in_flight, Limits())
        self._desk = Desk(self.screenings, flushing, self.connector, keys)
        await self.journal.start()
        await self.node.join(living)
        self._recurring = Recurring()
        self._recurring.every(SWEEP_SECONDS, "sweep", self.directory.sweep)
        self._recurring.every(SWEEP_SECONDS, "passivation", self.directory.passivate_idle)
        self._recurring.every(1.0, "clock", self._follow)
        self.serving = True
        self.world.trace("serves", self.name)

    async def stop(self) -> None:
        """Stop in order, as SIGTERM does."""
        self.serving = False
        await self.node.drain(STOP_SECONDS / 2)
        await self._recurring.stop()
        await self.directory.stop()
        await self.journal.stop(STOP_SECONDS)
        with suppress(StoreUnavailable):
            await self.store.resign(self.directory.owned.unfinished)
        await self._stop_parts()

    async def _stop_parts(self) -> None:
        await self.node.leave()
        await self.journal.stop(0.0)
        self.connector.close()

    async def _follow(self) -> None:
        self.clock.follow()

    async def ask(self, request: Request) -> Any:
        """Carry out a request as an endpoint does."""
        return await self._desk.ask(request)

    def epoch_of(self, screening: int) -> int:
        """The epoch under which it answers for a screening; 0 if it does not."""
        if self.directory is None or self.process.dead:
            return 0
        actor = self.directory.owned.actors.get(screening)
        return 0 if actor is None else actor.epoch

    def oldest_unwritten_at(self) -> float:
        """Time when the oldest entry that may be unwritten was appended; now if all are written."""
        return self.world.loop.time() - self.journal.lag_seconds

    def _judged(self, load: Callable[[LoadedScreening], Screening], loaded: LoadedScreening) -> Screening:
        """Load a screening whose decisions are judged."""
        screening = load(loaded)
        server, decide = self, Screening.handle

        class Judged(Screening):
            __slots__ = ()

            def handle(self, command: Command, now: float) -> Decision:
                server.world.decides(server, self.info.id, self.epoch, command)
                decision = decide(self, command, now)
                server.world.decided(self.info.id, self.epoch, command, decision)
                return decision

        screening.__class__ = Judged
        return screening


class ServerObserver(NullObserver):
    """Tells the world what may cost holds."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def screening_taken_over(self, reason: str) -> None:
        self._server.world.taken_over(self._server, reason)

    def flush_failed(self, reason: str) -> None:
        self._server.world.trace("flush failed", self._server.name, reason)
