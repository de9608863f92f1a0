"""Lists the nodes of a cluster and drains one, for operators: over NATS only, without being a node.

Clusters are found by their heartbeats.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from cluster.beats import Beat, NodeState, Timing
from cluster.connection import Connection
from cluster.errors import NodeNotDrained, NodesNotFound, NodeUnreachable
from cluster.heartbeat import BEAT, DRAIN, ROLL_CALL, TABLE
from cluster.links import Links

ANSWER_SECONDS = 2.0
"""Time limit for the answer of a node."""

DRAIN_SECONDS = 60.0
"""Time for which `drain` waits until a node owns nothing any more."""

_LOOK_SECONDS = 0.2


class Roster:
    """A look at one cluster.

    Args:
        connection: to NATS; connected.
        timing: of its nodes.
    """

    def __init__(self, connection: Connection, timing: Timing) -> None:
        self._connection = connection
        self._timing = timing
        self._clusters: set[str] = set()
        self._links: Links | None = None
        connection.subscribe("frontrow.*.all", self._overheard)

    async def nodes(self) -> list[Beat]:
        """Return all nodes as one of them sees them, by name.

        Raises:
            NodesNotFound: no cluster, or several, use these NATS servers.
            Unavailable: a node did not answer.
        """
        links, anybody = await self._cluster()
        rows = await links.call(anybody, TABLE, None, ANSWER_SECONDS)
        return [Beat.parsed(row) for row in rows]

    async def drain(self, name: str, progress: Callable[[Beat], None]) -> None:
        """Tell a node to hand over everything it owns, and wait until it has.

        Args:
            name: its name or its mark.
            progress: called with the node whenever its screenings have changed.

        Raises:
            NodesNotFound: there is no such node, or it is the only one that serves.
            NodeNotDrained: it still owns screenings after `DRAIN_SECONDS`.
            Unavailable: it did not answer.
        """
        nodes = await self.nodes()
        node = _the_one(nodes, name)
        if not any(other.state is NodeState.SERVING and other is not node for other in nodes):
            raise NodesNotFound(f"{name} cannot be drained: no other node serves, so nobody could take over")
        links, _ = await self._cluster()
        await links.call(node.facts.mark, DRAIN, None, ANSWER_SECONDS)
        owned = -1
        for _ in range(round(DRAIN_SECONDS / _LOOK_SECONDS)):
            try:
                rows = await links.call(node.facts.mark, TABLE, None, ANSWER_SECONDS)
            except NodeUnreachable:
                return  # it has stopped
            (node,) = [beat for beat in map(Beat.parsed, rows) if beat.facts.mark == node.facts.mark]
            if node.load.screenings != owned:
                owned = node.load.screenings
                progress(node)
            if not owned:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise NodeNotDrained(f"{name} still owns {owned} screenings after {DRAIN_SECONDS:g} s of draining")

    def stop(self) -> None:
        """End all calls."""
        if self._links is not None:
            self._links.stop()

    async def _cluster(self) -> tuple[Links, str]:
        """Return links into the cluster, and one of its nodes."""
        if self._links is None:
            # Every serving node has beaten at least once by then.
            await asyncio.sleep(1.5 * self._timing.node_heartbeat_seconds)
            if len(self._clusters) != 1:
                found = "More than one cluster uses" if self._clusters else "No node of a cluster uses"
                raise NodesNotFound(
                    f"{found} these NATS servers; see that FRONTROW_NATS_URL and "
                    "FRONTROW_NODE_HEARTBEAT_SECONDS are those of the nodes"
                )
            self._links = Links(self._connection, self._clusters.pop(), f"operator-{secrets.token_hex(4)}")
        links = self._links
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def answered(sender: str, _: Any) -> None:
            if not heard.done():
                heard.set_result(sender)

        links.on(BEAT, answered)
        links.broadcast(ROLL_CALL, None)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return links, await heard
        except TimeoutError:
            raise NodesNotFound(f"No node answered within {ANSWER_SECONDS:g} s; try again") from None

    def _overheard(self, subject: str, _: bytes) -> None:
        self._clusters.add(subject.split(".")[1])


def _the_one(nodes: list[Beat], name: str) -> Beat:
    found = [beat for beat in nodes if name in (beat.facts.name, beat.facts.mark)]
    living = [beat for beat in found if beat.state is not NodeState.GONE]
    if len(living) == 1:
        return living[0]
    if living:
        marks = ", ".join(beat.facts.mark for beat in living)
        raise NodesNotFound(f"Several nodes are named {name}; use one of their marks: {marks}")
    if found:
        raise NodesNotFound(f"Node {name} is gone")
    raise NodesNotFound(f"There is no node {name}; `frontrow nodes` lists all")
