"""Seeded simulation of a cluster in virtual time: moves, stalled journals, and servers that are paused or not
heard by the others.

A failing seed replays: `SIMULATION_SEEDS=42:43 make test ARGS=tests/engine/test_cluster_simulation.py`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from engine.commands import BookSeats, Command, HoldSeats, ReadSeats, ReleaseHolds
from engine.errors import EngineError, OwnershipLost, StoreUnavailable
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.replies import Booked
from engine.screening import Screening
from engine.screening_state import Decision
from engine.views import SeatMap
from tests.engine.cluster import LEASE_SECONDS, Cluster, Node
from tests.engine.seeds import name_of, outcomes_of, slices

NAMES = "abc"
SEATS = 20
CLIENTS = 4
ROUNDS = 30
SEEDS_PER_TEST = 50
ATTEMPTS = 200
STEP_SECONDS = 0.25
CONFIRMED_SECONDS = 0.9
TAKEOVER_SECONDS = 1.0
POLICY = Policy(hold_seconds=1e6, hold_life_seconds=1e6)


class Simulation:
    """One history.

    Args:
        seed: decides everything.
        kind: "moves": there are only planned moves. "pauses": servers are paused and taken over.
            "partitions": servers are not heard and taken over, but go on while the database confirms what
            they own.
    """

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(seed)
        self.kind = kind
        self.cluster = Cluster(*NAMES, ask_timeout_seconds=1e9, journal_limit=10_000)
        self.cluster.takeover_seconds = TAKEOVER_SECONDS
        self.outcomes: Counter[str] = Counter()
        self.held: dict[str, set[int]] = {f"user:{n}": set() for n in range(CLIENTS)}
        self.sold: dict[int, str] = {}
        self.stopped = False
        self.false_answers: list[tuple[int, Command]] = []
        for node in self.nodes():
            node.journal.automatic = False
            node.screenings.owned._load = self.load_observed(node)

    def load_observed(self, node: Node) -> Callable[[LoadedScreening], Screening]:
        """Load screenings that note who decides commands without owning them, or together with another."""
        simulation, database = self, self.cluster.database

        class Observed(Screening):
            def handle(self, command: Command, now: float) -> Decision:
                outdated = database.epochs[1] != self.epoch and simulation.kind != "partitions"
                if outdated or simulation.answering() != [node]:
                    simulation.false_answers.append((self.epoch, command))
                return super().handle(command, now)

        return lambda loaded: Observed(loaded, POLICY, node.hold_ids, node.ticket_ids)

    def nodes(self) -> list[Node]:
        return list(self.cluster.nodes.values())

    def answering(self) -> list[Node]:
        """The servers that would decide a command now."""
        return [
            node
            for node in self.nodes()
            if 1 in node.screenings.active_ids() and node.screenings.owned.lease.until > node.clock.now()
        ]

    async def ask(self, command: Command) -> object:
        """Send a command to the server that should own the screening, or by mistake to another."""
        for attempt in range(ATTEMPTS):
            wrong = attempt == 0 and self.rng.random() < 0.2
            node = self.cluster[self.rng.choice(NAMES) if wrong else self.cluster.home(1)]
            try:
                reply = node.screenings.ask_active(command) if self.rng.random() < 0.5 else None
                if reply is None:
                    reply = node.screenings.ask(command)
                if asyncio.isfuture(reply) or asyncio.iscoroutine(reply):
                    reply = await reply
            except OwnershipLost as refusal:
                self.outcomes[refusal.code] += 1
                await asyncio.sleep(0)
                continue
            self.outcomes["ok"] += 1
            return reply
        raise StoreUnavailable

    async def act(self, holder: str) -> None:
        """One client does one thing after the other."""
        held = self.held[holder]
        while not self.stopped:
            seats = tuple(self.rng.sample(range(1, SEATS + 1), 2))
            try:
                match self.rng.randrange(4):
                    case 0 if held:
                        seat = self.rng.choice(sorted(held))
                        reply = await self.ask(BookSeats(1, holder, (seat,), held_only=True))
                        assert isinstance(reply, Booked)
                        held.remove(seat)
                        self.sold[reply.tickets[0].id] = holder
                    case 1 if held:
                        await self.ask(ReleaseHolds(1, holder))
                        held.clear()
                    case 2:
                        await self.ask(ReadSeats(1))
                    case _:
                        await self.ask(HoldSeats(1, holder, seats))
                        held.update(seats)
            except EngineError as refusal:
                self.outcomes[refusal.code] += 1
                if self.kind == "moves":
                    assert refusal.code not in ("not_held", "reservation_not_held"), "a hold was lost"
            await asyncio.sleep(0)

    async def run(self) -> Counter[str]:
        rng, cluster = self.rng, self.cluster
        await cluster.renew()
        clients = [asyncio.ensure_future(self.act(holder)) for holder in self.held]
        for _ in range(ROUNDS):
            for _ in range(rng.randint(1, 12)):
                await asyncio.sleep(0)
            for node in self.nodes():
                if rng.random() < 0.7:
                    node.journal.write_next(rng.randint(1, 8), times=rng.randint(1, 2))
            chance = rng.random()
            if chance < 0.25:
                cluster.homes[1] = rng.choice(NAMES)
            elif chance < 0.4 and self.kind != "moves" and len(cluster.living) > 1:
                name = rng.choice(cluster.living)
                if self.kind == "partitions":
                    cluster[name].screenings.owned.set_lease(CONFIRMED_SECONDS)
                cluster.living.remove(name)
                await self.pass_seconds(LEASE_SECONDS)
            elif chance < 0.55 and len(cluster.living) < len(NAMES):
                cluster.living = sorted([*cluster.living, rng.choice(self.gone())])
                await cluster.renew()
            elif chance < 0.6 and self.kind != "moves":
                rng.choice(self.nodes()).screenings.owned.set_lease(0)
            else:
                await self.pass_seconds(1.0)
        await self.finish(clients)
        return self.outcomes

    def gone(self) -> list[str]:
        return [name for name in NAMES if name not in self.cluster.living]

    async def pass_seconds(self, seconds: float) -> None:
        """Time passes everywhere. Those that are gone do not run meanwhile, or have to ask the database."""
        step_seconds = seconds if self.kind == "pauses" else STEP_SECONDS
        for _ in range(round(seconds / step_seconds)):
            for node in self.nodes():
                if node.name in self.cluster.living or self.kind == "partitions":
                    node.clock.advance(step_seconds)
                else:
                    node.pause(step_seconds)
            await self.cluster.renew()
            if self.kind == "partitions" and self.rng.random() < 0.5:
                for name in self.gone():
                    await self.cluster[name].screenings.owned.confirm(lambda: CONFIRMED_SECONDS)
            await asyncio.sleep(0)

    async def finish(self, clients: list[asyncio.Future[None]]) -> None:
        """Let everything settle, and check the invariants."""
        self.stopped = True
        self.cluster.living = list(NAMES)
        await self.cluster.renew()
        for _ in range(1000):
            for node in self.nodes():
                node.journal.write_next(1000)
            if all(client.done() for client in clients):
                break
            await self.pass_seconds(STEP_SECONDS)
        await asyncio.gather(*clients)
        for node in self.nodes():
            node.journal.automatic = True
            node.journal.write_next(1000)
        for node in self.nodes():
            await node.screenings.owned.confirm(lambda: LEASE_SECONDS)
        assert not self.false_answers, self.false_answers
        assert sum(node.screenings.active_count for node in self.nodes()) <= 1, "two owners"
        picture = await self.ask(ReadSeats(1))
        assert isinstance(picture, SeatMap)
        database = self.cluster.database
        for ticket_id, holder in self.sold.items():
            ticket = database.tickets[ticket_id]
            assert (ticket.holder, picture.views[ticket.seat_id].status) == (holder, "booked")
        stored = {hold.seat_id for hold, status in database.holds.values() if status == "active"}
        seen = {seat for seat, view in picture.views.items() if view.status == "reserved"}
        assert seen == stored
        if self.kind == "moves":
            kept = {seat: holder for holder, seats in self.held.items() for seat in seats}
            shown = {seat: picture.views[seat].holder for seat in seen}
            assert shown == kept, "a hold was lost by a planned move"
        for node in self.nodes():
            await node.screenings.stop()


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("kind", ["moves", "pauses", "partitions"])
@pytest.mark.parametrize("seeds", slices(100, SEEDS_PER_TEST), ids=name_of)
async def test_seeds(seeds: range, kind: str) -> None:
    outcomes = await outcomes_of(lambda seed: Simulation(seed, kind).run(), seeds)
    assert outcomes["ok"] >= 0.3 * outcomes.total(), outcomes
