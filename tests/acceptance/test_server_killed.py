"""Repeated kill -9 of the server under booking load: nothing acknowledged is lost or sold twice."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.acceptance.buyers import ONCE, buyers_of
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.purchases import CLEAN, PurchaseLog, shop
from tests.acceptance.server_process import ServerProcess

BUYERS = 24
FEWEST_SUCCEEDED = 0.3


async def _kill_repeatedly(data_directory: Path, kills: int, figures: Figures) -> None:
    draw = random.Random(4)
    log = PurchaseLog("server-killed")
    ready_seconds = []
    unanswered = 0
    async with ServerProcess(data_directory) as server, buyers_of(server, ONCE) as buyer:
        halls = await server.seed(screenings=kills, rows=20, seats_per_row=50)
        buyers = [buyer(user_id) for user_id in range(1, BUYERS + 1)]
        for hall in halls:
            crowd = [
                asyncio.create_task(shop(log, buyer, [hall], random.Random(draw.random())))
                for buyer in buyers
            ]
            await log.succeeds(BUYERS)
            await asyncio.sleep(draw.uniform(0.1, 0.5))
            await server.kill()
            await asyncio.gather(*crowd)
            unanswered += len(log.unsettled)
            ready_seconds.append(await server.start())
            await log.settle()
        audit = log.audit(server.database.url)

    ready_seconds.sort()
    figures(
        kills=kills,
        acknowledged=len(log.acknowledged),
        unanswered=unanswered,
        **vars(audit),
        success_share=log.success_share,
        ready_median_seconds=ready_seconds[len(ready_seconds) // 2],
        ready_p99_seconds=ready_seconds[int(len(ready_seconds) * 0.99)],
    )
    assert audit == CLEAN
    assert unanswered > 0, "no kill interrupted a booking"
    assert log.success_share >= FEWEST_SUCCEEDED


@pytest.mark.timeout(900)
@pytest.mark.gen_test(timeout=510)
async def test_nothing_acknowledged_is_lost_or_sold_twice(data_directory: Path, figures: Figures) -> None:
    await _kill_repeatedly(data_directory, count_of("KILLS", 6), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_nothing_acknowledged_is_lost_or_sold_twice_in_many_kills(
    data_directory: Path, figures: Figures
) -> None:
    await _kill_repeatedly(data_directory, count_of("SOAK_KILLS", 300), figures)
