"""Heartbeats: a node's description of itself, which the others get every second, and the check that the
settings of two nodes fit together.

A beat travels as a list of plain values. A newer release may append fields: older ones ignore them, and a
field that is missing has its default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

Rules = Mapping[str, Any]
"""Settings that all nodes must share, by variable: plain values, and for secrets a list of digests, the first
of the secret in use, the others of those that are also accepted."""

LEASE_SHARE = 0.9
"""Share of the time that others wait which a node may use itself. The rest makes up for clocks that run at
different speeds, and for the time between looking at the clock and answering."""


class NodeState(StrEnum):
    """The state of a node; `cluster.membership` has the transitions."""

    JOINING = "joining"
    SERVING = "serving"
    DRAINING = "draining"
    GONE = "gone"


class Facts(NamedTuple):
    """The properties of a node that stay the same while it runs.

    Attributes:
        mark: its identity, random for each start.
        name: its name for operators, unique among running nodes.
        address: HOST:PORT at which it serves; HOST is the machine's name if it listens on all addresses.
        host: the machine's name.
        version: its release.
        wire_version: of the commands and replies between nodes.
        started_at: seconds since the Unix epoch.
    """

    mark: str
    name: str
    address: str
    host: str
    version: str
    wire_version: int
    started_at: float


class Load(NamedTuple):
    """The load of a node: screenings in memory, open WebSockets, and the lag of its journal."""

    screenings: int = 0
    sockets: int = 0
    lag_seconds: float = 0.0


class Beat(NamedTuple):
    """One heartbeat.

    Attributes:
        number: counts the beats of a node; a beat that overtakes another one makes that one obsolete.
        state: a `NodeState`. A node says "gone" in its last beat.
        silent: marks of the nodes from which the sender has heard nothing for too long.
        rules: only sent by joining nodes and to them.
    """

    facts: Facts
    number: int
    state: NodeState
    load: Load = Load()
    silent: tuple[str, ...] = ()
    rules: Rules | None = None

    def plain(self) -> list[Any]:
        """Return its wire form."""
        rules = None if self.rules is None else dict(self.rules)
        return [list(self.facts), self.number, self.state.value, list(self.load), list(self.silent), rules]

    @classmethod
    def parsed(cls, values: Sequence[Any]) -> "Beat":
        """Return the beat of a wire form, also of a newer or older release.

        Raises:
            TypeError, ValueError: the values are not those of a heartbeat.
        """
        facts, number, state, load, silent, rules = (*values, *(None,) * 6)[:6]
        return cls(
            Facts(*facts[: len(Facts._fields)]),
            number,
            NodeState(state),
            Load(*(load or ())[: len(Load._fields)]),
            tuple(silent or ()),
            rules,
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of heartbeats, and the limits that follow from it.

    Attributes:
        node_heartbeat_seconds: time between two beats.
        node_gone_seconds: a node that has been silent for so long is gone.
    """

    node_heartbeat_seconds: float = 1.0
    node_gone_seconds: float = 3.0

    @property
    def lease_seconds(self) -> float:
        """Time for which a node may answer after sending a beat that NATS has carried."""
        return self.node_gone_seconds * LEASE_SHARE

    @property
    def takeover_seconds(self) -> float:
        """Time for which a node that took over from a silent one waits after raising the epoch."""
        return self.node_heartbeat_seconds

    @property
    def confirmed_seconds(self) -> float:
        """Time for which a node without NATS may answer after asking PostgreSQL which epochs are its own."""
        return self.takeover_seconds * LEASE_SHARE

    @property
    def settle_seconds(self) -> float:
        """Time a joining node listens before it serves; the others beat as soon as they hear of it."""
        return self.node_heartbeat_seconds * 0.3


def disagreement(own: Rules, others: Rules, other: Facts) -> str | None:
    """Return a sentence that says which setting differs from another node's; None if all agree.

    A setting that only one of the two releases knows is not compared.
    """
    place = f"node {other.name} at {other.address}"
    for variable in sorted(own.keys() & others.keys()):
        here, there = own[variable], others[variable]
        if not isinstance(here, list):
            if here != there:
                return f"{variable} is {here} here, but {there} on {place}; it must be the same on all nodes"
        elif not here or not there or here[0] not in there or there[0] not in here:
            return f"{variable} is not the one of {place}; it must be the same on all nodes"
    return None
