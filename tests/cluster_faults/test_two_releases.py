"""A node of the next release serves beside nodes of this one.

The next release is a copy of the code in which the form of messages has changed in every way that is allowed:
versions are raised, a command and heartbeats have a new last field, and there is a new kind of message.
"""

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from cluster import links, wire
from cluster.nats_server import NatsServer
from frontrow_client import Conflict
from tests.acceptance.figures import Figures
from tests.acceptance.purchases import CLEAN, PurchaseLog
from tests.acceptance.seeding import seeded
from tests.cluster_faults.crowd import crowd_at
from tests.cluster_faults.nodes import cluster_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "cluster", "engine", "frontrow", "metrics", "persistence", "web")
# So many halls that each node owns some.
HALLS, PROBER, WATCHER = 20, 900, 901

CHANGES = (
    ("cluster/links.py", f"\nVERSION = {links.VERSION}\n", f"\nVERSION = {links.VERSION + 1}\n"),
    ("cluster/wire.py", f"\nVERSION = {wire.VERSION}\n", f"\nVERSION = {wire.VERSION + 1}\n"),
    (
        "engine/commands.py",
        "    access: tuple[str, ...] = ()\n\n\nclass ExtendHolds",
        '    access: tuple[str, ...] = ()\n    wish: str | None = "by the window"\n\n\nclass ExtendHolds',
    ),
    (
        "engine/holding.py",
        "    _, holder, seat_ids, network, access = command\n",
        "    _, holder, seat_ids, network, access, _wish = command\n",
    ),
    (
        "cluster/heartbeat.py",
        "        self._network.broadcast(BEAT, beat)\n        #",
        '        self._network.broadcast("of_the_next_release", {"beat": beat})\n'
        "        self._network.broadcast(BEAT, [*beat, 7])\n        #",
    ),
)
"""File, text of this release, and text of the next one."""


def next_release(directory: Path) -> Path:
    """Write the next release into a directory."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    for name, this, following in CHANGES:
        path = directory / name
        text = path.read_text()
        assert text.count(this) == 1, f"{name} has changed; adapt CHANGES"
        path.write_text(text.replace(this, following))
    return directory


@pytest.mark.gen_test(timeout=510)
async def test_two_releases_serve_side_by_side(
    database_url: str, nats_server: NatsServer, tmp_path: Path, figures: Figures
) -> None:
    code = next_release(tmp_path / "next")
    halls = await seeded(database_url, HALLS, 4, 50)
    log = PurchaseLog("two-releases")
    async with cluster_of(2, database_url, nats_server.url) as nodes:
        newer = await nodes.add(code)
        await nodes.settled()
        for hall in halls:
            await nodes.bookable_again(hall, PROBER)
        of_newer = [hall for hall in halls if nodes.owner_of(hall) is newer]
        of_older = [hall for hall in halls if hall not in of_newer]
        assert of_newer and of_older
        watched = of_newer[:3] + of_older[:3]
        watchers = [(hall, nodes.watcher(node, hall, WATCHER)) for hall in watched for node in nodes.all]
        await asyncio.gather(*(watcher.connect() for _, watcher in watchers))
        async with crowd_at(nodes, log, halls, buyers=4):
            await asyncio.sleep(2)
        toggled = 0
        for number, hall in enumerate(halls):
            for position, node in enumerate(nodes.all):
                buyer = nodes.buyer(950 + 10 * number + position, node)
                for seat_id in hall.seat_ids[:20]:
                    with suppress(Conflict):
                        await buyer.toggle(hall.id, [seat_id])
                        toggled += 1
                        break
        for hall, watcher in watchers:
            await nodes.shows_the_truth(watcher, hall, WATCHER)
        await log.settle()
        audit = log.audit(database_url)
        assert "Traceback" not in newer.log()
        # A release that can be replaced leaves in order, too.
        assert (await newer.terminate()).code == 0
        await nodes.settled()
        for hall in halls:
            await nodes.bookable_again(hall, PROBER)

    figures(
        acknowledged=len(log.acknowledged), toggled=toggled, success_share=log.success_share, **vars(audit)
    )
    assert audit == CLEAN
    assert log.acknowledged
    assert toggled == HALLS * 3
