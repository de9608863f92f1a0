"""Seeded simulation of moves between screenings and events, while journals stall and servers die.

One seed is one history. Each server owns one screening or event; a move is coordinated by any. A server may
die after any step, and what its journal had queued may still be written later, as PostgreSQL does with a
transaction that it has received. In the end each ticket is in one seat or place, each of them has one ticket,
all show what the database has, and every cent that was paid is kept or owed. A failing seed replays:
`SIMULATION_SEEDS=42:43 make test ARGS=tests/engine/test_move_simulation.py`.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.box_office import BoxOffice
from engine.commands import (
    BookSeats,
    Command,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadSeats,
    ReadStock,
    ReleaseLapsed,
)
from engine.directory import ScreeningDirectory
from engine.errors import BadEntry, EngineError, OutcomeUnknown
from engine.memory import (
    ManualClock,
    MemoryDatabase,
    MemoryIds,
    MemoryJournal,
    MemoryStore,
    NullObserver,
    RecordingPublisher,
)
from engine.memory_ledger import MemoryLedger
from engine.move_money import kept_for
from engine.movers import MoveOrder, Movers
from engine.moving import ARRIVAL_SECONDS
from engine.moving_errors import PaymentRequired
from engine.places import ticket_type_of
from engine.policy import Policy
from engine.records import Ticket, TicketStatus, TicketType
from engine.replies import Moved
from engine.selling_errors import RefundRequired
from engine.views import SeatMap
from tests.engine.conftest import NOW, make_info, make_layout
from tests.engine.seeds import name_of, outcomes_of, slices

SCREENINGS = (1, 2)
SEATS = 6
EVENTS = {3: (31, 32), 4: (41, 42)}
"""Events with the ids of their ticket types."""
PLACES = 3
"""Capacity of each ticket type."""
HOLD_SECONDS = 300.0
HOLDERS = [f"user:{number}" for number in range(4)]
ROUNDS = 30
SEEDS_PER_TEST = 50


class Node:
    """A server: the owner of one screening."""

    def __init__(self, world: "World", screening_id: int) -> None:
        self.journal = MemoryJournal(world.database, automatic=False)
        self.directory = ScreeningDirectory(
            MemoryStore(world.database, f"server-{screening_id}"),
            self.journal,
            RecordingPublisher(),
            NullObserver(),
            world.clock,
            world.hold_ids,
            world.ticket_ids,
            Policy(held_seats_limit=SEATS),
            ask_timeout_seconds=1e9,
        )
        ledger = MemoryLedger(world.database)
        self.box_office = BoxOffice(world, world, ledger)
        self.movers = Movers(world, world, ledger, self.box_office)
        self.tasks: set[asyncio.Task[Any]] = set()

    def run(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be dead


@dataclass
class World:
    """The database, the time, the servers, and what clients were told."""

    rng: random.Random
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    hold_ids: MemoryIds = field(default_factory=MemoryIds)
    ticket_ids: MemoryIds = field(default_factory=MemoryIds)
    payments: MemoryIds = field(default_factory=MemoryIds)
    paid: Counter[str] = field(default_factory=Counter)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    refunds: set[int] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    buried: list[MemoryJournal] = field(default_factory=list)

    def __post_init__(self) -> None:
        for screening_id in SCREENINGS:
            info = make_info(screening_id)._replace(price_cents=1000 + 250 * screening_id)
            info = info._replace(surcharges_cents={"vip": 349})
            self.database.add_screening(info, make_layout(SEATS))
        for event_id, kinds in EVENTS.items():
            types = {kind: TicketType(kind, 500 + 100 * kind, PLACES, max_per_order=2) for kind in kinds}
            info = make_info(event_id)._replace(ticket_types=types, seated=False)
            self.database.add_screening(info, make_layout(0))
        self.nodes = {screening_id: Node(self, screening_id) for screening_id in (*SCREENINGS, *EVENTS)}

    async def ask(self, command: Command) -> Any:
        """Ask the owner of a screening. If it dies meanwhile, the outcome is unknown."""
        node = self.nodes[command.screening_id]
        return await self._answer(node.run(node.directory.ask(command)))

    async def _answer(self, task: "asyncio.Task[Any]") -> Any:
        """The answer of a server, unless it dies meanwhile."""
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise OutcomeUnknown from None
            raise

    async def flushed(self, screening_id: int | None = None) -> None:
        for number in (*SCREENINGS, *EVENTS):
            node = self.nodes[number]
            await self._answer(node.run(node.journal.flushed()))

    def start_client(self) -> None:
        idle = [holder for holder in HOLDERS if holder not in self.busy]
        if idle:
            holder = self.rng.choice(idle)
            self.busy.add(holder)
            node = self.nodes[self.rng.choice(list(self.nodes))]
            node.run(self.act(node, holder)).add_done_callback(lambda _: self.busy.discard(holder))

    async def act(self, node: Node, holder: str) -> None:
        """One client does one thing, and writes down what it was told."""
        rng = self.rng
        own = [ticket for ticket in self.live() if ticket.holder == holder]
        screening_id = rng.choice(SCREENINGS)
        seats = tuple(rng.sample(range(1, SEATS + 1), rng.randint(1, 2)))
        try:
            if own and rng.random() < 0.7:
                first = rng.choice(own)
                tickets = [t for t in own if t[1:3] == first[1:3]][: len(seats)]
                order = MoveOrder(holder, tuple([t.id for t in tickets]), screening_id, seats[: len(tickets)])
                if first.seat_id < 0:
                    event_id = rng.choice(list(EVENTS))
                    kind = rng.choice(EVENTS[event_id])
                    order = order._replace(screening_id=event_id, seat_ids=(), ticket_type_id=kind)
                await self.move(node, order)
            elif own and rng.random() < 0.2:
                ticket = rng.choice(own)
                self.places.pop(ticket.id, None)
                await node.box_office.cancel(holder, ticket.id)
            elif rng.random() < 0.4:
                event_id = rng.choice(list(EVENTS))
                wanted = PlaceOrder(rng.choice(EVENTS[event_id]), len(seats))
                held = await self.ask(HoldPlaces(event_id, holder, (wanted,), HOLD_SECONDS))
                reservation_id, payment_id = held.reservations[0][0][1], f"pay-{self.payments.take(1)}"
                booked = await self.ask(
                    BookSeats(event_id, holder, (), payment_id, held_only=True, reservation_id=reservation_id)
                )
                self.told(booked.tickets)
            elif rng.random() < 0.3:
                await self.ask(HoldSeats(screening_id, holder, seats))
            else:
                payment_id = f"pay-{self.payments.take(1)}"
                booked = await self.ask(BookSeats(screening_id, holder, seats, payment_id))
                self.told(booked.tickets)
            self.outcomes["ok"] += 1
        except EngineError as refusal:
            self.outcomes[refusal.code] += 1
            if isinstance(refusal, RefundRequired):
                self.refunds.add(refusal.refund_id)

    async def move(self, node: Node, order: MoveOrder) -> None:
        """Move tickets of an order; pay if it is dearer; repeat it now and then."""
        for ticket_id in order.ticket_ids:
            self.places.pop(ticket_id, None)  # until the outcome is known
        try:
            moved = await node.movers.move(order)
        except PaymentRequired as required:
            order = order._replace(
                payment_id=f"more-{self.payments.take(1)}", expected_total_cents=required.amount_cents
            )
            moved = await node.movers.move(order)
        seats = order.seat_ids or (0,) * len(order.ticket_ids)
        assert all(map(order.is_there, moved.tickets, seats))
        self.told(moved.tickets)
        self.outcomes["moved" if order.ticket_type_id is None else "moved to another type"] += 1
        if self.rng.random() < 0.3:
            assert await node.movers.move(order) == Moved(moved.tickets), "a repeat has another answer"

    def told(self, tickets: tuple[Ticket, ...]) -> None:
        for ticket in tickets:
            assert self.database.tickets[ticket.id] == ticket, "acknowledged before it was written"
            self.places[ticket.id] = ticket[2:4]

    def live(self) -> list[Ticket]:
        return [t for t in self.database.tickets.values() if t.status is TicketStatus.CONFIRMED]

    def databases_act(self) -> None:
        for node in self.nodes.values():
            chance = self.rng.random()
            if chance < 0.1:
                node.journal.refuse_next(BadEntry("a refused row"))
            elif chance < 0.6:
                node.journal.write_next(self.rng.randint(1, 3), times=self.rng.randint(1, 2))
        for journal in self.buried:
            if self.rng.random() < 0.3:
                journal.write_next()

    async def kill(self, screening_id: int) -> None:
        """kill -9: memory is gone; what PostgreSQL has received may still be committed."""
        node = self.nodes[screening_id]
        self.nodes[screening_id] = Node(self, screening_id)
        self.buried.append(node.journal)
        node.directory.owned.actors.clear()
        while node.tasks:
            for task in node.tasks:
                task.cancel()
            await asyncio.sleep(0)

    async def drain(self) -> None:
        for _ in range(2000):
            for node in self.nodes.values():
                node.journal.write_next(100)
            if not self.busy and not any(node.journal.depth for node in self.nodes.values()):
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{self.busy} were never answered")

    async def settle(self) -> None:
        """Let everybody finish, holds lapse, and the screenings learn the outcomes of moves."""
        for _ in range(3):
            await self.drain()
            self.clock.advance(max(ARRIVAL_SECONDS, HOLD_SECONDS) + 1)
            for _ in range(50):
                await asyncio.sleep(0)
        await self.drain()

    async def check(self) -> None:
        await self.settle()
        live = self.live()
        assert len({ticket[2:4] for ticket in live}) == len(live), "two tickets in one seat"
        for screening_id in SCREENINGS:
            released = asyncio.create_task(self.ask(ReleaseLapsed(screening_id)))
            await self.drain()
            await released
            seats = await self.ask(ReadSeats(screening_id))
            assert isinstance(seats, SeatMap)
            shown = {seat: view.holder for seat, view in seats.views.items() if view.status == "booked"}
            assert shown == {t.seat_id: t.holder for t in live if t.screening_id == screening_id}
            for view in seats.views.values():
                assert view.status != "reserved" or view.expires_at is not None, "a seat is kept for ever"
        for event_id, kinds in EVENTS.items():
            stock = await self.ask(ReadStock(event_id))
            sold = Counter(ticket_type_of(t.seat_id) for t in live if t.screening_id == event_id)
            for kind in kinds:
                assert (stock.ticket_types[kind].sold, stock.ticket_types[kind].reserved) == (sold[kind], 0)
                assert sold[kind] <= PLACES
        for ticket_id, place in self.places.items():
            assert self.database.tickets[ticket_id][2:4] == place, "an acknowledged move was lost"
        self.check_money()

    def check_money(self) -> None:
        """Every cent of each used payment is kept for a ticket or owed, once."""
        database = self.database
        received: Counter[str] = Counter()
        for event in database.events.values():
            if event.kind == "tickets_issued":
                for ticket in event.tickets:
                    received[ticket.payment_id] += ticket.price_cents
            elif event.kind == "tickets_moved" and event.payment_id is not None:
                after, before = (
                    sum(t.price_cents for t in tickets) for tickets in (event.tickets, event.before)
                )
                received[event.payment_id] += after - before
        held: Counter[str] = Counter()
        for ticket in self.live():
            held.update(dict(kept_for(ticket)))
        refunds = [*database.refunds.values(), *database.move_refunds]
        for refund in refunds:
            if database.payments[refund.payment_id] is not None:
                held[refund.payment_id] += refund.amount_cents
        assert held == received
        assert self.refunds <= {refund.id for refund in refunds}, "a refund was lost"


def _total(tickets: tuple[Ticket, ...]) -> int:
    return sum(ticket.price_cents for ticket in tickets)


async def simulate(seed: int) -> Counter[str]:
    """Run one history and check it."""
    world = World(random.Random(seed))
    for _ in range(ROUNDS):
        for _ in range(world.rng.randint(1, 3)):
            world.start_client()
        for _ in range(world.rng.randint(1, 12)):
            await asyncio.sleep(0)
        world.databases_act()
        chance = world.rng.random()
        if chance < 0.15:
            world.clock.advance(world.rng.choice([1.0, 6.0, 11.0, 301.0]))
        elif chance < 0.25:
            await world.kill(world.rng.choice(list(world.nodes)))
        elif chance < 0.3:
            await world.check()
    await world.check()
    for node in world.nodes.values():
        await node.directory.stop()
    return world.outcomes


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("seeds", slices(200, SEEDS_PER_TEST), ids=name_of)
async def test_seeds(seeds: range) -> None:
    outcomes = await outcomes_of(simulate, seeds)
    assert outcomes["moved"] > len(seeds), outcomes
    assert outcomes["moved to another type"] > len(seeds), outcomes
