"""Warnings before holds expire: each deadline is announced once, at its time, to nobody but the holder."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import BookSeats, ExtendHolds, ReleaseHolds
from engine.deadlines import Deadlines
from engine.errors import BadEntry, EngineError
from engine.events import HoldsExpiring
from engine.memory import MemoryDatabase
from engine.policy import Policy
from engine.records import Hold
from tests.engine.cluster import pair
from tests.engine.conftest import NOW
from tests.engine.house import House, turns

WARNING = 60.0


def warnings(house: House) -> list[HoldsExpiring]:
    return [change for change in house.publisher.changes if isinstance(change, HoldsExpiring)]


def announced(house: House) -> list[tuple[float, list[tuple[str, int, float]]]]:
    """Return when holders were warned, of which seats, and how long before the end."""
    return [
        (
            warning.at - NOW,
            [(hold.holder, hold.seat_id, hold.expires_at - warning.at) for hold in warning.holds],
        )
        for warning in warnings(house)
    ]


@pytest.mark.gen_test
async def test_a_holder_is_warned_once_before_the_end() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(239.999)
    assert announced(house) == []
    house.clock.advance(0.001)
    assert announced(house) == [(240.0, [("user:7", 1, WARNING)])]
    house.clock.advance(59.0)
    await house.hold("user:8", 2)
    house.clock.advance(10.0)
    assert len(warnings(house)) == 1
    assert [change.cause for change in house.publisher.changes] == [
        "seats_held",
        "holds_expiring",
        "seats_held",
        "holds_expired",
    ]


@pytest.mark.gen_test
async def test_a_warning_changes_nothing_that_others_see_and_is_not_stored() -> None:
    house = House()
    await house.hold("user:7", 1)
    await turns()
    stored = set(house.database.events)
    house.clock.advance(240.0)
    (warning,) = warnings(house)
    assert warning.views == ()
    assert warning.available == house.publisher.changes[0].available
    await turns()
    assert set(house.database.events) == stored


@pytest.mark.gen_test
async def test_an_extended_hold_is_announced_again() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(250.0)
    await house.screenings.ask(ExtendHolds(1, "user:7", (1,), 300.0))
    house.clock.advance(600.0)
    assert announced(house) == [(240.0, [("user:7", 1, WARNING)]), (540.0, [("user:7", 1, WARNING)])]


@pytest.mark.gen_test
async def test_a_hold_that_has_ended_is_not_announced() -> None:
    house = House()
    await house.hold("user:7", 1, 2)
    await house.hold("user:8", 3)
    await house.screenings.ask(ReleaseHolds(1, "user:7", (1,)))
    await house.screenings.ask(BookSeats(1, "user:8", (3,)))
    house.clock.advance(300.0)
    assert announced(house) == [(240.0, [("user:7", 2, WARNING)])]


@pytest.mark.gen_test
async def test_a_hold_with_an_earlier_end_is_announced_in_time() -> None:
    """The hold ends after the time of the first warning, and its own warning comes before that one."""
    house = House(policy=Policy(hold_life_seconds=280.0, hold_seconds=280.0))
    await house.hold("user:7", 1)
    await house.screenings.ask(ReleaseHolds(1, "user:7", (1,)))
    house.clock.advance(10.0)
    await house.hold("user:8", 2)
    await house.hold("user:7", 1)  # may keep the seat until 280 seconds after its first hold
    house.clock.advance(300.0)
    assert announced(house) == [(220.0, [("user:7", 1, WARNING)]), (230.0, [("user:8", 2, WARNING)])]


@pytest.mark.parametrize("policy", [Policy(hold_seconds=60.0), Policy(expiry_warning_seconds=0.0)])
@pytest.mark.gen_test
async def test_no_warning(policy: Policy) -> None:
    """No warning is sent if the holder was told the deadline just before, or if warnings are off."""
    house = House(policy=policy)
    await house.hold("user:7", 1)
    house.clock.advance(400.0)
    assert [change.cause for change in house.publisher.changes] == ["seats_held", "holds_expired"]


@pytest.mark.gen_test
async def test_a_refused_purchase_does_not_repeat_the_warning() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(250.0)
    house.journal.automatic = False
    house.journal.write_next(10)
    booking = house.screenings.ask_active(BookSeats(1, "user:7", (1,)))
    house.journal.refuse_next(BadEntry("no"))
    with pytest.raises(EngineError):
        await booking
    house.clock.advance(10.0)
    assert len(warnings(house)) == 1


@pytest.mark.gen_test
async def test_a_step_of_the_clock_repeats_no_warning() -> None:
    house = House()
    await house.hold("user:7", 1)
    house.clock.advance(250.0)
    house.clock.step(3600.0)
    house.clock.advance(49.0)
    assert len(warnings(house)) == 1
    house.clock.advance(1.0)
    assert house.publisher.changes[-1].cause == "holds_expired"


@pytest.mark.gen_test
async def test_a_new_owner_goes_on_where_the_former_one_has_ended() -> None:
    cluster = pair()
    first, second = cluster["a"], cluster["b"]
    await cluster.renew()
    await first.hold("user:7", 1)
    await turns()
    for node in (first, second):
        node.pause(100.0)
    await cluster.renew()
    await first.hold("user:8", 2)
    await turns()
    for node in (first, second):
        node.pause(150.0)
    await cluster.renew()
    assert announced(first) == [(250.0, [("user:7", 1, 50.0)])]
    cluster.homes[1] = "b"
    await second.hold("user:9", 3)
    second.clock.advance(0.0)
    assert announced(second) == []
    second.pause(90.0)
    await cluster.renew()
    assert announced(second) == [(340.0, [("user:8", 2, WARNING)])]


@pytest.mark.gen_test
async def test_the_successor_of_a_crashed_owner_warns_holders() -> None:
    database = MemoryDatabase()
    crashed = House(database)
    await crashed.hold("user:7", 1)
    await turns()
    successor = House(database, owner="two")
    successor.clock.advance(245.0)
    await successor.hold("user:8", 2)
    successor.clock.advance(0.0)
    assert announced(successor) == [(245.0, [("user:7", 1, 55.0)])]


def hold(hold_id: int, began: float, seconds: float) -> Hold:
    return Hold(hold_id, hold_id, 1, hold_id, "user:7", began, began + seconds)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("append", "insert", "warn", "expire")), st.integers(1, 200), st.integers(0, 60)
        ),
        max_size=40,
    )
)
def test_every_record_is_announced_once_and_comes_up_once(steps: list[tuple[str, int, int]]) -> None:
    """Against a plain list."""
    deadlines, now = Deadlines(WARNING), NOW
    waiting: list[Hold] = []
    unannounced: set[Hold] = set()
    for number, (step, seconds, later) in enumerate(steps):
        now += later
        if step in ("append", "insert"):
            record = hold(number, now, float(seconds))
            getattr(deadlines, step)(record.expires_at, record)
            waiting.append(record)
            if seconds > WARNING:
                unannounced.add(record)
        elif step == "warn":
            due = {record for record in unannounced if record.expires_at - WARNING <= now}
            assert set(deadlines.take_expiring(now)) == due
            unannounced -= due
        else:
            due = {record for record in waiting if record.expires_at <= now}
            assert set(deadlines.pop_due(now)) == due
            waiting = [record for record in waiting if record not in due]
            unannounced -= due
        assert len(deadlines) == len(waiting)
        assert deadlines.earliest == min((record.expires_at for record in waiting), default=inf)
        warning = min((record.expires_at - WARNING for record in unannounced), default=inf)
        wanted = min(deadlines.earliest, warning)
        assert deadlines.next_at == wanted or deadlines.next_at <= now, "if warnings are late"
