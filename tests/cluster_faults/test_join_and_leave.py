"""A node joins and leaves under load: only its share moves, soon, and nothing is lost."""

import asyncio
import time

import pytest

from cluster.nats_server import NatsServer
from tests.acceptance.figures import Figures
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.seeding import seeded
from tests.cluster_faults.holders import HolderLog, holders_at
from tests.cluster_faults.nodes import Nodes, cluster_of, eventually
from tests.database import execute

HALLS, HOLDERS = 60, 8
PAUSE_SECONDS = 0.15


def _owners(nodes: Nodes) -> dict[int, str]:
    return dict(execute(nodes.database_url, "SELECT screening_id, owner FROM screening_epochs"))


@pytest.mark.gen_test(timeout=510)
async def test_only_the_share_of_the_node_moves(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    halls = await seeded(database_url, HALLS, 10, 50)
    log = HolderLog()
    async with cluster_of(2, database_url, nats_server.url) as nodes:
        await nodes.settled()
        async with holders_at(nodes, log, halls, holders=HOLDERS, pause_seconds=PAUSE_SECONDS):

            async def all_owned() -> bool:
                return len(_owners(nodes)) == HALLS

            await eventually(all_owned)
            before = _owners(nodes)
            third = await nodes.add()
            began = time.monotonic()
            await nodes.settled()

            def owned_by_the_third() -> set[int]:
                return {hall for hall, owner in _owners(nodes).items() if f" {third.pid}@" in owner}

            moved: set[int] = set()

            async def nothing_moves_any_more() -> bool:
                nonlocal moved
                earlier, moved = moved, owned_by_the_third()
                await asyncio.sleep(1)
                return moved and moved == earlier == owned_by_the_third()

            await eventually(nothing_moves_any_more)
            # The last second was spent to see that it is over.
            spread_seconds = time.monotonic() - began - 2
            after = _owners(nodes)
            assert {hall for hall in after if after[hall] != before[hall]} == moved
            assert HALLS / 10 < len(moved) < HALLS * 6 / 10, "about a third is expected"

            assert (await third.terminate()).code == 0
            await nodes.settled()

            async def all_taken_back() -> bool:
                return not any(f" {third_pid}@" in owner for owner in _owners(nodes).values())

            third_pid = after[min(moved)].rpartition(" ")[2].partition("@")[0]
            await eventually(all_taken_back)
            last = _owners(nodes)
            assert {hall for hall in last if last[hall] != after[hall]} == moved
        lost = await log.lost(nodes)

    figures(
        moved=len(moved),
        of=HALLS,
        spread_seconds=spread_seconds,
        holds=log.number,
        lost=lost,
        repeated=log.repeated,
        failed=len(log.failed),
        late_writes=late_writes_in(database_url),
        p99_seconds=log.quantile(0.99),
    )
    assert not log.failed
    assert lost == 0
    assert late_writes_in(database_url) == 0
