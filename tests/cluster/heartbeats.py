"""Nodes with heartbeats, for tests: over a real NATS server, or in virtual time."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from cluster.beats import Facts, Load, NodeState, Rules, Timing
from cluster.connection import Connection
from cluster.heartbeat import Heartbeat
from cluster.links import Links
from cluster.membership import Membership
from engine.clock import since_boot
from engine.errors import StoreUnavailable
from tests.cluster.virtual import connection
from tests.simulation.network import Nats

PATIENT = Timing(node_heartbeat_seconds=0.2, node_gone_seconds=60.0)
"""So patient that no node takes another one for gone only because the machine is busy."""

BRISK = Timing(node_heartbeat_seconds=0.2, node_gone_seconds=0.8)
"""Timing for tests of silent nodes."""

RULES: Rules = {"FRONTROW_HOLD_SECONDS": 300.0}
_numbers = count(1)


class Member:
    """A node. `postgres` says whether PostgreSQL answers; `load` is what it tells about itself."""

    def __init__(
        self,
        connection: Connection,
        cluster: str,
        name: str,
        rules: Rules,
        timing: Timing,
        now: Callable[[], float] = since_boot,
    ) -> None:
        self.connection = connection
        self.links = Links(connection, cluster, f"{next(_numbers):08x}", now)
        self.mark = self.links.node
        self.load = Load(3, 2, 0.01)
        self.postgres = True
        self.confirmations = 0
        self._now = now
        facts = Facts(self.mark, name, "127.0.0.1:8000", "host", "1.0", 1, next(_numbers))
        self.membership = Membership(facts, rules, timing, now, lambda: self.load)
        self.heartbeat = Heartbeat(self.links, self.membership, self._confirm, now)
        self.connection.on_regained(self.heartbeat.interrupted)

    @property
    def state(self) -> NodeState:
        return self.membership.state

    @property
    def answers(self) -> bool:
        return self._now() < self.membership.lease_until

    def sees(self, other: "Member") -> str | None:
        return self.membership.view.states.get(other.mark)

    async def _confirm(self) -> None:
        self.confirmations += 1
        if not self.postgres:
            raise StoreUnavailable

    async def join(self) -> None:
        await self.connection.start()
        await self.heartbeat.join()

    async def stop(self) -> None:
        await self.heartbeat.leave()
        self.links.stop()
        await self.connection.stop()

    def mute(self) -> None:
        """Send no more beats to all; answers are still sent."""
        self.links.broadcast = lambda kind, value: None  # type: ignore[method-assign]

    async def crash(self) -> None:
        """Vanish without a goodbye."""
        self.mute()
        await self.stop()


class Fleet:
    """Starts nodes of one cluster; all are stopped at the end of the test.

    Args:
        connect: returns a connection that has not been started, for the node of a name.
        now: the nodes' clock.
    """

    def __init__(
        self,
        connect: Callable[[str], Connection],
        stack: AsyncExitStack,
        timing: Timing,
        now: Callable[[], float] = since_boot,
    ) -> None:
        self.connect = connect
        self.timing = timing
        self.cluster = f"fleet-{next(_numbers)}"
        self._stack = stack
        self._now = now

    def make(self, name: str = "", rules: Rules = RULES) -> Member:
        """Return a node that has yet to join."""
        name = name or f"node-{next(_numbers)}"
        member = Member(self.connect(name), self.cluster, name, rules, self.timing, self._now)
        self._stack.push_async_callback(member.stop)
        return member

    async def join(self, name: str = "", rules: Rules = RULES) -> Member:
        member = self.make(name, rules)
        await member.join()
        return member


@asynccontextmanager
async def fleet(url: str, timing: Timing = PATIENT) -> AsyncIterator[Fleet]:
    """A cluster over a real NATS server."""
    async with AsyncExitStack() as stack:
        yield Fleet(lambda name: Connection([url], name), stack, timing)


@asynccontextmanager
async def virtual_fleet(nats: Nats, timing: Timing = PATIENT) -> AsyncIterator[Fleet]:
    """A cluster in virtual time (`tests.cluster.virtual`)."""
    async with AsyncExitStack() as stack:
        yield Fleet(lambda name: connection(nats, name), stack, timing, nats.loop.time)
