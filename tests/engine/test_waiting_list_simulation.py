"""Thousands who wait, in virtual time, over a journal that stalls and repeats, and processes that are killed.

One seed is one history. Everything that was ever written is checked (`tests.engine.waiting_line`): nobody
overtakes but by what was set aside in vain, and nothing that is freed is for sale while somebody waits.
"""

import asyncio
import random
from collections import Counter

import pytest

from engine.commands import (
    BookSeats,
    CancelTicket,
    HoldPlaces,
    HoldSeats,
    JoinWaitlist,
    LeaveWaitlist,
    PlaceOrder,
    ReadScarcity,
    ReadStock,
    ReleaseHolds,
    ReleaseLapsed,
    ToggleSeats,
    WatchSeat,
)
from engine.directory import ScreeningDirectory
from engine.errors import EngineError
from engine.memory import ManualClock, MemoryIds, MemoryJournal, MemoryStore, NullObserver, RecordingPublisher
from engine.policy import Policy
from engine.records import TicketStatus, TicketType
from engine.waitlist_records import WaitStatus
from tests.engine.conftest import NOW, make_info, make_layout
from tests.engine.waiting_line import RecordedDatabase

SEATS = 40
TYPE = TicketType(5, 2000, 30, 3)
IMPATIENT = Policy(offer_seconds=200.0, waitlist_patience_seconds=50.0)
PATIENT = Policy(offer_seconds=200.0, waitlist_patience_seconds=1e9)


class House:
    """A screening with seats, an event with tickets, and the process that owns them for now.

    Args:
        seed: of the history.
        policy: the limits of the process.
    """

    def __init__(self, seed: int, policy: Policy = IMPATIENT) -> None:
        self.policy = policy
        self.rng = random.Random(seed)
        self.database = RecordedDatabase()
        self.clock = ManualClock(NOW)
        self.hold_ids, self.ticket_ids = MemoryIds(), MemoryIds()
        self.outcomes: Counter[str] = Counter()
        self.acknowledged: list[int] = []
        self.database.add_screening(make_info(1), make_layout(SEATS))
        event = make_info(2, ticket_types={TYPE.id: TYPE}, seated=False)
        self.database.add_screening(event, make_layout(0, room_id=2))
        self.start()

    def start(self) -> None:
        self.journal = MemoryJournal(self.database, limit=10_000, automatic=False)
        self.publisher = RecordingPublisher()
        self.screenings = ScreeningDirectory(
            MemoryStore(self.database),
            self.journal,
            self.publisher,
            NullObserver(),
            self.clock,
            self.hold_ids,
            self.ticket_ids,
            self.policy,
            ask_timeout_seconds=1e9,
        )

    def kill(self) -> None:
        """kill -9: memory is gone, and what was not written never will be."""
        self.start()

    async def ask(self, command: object) -> object | None:
        """Send a command; its durable part is written at once, other entries when the journal likes."""
        asked = asyncio.ensure_future(self.screenings.ask(command))  # type: ignore[arg-type]
        for _ in range(20):
            await asyncio.sleep(0)
            if asked.done():
                break
            self.journal.write_next(1000)
        try:
            reply = await asked
        except EngineError as refusal:
            self.outcomes[refusal.code] += 1
            return None
        self.outcomes["ok"] += 1
        return reply

    async def fill(self) -> None:
        """Sell or hold everything."""
        for seat_id in range(1, SEATS + 1):
            holder = f"user:{seat_id}"
            if seat_id % 2:
                await self.ask(HoldSeats(1, holder, (seat_id,)))
            else:
                await self.ask(BookSeats(1, holder, (seat_id,)))
        for number in range(TYPE.capacity):
            await self.ask(HoldPlaces(2, f"user:{number}", (PlaceOrder(TYPE.id, 1),), 300.0))

    async def act(self, people: int) -> None:
        """One of many people does something."""
        rng = self.rng
        holder = f"user:{rng.randrange(people)}"
        seat_id = rng.randint(1, SEATS)
        match rng.randrange(12):
            case 0 | 1 | 2:
                together = rng.random() < 0.3
                joined = await self.ask(JoinWaitlist(1, holder, rng.randint(1, 3), None, together))
                await self.committed(joined)
            case 3 | 4:
                await self.committed(await self.ask(JoinWaitlist(2, holder, rng.randint(1, 3), TYPE.id)))
            case 5:
                await self.ask(ReleaseHolds(1, self.owner_of(seat_id) or holder))
            case 6:
                await self.ask(ToggleSeats(1, self.owner_of(seat_id) or holder, (seat_id,)))
            case 7:
                await self.ask(BookSeats(1, self.owner_of(seat_id) or holder, (seat_id,)))
            case 8:
                await self.cancel_a_ticket()
            case 9:
                held = [
                    h for h, status in self.database.holds.values() if status == "active" and h.seat_id < 0
                ]
                if held:
                    hold = rng.choice(held)
                    await self.ask(ReleaseHolds(2, hold.holder, None, hold.reservation_id))
            case 10:
                await self.leave()
            case _:
                await self.ask(rng.choice((WatchSeat(1, holder, seat_id), HoldSeats(1, holder, (seat_id,)))))

    async def crowd(self) -> None:
        """Try to get free seats for somebody who has not waited."""
        holder, number = f"crowd:{self.rng.randrange(10**6)}", self.rng.randint(1, 3)
        await self.ask(HoldPlaces(2, holder, (PlaceOrder(TYPE.id, number),), 300.0))
        for seat_id in self.rng.choices(range(1, SEATS + 1), k=4):
            await self.ask(HoldSeats(1, holder, (seat_id,)))

    async def committed(self, joined: object | None) -> None:
        """Now and then the journal writes, after which a place in the line is certain."""
        if joined is not None and self.rng.random() < 0.5:
            self.journal.write_next(1000, times=self.rng.randint(1, 2))
            self.acknowledged.append(joined.entry.id)  # type: ignore[attr-defined]

    def owner_of(self, seat_id: int) -> str | None:
        for hold, status in self.database.holds.values():
            if hold.seat_id == seat_id and status == "active":
                return hold.holder
        return None

    async def cancel_a_ticket(self) -> None:
        live = [t for t in self.database.tickets.values() if t.status is TicketStatus.CONFIRMED]
        if live:
            ticket = self.rng.choice(live)
            await self.ask(CancelTicket(1, ticket.holder, ticket.id, ticket.seat_id))

    async def leave(self) -> None:
        live = [
            e for e in self.database.waitlist.values() if e.status in (WaitStatus.WAITING, WaitStatus.OFFERED)
        ]
        if live:
            entry = self.rng.choice(live)
            await self.ask(LeaveWaitlist(entry.screening_id, entry.holder, entry.id))

    async def check(self) -> None:
        """Write all entries, then assert that memory and the database agree."""
        for screening_id in (1, 2):
            await self.ask(ReleaseLapsed(screening_id))
        self.journal.write_next(10_000)
        waiting = 0
        for screening_id in (1, 2):
            scarcity = await self.screenings.ask(ReadScarcity(screening_id))
            stock = await self.screenings.ask(ReadStock(screening_id))
            waiting += scarcity.waiting
            assert sum(scarcity.lapsing[-1:]) <= scarcity.held <= stock.capacity
        self.journal.write_next(10_000)
        assert waiting == self.database.line.waiting
        for entry_id in self.acknowledged:
            assert entry_id in self.database.waitlist, "a place in the line was lost"


async def simulate(seed: int, steps: int, people: int) -> House:
    house = House(seed)
    await house.fill()
    for step in range(steps):
        await house.act(people)
        await house.crowd()
        chance = house.rng.random()
        if chance < 0.3:
            house.journal.write_next(house.rng.randint(1, 30), times=house.rng.randint(1, 2))
        elif chance < 0.33:
            house.clock.advance(house.rng.choice([1.0, 60.0, 150.0, 201.0]))
        elif chance < 0.335:
            house.kill()
        if step % 200 == 199:
            await house.check()
    await house.check()
    return house


@pytest.mark.gen_test(timeout=120)
@pytest.mark.parametrize("seed", range(3))
async def test_nobody_overtakes(seed: int) -> None:
    house = await simulate(seed, 1200, 200)
    assert len(house.database.line.offered) > 50, house.outcomes
    assert house.database.line.passed_on > 0


@pytest.mark.gen_test(timeout=170)
async def test_nobody_overtakes_among_thousands() -> None:
    house = House(7, PATIENT)
    await house.fill()
    for number in range(4000):
        line = (1, None) if number % 2 else (2, TYPE.id)
        await house.ask(JoinWaitlist(line[0], f"user:{1000 + number}", 1 + number % 3, line[1]))
        if number % 1000 == 999:
            house.journal.write_next(10_000)
            house.kill()
    for step in range(400):
        await house.act(100)
        await house.crowd()
        if step % 40 == 39:
            house.journal.write_next(10_000)
            house.kill()
            house.clock.advance(201.0)
    await house.check()
    offered = house.database.line.offered
    seats = [entry_id for entry_id in offered if house.database.waitlist[entry_id].ticket_type_id is None]
    assert seats == sorted(seats), "ids ascend with the order of joining here"
    assert len(offered) > 300
