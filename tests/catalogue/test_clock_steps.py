"""A whole server whose wall clock is stepped: what is stored, shown and sold follows within seconds."""

import asyncio
import time

import pytest

from tests.api.caller import RESERVATIONS
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=180)

STORED = "SELECT extract(epoch FROM expires_at)::float8 FROM holds WHERE status = 'active' ORDER BY id"


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_lock_out_keeps_its_duration(open_house: OpenHouse, step: float) -> None:
    house = await open_house(attempts_per_account=1, attempts_window_seconds=60.0)
    ada = await member(house)
    ada.password = "a wrong password"
    assert (await ada.log_in()).status == 401
    clock = house.server._clock
    clock._wall = lambda: time.time() + step
    clock.follow()
    refused = await ada.log_in()
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_holds_keep_their_remaining_time_in_memory_and_in_the_database(
    house: House, step: float
) -> None:
    room_id = await make_room(house)
    seat_ids = await add_seats(house, room_id)
    screenings = [await make_screening(house, room_id, hour) for hour in (12, 18)]
    for screening_id in screenings:
        held = await house.user(7).send(
            "POST", f"{RESERVATIONS}/reserve", {"screening_id": screening_id, "seat_ids": seat_ids[:1]}
        )
        assert held.status == 201
    await house.restart()  # so that none of them is in memory
    before = execute(house.database_url, STORED)
    house.server._clock._wall = lambda: time.time() + step
    async with asyncio.timeout(60):
        while execute(house.database_url, STORED) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await house.server._journal.flushed()
    stored = execute(house.database_url, STORED)
    moved = [after - earlier for (after,), (earlier,) in zip(stored, before, strict=True)]
    assert moved == [pytest.approx(step, abs=0.5)] * 2
    for screening_id in screenings:
        path = f"{RESERVATIONS}/screening/{screening_id}/availability"
        statuses = [seat["status"] for seat in (await house.guest.send("GET", path)).json]
        assert statuses.count("reserved") == 1
