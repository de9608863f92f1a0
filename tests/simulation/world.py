"""One history: a plan is carried out, everything is mended, and what happened is judged.

While it runs, two rules are checked at every decision: a server decides only while its lease is valid, and
never after another server has begun to answer for the screening under a later epoch. In the end everything
must be on sale at every node again within `PROGRESS_SECONDS`. Everything else is judged by
`tests.torture.verdict` from what clients and watchers were told, and from the tables.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from typing import Any

from engine.commands import BookSeats, Command, HoldSeats, ReadSeats, ReadStock
from engine.errors import EngineError
from engine.screening_state import Decision
from tests.simulation.clients import Clients
from tests.simulation.deeds import seats_of
from tests.simulation.faults import Faults
from tests.simulation.hall_rules import HallRules
from tests.simulation.logged import LoggedErrors
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.money import check_money
from tests.simulation.network import Cable, Nats, at_once
from tests.simulation.plan import EVENT, HALL, NODES, SCREENINGS, SEATS, Step, on_sale
from tests.simulation.postgres import Postgres
from tests.simulation.server import POLICY, WALL, Server
from tests.simulation.watchers import Watchers
from tests.torture.verdict import judge

PROGRESS_SECONDS = 30.0
"""After everything is mended, each screening can be booked at each node within this time."""

QUIET_SECONDS = 12.0
"""After that watchers get so long to catch up, and holds to lapse."""

DEPOSED_SECONDS = 10.0
"""After a server was deposed that lives, it may go on answering until it finds out."""

LOSS_SECONDS = 5.0
"""Time after the epoch was raised in which a former owner may still promise holds that are lost."""

LIMIT_SECONDS = 300.0
"""Virtual time after which a history that has not ended never will."""

_CLOCKS = 0.01
"""Largest share by which the clocks of nodes run fast or slow."""


@dataclass
class Outcome:
    """Result of a history.

    Attributes:
        seed: decides the delays of messages.
        violations: what is wrong; empty if nothing is.
        outcomes: answers by code.
        digest: of everything that happened.
        trace: everything that happened, if it was kept.
    """

    seed: int
    violations: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    trace: list[str] = field(default_factory=list)


class World:
    """All state of one history.

    Args:
        seed: decides the delays of messages, and what else is left to chance.
        plan: what happens.
        keep: keep the trace, for reading.
    """

    def __init__(self, seed: int, plan: Sequence[Step], *, keep: bool = False) -> None:
        self.loop = VirtualLoop()
        self.plan = plan
        self.outcome = Outcome(seed)
        self.outcomes = self.outcome.outcomes
        self.network_rng = random.Random(f"network {seed}")
        self._rng = random.Random(f"nodes {seed}")
        self._digest = blake2b(digest_size=16)
        self._keep = keep
        self.nats_cables: dict[str, Cable] = {}
        self.database_cables: dict[str, Cable] = {}
        self.postgres = Postgres(self.loop, self.network_rng, on_sale(WALL + 1e6), self.trace)
        self.postgres.tables.taken = self._taken
        self.nats = Nats(self.loop, self.network_rng, self.trace)
        self.servers: dict[str, Server] = {}
        self.all_servers: list[Server] = []
        self.clients = Clients(self, seed)
        self.watchers = Watchers(self)
        self.faults = Faults(self)
        self.losses: list[dict[str, Any]] = []
        self._died: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._rates = {name: 1 + self._rng.uniform(-_CLOCKS, _CLOCKS) for name in NODES}
        self._deposed_until = 0.0
        self._held: set[tuple[int, int, str | None]] = set()
        self._judging = True

    # Reports of the other parts

    def trace(self, *words: object) -> None:
        """Note that something has happened."""
        line = f"{self.loop.time():.6f} {' '.join(map(str, words))}"
        self._digest.update(line.encode())
        if self._keep:
            self.outcome.trace.append(line)

    def violate(self, text: str) -> None:
        """Note that a rule was broken."""
        self.trace("VIOLATION", text)
        self.outcome.violations.append(f"{self.loop.time():.3f}: {text}")

    def later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Call something of the simulation later."""
        at_once(self.loop, self.loop.time() + seconds, callback, *arguments)

    def decides(self, server: Server, screening: int, epoch: int, command: Command) -> None:
        """A server is about to decide a command."""
        self.trace("decides", server.name, screening, epoch, type(command).__name__)
        if not self._judging:
            return
        if server.directory.owned.lease.until <= server.clock.now():
            self.violate(f"{server.name} decides {command} although its lease has expired")
        if self.loop.time() < self._deposed_until:
            return
        for other in self.servers.values():
            if other is not server and (later := other.epoch_of(screening)) > epoch:
                self.violate(
                    f"{server.name} decides {command} under epoch {epoch}, "
                    f"but {other.name} answers under epoch {later}"
                )

    def decided(self, screening: int, epoch: int, command: Command, decision: Decision) -> None:
        """A command was carried out; one step of a client makes one hold under an epoch.

        A hold may be asked for again if its owner seemed to change, but then it finds the first one.
        """
        if isinstance(command, HoldSeats) and decision.events:
            step = (screening, epoch, command.note)
            if step in self._held:
                self.violate(f"{command} was carried out twice under epoch {epoch}")
            self._held.add(step)

    def taken_over(self, server: Server, reason: str) -> None:
        """A server has taken a screening."""
        self.trace("takes over", server.name, reason)
        self.outcomes[f"taken over: {reason}"] += 1
        if reason == "deposed":
            self._deposed_until = self.loop.time() + DEPOSED_SECONDS

    def _taken(self, screening: int, epoch: int, before: str, after: str) -> None:
        """An epoch was raised: what its former owner has not written is lost."""
        self.trace("epoch", screening, epoch, after)
        if before in self._leaving and self.faults.is_calm:
            return  # a server that ends in order hands everything over, or writes it
        now = self.loop.time()
        oldest, until = self._died.get(before, now), now
        for server in self.servers.values():
            if server.mark == before != after:
                oldest = server.oldest_unwritten_at()
                if server.epoch_of(screening):
                    until = now + LOSS_SECONDS
        if oldest < now or until > now:
            self.losses.append(
                {
                    "kind": "fault",
                    "fault": "takeover",
                    "target": before,
                    "from": oldest,
                    "to": until,
                    "loses_holds": True,
                    "stalls_writes": False,
                }
            )

    # Nodes

    def start(self, name: str) -> None:
        """Start a node."""
        server = Server(self, name, len(self.all_servers), self._rates[name])
        self.all_servers.append(server)
        self.servers[name] = server
        server.process.spawn(server.run(self._living))

    def cannot_start(self, server: Server) -> None:
        """A node has failed to start; it may have owned something already."""
        self._died[server.mark] = server.oldest_unwritten_at()

    async def _living(self) -> Mapping[str, str]:
        """The nodes that have sessions in the database."""
        names = {session.process.name for session in self.postgres.sessions if not session.process.dead}
        return {self.servers[name].mark: name for name in NODES if name in names}

    def kill(self, name: str) -> bool:
        """kill -9. Returns False if the node is not running."""
        server = self.servers[name]
        if server.process.dead or not server.serving:
            return False
        self.trace("kills", name)
        self._died[server.mark] = server.oldest_unwritten_at()
        server.process.kill()
        server.serving = False
        connection = server.node.connection
        if connection.client is not None:
            self.nats_cables[name].out.carry(None, self.nats.disconnect, connection.client)
        for session in [each for each in self.postgres.sessions if each.process is server.process]:
            session.close()
        self._leave(server)
        return True

    def restart(self, name: str, seconds: float = 0.2) -> None:
        """SIGTERM, then a new start."""
        server = self.servers[name]
        if server.process.dead or server.process.paused or not server.serving:
            return
        self.trace("stops", name)
        self._leaving.add(server.mark)
        stopping = server.process.spawn(server.stop())

        def stopped(_: object) -> None:
            if not server.process.dead:
                self._died[server.mark] = server.oldest_unwritten_at()
                server.process.kill()
                self._leave(server)
                self.later(seconds, self.start, name)

        stopping.add_done_callback(stopped)

    def _leave(self, server: Server) -> None:
        for viewer in self.watchers.viewers:
            self.later(0.05, viewer.left, server)

    # The history

    def run(self) -> Outcome:
        """Carry the plan out and judge what happened."""
        asyncio.set_event_loop(self.loop)
        errors = LoggedErrors(lambda: self.faults.is_calm)
        logger = logging.getLogger()
        logger.addHandler(errors)
        try:
            self.loop.run_until_complete(self._in_time())
        except Stuck as stuck:
            self.violate(str(stuck))
        except TimeoutError:
            self.violate(f"the history has not ended after {LIMIT_SECONDS:g} s")
        finally:
            logger.removeHandler(errors)
            for failure in (*self.loop.failures, *errors.messages):
                self.violate(failure)
            self.outcome.digest = self._digest.hexdigest()
            self._judging = False
            self.loop.end()
            asyncio.set_event_loop(None)
        return self.outcome

    async def _in_time(self) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._run()

    async def _run(self) -> None:
        for name in NODES:
            self.start(name)
        for step in self.plan:
            await asyncio.sleep(max(0.0, step.at - self.loop.time()))
            self.trace(step)
            self.process_step(step)
        await asyncio.sleep(1.0)
        self.faults.mend()
        mended_at = self.loop.time()
        for place, name in enumerate(NODES):
            for screening in SCREENINGS:
                await self._prove_sale(name, screening, SEATS + 1 + place, mended_at + PROGRESS_SECONDS)
        await self._prove_stock(mended_at + PROGRESS_SECONDS)
        while self.clients.running:
            await asyncio.wait(tuple(self.clients.running))
        await asyncio.sleep(QUIET_SECONDS)
        await self._judge()

    def process_step(self, step: Step) -> None:
        """Begin a step."""
        for actor in (self.clients, self.watchers, self.faults):
            if (method := getattr(actor, step.kind, None)) is not None:
                method(*step.arguments)

    async def _ask(self, name: str, command: Command) -> Any:
        """Ask a node without recording it in the history; None if there is no answer in time."""
        answer: asyncio.Future[Any] = self.loop.create_future()
        server = self.servers[name]
        if not server.serving:
            return None

        async def serve() -> None:
            try:
                outcome: Any = await server.ask(command)
            except EngineError as refusal:
                outcome = refusal
            self.later(0.0, lambda: answer.done() or answer.set_result(outcome))

        server.process.spawn(serve())
        try:
            async with asyncio.timeout(3.0):
                return await answer
        except TimeoutError:
            return None

    async def _prove_sale(self, name: str, screening: int, seat: int, until: float) -> None:
        """Buy a seat at a node."""
        user, payment_id = f"user:{SEATS + seat}", f"proof-{name}-{screening}"
        command = BookSeats(screening, user, (seat,), payment_id)
        wanted = {"action": "book", "screening": screening, "user": user, "seats": [seat]}
        info, layout = self.postgres.tables.screenings[screening]
        self.clients.deeds.paid[payment_id] = info.price_of(layout.by_id[seat])
        while not await self.clients.ask(name, command, {**wanted, "payment_id": payment_id}, 3.0):
            if self.loop.time() > until:
                self.violate(f"screening {screening} cannot be booked at {name}")
                return
            await asyncio.sleep(0.3)
        if self.clients.records[-1]["status"] != 200:
            self.violate(f"screening {screening} is not sold at {name}: {self.clients.records[-1]}")

    async def _prove_stock(self, until: float) -> None:
        """Ask how many places are left, until that is answered."""
        while (stock := await self._ask(NODES[0], ReadStock(EVENT))) is None or isinstance(
            stock, EngineError
        ):
            if self.loop.time() > until:
                self.violate(f"event {EVENT} cannot be seen: {stock!r}")
                return
            await asyncio.sleep(0.3)

    async def _seen(self, command: ReadSeats | ReadStock) -> Any:
        """Look at something in the end. Returns None if it cannot be seen, which breaks a rule."""
        seen = await self._ask(NODES[0], command)
        if seen is not None and not isinstance(seen, EngineError):
            return seen
        self.violate(f"screening {command.screening_id} cannot be seen: {seen!r}")
        return None

    async def _judge(self) -> None:
        tables = self.postgres.tables
        screenings = {}
        for screening in SCREENINGS:
            if (seen := await self._seen(ReadSeats(screening))) is None:
                return
            screenings[str(screening)] = {"epoch": seen.epoch, "seq": seen.seq, "seats": seats_of(seen)}
        if (stock := await self._seen(ReadStock(EVENT))) is None:
            return
        final = {
            "time": self.loop.time(),
            "screenings": screenings,
            "ticket_types": {
                str(kind): {"capacity": level.total, "left": level.available}
                for kind, level in stock.ticket_types.items()
            },
            "tickets": [dict(row, price=row["price_cents"]) for row in tables.tickets.values()],
            "payments": list(tables.payments.values()),
        }
        settings = {
            "kind": "settings",
            "hold_seconds": POLICY.hold_seconds,
            # Clocks run at different speeds, and how late holds end is not judged.
            "early_seconds": 1.0,
            "late_seconds": inf,
            "loss_window_seconds": 0.3,
            "settle_seconds": QUIET_SECONDS,
        }
        records = [settings, *self.clients.records, *self.watchers.records, *self.losses]
        verdict = judge(records, final)
        for finding in verdict.findings:
            self.violate(str(finding))
        if self.clients.of_hall:
            await self._judge_hall()
        for event in tables.late:
            self.violate(f"event {event} was written although its epoch was over")
        deeds = self.clients.deeds
        for wrong in check_money(tables, deeds.paid, deeds.answered):
            self.violate(wrong)
        for user, key in sorted(deeds.keys):
            if (user, key) not in tables.answers:
                self.violate(f"{user} was answered, but the answer is not stored under {key}")

    async def _judge_hall(self) -> None:
        if (seen := await self._seen(ReadSeats(HALL))) is None:
            return
        await asyncio.sleep(1.0)  # what was due is written
        rules = HallRules(
            *(self.clients.of_hall, self.postgres.tables, WALL, POLICY.offer_seconds),
            WALL + self.loop.time(),
        )
        calm = not any(hasattr(self.faults, step.kind) for step in self.plan)
        for wrong in rules.broken(seen, calm=calm):
            self.violate(wrong)
        self.clients.deeds.answered |= rules.vouched_payments()
