"""Buyers at random nodes who go on when a request fails, as clients of a cluster do."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from frontrow_client import Conflict, ConnectionFailed, Unavailable
from tests.acceptance.buyers import Buyer
from tests.acceptance.purchases import PurchaseLog
from tests.acceptance.seeding import SeededScreening
from tests.cluster_faults.nodes import RETRY_SECONDS, UNSETTLED_SECONDS, Nodes

PAUSE_SECONDS = (0.0, 0.04)
"""Between two purchases of a buyer, so that the machine has time for the nodes."""


@asynccontextmanager
async def crowd_at(
    nodes: Nodes, log: PurchaseLog, halls: Sequence[SeededScreening], buyers: int = 8, seed: int = 1
) -> AsyncIterator[None]:
    """Let buyers buy in halls as long as the block lasts.

    Args:
        nodes: the cluster.
        log: their records.
        halls: what they buy.
        buyers: their number; they are the users from 1.
        seed: of what they choose.
    """
    over = asyncio.Event()
    tasks = [
        asyncio.create_task(
            _buy(log, nodes.buyer(user_id), halls, random.Random(seed * 1000 + user_id), over)
        )
        for user_id in range(1, buyers + 1)
    ]
    try:
        yield
    finally:
        over.set()
        async with asyncio.timeout(UNSETTLED_SECONDS):
            await asyncio.gather(*tasks)


async def _buy(
    log: PurchaseLog,
    buyer: Buyer,
    halls: Sequence[SeededScreening],
    draw: random.Random,
    over: asyncio.Event,
) -> None:
    while not over.is_set():
        hall = draw.choice(halls)
        seat_ids = draw.sample(hall.seat_ids, draw.randint(1, 3))
        with suppress(ConnectionFailed):
            try:
                await log.buy(buyer, hall, seat_ids, reserve_first=draw.random() < 0.5)
            except Conflict:
                with suppress(Unavailable):
                    await buyer.release(hall.id)
            except Unavailable as refusal:
                assert refusal.status == 503 and refusal.retry_after_seconds, refusal
                await asyncio.sleep(RETRY_SECONDS)
        await asyncio.sleep(draw.uniform(*PAUSE_SECONDS))
