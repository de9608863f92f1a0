"""Holds in a cluster: the price of asking another node, one hot hall behind gateways, and two workers.

Processor time is counted per process, since two cores are too few to give each process one of its own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bench.load import MeasurementFailed
from bench.load.closed_loop import ClosedLoop
from bench.load.http import CREATED, NO_CONTENT, OK, Requests
from bench.load.tally import Tally, cpu_seconds
from bench.machine import confined_to, pin
from bench.plan import Contenders, Figures
from bench.seats import Repeated, SeatPairs, Walk
from bench.stage import Frontrow, Server, Stage
from cluster.hashing import Ring
from cluster.nats_server import NatsServer
from tests.acceptance.seeding import SeededScreening

IN_FLIGHT = (1, 8, 32)
"""Holds in flight at one owner."""

_RELEASE_FACTOR = 10
"""Multiple of the time for holding that releasing may take."""

_NATS = "nats_us"


@dataclass
class Clients:
    """Clients of several servers.

    Attributes:
        stage: the surroundings.
        servers: get the requests in equal shares.
        connections: to all servers together, each with one request in flight.
        processes: process ids whose processor time per request is a figure, by its name.
        rate: requests a second in a round, at most; 0 for as many as the servers answer.
    """

    stage: Stage
    servers: Sequence[Server]
    connections: int
    processes: Mapping[str, int]
    rate: float = 0.0

    async def send(self, requests: Requests, seconds: float, rate: float = 0.0) -> Tally:
        """Send requests as fast as they are answered, or at most `rate` a second."""
        first, *others = self.servers
        addresses = tuple(server.address for server in others)
        load = ClosedLoop(
            first.address,
            first.pid,
            requests,
            self.connections,
            seconds,
            more_addresses=addresses,
            rate=rate,
        )
        return await self.stage.load.run(load)

    async def play(self, requests: Requests, *expected: int) -> tuple[Tally, dict[str, float]]:
        """Send requests for a round, and return the figures; `servers_us` is of all processes but NATS."""
        before = self._cpu_seconds()
        tally = await self.send(requests, self.stage.plan.seconds, self.rate)
        after = self._cpu_seconds()
        each = {name: (after[name] - before[name]) / tally.answered * 1e6 for name in after}
        servers_us = sum(each.values()) - each.get(_NATS, 0.0)
        return tally, {**tally.figures(*expected), **each, "servers_us": servers_us}

    def _cpu_seconds(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self.processes.items()}


class Holders:
    """Clients who hold each pair of seats once a round.

    Args:
        clients: send the requests.
        pairs: the seats.
        flushed: servers whose journals are empty at the end of a round.
    """

    def __init__(self, clients: Clients, pairs: SeatPairs, flushed: Sequence[Frontrow]) -> None:
        self.clients = clients
        self._pairs = pairs
        self._flushed = flushed

    async def hold(self) -> dict[str, float]:
        """Hold for a round, then release each hold by a request of its own."""
        held, figures = await self.clients.play(Walk(self._pairs, SeatPairs.reserve), CREATED)
        releases = Walk(self._pairs, SeatPairs.release, steps=held.sent)
        seconds = _RELEASE_FACTOR * self.clients.stage.plan.seconds
        (await self.clients.send(releases, seconds)).require(NO_CONTENT)
        self._pairs = replace(self._pairs, first_user=self._pairs.first_user + sum(held.sent))
        for server in self._flushed:
            await server.flushed()
        return figures


class Nodes:
    """The nodes of one cluster, with their own NATS server.

    Attributes:
        servers: the nodes.
        nats_pid: process id of the NATS server.
        owned: screenings in memory, by the nodes that own them.
    """

    servers: list[Frontrow]
    nats_pid: int
    owned: list[list[SeededScreening]]

    async def start(self, stage: Stage, number: int) -> None:
        """Start nodes until the scenario ends, and load screenings into memory."""
        nats = NatsServer(stage.directory)
        with confined_to(stage.placement.databases):
            await nats.start()
        stage.stack.push_async_callback(nats.stop)
        self.nats_pid = nats.pid or 0
        names = [f"node-{position}" for position in range(number)]
        database_url = stage.database()
        self.servers = [
            await stage.start(node_name=name, database_url=database_url, nats_url=nats.url) for name in names
        ]
        listed = await self.servers[0].process.command("nodes", "--json")
        marks = {node["name"]: node["mark"] for node in listed if node["state"] == "serving"}
        if len(marks) != number:
            raise MeasurementFailed(f"{len(marks)} of {number} nodes serve")
        owner_of = Ring(marks.values()).owner_of
        screenings = await stage.seeded(self.servers[0])
        self.owned = [[one for one in screenings if owner_of(one.id) == marks[name]] for name in names]


@dataclass
class _AtOneRate:
    """Forwarded holds, and local ones at their rate."""

    remote: Holders
    near: Holders

    async def forwarded(self) -> Figures:
        figures = await self.remote.hold()
        self.near.clients.rate = figures["rate"]
        return figures

    async def local(self) -> Figures:
        return await self.near.hold()


async def prepare_cluster(stage: Stage) -> Contenders:
    """Prepare two nodes. One gets all requests: for its own screenings, or for those of the other.

    Both are counted either way, so their heartbeats are part of both sums. A server that is not busy uses
    more time per request, since it sleeps and wakes more often and writes smaller batches. So there is a
    third contender: local holds at the rate that was reached with forwarded ones.
    """
    nodes = Nodes()
    await nodes.start(stage, 2)
    gateway, owner = nodes.servers
    processes = {"gateway_us": gateway.pid, "owner_us": owner.pid, _NATS: nodes.nats_pid}
    local, remote = [SeatPairs(stage.tokens, screenings) for screenings in nodes.owned]
    contenders: dict[str, Callable[[], Awaitable[Figures]]] = {}
    for in_flight in IN_FLIGHT:
        clients = Clients(stage, [gateway], in_flight, processes)
        contenders[f"local-{in_flight}"] = Holders(clients, local, nodes.servers).hold
        pair = _AtOneRate(
            Holders(clients, remote, nodes.servers),
            Holders(replace(clients), local, nodes.servers),
        )
        contenders[f"forwarded-{in_flight}"] = pair.forwarded
        contenders[f"local-{in_flight}-paced"] = pair.local
    return contenders


async def prepare_hot_hall(stage: Stage) -> Contenders:
    """Prepare three nodes and clients who toggle seats in one screening, each a pair of its own.

    The owner has a core to itself. On two cores all others share the other one, so it is full first; the
    owner's time per toggle says what it could do.
    """
    nodes = Nodes()
    await nodes.start(stage, 3)
    owner, *gateways = nodes.servers
    for gateway in gateways:
        pin(gateway.pid, stage.placement.load | stage.placement.databases)
    pairs = SeatPairs(stage.tokens, nodes.owned[0][:1])
    connections = min(stage.plan.connections, len(pairs))
    toggles = Repeated([pairs.toggle(pair) for pair in range(connections)])

    async def play(clients: Clients) -> Figures:
        tally, figures = await clients.play(toggles, OK)
        released = Walk(pairs, SeatPairs.release, steps=[1] * connections)
        (await clients.send(released, _RELEASE_FACTOR * stage.plan.seconds)).require(NO_CONTENT)
        await owner.flushed()
        return {**figures, "owner_cpu": tally.answered / tally.seconds * figures["owner_us"] / 1e6}

    contenders = {}
    for name, asked in {"owner": [owner], "1-gateway": gateways[:1], "2-gateways": gateways}.items():
        pids = {f"gateway_{number}_us": gateway.pid for number, gateway in enumerate(gateways, 1)}
        processes = {"owner_us": owner.pid, **pids, _NATS: nodes.nats_pid}
        contenders[name] = partial(play, Clients(stage, asked, connections, processes))
    return contenders


async def prepare_workers(stage: Stage) -> Contenders:
    """Prepare one server on a core of its own, and two workers that use the load process's core as well.

    With two workers, the figure `rate_alone` is what they would do with the share of the cores that the load
    process took. A single server has lost nothing to it.
    """
    cores = stage.placement.server | stage.placement.load | stage.placement.databases
    contenders = {}
    for number in (1, 2):
        server = await stage.start(workers=number)
        workers = server.process.worker_pids or [server.pid]
        if number > 1:
            for pid in workers:
                pin(pid, cores)
        processes = {f"worker_{position}_us": pid for position, pid in enumerate(workers)}
        clients = Clients(stage, [server], stage.plan.connections, processes)
        holders = Holders(clients, SeatPairs(stage.tokens, await stage.seeded(server)), [server])
        lost_cores = len(cores) if number > 1 else 0
        contenders[f"{number}-workers" if number > 1 else "1-worker"] = partial(_alone, holders, lost_cores)
    return contenders


async def _alone(holders: Holders, shared_cores: int) -> Figures:
    """Play a round, and add `rate_alone`.

    Args:
        holders: the clients.
        shared_cores: cores that the servers share with the load process; 0 if they share none.
    """
    figures = await holders.hold()
    share = shared_cores / (shared_cores - figures["load_cpu"]) if shared_cores else 1.0
    return {**figures, "rate_alone": share * figures["rate"]}
