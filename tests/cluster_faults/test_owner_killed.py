"""kill -9 of the node that owns the hall on sale: others take over, and nothing acknowledged is lost."""

import asyncio

import pytest

from cluster.nats_server import NatsServer
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.purchases import CLEAN, PurchaseLog
from tests.acceptance.seeding import seeded
from tests.cluster_faults.crowd import crowd_at
from tests.cluster_faults.nodes import cluster_of

PROBER, WATCHER = 900, 901


async def _kill_owners(database_url: str, nats_url: str, kills: int, figures: Figures) -> None:
    log = PurchaseLog("owner-killed")
    seconds = []
    halls = await seeded(database_url, kills, 10, 50)
    async with cluster_of(3, database_url, nats_url) as nodes:
        await nodes.settled()
        for number, hall in enumerate(halls):
            await nodes.bookable_again(hall, PROBER)
            owner = nodes.owner_of(hall)
            assert owner is not None
            watchers = [nodes.watcher(node, hall, WATCHER) for node in nodes.others(owner)]
            await asyncio.gather(*(watcher.connect() for watcher in watchers))
            async with crowd_at(nodes, log, [hall], seed=number):
                await asyncio.sleep(0.5)
                await owner.kill()
                seconds.append(await nodes.bookable_again(hall, PROBER))
                await asyncio.sleep(0.3)
            assert [watcher.close_code for watcher in watchers] == [None, None]
            await owner.start()
            await nodes.settled()
            for watcher in watchers:
                await nodes.shows_the_truth(watcher, hall, WATCHER)
                await watcher.disconnect()
        unanswered = len(log.unsettled)
        await log.settle()
        audit = log.audit(database_url)

    seconds.sort()
    figures(
        kills=kills,
        acknowledged=len(log.acknowledged),
        unanswered=unanswered,
        **vars(audit),
        late_writes=late_writes_in(database_url),
        bookable_median_seconds=seconds[len(seconds) // 2],
        bookable_p99_seconds=seconds[int(len(seconds) * 0.99)],
    )
    assert audit == CLEAN
    assert late_writes_in(database_url) == 0
    assert log.acknowledged


@pytest.mark.gen_test(timeout=510)
async def test_nothing_acknowledged_is_lost(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _kill_owners(database_url, nats_server.url, count_of("OWNER_KILLS", 3), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_nothing_acknowledged_is_lost_in_many_kills(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _kill_owners(database_url, nats_server.url, count_of("SOAK_OWNER_KILLS", 50), figures)
