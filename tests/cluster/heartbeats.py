"""Nodes with heartbeats over a real NATS server, for tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from cluster.beats import Facts, Load, NodeState, Rules, Timing
from cluster.connection import Connection
from cluster.heartbeat import Heartbeat
from cluster.links import Links
from cluster.membership import Membership
from engine.clock import since_boot
from engine.errors import StoreUnavailable

PATIENT = Timing(node_heartbeat_seconds=0.2, node_gone_seconds=60.0)
"""So patient that no node takes another one for gone only because the machine is busy."""

BRISK = Timing(node_heartbeat_seconds=0.2, node_gone_seconds=0.8)
"""For tests of nodes that are silent."""

RULES: Rules = {"FRONTROW_HOLD_SECONDS": 300.0}
_numbers = count(1)


class Member:
    """A node. `postgres` says whether PostgreSQL answers; `load` is what it tells about itself."""

    def __init__(self, url: str, cluster: str, name: str, rules: Rules, timing: Timing) -> None:
        self.connection = Connection([url], name)
        self.links = Links(self.connection, cluster, f"{next(_numbers):08x}")
        self.mark = self.links.node
        self.load = Load(3, 2, 0.01)
        self.postgres = True
        self.confirmations = 0
        facts = Facts(self.mark, name, "127.0.0.1:8000", "host", "1.0", 1, next(_numbers))
        self.membership = Membership(facts, rules, timing, since_boot, lambda: self.load)
        self.heartbeat = Heartbeat(self.links, self.membership, self._confirm, since_boot)
        self.connection.on_regained(self.heartbeat.interrupted)

    @property
    def state(self) -> NodeState:
        return self.membership.state

    @property
    def answers(self) -> bool:
        return since_boot() < self.membership.lease_until

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
    """Starts nodes of one cluster on a NATS server; all are stopped at the end of the test."""

    def __init__(self, url: str, stack: AsyncExitStack, timing: Timing = PATIENT) -> None:
        self.url = url
        self.timing = timing
        self.cluster = f"fleet-{next(_numbers)}"
        self._stack = stack

    def make(self, name: str = "", rules: Rules = RULES) -> Member:
        """Return a node that has yet to join."""
        member = Member(self.url, self.cluster, name or f"node-{next(_numbers)}", rules, self.timing)
        self._stack.push_async_callback(member.stop)
        return member

    async def join(self, name: str = "", rules: Rules = RULES) -> Member:
        member = self.make(name, rules)
        await member.join()
        return member


@asynccontextmanager
async def fleet(url: str, timing: Timing = PATIENT) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(url, stack, timing)
