"""Untouched halls cost nothing, and the cost of a hold does not depend on the size of the hall.

`frontrow bench scale activation` measures the figures; this tests what must hold on any machine.
"""

import random
import time
from pathlib import Path
from statistics import median

import pytest

from engine.commands import HoldSeats, ReleaseHolds
from engine.memory import MemoryIds
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import Layout, ScreeningInfo, Seat
from engine.screening import Screening
from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures
from tests.acceptance.server_process import ServerProcess

SCREENINGS, ROWS, SEATS_PER_ROW = 10_000, 15, 20
GROWTH_LIMIT_BYTES = 2**20
STARTS_AT = 2_000_000_000.0


class BareCore:
    """A screening without actor, journal or sockets."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        layout = Layout(1, 1, (Seat(n, 1, "A", n, "standard", float(n), 0.0) for n in range(1, seats + 1)))
        info = ScreeningInfo(1, STARTS_AT, STARTS_AT + 7200, 1250, {"standard": 0})
        loaded = LoadedScreening(info, layout, 1, (), ())
        self._screening = Screening(loaded, Policy(), MemoryIds(), MemoryIds())
        self._draw = random.Random(1)

    def seconds_per_hold(self, holds: int) -> float:
        """Return the mean time of a hold and its release."""
        seat_ids = [self._draw.randint(1, self.seats) for _ in range(holds)]
        handle, now = self._screening.handle, STARTS_AT - 86_400
        began = time.perf_counter()
        for seat_id in seat_ids:
            handle(HoldSeats(1, "user:7", (seat_id,)), now)
            handle(ReleaseHolds(1, "user:7", (seat_id,)), now)
        return (time.perf_counter() - began) / holds


@pytest.mark.gen_test(timeout=510)
async def test_ten_thousand_untouched_screenings_are_not_in_memory(
    data_directory: Path, figures: Figures
) -> None:
    async with ServerProcess(data_directory) as server, http_session() as session:
        client = Client(server, session, 1)
        assert await client.metric("frontrow_screenings_active") == 0
        before_bytes = server.resident_bytes
        screenings = await server.seed(SCREENINGS, ROWS, SEATS_PER_ROW)
        assert len({screening.id for screening in screenings}) == SCREENINGS
        assert await client.metric("frontrow_screenings_active") == 0
        growth_bytes = server.resident_bytes - before_bytes
        figures(growth_bytes=growth_bytes)
        assert growth_bytes < GROWTH_LIMIT_BYTES

        opened = screenings[SCREENINGS // 2]
        seats = await client.availability(opened.id)
        assert [entry["seat"]["id"] for entry in seats] == list(opened.seat_ids)
        assert await client.metric("frontrow_screenings_active") == 1


def test_holding_a_seat_costs_the_same_in_a_hall_of_any_size(figures: Figures) -> None:
    small, large = BareCore(100), BareCore(50_000)
    rounds = [(small.seconds_per_hold(500), large.seconds_per_hold(500)) for _ in range(15)]
    ratio = median(large for _, large in rounds) / median(small for small, _ in rounds)
    figures(ratio=ratio)
    assert ratio < 3, f"the hall is {large.seats / small.seats:g} times larger"
