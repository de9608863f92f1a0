"""Readiness of a node: the reasons why a proxy should send clients to other nodes.

A node without NATS serves what it owns. If NATS is away as a whole, so do all nodes, and a proxy must not
leave them all. So the loss of NATS is only a reason once another node has taken a screening over, because
that node has NATS; until then the node is degraded.
"""

from collections.abc import Callable, Mapping

from cluster.beats import NodeState
from cluster.connection import Connection
from cluster.membership import Membership

NATS_LOST_SECONDS = 2.0
"""A shorter loss of the connection to NATS is not reported; a server of NATS may be restarted at any time."""


class NodeReadiness:
    """Finds the reasons why a node should not be sent requests, or serves only a part of them.

    Args:
        connection: to NATS.
        membership: of the node.
        now: the clock of `membership`.
    """

    def __init__(self, connection: Connection, membership: Membership, now: Callable[[], float]) -> None:
        self._membership = membership
        self._now = now
        self._lost_at: float | None = None
        self._deposed = False
        connection.on_lost(self._lost)
        connection.on_regained(self._regained)

    def reasons(self) -> Mapping[str, str]:
        """Return the reasons by component; empty if there are none."""
        reasons = {}
        now = self._now()
        if self._deposed:
            reasons["nats"] = f"{self._without_nats()}, and other nodes take over its screenings"
        if self._membership.state is NodeState.DRAINING:
            reasons["node"] = "this node hands over its screenings, because it is being stopped or drained"
        elif self._membership.lease_until <= now:
            reasons["node"] = "it is not certain what this node still owns; it is finding out"
        return reasons

    def degraded(self) -> Mapping[str, str]:
        """Return the reasons by component why the node serves only a part of all requests, though ready."""
        if self._deposed or self._lost_at is None or self._now() - self._lost_at <= NATS_LOST_SECONDS:
            return {}
        return {"nats": f"{self._without_nats()}; it only serves the screenings that it owns"}

    def deposed(self) -> None:
        """Take note that other nodes have taken screenings over from this one."""
        self._deposed = self._lost_at is not None

    def _without_nats(self) -> str:
        seconds = self._now() - (self._lost_at or 0.0)
        return f"this node has had no connection to NATS for {seconds:.1f} s"

    def _lost(self) -> None:
        if self._lost_at is None:
            self._lost_at = self._now()

    def _regained(self) -> None:
        self._lost_at = None
        self._deposed = False
