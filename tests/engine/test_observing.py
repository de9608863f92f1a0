"""Observers are told of every command once, of sales and cancellations, and how late holds lapsed."""

import asyncio
from time import perf_counter

import pytest

from engine.commands import (
    BookSeats,
    CancelScreening,
    CancelTicket,
    Command,
    ConfirmTicket,
    HoldSeats,
    ReadSeats,
)
from engine.errors import BadEntry, CommandExpired, EngineError
from engine.memory import NullMeter, NullObserver
from engine.policy import Policy
from engine.records import ScreeningInfo
from tests.engine.conftest import PRICE_CENTS
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

ADA = "user:7"


class Meter(NullMeter):
    """Keeps what it is told of commands of one kind."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float, float]] = []

    def succeeded(self, seconds: float) -> None:
        self.told.append(("ok", 0.0, seconds))

    def handled(self, outcome: str, waited_seconds: float, seconds: float) -> None:
        self.told.append((outcome, waited_seconds, seconds))

    @property
    def outcomes(self) -> list[tuple[str, float]]:
        return [(outcome, waited) for outcome, waited, _ in self.told]


class Clerk(NullObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.meters: dict[str, Meter] = {}
        self.sold: list[tuple[int, int]] = []
        self.cancelled: list[tuple[int, int]] = []
        self.lapsed: list[tuple[int, float]] = []
        self.loaded_seconds: list[float] = []
        self.unloaded = 0

    def command_meter(self, kind: str) -> Meter:
        return self.meters.setdefault(kind, Meter())

    def screening_activated(self, seconds: float) -> None:
        self.loaded_seconds.append(seconds)

    def screening_passivated(self) -> None:
        self.unloaded += 1

    def holds_lapsed(self, count: int, lateness_seconds: float) -> None:
        self.lapsed.append((count, lateness_seconds))

    def seats_sold(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        self.sold.append((count, cents))

    def seats_cancelled(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        self.cancelled.append((count, cents))


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


@pytest.fixture
def house(clerk: Clerk) -> House:
    return House(observer=clerk)


async def test_a_command_is_counted_by_its_outcome_with_the_time_it_has_waited_and_taken(
    house: House, clerk: Clerk
) -> None:
    started = perf_counter()
    await house.seen(1)
    house.screenings.ask_active(HoldSeats(1, ADA, (1,)))
    with pytest.raises(EngineError):
        house.screenings.ask_active(HoldSeats(1, "user:8", (1,)))
    waiting = [asyncio.ensure_future(house.hold(ADA, seat_id)) for seat_id in (2, 3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    late = asyncio.ensure_future(house.hold("user:8", 1))
    await asyncio.sleep(0)
    house.clock._now += 1.5
    with pytest.raises(EngineError):
        await late
    too_late = asyncio.ensure_future(house.hold("user:8", 4))
    await asyncio.sleep(0)
    house.clock._now += 2.5
    with pytest.raises(CommandExpired):
        await too_late
    with pytest.raises(TypeError):
        house.screenings.ask_active(HoldSeats(1, ADA, None))  # type: ignore[arg-type]
    assert clerk.meters["HoldSeats"].outcomes == [
        ("ok", 0.0),
        ("seats_unavailable", 0.0),
        ("ok", 0.0),
        ("withdrawn", 0.0),
        ("seats_unavailable", 1.5),
        ("command_expired", 2.5),
        ("failed", 0.0),
    ]
    spent = [seconds for meter in clerk.meters.values() for _, _, seconds in meter.told]
    assert min(spent) >= 0
    assert sum(spent) <= perf_counter() - started


async def test_a_command_that_finds_the_mailbox_full_is_counted_as_such(clerk: Clerk) -> None:
    house = House(observer=clerk, mailbox_limit=1)
    await house.seen(1)
    await asyncio.gather(*(house.hold(ADA, seat_id) for seat_id in (1, 2)), return_exceptions=True)
    assert sorted(clerk.meters["HoldSeats"].outcomes) == [("ok", 0.0), ("overloaded", 0.0)]
    assert ("overloaded", 0.0, 0.0) in clerk.meters["HoldSeats"].told


async def test_tickets_are_counted_when_they_are_paid_and_when_such_are_cancelled(
    house: House, clerk: Clerk
) -> None:
    async def ask(command: Command) -> tuple[int, ...]:
        reply = await house.screenings.ask(command)
        return tuple(ticket.id for ticket in getattr(reply, "tickets", ()))

    first, _ = await ask(BookSeats(1, ADA, (1, 2)))
    (unpaid,) = await ask(BookSeats(1, ADA, (3,), payment_pending=True))
    (dropped,) = await ask(BookSeats(1, ADA, (4,), payment_pending=True))
    assert clerk.sold == [(2, 2 * PRICE_CENTS), (0, 0), (0, 0)]
    await ask(ConfirmTicket(1, ADA, unpaid, 3, "payment"))
    assert clerk.sold[3:] == [(1, PRICE_CENTS)]
    await ask(CancelTicket(1, ADA, first, 1))
    await ask(CancelTicket(1, ADA, dropped, 4))
    assert clerk.cancelled == [(1, PRICE_CENTS), (0, 0)]
    await house.hold(ADA, 5)
    await ask(CancelScreening(1, "user:1"))
    assert clerk.cancelled[2:] == [(2, 2 * PRICE_CENTS)]
    assert len(clerk.sold) == 4


async def test_a_booking_that_the_database_refuses_is_no_sale(house: House, clerk: Clerk) -> None:
    await house.seen(1)
    house.journal.automatic = False
    booking = house.screenings.ask_active(BookSeats(1, ADA, (1,)))
    assert house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(BadEntry):
        await booking
    assert clerk.sold == []


async def test_holds_that_lapse_are_counted_with_the_lateness_of_the_oldest(
    house: House, clerk: Clerk
) -> None:
    await house.hold(ADA, 1, 2)
    house.clock.advance(300)
    assert clerk.lapsed == [(2, 0.0)]
    await house.hold(ADA, 3)
    house.clock._now += 304
    await house.screenings.ask(ReadSeats(1))
    await turns()
    assert clerk.lapsed == [(2, 0.0), (1, 4.0)]


async def test_the_lateness_is_that_of_the_oldest_hold_whatever_else_lapses_with_it(clerk: Clerk) -> None:
    house = House(observer=clerk, policy=Policy(payment_window_seconds=300.0))
    await house.hold(ADA, 1)
    await house.screenings.ask(BookSeats(1, ADA, (2,), payment_pending=True))
    house.clock.advance(2)
    await house.hold(ADA, 3)
    house.clock._now += 308
    await house.screenings.ask(ReadSeats(1))
    assert clerk.lapsed == [(2, 10.0)]


async def test_screenings_are_counted_when_they_are_loaded_and_unloaded(house: House, clerk: Clerk) -> None:
    began = perf_counter()
    for screening_id in (1, 2):
        await house.screenings.ask(ReadSeats(screening_id))
    assert len(clerk.loaded_seconds) == 2
    assert 0.0 < sum(clerk.loaded_seconds) < perf_counter() - began
    house.clock.advance(301)
    assert clerk.unloaded == 0
    await house.screenings.passivate_idle()
    assert clerk.unloaded == 2
