"""Bounds on the commands that wait for a screening to be loaded or changed."""

import asyncio

import pytest

from engine.errors import (
    Overloaded,
)
from engine.memory import MemoryDatabase, MemoryStore
from engine.ports import LoadedScreening
from tests.engine.house import House, turns

pytestmark = pytest.mark.gen_test


class SlowStore(MemoryStore):
    """A store that loads when the test says so."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.go_on = asyncio.Event()

    async def activate(self, screening_id: int, **how: object) -> LoadedScreening:
        await self.go_on.wait()
        return await super().activate(screening_id, **how)


@pytest.mark.parametrize("limits", [{"mailbox_limit": 5}, {"waiting_limit": 5}])
async def test_commands_that_wait_for_loading_are_bounded(limits: dict[str, int]) -> None:
    database = MemoryDatabase()
    store = SlowStore(database)
    house = House(database, store=store, **limits)
    waiting = [asyncio.ensure_future(house.hold(f"user:{n}", n)) for n in range(1, 6)]
    await turns()
    with pytest.raises(Overloaded):
        await house.hold("user:9", 9)
    store.go_on.set()
    await asyncio.gather(*waiting)
    await house.hold("user:9", 9)


async def test_commands_that_have_waited_do_not_count_any_more() -> None:
    database = MemoryDatabase()
    store = SlowStore(database)
    house = House(database, store=store, waiting_limit=1)
    for screening_id in (1, 2):
        store.go_on.clear()
        waiting = asyncio.ensure_future(house.hold("user:7", 1, screening_id=screening_id))
        await turns()
        with pytest.raises(Overloaded):
            await house.hold("user:8", 2, screening_id=screening_id)
        store.go_on.set()
        await waiting


async def test_those_who_leave_make_room_for_one_other() -> None:
    database = MemoryDatabase()
    store = SlowStore(database)
    house = House(database, store=store, mailbox_limit=2)
    leaving, staying = (asyncio.ensure_future(house.hold("user:7", seat)) for seat in (1, 2))
    await turns()
    leaving.cancel()
    await turns()
    coming = asyncio.ensure_future(house.hold("user:8", 3))
    await turns()
    with pytest.raises(Overloaded):
        await house.hold("user:9", 4)
    store.go_on.set()
    await asyncio.gather(staying, coming)


async def test_commands_that_wait_for_a_change_are_bounded() -> None:
    house = House(mailbox_limit=5)
    await house.seen(1)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    change = asyncio.ensure_future(house.screenings.change(1, lambda: done))
    await turns()
    waiting = [asyncio.ensure_future(house.hold(f"user:{n}", n)) for n in range(1, 5)]
    waiting.append(asyncio.ensure_future(house.screenings.change(1, lambda: done)))
    await turns()
    with pytest.raises(Overloaded):
        await house.hold("user:9", 9)
    with pytest.raises(Overloaded):
        await house.screenings.change(1, lambda: done)
    done.set_result(None)
    await asyncio.gather(change, *waiting)
    await house.hold("user:9", 9)
