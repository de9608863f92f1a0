"""Seeded simulation of the actor in virtual time, over a journal that stalls, repeats and refuses.

One seed is one history: clients that hold, toggle, extend, book, pay and cancel, of seats and of tickets
by quantity; an administrator who changes prices, keeps seats and tickets back, and serves customers at the
counter; timers that fire late; a database that speaks late, is told everything twice, refuses a booking now
and then, or loses its process, after which another directory recovers from what was written. A failing seed
replays: `SIMULATION_SEEDS=42:43 make test ARGS=tests/engine/test_simulation.py`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from engine.box_office import BoxOffice
from engine.commands import (
    BlockSeats,
    BookSeats,
    ExtendHolds,
    HoldBest,
    HoldPlaces,
    HoldSeats,
    HoldSeatsFor,
    PlaceOrder,
    ReadSeats,
    ReadStock,
    ReleaseHolds,
    ReleaseLapsed,
    SellSeats,
    ToggleSeats,
    UnblockSeats,
)
from engine.directory import ScreeningDirectory
from engine.errors import BadEntry, EngineError, is_final
from engine.events import (
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsBlocked,
    SeatsHeld,
    SeatsHeldFor,
    TicketsIssued,
)
from engine.memory import (
    ManualClock,
    MemoryDatabase,
    MemoryIds,
    MemoryJournal,
    MemoryStore,
    NullObserver,
)
from engine.memory_ledger import MemoryLedger
from engine.move_money import kept_for
from engine.movers import MoveOrder, Movers
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.purchases import RESERVATION_PAYMENT
from engine.records import HOUSE, Block, Paper, Ticket, TicketStatus, TicketType
from engine.replies import Booked, Cancelled, Held, Moved, Reserved, Stock
from engine.sale_rules import OrphanRule, SaleRules
from engine.selling_errors import RefundRequired
from engine.views import SeatMap
from engine.vouching import COUNTER_PAYMENT
from tests.engine.conftest import NOW, make_info, make_layout
from tests.engine.seeds import name_of, outcomes_of, slices
from tests.engine.spacing import SpacingPublisher

SEATS = 12
CLIENTS = 5
ROUNDS = 25
LIMIT = 4
PER_PERSON = 6
"""The limit over all purchases, in half of the histories."""

SEEDS_PER_TEST = 50
TYPE = TicketType(5, 2000, 9, 3)
PRICES = (1250, 1499, 990)
BOSS = "user:99"


@dataclass
class World:
    """State that outlives a process: the database, the time, and the answers that clients were given."""

    rng: random.Random
    rules: SaleRules
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    acknowledged: dict[int, Ticket] = field(default_factory=dict)
    cancellations: set[int] = field(default_factory=set)
    refunded: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    blocks: dict[int, Block] = field(default_factory=dict)
    prices: dict[int, tuple[int, int]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)
    reservations: dict[int, tuple[str, int]] = field(default_factory=dict)
    purchases: dict[int, list[int]] = field(default_factory=dict)
    codes: Iterator[int] = field(default_factory=count)
    hold_ids: MemoryIds = field(default_factory=MemoryIds)
    ticket_ids: MemoryIds = field(default_factory=MemoryIds)


class PriceRecordingStore(MemoryStore):
    """Writes down the prices of a seat and a place in each epoch."""

    def __init__(self, world: World, publisher: SpacingPublisher) -> None:
        super().__init__(world.database)
        self.world = world
        self.publisher = publisher

    async def activate(self, screening_id: int, **how: object) -> LoadedScreening:
        loaded = await super().activate(screening_id, **how)
        if screening_id == 1:
            self.publisher.begin(loaded)
        self.world.prices[loaded.epoch] = (
            loaded.info.price_cents,
            loaded.info.ticket_types[TYPE.id].price_cents,
        )
        return loaded


class Process:
    """One server: a directory, its journal, and the tasks of its clients."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = MemoryJournal(world.database, limit=40, automatic=False)
        self.publisher = SpacingPublisher(SEATS)
        self.screenings = ScreeningDirectory(
            PriceRecordingStore(world, self.publisher),
            self.journal,
            self.publisher,
            NullObserver(),
            world.clock,
            world.hold_ids,
            world.ticket_ids,
            Policy(held_seats_limit=LIMIT),
            mailbox_limit=20,
            ask_timeout_seconds=1e9,
        )
        ledger = MemoryLedger(world.database)
        self.box_office = BoxOffice(self.screenings, self.journal, ledger, rebooks=world.rng.random() < 0.5)
        self.movers = Movers(self.screenings, self.journal, ledger, self.box_office)
        self.clients: set[asyncio.Task[None]] = set()

    def start_client(self) -> None:
        task = asyncio.create_task(self.act())
        self.clients.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.clients.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.world.failures.append(failure)

    async def act(self) -> None:
        """One client does one thing, and writes down what it was told."""
        rng = self.world.rng
        holder = f"user:{rng.randrange(CLIENTS)}"
        seats = tuple(rng.choices(range(1, SEATS + 1), k=rng.randint(1, 3)))
        owned = [t for t in self.world.acknowledged.values() if t.holder == holder]
        ticket = rng.choice(owned) if owned else None
        reserved = [made for made in self.world.reservations.items() if made[1][0] == holder]
        reservation = rng.choice(reserved) if reserved else None
        try:
            match rng.randrange(16):
                case 0:
                    await self.screenings.ask(ToggleSeats(1, holder, seats))
                case 1:
                    await self.screenings.ask(ExtendHolds(1, holder, seats, 300.0))
                case 2:
                    await self.screenings.ask(ReleaseHolds(1, holder, rng.choice((None, seats))))
                case 3:
                    self.told(await self._booked(BookSeats(1, holder, seats, None, rng.random() < 0.5)))
                case 4:
                    payment = f"{holder}-{sorted(set(seats))}"
                    self.told(await self._booked(BookSeats(1, holder, seats, payment, held_only=True)))
                case 5 if ticket:
                    await self.pay(ticket)
                case 6 if ticket:
                    self.world.cancellations.add(ticket.id)
                    self.told(await self.box_office.cancel(holder, ticket.id))
                case 7:
                    await self.reserve(holder, rng.randint(1, 3))
                case 8 | 9 if reservation:
                    self.told(await self.purchase(holder, reservation))
                case 14:
                    await self.keep_back(seats)
                case 13:
                    await self.screenings.ask(HoldBest(1, holder, rng.randint(1, 3)))
                case 11:
                    await self.act_by_hand(holder, seats)
                case 12 if rng.random() < 0.5:
                    await self.screenings.change(1, self.change_prices)
                case 15 if ticket:
                    order = MoveOrder(holder, (ticket.id,), 1, seats[:1], by_hand=rng.random() < 0.5)
                    self.told(await self.movers.move(order))
                case 10 if reservation:
                    await self.screenings.ask(ReleaseHolds(1, holder, None, reservation[0]))
                    self.world.reservations.pop(reservation[0], None)
                case _:
                    access = (HOUSE,) if rng.random() < 0.2 else ()
                    await self.screenings.ask(HoldSeats(1, holder, seats, access=access))
            self.world.outcomes["ok"] += 1
        except EngineError as refusal:
            self.world.outcomes[refusal.code] += 1
            if isinstance(refusal, RefundRequired):
                self.world.refunded.add(refusal.refund_id)

    async def pay(self, ticket: Ticket) -> None:
        """Pay for a ticket: the payment confirms it, or is owed, unless the request may be repeated."""
        payment_id = f"late-{ticket.id}"
        try:
            self.told(await self.box_office.confirm(ticket.holder, ticket.id, payment_id))
        except EngineError as refusal:
            database = self.world.database
            lost = is_final(refusal) and not isinstance(refusal, RefundRequired) and ticket.price_cents
            assert not lost or database.payments.get(payment_id), f"a payment is lost: {refusal}"
            raise

    async def act_by_hand(self, holder: str, seats: tuple[int, ...]) -> None:
        """An administrator reserves, takes over, sells or gives away seats, or tickets by quantity."""
        rng = self.world.rng
        if rng.random() < 0.4:
            await self.serve_by_quantity(holder, rng.randint(1, 3))
            return
        other = rng.choice((None, f"user:{rng.randrange(CLIENTS)}"))
        if rng.random() < 0.5:
            await self.screenings.ask(HoldSeatsFor(1, holder, seats, BOSS, other))
            return
        reason = rng.choice((None, "Press"))
        payment_id = None if reason else f"{COUNTER_PAYMENT}cash:{next(self.world.codes)}"
        sale = SellSeats(1, holder, seats, BOSS, payment_id, free_because=reason, taken_from=other)
        self.told(await self.screenings.ask(sale))

    async def serve_by_quantity(self, holder: str, quantity: int) -> None:
        """An administrator reserves, sells or gives away tickets of the type, also those of the house."""
        rng, order = self.world.rng, PlaceOrder(TYPE.id, quantity)
        access = rng.choice(((), (HOUSE,)))
        if rng.random() < 0.4:
            held = await self.screenings.ask(HoldSeatsFor(1, holder, (), BOSS, access=access, order=order))
            assert isinstance(held, Held) and len(held.holds) == quantity
            self.world.reservations[held.holds[0].reservation_id] = (holder, quantity)
            return
        reason = rng.choice((None, "Press"))
        payment_id = None if reason else f"{COUNTER_PAYMENT}cash:{next(self.world.codes)}"
        papers = tuple(Paper(f"counter-{next(self.world.codes)}", b"") for _ in range(quantity))
        sale = SellSeats(
            *(1, holder, (), BOSS, payment_id),
            access=access,
            free_because=reason,
            order=order,
            papers=papers,
        )
        booked = await self.screenings.ask(sale)
        assert isinstance(booked, Booked) and len(booked.tickets) == quantity
        self.told(booked)

    async def keep_back(self, seats: tuple[int, ...]) -> None:
        """An administrator keeps seats or tickets back, or releases a block."""
        rng, blocks = self.world.rng, self.world.blocks
        if len(blocks) >= 2:
            block_id = rng.choice(list(blocks))
            blocks.pop(block_id)
            await self.screenings.ask(UnblockSeats(1, block_id, BOSS))
            return
        release_at = rng.choice((None, self.world.clock.now() + 300))
        command = BlockSeats(1, BOSS, "Some", HOUSE, seats, release_at=release_at)
        if rng.random() < 0.3:
            command = command._replace(seat_ids=(), ticket_type_id=TYPE.id, quantity=len(seats))
        blocked = await self.screenings.ask(command)
        assert isinstance(blocked, SeatsBlocked)
        assert blocked.block.id in self.world.database.blocks, "acknowledged before it was written"
        blocks[blocked.block.id] = blocked.block

    async def change_prices(self) -> None:
        seat_cents, place_cents = self.world.rng.sample(PRICES, 2)
        kind = TYPE._replace(price_cents=place_cents)
        info = make_info(ticket_types={TYPE.id: kind}, rules=self.world.rules)
        self.world.database.add_screening(info._replace(price_cents=seat_cents), make_layout(SEATS))

    async def _booked(self, command: BookSeats) -> Booked:
        """Return the booking, after the box office has reconsidered it if it was refused."""
        try:
            booked = await self.screenings.ask(command)
        except EngineError as refusal:
            return await self.box_office.reconsider(command, refusal)
        assert isinstance(booked, Booked)
        return booked

    async def reserve(self, holder: str, quantity: int) -> None:
        """Reserve tickets of the type, once or in two reservations at once."""
        orders = tuple(PlaceOrder(TYPE.id, 1) for _ in range(quantity))
        orders = orders if quantity % 2 else (PlaceOrder(TYPE.id, quantity),)
        reply = await self.screenings.ask(HoldPlaces(1, holder, orders, 300.0))
        assert isinstance(reply, Reserved)
        for holds in reply.reservations:
            self.world.reservations[holds[0].reservation_id] = (holder, len(holds))

    async def purchase(self, holder: str, reservation: tuple[int, tuple[str, int]]) -> Booked:
        """Buy a reservation; a repeat must give the same tickets."""
        reservation_id, (_, quantity) = reservation
        papers = [Paper(f"{reservation_id}-{next(self.world.codes)}", b"") for _ in range(quantity)]
        order = PlaceOrder(TYPE.id, quantity)
        bought = await self.box_office.purchase(holder, holder, 1, reservation_id, papers, order)
        ids = [ticket.id for ticket in bought.tickets]
        assert self.world.purchases.setdefault(reservation_id, ids) == ids, "bought twice"
        return bought

    def told(self, reply: Booked | Cancelled | Moved) -> None:
        if isinstance(reply, Cancelled):
            self.world.cancelled.add(reply.ticket.id)
            return
        for ticket in reply.tickets:
            stored = self.world.database.tickets.get(ticket.id)
            assert stored is not None, "acknowledged before it was written"
            self.world.acknowledged[ticket.id] = ticket

    def database_acts(self) -> None:
        """Write some, twice perhaps; refuse one; or stall."""
        chance = self.world.rng.random()
        if chance < 0.15:
            self.journal.refuse_next(BadEntry("a refused row"))
        elif chance < 0.75:
            self.journal.write_next(self.world.rng.randint(1, 5), times=self.world.rng.randint(1, 2))

    async def drain(self) -> None:
        """Let the database answer everything and everybody finish."""
        self.journal.automatic = True
        for _ in range(1000):
            self.journal.write_next(1000)
            if not self.clients and not self.journal.depth:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{len(self.clients)} callers were never answered")

    async def die(self) -> None:
        """kill -9: memory is gone, and what was not written never will be."""
        for task in self.clients:
            task.cancel()
        await asyncio.gather(*self.clients, return_exceptions=True)

    async def check(self) -> None:
        """Let due holds lapse, settle everything, and assert the invariants."""
        await self.screenings.ask(ReleaseLapsed(1))
        await self.drain()
        enforced = self.world.rules.orphan_rule is OrphanRule.ENFORCE
        assert not enforced or not self.publisher.violations, self.publisher.violations
        reply = await self.screenings.ask(ReadSeats(1))
        assert isinstance(reply, SeatMap)
        (actor,) = self.screenings.owned.actors.values()
        assert reply.views == actor._screening._state.seats.views()
        live = [
            ticket
            for ticket in self.world.database.tickets.values()
            if ticket.status in (TicketStatus.PENDING, TicketStatus.CONFIRMED)
        ]
        by_seat = {ticket.seat_id: ticket for ticket in live}
        assert len(by_seat) == len(live), "a seat was sold twice"
        stock = await self.screenings.ask(ReadStock(1))
        assert isinstance(stock, Stock)
        level = stock.ticket_types[TYPE.id]
        assert level.total == TYPE.capacity and level.available >= 0
        assert level.sold == sum(seat_id < 0 for seat_id in by_seat), "the count of sold tickets is wrong"
        taken = sum(view.status != "available" for view in reply.views.values())
        assert stock.available == SEATS + level.available - taken
        for seat_id, ticket in by_seat.items():
            if seat_id < 0:
                continue
            booked = ticket.status is TicketStatus.CONFIRMED
            assert reply.views[seat_id].status == ("booked" if booked else "reserved")
            assert reply.views[seat_id].holder == ticket.holder
        occupied: Counter[str] = Counter()
        for seat_id, view in reply.views.items():
            if view.blocked:
                assert seat_id not in by_seat
            elif view.status == "booked":
                assert seat_id in by_seat
            elif view.status == "reserved":
                occupied[view.holder or ""] += 1
                assert view.expires_at is not None and view.expires_at > self.world.clock.now()
        assert all(number <= LIMIT for number in occupied.values())
        for ticket_id, ticket in self.world.acknowledged.items():
            stored = self.world.database.tickets[ticket_id]
            if ticket.status is TicketStatus.CONFIRMED and ticket_id not in self.world.cancellations:
                assert stored.status is TicketStatus.CONFIRMED, "an acknowledged booking was lost"
        assert all(
            self.world.database.tickets[ticket_id].status in (TicketStatus.CANCELLED, TicketStatus.LAPSED)
            for ticket_id in self.world.cancelled
        )
        self.check_prices()
        self.check_ends()
        self.check_money()
        self.check_limit_per_person()
        seqs = [(change.epoch, change.seq) for change in self.publisher.changes]
        assert seqs == sorted(set(seqs)), "changes out of order"
        picture = {view.seat_id: view for change in self.publisher.changes for view in change.views}
        for seat_id, view in picture.items():
            if view.status == "booked" and not view.blocked:
                assert reply.views[seat_id] == view
        places = {seat_id for seat_id in by_seat if seat_id < 0}
        for block in self.world.blocks.values():
            if block.release_at is None or block.release_at > self.world.clock.now():
                places.update(seat_id for seat_id in block.seat_ids if seat_id < 0)
                states = [reply.views[seat_id].status for seat_id in block.seat_ids if seat_id > 0]
                assert "available" not in states, "seats that are kept back are on sale"
        assert level.available <= TYPE.capacity - len(places), "tickets that are kept back are on sale"

    def check_limit_per_person(self) -> None:
        """Nobody holds and has bought more than the organiser allows, over all purchases and processes."""
        if self.world.rules.max_per_user is None:
            return
        database = self.world.database
        now = self.world.clock.now()
        # A database that refuses the end of a hold keeps it, and nobody has it.
        held = [hold for hold, status in database.holds.values() if status == "active"]
        has = Counter(hold.holder for hold in held if hold.expires_at > now)
        live = (TicketStatus.PENDING, TicketStatus.CONFIRMED)
        has.update(ticket.holder for ticket in database.tickets.values() if ticket.status in live)
        assert all(number <= PER_PERSON for number in has.values()), has

    def check_ends(self) -> None:
        """No hold has lapsed before its deadline, or was given back by another customer."""
        for event in self.world.database.events.values():
            if isinstance(event, HoldsExpired):
                assert all(hold.expires_at <= event.at for hold in event.holds), "a hold has ended early"
            elif isinstance(event, HoldsReleased) and event.actor != BOSS:
                assert all(hold.holder == event.actor for hold in event.holds), "a foreign hold was released"

    def check_money(self) -> None:
        """A payment has ended in tickets or in a refund, once; a cancelled ticket owes its price."""
        database = self.world.database
        refunds = database.refunds
        assert self.world.refunded <= {refund.id for refund in refunds.values()}, "a refund was lost"
        for ticket in database.tickets.values():
            payment_id = ticket.payment_id
            if payment_id is None or payment_id.startswith(RESERVATION_PAYMENT):
                continue
            assert (payment_id, None) not in refunds, "paid back and sold"
            cancelled = ticket.status is TicketStatus.CANCELLED and ticket.confirmed_at is not None
            kept = dict(kept_for(ticket))
            owed = {
                name: refunds[name, ticket.id].amount_cents for name in kept if (name, ticket.id) in refunds
            }
            assert owed == (kept if cancelled else {})

    def check_prices(self) -> None:
        """Held seats cost their price when held, whatever happened since; others their price when sold."""
        agreed: dict[int, int] = {}
        given_back: dict[int, tuple[float, int]] = {}
        for (_, epoch, _), event in sorted(self.world.database.events.items()):
            prices = self.world.prices[epoch]
            if isinstance(event, SeatsHeld | PlacesHeld):
                for hold in event.holds:
                    agreed[hold.id] = price_in(prices, hold.seat_id)
                    assert hold.price_cents == agreed[hold.id], "held at another price than that of the day"
            elif isinstance(event, SeatsHeldFor):
                for hold in event.holds:
                    present = (event.at, price_in(prices, hold.seat_id))
                    taken_over = given_back.get(hold.seat_id, present)
                    agreed[hold.id] = (taken_over if taken_over[0] == event.at else present)[1]
                    assert hold.price_cents == agreed[hold.id], "held by hand at a wrong price"
            elif isinstance(event, HoldsExtended | HoldsReleased | HoldsExpired):
                assert all(agreed[hold.id] == hold.price_cents for hold in event.holds), "repriced"
                if isinstance(event, HoldsReleased) and event.actor == BOSS:
                    given_back |= {hold.seat_id: (event.at, agreed[hold.id]) for hold in event.holds}
            elif isinstance(event, TicketsIssued):
                held = {hold.seat_id: agreed[hold.id] for hold in event.converted}
                for ticket in event.tickets:
                    present = price_in(prices, ticket.seat_id)
                    expected = 0 if ticket.free_because else held.get(ticket.seat_id, present)
                    assert ticket.price_cents == expected, "sold at a wrong price"


def price_in(prices: tuple[int, int], seat_id: int) -> int:
    """Return the price of a seat or a place; seat 10 is a VIP seat, 3.49 dearer than the others."""
    seat_cents, place_cents = prices
    return place_cents if seat_id < 0 else seat_cents + 349 * (seat_id == 10)


async def simulate(seed: int) -> Counter[str]:
    """Run one history and check it."""
    orphan_rule = OrphanRule.ENFORCE if seed % 3 == 0 else OrphanRule.OFF
    rules = SaleRules(orphan_rule, max_per_user=PER_PERSON if seed % 2 else None)
    world = World(random.Random(seed), rules)
    info = make_info(ticket_types={TYPE.id: TYPE}, rules=world.rules)
    world.database.add_screening(info, make_layout(SEATS))
    process = Process(world)
    for _ in range(ROUNDS):
        for _ in range(world.rng.randint(1, 6)):
            process.start_client()
        for _ in range(world.rng.randint(1, 4)):
            await asyncio.sleep(0)
        for failure in world.failures:
            raise failure
        process.database_acts()
        chance = world.rng.random()
        if chance < 0.3:
            world.clock.advance(world.rng.choice([1.0, 60.0, 299.0, 301.0, 901.0]))
        elif chance < 0.34:
            world.clock._now += 400  # timers are late; the next command has to notice
        elif chance < 0.38:
            await process.die()
            process = Process(world)
        elif chance < 0.42:
            await process.drain()
            await process.check()
            process.journal.automatic = False
    await process.drain()
    await process.check()
    assert process.journal.depth == 0
    await process.screenings.stop()
    return world.outcomes


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("seeds", slices(1000, SEEDS_PER_TEST), ids=name_of)
async def test_seeds(seeds: range) -> None:
    outcomes = await outcomes_of(simulate, seeds)
    assert outcomes["ok"] >= 0.3 * outcomes.total(), outcomes
