"""NATS is away and comes back: owners go on, others answer 503, and watchers end with the truth."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from cluster.nats_server import NatsServer
from frontrow_client import ApiError
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.purchases import CLEAN, PurchaseLog
from tests.acceptance.seeding import SeededScreening, seeded
from tests.acceptance.server_process import ServerProcess
from tests.cluster_faults.crowd import crowd_at
from tests.cluster_faults.nodes import Nodes, cluster_of
from tests.nats import own_nats_server

PROBER, WATCHER, FIRST_ASKER = 900, 901, 1000
BETWEEN_SECONDS = 1.0


def _kill(server: NatsServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


async def _asked_everywhere(
    nodes: Nodes, halls: list[SeededScreening], owners: dict[int, ServerProcess], attempt: int
) -> Counter[str]:
    """Hold a seat of each hall at each node. Returns how often owners and others did what."""
    seen: Counter[str] = Counter()

    async def ask(hall: SeededScreening, node: ServerProcess) -> None:
        seat_id = hall.seat_ids[attempt % len(hall.seat_ids)]
        who = "owner" if owners[hall.id] is node else "others"
        try:
            await nodes.buyer(FIRST_ASKER + attempt, node).reserve(hall.id, [seat_id])
        except ApiError as refusal:
            assert refusal.status != 503 or refusal.retry_after_seconds, refusal
            seen[f"{who}_{refusal.status}"] += 1
        else:
            seen[f"{who}_201"] += 1

    await asyncio.gather(*(ask(hall, node) for hall in halls for node in nodes.all))
    return seen


async def _without_nats(
    database_url: str, directory: Path, away_seconds: float, kills: int, figures: Figures
) -> None:
    log = PurchaseLog("nats-gone")
    halls = await seeded(database_url, 4, 20, 50)
    seen: Counter[str] = Counter()
    async with (
        own_nats_server(directory) as nats,
        cluster_of(3, database_url, nats.url) as nodes,
    ):
        await nodes.settled()
        for hall in halls:
            await nodes.bookable_again(hall, PROBER)
        watchers = [(hall, nodes.watcher(node, hall, WATCHER)) for hall in halls for node in nodes.all]
        await asyncio.gather(*(watcher.connect() for _, watcher in watchers))
        found = {hall.id: nodes.owner_of(hall) for hall in halls}
        owners = {hall_id: owner for hall_id, owner in found.items() if owner is not None}
        assert len(owners) == len(halls)

        async with crowd_at(nodes, log, halls, buyers=4):
            _kill(nats)
            await asyncio.sleep(1)
            loop = asyncio.get_running_loop()
            back_at = loop.time() + away_seconds
            attempt = 0
            while loop.time() < back_at:
                seen += await _asked_everywhere(nodes, halls, owners, attempt)
                attempt += 1
                await asyncio.sleep(0.3)
            await nats.start()
            for _ in range(kills):
                await asyncio.sleep(BETWEEN_SECONDS)
                _kill(nats)
                await asyncio.sleep(BETWEEN_SECONDS / 2)
                await nats.start()
            await nodes.settled()
            for hall in halls:
                await nodes.bookable_again(hall, PROBER)
        for hall, watcher in watchers:
            await nodes.shows_the_truth(watcher, hall, WATCHER)
        returns = sum(watcher.returns for _, watcher in watchers)
        await log.settle()
        audit = log.audit(database_url)

    figures(
        away_seconds=away_seconds,
        kills=kills,
        **seen,
        acknowledged=len(log.acknowledged),
        **vars(audit),
        late_writes=late_writes_in(database_url),
        sockets_resumed=returns,
    )
    assert audit == CLEAN
    assert late_writes_in(database_url) == 0
    assert {what for what in seen if what.startswith("others")} == {"others_503"}
    assert seen["owner_201"] + seen["owner_409"] > 0.9 * seen.total() / 3


@pytest.mark.gen_test(timeout=510)
async def test_owners_go_on_without_nats(database_url: str, data_directory: Path, figures: Figures) -> None:
    await _without_nats(
        database_url, data_directory, count_of("NATS_AWAY_SECONDS", 6), count_of("NATS_KILLS", 2), figures
    )


@pytest.mark.soak
@pytest.mark.gen_test(timeout=1200)
async def test_owners_go_on_without_nats_for_long(
    database_url: str, data_directory: Path, figures: Figures
) -> None:
    await _without_nats(
        database_url,
        data_directory,
        count_of("SOAK_NATS_AWAY_SECONDS", 60),
        count_of("SOAK_NATS_KILLS", 20),
        figures,
    )
