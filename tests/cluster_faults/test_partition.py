"""The network fails between a node and NATS, a node and PostgreSQL, or two nodes, in one or both directions.

Each node, both NATS servers, and PostgreSQL are hosts of their own (`network`). Clients reach every node all
the time. `node-1` uses the first NATS server and the others the second one, so a cut between the two NATS
servers separates nodes from each other.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from cluster.nats_server import BINARY
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.purchases import CLEAN, PurchaseLog
from tests.acceptance.seeding import SeededScreening, seeded
from tests.acceptance.server_process import ServerProcess
from tests.cluster_faults.crowd import crowd_at
from tests.cluster_faults.network import STARTED_SECONDS, Network, Tunnel
from tests.cluster_faults.nodes import QUICK, Nodes, cluster_of, decided, eventually
from tests.database import temporary_data_directory
from tests.processes import end
from tests.topology import ONE_SERVER

# So many halls that each node owns some.
HALLS, PROBER, WATCHER = 20, 900, 901
NATS_HOSTS = ("nats-1", "nats-2")
DATABASE_HOST = "postgres"
NODE_HOSTS = ("node-1", "node-2", "node-3")
TOKEN = "for-tests-only"

CUTS = {
    f"{what}, {direction}": cuts
    for what, one, other in (
        ("node and NATS", "node-1", "nats-1"),
        ("node and PostgreSQL", "node-1", DATABASE_HOST),
        ("nodes and nodes", *NATS_HOSTS),
    )
    for direction, cuts in (
        ("both ways", ((one, other), (other, one))),
        ("one way", ((one, other),)),
        ("the other way", ((other, one),)),
    )
}
"""Pairs of sender and receiver by a description."""

SHORT = ("node and NATS, both ways", "node and PostgreSQL, one way", "nodes and nodes, both ways")

_NATS_CONFIGURATION = """\
listen: "{address}:4222"
authorization {{ token: "{token}" }}
max_payload: 8MB
write_deadline: "2s"
ping_interval: "1s"
ping_max: 2
cluster {{ name: "frontrow", listen: "{address}:6222", routes: [{routes}] }}
"""


class IsolatedNode(ServerProcess):
    """A node inside a host."""

    def __init__(self, network: Network, directory: Path, settings: dict[str, object]) -> None:
        self._host = network[directory.name]
        self._socket = directory / "http"
        self._tunnel = Tunnel(self._socket)
        super().__init__(directory, served_by=ONE_SERVER, command_prefix=self._host.enter, **settings)

    async def _announced(self, announcement: str = "listening on ") -> str:
        inside = await super()._announced(announcement)
        await self._host.forward(str(self._socket), inside.removeprefix("http://"))
        return f"http://127.0.0.1:{await self._tunnel.listen()}"

    async def remove(self) -> None:
        if self.own_url:
            await self._tunnel.stop()
        await super().remove()


class IsolatedNodes(Nodes):
    """Nodes that are hosts of a network."""

    def __init__(self, network: Network, *given: object, **settings: object) -> None:
        super().__init__(*given, **settings)
        self._network = network

    def _made(
        self, directory: Path, settings: dict[str, object], code_directory: Path | None
    ) -> ServerProcess:
        host = NATS_HOSTS[0] if directory.name == NODE_HOSTS[0] else NATS_HOSTS[1]
        url = f"nats://{TOKEN}@{self._network[host].address}:4222"
        parts = urlsplit(self.database_url)
        database = f"postgresql://postgres@{self._network[DATABASE_HOST].address}:5432{parts.path}"
        return IsolatedNode(self._network, directory, {**settings, "nats_url": url, "database_url": database})


@asynccontextmanager
async def _nats(network: Network, host: str, directory: Path) -> AsyncIterator[None]:
    """Run a NATS server that is connected to the others."""
    others = [network[name].address for name in NATS_HOSTS if name != host]
    configuration = directory / f"{host}.conf"
    configuration.write_text(
        _NATS_CONFIGURATION.format(
            address=network[host].address,
            token=TOKEN,
            routes=", ".join(json.dumps(f"nats://{other}:6222") for other in others),
        )
    )
    process = await asyncio.create_subprocess_exec(
        *(*network[host].enter, str(BINARY), "--config", str(configuration)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        await end(process, STARTED_SECONDS)


@asynccontextmanager
async def _isolated_nodes(database_url: str, **settings: object) -> AsyncIterator[tuple[Network, Nodes]]:
    async with AsyncExitStack() as opened:
        network = await opened.enter_async_context(Network(*NATS_HOSTS, DATABASE_HOST, *NODE_HOSTS))
        directory = opened.enter_context(temporary_data_directory())
        for host in NATS_HOSTS:
            await opened.enter_async_context(_nats(network, host, directory))
        (socket_directory,) = parse_qs(urlsplit(database_url).query)["host"]
        address = f"{network[DATABASE_HOST].address}:5432"
        await network[DATABASE_HOST].forward(address, f"{unquote(socket_directory)}/.s.PGSQL.5432")
        nodes = await opened.enter_async_context(
            cluster_of(3, database_url, "", make=partial(IsolatedNodes, network), **settings)
        )
        yield network, nodes


async def _everything_sold_everywhere(nodes: Nodes, halls: Sequence[SeededScreening]) -> None:
    """Wait until every node sells seats of every hall."""

    async def sells(node: ServerProcess, hall: SeededScreening) -> None:
        prober = nodes.buyer(PROBER, node)
        await eventually(lambda: decided(prober, hall, hall.first_seat_id))

    await asyncio.gather(*(sells(node, hall) for node in nodes.all for hall in halls))


async def _cut(
    database_url: str, which: Sequence[str], cut_seconds: float, figures: Figures, **settings: object
) -> None:
    log = PurchaseLog("partition")
    halls = await seeded(database_url, HALLS, 12, 50)
    recovered: dict[str, float] = {}
    async with _isolated_nodes(database_url, **settings) as (network, nodes):
        await nodes.settled()
        await _everything_sold_everywhere(nodes, halls)
        owners = {nodes.owner_of(hall) for hall in halls}
        assert nodes.all[0] in owners and len(owners) > 1, "a cut concerns owners and others"
        watchers = [(hall, nodes.watcher(node, hall, WATCHER)) for hall in halls[:2] for node in nodes.all]
        await asyncio.gather(*(watcher.connect() for _, watcher in watchers))
        for number, name in enumerate(which):
            async with crowd_at(nodes, log, halls, seed=number):
                await asyncio.sleep(0.5)
                for sender, receiver in CUTS[name]:
                    network.cut(sender, receiver)
                await asyncio.sleep(cut_seconds)
                network.mend()
                began = time.monotonic()
                await _everything_sold_everywhere(nodes, halls)
                await nodes.settled()
                recovered[name] = time.monotonic() - began
        for hall, watcher in watchers:
            await nodes.shows_the_truth(watcher, hall, WATCHER)
        returns = sum(watcher.returns for _, watcher in watchers)
        await log.settle()
        audit = log.audit(database_url)

    figures(
        cuts=len(which),
        cut_seconds=cut_seconds,
        **{f"recovered_seconds ({name})": seconds for name, seconds in recovered.items()},
        acknowledged=len(log.acknowledged),
        success_share=log.success_share,
        **vars(audit),
        late_writes=late_writes_in(database_url),
        sockets_resumed=returns,
    )
    assert audit == CLEAN
    assert late_writes_in(database_url) == 0
    assert log.acknowledged


@pytest.mark.gen_test(timeout=510)
async def test_nothing_is_sold_twice_or_lost(database_url: str, figures: Figures) -> None:
    await _cut(database_url, SHORT, count_of("CUT_SECONDS", 3), figures, **QUICK)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_nothing_is_sold_twice_or_lost_in_long_partitions(database_url: str, figures: Figures) -> None:
    await _cut(database_url, list(CUTS), count_of("SOAK_CUT_SECONDS", 20), figures)
