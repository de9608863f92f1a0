"""The metrics of a node in a cluster; a single server has none of them.

`ClusterObserver` is called by the parts of `cluster` through their own protocols. Labels come from small
fixed sets: states of nodes, kinds of commands, codes of errors.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

from metrics.instruments import Counter, Gauge, Histogram, InstrumentCollector

ROUND_TRIP_BOUNDS_SECONDS = (
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5
)  # fmt: skip


class ClusterReadings(NamedTuple):
    """Functions that read the gauges; each must be cheap and must not raise.

    Attributes:
        nodes: number of nodes by state, as this node sees them.
        nats_connected: whether there is a connection to NATS.
        lease_seconds: how long this node may still decide commands; 0 or less if it may not.
    """

    nodes: Callable[[], Mapping[str, int]]
    nats_connected: Callable[[], bool]
    lease_seconds: Callable[[], float]


class _Nodes:
    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def families(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "frontrow_cluster_nodes", "Nodes of the cluster by state, as this node sees it.", labels=["state"]
        )
        for state, number in self._read().items():
            family.add_metric([state], number)
        yield family


class ClusterObserver:
    """Records what happens between the nodes.

    Args:
        registry: where the metrics are registered.
        readings: functions that read the gauges.
    """

    def __init__(self, registry: CollectorRegistry, readings: ClusterReadings) -> None:
        forwarded = Counter(
            "frontrow_forwarded_commands_total",
            "Commands that another node was asked to carry out, by kind and outcome.",
            ("kind", "outcome"),
        )
        round_trip = Histogram(
            "frontrow_forwarded_command_seconds",
            "Time until forwarded commands were answered, by kind.",
            ROUND_TRIP_BOUNDS_SECONDS,
            ("kind",),
        )
        gaps_found = Counter(
            "frontrow_change_gaps_found_total", "Times that changes of another node's screening were missed."
        )
        gaps_filled = Counter(
            "frontrow_change_gaps_filled_total", "Gaps that were filled by asking the screening's owner."
        )
        reloads = Counter(
            "frontrow_change_reloads_total", "Gaps after which sockets were sent all seats of a screening."
        )
        changes = Counter(
            "frontrow_changes_between_nodes_total",
            'Changes of screenings, by direction: "sent" to another node or "received" from one.',
            ("direction",),
        )
        self._forwarded = forwarded.values
        self._round_trip = round_trip.children
        self._gaps_found = gaps_found.values
        self._gaps_filled = gaps_filled.values
        self._reloads = reloads.values
        self._changes = changes.values
        gauges = (
            _Nodes(readings.nodes),
            Gauge(
                "frontrow_nats_connected",
                "1 if there is a connection to NATS.",
                lambda: float(readings.nats_connected()),
            ),
            Gauge(
                "frontrow_lease_seconds",
                "How long this node may still decide commands; 0 if it may not.",
                lambda: max(0.0, readings.lease_seconds()),
            ),
        )
        counters = (forwarded, round_trip, gaps_found, gaps_filled, reloads, changes)
        registry.register(InstrumentCollector((*gauges, *counters)))

    def forwarded(self, kind: str, seconds: float, outcome: str) -> None:
        """A command was answered by another node.

        Args:
            kind: its class.
            seconds: from sending it to its answer, including repetitions.
            outcome: "ok" or the code of the error.
        """
        self._forwarded[kind, outcome] += 1
        self._round_trip[(kind,)].observe(seconds)

    def gap_found(self) -> None:
        """Changes of a screening did not arrive here."""
        self._gaps_found[()] += 1

    def gap_filled(self) -> None:
        """The owner has told what had been missed."""
        self._gaps_filled[()] += 1

    def screening_reloaded(self) -> None:
        """The owner did not keep what had been missed, so sockets are sent all seats."""
        self._reloads[()] += 1

    def changes_sent(self, count: int) -> None:
        """Changes were sent to other nodes; one that was sent to two nodes counts twice."""
        self._changes[("sent",)] += count

    def change_received(self) -> None:
        """A change of another node's screening has arrived."""
        self._changes[("received",)] += 1
