"""The cost of asking another node, without HTTP and PostgreSQL: two nodes in one process, a real NATS server.

Clients send their holds together and wait for all answers. The figure is the processor time of both nodes.
`messages` and `records` are the least that two processes need to tell each other the same: a message in each
direction, and in `records` the commands and replies of it encoded and decoded as a whole by msgspec.
"""

import asyncio
import gc
import os
from asyncio import Future
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from bench.load.process import LoadProcess
from bench.load.tally import Tally, measured
from bench.machine import confined_to
from bench.plan import Contenders, Figures
from bench.scenarios.engine_alone import HELD, INFO, NoAudience, NoJournal, hall_of
from bench.stage import Stage
from cluster.answering import Answering
from cluster.beats import NodeState
from cluster.connection import Connection
from cluster.forwarding import Forwarding
from cluster.links import Links
from cluster.nats_server import NatsServer
from cluster.screenings import RoutedScreenings
from engine.clock import SystemClock
from engine.commands import HoldSeats, ReadStock
from engine.directory import ScreeningDirectory
from engine.events import SeatsHeld
from engine.memory import MemoryDatabase, MemoryIds, MemoryStore, NullObserver
from engine.policy import Policy
from frontrow.collector import freeze_startup_objects
from metrics.cluster import ClusterObserver, ClusterReadings
from tests.cluster.servers import Layouts, Members

TOGETHER = (1, 8, 32)
"""Holds that are sent together."""

_SHARE = 20
"""Factor by which a round has fewer holds than a round of the engine alone."""

_SECONDS = 60.0

GATEWAY, OWNER = "gateway", "owner"


@dataclass(frozen=True)
class Holds:
    """A load: holds of two free seats each.

    Attributes:
        how: "local", "forwarded", "records" or "messages".
        nats_url: of the NATS server.
        holds: how many.
        together: how many are sent together.
    """

    how: str
    nats_url: str
    holds: int
    together: int

    async def run(self) -> Tally:
        """Carry it out."""
        gc.enable()
        freeze_startup_objects()
        commands = [
            HoldSeats(1, f"user:{place}", (2 * place + 1, 2 * place + 2)) for place in range(self.holds)
        ]
        batches = [commands[at : at + self.together] for at in range(0, self.holds, self.together)]
        tally = Tally()
        async with AsyncExitStack() as stack:
            connections = [Connection([self.nats_url], name) for name in (GATEWAY, OWNER)]
            hold = self._hold_plainly if self.how in ("records", "messages") else self._hold
            await hold(stack, connections, batches, tally)
        tally.outcomes[HELD] = self.holds
        return tally

    async def _hold(
        self,
        stack: AsyncExitStack,
        connections: list[Connection],
        batches: list[list[HoldSeats]],
        tally: Tally,
    ) -> None:
        database, members = MemoryDatabase(), Members()
        database.add_screening(INFO, hall_of(2 * self.holds))
        gateway, owner = connections
        directory, routed = _node(GATEWAY, gateway, database, members)
        owners_directory, owners = _node(OWNER, owner, database, members)
        members.become({OWNER: NodeState.SERVING})
        await _start(stack, connections)
        asked = owners if self.how == "local" else routed
        await asked.ask(ReadStock(1))
        with measured(tally, os.getpid()):
            for batch in batches:
                for reply in [asked.ask_active(command) for command in batch]:
                    if isinstance(reply, Future):
                        await reply
        await directory.stop()
        await owners_directory.stop()

    async def _hold_plainly(
        self,
        stack: AsyncExitStack,
        connections: list[Connection],
        batches: list[list[HoldSeats]],
        tally: Tally,
    ) -> None:
        gateway, owner = connections
        encode, plain = msgspec.msgpack.Encoder().encode, self.how == "messages"
        commands_in = msgspec.msgpack.Decoder(list[HoldSeats]).decode
        replies_in = msgspec.msgpack.Decoder(list[SeatsHeld]).decode
        now = SystemClock().now()
        held = SeatsHeld(1, 1, 1, now, "user:1", 1000, (1, 2), now + 300, None, None, 1, 2, (1250, 1250))
        replies = [held] * self.together
        command_bytes, reply_bytes = encode(batches[0]), encode(replies)
        arrived: Future[Any] = asyncio.get_running_loop().create_future()

        def answer(_: str, content: bytes) -> None:
            if not plain:
                commands_in(content)
            owner.publish(GATEWAY, reply_bytes if plain else encode(replies))

        def receive(_: str, content: bytes) -> None:
            arrived.set_result(content if plain else replies_in(content))

        owner.subscribe(OWNER, answer)
        gateway.subscribe(GATEWAY, receive)
        await _start(stack, connections)
        with measured(tally, os.getpid()):
            for batch in batches:
                arrived = asyncio.get_running_loop().create_future()
                gateway.publish(OWNER, command_bytes if plain else encode(batch))
                await arrived


def _node(
    name: str, connection: Connection, database: MemoryDatabase, members: Members
) -> tuple[ScreeningDirectory, RoutedScreenings]:
    links = Links(connection, "bench", name)
    directory = ScreeningDirectory(
        MemoryStore(database),
        NoJournal(),
        NoAudience(),
        NullObserver(),
        SystemClock(),
        MemoryIds(),
        MemoryIds(),
        Policy(),
    )
    Answering(links, directory)
    observer = ClusterObserver(CollectorRegistry(), ClusterReadings(dict, lambda: True, lambda: 1.0))
    forwarding = Forwarding(links, members, Layouts(), observer)  # type: ignore[arg-type]
    return directory, RoutedScreenings(directory, forwarding, links, members, _SECONDS)  # type: ignore[arg-type]


async def _start(stack: AsyncExitStack, connections: list[Connection]) -> None:
    for connection in connections:
        await connection.start()
        stack.push_async_callback(connection.stop)


async def prepare(stage: Stage) -> Contenders:
    """Prepare holds at their owner and at another node, and the least that asking another process costs."""
    nats = NatsServer(stage.directory)
    with confined_to(stage.placement.databases):
        await nats.start()
    stage.stack.push_async_callback(nats.stop)
    process = stage.stack.enter_context(closing(LoadProcess(stage.placement.server)))
    holds = max(TOGETHER) * (stage.plan.engine_holds // _SHARE // max(TOGETHER))
    contenders = {"local": partial(_play, process, Holds("local", nats.url, holds, 1))}
    for how in ("forwarded", "records", "messages"):
        for together in TOGETHER:
            contenders[f"{how}-{together}"] = partial(_play, process, Holds(how, nats.url, holds, together))
    return contenders


async def _play(process: LoadProcess, load: Holds) -> Figures:
    tally = await process.run(load)
    return {"rate": tally.per_second, "cpu_us": 1e6 * tally.load_cpu / tally.per_second}
