"""Steps of the wall clock and a suspended machine: time follows within a second, and no hold is cut short."""

import asyncio

import pytest

from engine.clock import SystemClock
from engine.commands import BookSeats, ExtendHolds, HoldSeats, ReadSeats
from engine.errors import BadEntry
from engine.events import HoldsExtended, SeatsHeld
from engine.memory import RecordingPublisher
from engine.selling_errors import ScreeningStarted
from engine.views import SeatMap
from tests.engine.conftest import NOW
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test

HOUR = 3600.0
HOLD_SECONDS = 300.0
STEPS = pytest.mark.parametrize("step", [HOUR, -HOUR, 2.0, -2.0])


class Machine:
    """Its clocks, set by hand: the wall clock, the time since boot and the time that it was awake."""

    def __init__(self) -> None:
        self.wall, self.booted, self.awake = 1_800_000_000.0, 1000.0, 1000.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.booted, lambda: self.awake)
        self.steps: list[float] = []
        self.clock.on_step(self.steps.append)

    def wait(self, seconds: float, *, wall: float | None = None) -> None:
        """Let time pass; the wall clock may have its own idea of how much."""
        self.wall += seconds if wall is None else wall
        self.booted += seconds
        self.awake += seconds

    def sleep(self, seconds: float) -> None:
        """Be suspended."""
        self.wall += seconds
        self.booted += seconds


@STEPS
async def test_the_clock_takes_a_step_at_the_next_look(step: float) -> None:
    machine = Machine()
    machine.wait(10)
    machine.wall += step
    before = machine.clock.now()
    assert machine.clock.step_seconds == pytest.approx(step)
    machine.clock.follow()
    assert machine.clock.now() - before == pytest.approx(step)
    assert machine.steps == [pytest.approx(step)]
    machine.clock.follow()
    assert len(machine.steps) == 1


async def test_a_wall_clock_that_runs_fast_or_slow_is_followed_without_steps() -> None:
    for pace in (0.9995, 1.0005):
        machine = Machine()
        for _ in range(5000):
            machine.wait(1.0, wall=pace)
            machine.clock.follow()
            assert abs(machine.clock.now() - machine.wall) < 0.02
        assert machine.steps == []


async def test_a_suspended_machine_has_aged_when_it_wakes_up() -> None:
    machine = Machine()
    before = machine.clock.now()
    machine.sleep(HOUR)
    assert machine.clock.now() - before == HOUR
    machine.clock.follow()
    assert machine.steps == [0.0], "no step, but what is late has to be looked at"


async def test_calls_at_a_time_follow_the_wall_and_calls_after_a_while_do_not() -> None:
    machine = Machine()
    called: list[str] = []
    machine.clock.call_at(machine.wall + HOUR, lambda: called.append("at"))
    machine.clock.call_at(machine.wall + HOUR, lambda: called.append("cancelled")).cancel()
    machine.clock.call_later(HOUR, lambda: called.append("later"))
    machine.wall += HOUR
    machine.clock.follow()
    await asyncio.sleep(0.01)
    assert called == ["at"]


async def test_a_call_at_a_time_is_made_once() -> None:
    machine = Machine()
    called: list[str] = []
    machine.clock.call_at(machine.wall, lambda: called.append("first"))
    machine.clock.call_at(machine.wall, lambda: called.append("cancelled")).cancel()
    await turns()
    assert called == ["first"]
    machine.clock.call_at(machine.wall, lambda: called.append("second"))
    for _ in range(2):
        machine.wall += HOUR
        machine.clock.follow()
        await turns()
    assert called == ["first", "second"]


async def test_half_a_second_is_a_step_or_a_suspend_and_a_suspend_is_told_once() -> None:
    machine = Machine()
    for _ in range(2):
        machine.sleep(0.5)
        for _ in range(2):
            machine.clock.follow()
    assert machine.steps == [0.0, 0.0]
    machine.wall += 0.5
    machine.clock.follow()
    assert machine.steps == [0.0, 0.0, 0.5]


async def expiry(house: House, seat_id: int = 1) -> float:
    reply = await house.screenings.ask(ReadSeats(1))
    assert isinstance(reply, SeatMap)
    expires_at = reply.views[seat_id].expires_at
    assert expires_at is not None
    return expires_at


@STEPS
async def test_a_hold_keeps_its_remaining_time(step: float) -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(10)
    house.clock.step(step)
    assert await expiry(house) == house.clock.now() + HOLD_SECONDS - 10
    house.clock.advance(HOLD_SECONDS - 10 - 1)
    assert await house.seen(1) == "reserved", "not more than a second early"
    house.clock.advance(1 + 2)
    assert house.screenings.hold_count == 0, "not more than two seconds late"
    assert await house.seen(1) == "available"


@STEPS
async def test_a_pending_ticket_keeps_its_remaining_time(step: float) -> None:
    house = House()
    await house.screenings.ask(BookSeats(1, "user:7", (1,), payment_pending=True))
    remaining = await expiry(house) - house.clock.now()
    house.clock.advance(10)
    house.clock.step(step)
    house.clock.advance(remaining - 10 - 1)
    assert await house.seen(1) == "reserved"
    house.clock.advance(1 + 2)
    await turns()
    assert await house.seen(1) == "available"


@STEPS
async def test_a_moved_deadline_is_stored_and_published(step: float) -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.step(step)
    await turns()
    assert isinstance(house.publisher, RecordingPublisher)
    (view,) = house.publisher.changes[-1].views
    (stored,) = [hold for hold, status in house.database.holds.values() if status == "active"]
    assert view.expires_at == stored.expires_at == house.clock.now() + HOLD_SECONDS
    again = House(house.database)
    again.clock.step(house.clock.now() - again.clock.now())
    assert await expiry(again) == stored.expires_at


async def test_a_hold_may_be_extended_for_as_long_as_before() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.step(-HOUR)
    extended = await house.screenings.ask(ExtendHolds(1, "user:7", (1,), 60.0))
    assert isinstance(extended, HoldsExtended)
    assert extended.holds[0].expires_at == house.clock.now() + HOLD_SECONDS + 60


@STEPS
async def test_holds_that_are_not_in_memory_keep_their_remaining_time(step: float) -> None:
    house = House()
    await house.hold("user:7", 1)
    await house.screenings.stop()
    await turns()
    again = House(house.database)
    await again.screenings.load_lapsing()
    again.clock.step(step)
    assert await expiry(again) == again.clock.now() + HOLD_SECONDS


async def test_a_started_screening_is_not_sold_after_a_step() -> None:
    house = House()
    await house.seen(1)
    starts_at = house.database.screenings[1][0].starts_at
    house.clock.step(starts_at - NOW + 1)
    with pytest.raises(ScreeningStarted):
        await house.screenings.ask(HoldSeats(1, "user:7", (1,)))


async def test_what_waits_in_a_mailbox_has_waited_no_longer() -> None:
    house = House()
    await house.seen(1)
    waiting = [asyncio.ensure_future(house.hold(f"user:{seat}", seat)) for seat in (1, 2)]
    await asyncio.sleep(0)
    house.clock.step(HOUR)
    assert all(isinstance(answer, SeatsHeld) for answer in await asyncio.gather(*waiting))


async def test_holds_that_expired_while_the_machine_slept_are_released() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock._now += HOUR  # no timer has fired
    house.clock.step(0.0)
    assert house.screenings.hold_count == 0


@STEPS
async def test_a_hold_that_comes_back_from_a_refused_booking_has_its_remaining_time(step: float) -> None:
    house = House()
    await house.hold("user:7", 1)
    await turns()
    house.journal.automatic = False
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    house.clock.step(step)
    house.journal.refuse_next(BadEntry("a bad row"))
    with pytest.raises(BadEntry):
        await booking
    assert await expiry(house) == house.clock.now() + HOLD_SECONDS
