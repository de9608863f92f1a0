"""Copies of screenings that another server owns."""

import asyncio

import pytest

from engine.commands import (
    ReadChanges,
    ReadSeats,
    ReleaseHolds,
)
from engine.selling_errors import ScreeningNotFound
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


@pytest.fixture
def house() -> House:
    return House()


async def test_a_copy_is_as_old_as_a_second_and_never_takes_anothers_number(house: House) -> None:
    other = House(house.database, owner="another")
    await house.hold("user:7", 1)
    await turns()
    first = await other.screenings.ask(ReadSeats(1))
    await house.hold("user:7", 2)
    await turns()
    assert await other.seen(2) == "available"
    other.clock.advance(1)
    second = await other.screenings.ask(ReadSeats(1))
    assert second.views[2].status == "reserved"
    assert [(each.epoch, each.seq) for each in (first, second)] == [(1, 1), (1, 2)]
    # A copy does not know the changes before it.
    assert (await other.screenings.ask(ReadChanges(1, 1, 1))).missed is None
    assert (await other.screenings.ask(ReadChanges(1, 1, 2))).missed == ()
    assert other.publisher.changes == []


async def test_a_command_that_arrives_while_a_copy_is_loaded_takes_the_screening(house: House) -> None:
    other = House(house.database, owner="another")
    await house.hold("user:7", 1)
    await turns()
    seen, held = await asyncio.gather(other.seen(1), other.hold("user:8", 2))
    assert (seen, held.epoch) == ("reserved", 2)
    await turns()
    assert {hold.holder for hold, _ in house.database.holds.values()} == {"user:7", "user:8"}


async def test_watchers_of_a_copy_get_the_changes_after_its_owner_has_gone(house: House) -> None:
    other = House(house.database, owner="another")
    await house.hold("user:7", 1, 2)
    await turns()
    await other.seen(1)
    await house.screenings.ask(ReleaseHolds(1, "user:7", (2,)))
    await turns()
    other.clock.advance(1)
    await other.seen(1)
    await house.hold("user:7", 3)
    await turns()
    house.store.die()
    other.clock.advance(1)
    await other.screenings.sweep()
    assert other.screenings.active_ids() == [1]
    (told,) = other.publisher.changes
    assert (told.epoch, [(view.seat_id, view.status) for view in told.views]) == (
        2,
        [(2, "available"), (3, "reserved")],
    )


async def test_watchers_of_a_lost_screening_get_the_changes_of_its_new_owner(house: House) -> None:
    await house.hold("user:7", 1)
    await turns()
    other = House(house.database, owner="another")
    await other.hold("user:8", 2)
    await house.hold("user:7", 3)  # its server has not noticed, and is deposed when it writes
    await turns()
    other.store.die()
    await house.screenings.sweep()
    told = house.publisher.changes[-1]
    assert [(view.seat_id, view.status) for view in told.views] == [(2, "reserved"), (3, "available")]


async def test_a_screening_that_is_gone_leaves_no_copy(house: House) -> None:
    other = House(house.database, owner="another")
    await house.hold("user:7", 1)
    await other.seen(1)
    del house.database.screenings[1]
    other.clock.advance(1)
    assert await other.screenings.sweep() == 0
    with pytest.raises(ScreeningNotFound):
        await other.seen(1)
    assert not other.screenings.owned.copies


async def test_the_oldest_copies_are_dropped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.copies._LIMIT", 1)
    other = House(house.database, owner="another")
    for screening_id in (1, 2):
        await house.hold("user:7", 1, screening_id=screening_id)
        await turns()
        await other.screenings.ask(ReadSeats(screening_id))
    assert list(other.screenings.owned.copies) == [2]


async def test_a_step_of_the_clock_makes_no_copy_younger(house: House) -> None:
    other = House(house.database, owner="another")
    await house.hold("user:7", 1)
    await turns()
    await other.seen(1)
    await house.hold("user:7", 2)
    await turns()
    other.clock.step(-3600)
    other.clock.advance(1)
    assert await other.seen(2) == "reserved"
