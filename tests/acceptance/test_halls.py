"""Halls that nobody touches cost nothing, and holding a seat does not depend on how many there are.

The figures are printed by `python -m bench.halls`; here stands what must hold on any machine.
"""

from pathlib import Path
from statistics import median

import pytest

from bench.halls import LARGE, SMALL, BareCore
from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures
from tests.acceptance.server_process import ServerProcess

SCREENINGS, ROWS, SEATS_PER_ROW = 10_000, 15, 20
GROWTH_LIMIT_BYTES = 2**20
SEATS_RATIO = LARGE[0] * LARGE[1] / (SMALL[0] * SMALL[1])


@pytest.mark.gen_test(timeout=330)
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
    small, large = BareCore(*SMALL), BareCore(*LARGE)
    rounds = [(small.seconds_per_hold(500), large.seconds_per_hold(500)) for _ in range(15)]
    ratio = median(large for _, large in rounds) / median(small for small, _ in rounds)
    figures(ratio=ratio)
    assert ratio < 3, f"the hall is {SEATS_RATIO:g} times as large"
