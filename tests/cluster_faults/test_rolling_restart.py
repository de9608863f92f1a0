"""Three nodes are restarted one after the other under load: no hold is lost, no request fails twice."""

import asyncio

import pytest

from cluster.nats_server import NatsServer
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.seeding import seeded
from tests.cluster_faults.holders import HolderLog, holders_at
from tests.cluster_faults.nodes import cluster_of

HOLDERS = 12
LOAD = 0.6
MEASURED_SECONDS = 2.0
LONG = {"hold_seconds": 3600.0, "hold_life_seconds": 3600.0}
"""Settings with which nothing expires before it is counted, even in the long version on a slow machine."""


async def _restart(database_url: str, nats_url: str, rounds: int, figures: Figures) -> None:
    halls = await seeded(database_url, 24, 20 * rounds, 50)
    async with cluster_of(3, database_url, nats_url, **LONG) as nodes:
        await nodes.settled()
        full, log = HolderLog(), HolderLog()
        async with holders_at(nodes, full, halls, holders=HOLDERS, pause_seconds=0):
            await asyncio.sleep(MEASURED_SECONDS)
        per_second = len(full.seconds) / MEASURED_SECONDS
        pause_seconds = HOLDERS / (per_second * LOAD)
        first_seat = len(halls[0].seat_ids) // 2
        async with holders_at(
            nodes, log, halls, holders=HOLDERS, first_seat=first_seat, pause_seconds=pause_seconds
        ):
            for _ in range(rounds):
                for node in nodes.all:
                    await asyncio.sleep(0.5)
                    end = await node.terminate()
                    assert end.code == 0, node.last_words()
                    await node.start()
                    await nodes.settled()
        lost = await log.lost(nodes)

    figures(
        restarts=3 * rounds,
        full_load_holds_per_second=per_second,
        holds=log.number,
        lost=lost,
        repeated=log.repeated,
        failed=len(log.failed),
        late_writes=late_writes_in(database_url),
        p50_seconds=log.quantile(0.5),
        p99_seconds=log.quantile(0.99),
        most_seconds=log.quantile(0.9999),
    )
    assert not log.failed
    assert lost == 0
    assert late_writes_in(database_url) == 0
    assert log.number > 100


@pytest.mark.gen_test(timeout=510)
async def test_nothing_is_lost_or_fails_twice(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _restart(database_url, nats_server.url, count_of("ROLLING_RESTARTS", 1), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_nothing_is_lost_or_fails_twice_in_many_restarts(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _restart(database_url, nats_server.url, count_of("SOAK_ROLLING_RESTARTS", 10), figures)
