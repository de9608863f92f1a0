"""Readiness of a node: the reasons why a proxy should send clients to other nodes."""

from collections.abc import Callable, Mapping

from cluster.beats import NodeState
from cluster.connection import Connection
from cluster.membership import Membership

NATS_LOST_SECONDS = 2.0
"""A shorter loss of the connection to NATS is not reported; a server of NATS may be restarted at any time."""


class NodeReadiness:
    """Finds the reasons why a node should not be sent requests.

    Args:
        connection: to NATS.
        membership: of the node.
        now: the clock of `membership`.
    """

    def __init__(self, connection: Connection, membership: Membership, now: Callable[[], float]) -> None:
        self._membership = membership
        self._now = now
        self._lost_at: float | None = None
        connection.on_lost(self._lost)
        connection.on_regained(self._regained)

    def reasons(self) -> Mapping[str, str]:
        """Return the reasons by component; empty if there are none."""
        reasons = {}
        now = self._now()
        if self._lost_at is not None and now - self._lost_at > NATS_LOST_SECONDS:
            reasons["nats"] = f"there has been no connection to NATS for {now - self._lost_at:.1f} s"
        if self._membership.state is NodeState.DRAINING:
            reasons["node"] = "this node hands over its screenings, because it is being stopped or drained"
        elif self._membership.lease_until <= now:
            reasons["node"] = "it is not certain what this node still owns; it is finding out"
        return reasons

    def _lost(self) -> None:
        if self._lost_at is None:
            self._lost_at = self._now()

    def _regained(self) -> None:
        self._lost_at = None
