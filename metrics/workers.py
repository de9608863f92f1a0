"""Merges the metrics of several worker processes into one page, with a label `worker`.

Each worker sends its families as plain values. Counters and histograms of a worker continue where its earlier
processes ended, so they never go backwards on the page: a process that ends in order sends its last values;
of one that was killed, the values that were collected last are kept. Gauges are those of the worker's current
process.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from metrics.exposition import render

Families = list[tuple[str, str, str, str, list[tuple[str, dict[str, str], float]]]]
"""Name, type, meaning, unit and samples of each family; a sample is its name, labels and value."""

_CUMULATIVE = frozenset({"counter", "histogram"})

_Sample = tuple[str, tuple[tuple[str, str], ...]]


class _Family(NamedTuple):
    kind: str
    meaning: str
    unit: str
    samples: dict[_Sample, float]


async def families_of(registry: CollectorRegistry) -> Families:
    """Return all metrics of a registry as plain values; other work is done between them.

    A large family comes in parts, as in `metrics.instruments`.
    """
    families: Families = []
    for family in registry.collect():
        samples = [(sample.name, sample.labels, sample.value) for sample in family.samples]
        families.append((family.name, family.type, family.documentation, family.unit, samples))
        await asyncio.sleep(0)
    return families


class WorkerMetrics:
    """The metrics of all workers of this machine, past and present."""

    def __init__(self) -> None:
        # By launch: the number of its worker, and its last families.
        self._collected: dict[int, tuple[int, Families]] = {}
        # By worker: what its ended processes have counted.
        self._ended: dict[int, dict[str, _Family]] = {}
        self._exits: dict[int, int] = {}

    def collected(self, worker: int, launch: int, families: Families) -> None:
        """Remember the current values of a launch."""
        self._collected[launch] = worker, families

    def ended(self, worker: int, launch: int) -> None:
        """The process has ended: keep what it has counted."""
        self._exits[worker] = self._exits.get(worker, 0) + 1
        _, families = self._collected.pop(launch, (worker, []))
        _add(self._ended.setdefault(worker, {}), families, gauges=False)

    def page(self, current: Mapping[int, int | None], accept_header: str) -> tuple[str, bytes]:
        """Render the metrics of all workers.

        Args:
            current: by worker, the launch that serves now and has just sent its values; None if none has.
            accept_header: the request's `Accept`.

        Returns:
            Media type and body.
        """
        registry = CollectorRegistry()
        registry.register(_Merged([*self._of_workers(current), *self._merged(current)]))
        return render(registry, accept_header)

    def _of_workers(self, current: Mapping[int, int | None]) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "frontrow_worker_up", "1 if the worker serves and has sent its metrics.", labels=["worker"]
        )
        exits = CounterMetricFamily(
            "frontrow_worker_exits_total",
            "Processes of the worker that have ended, for whatever reason.",
            labels=["worker"],
        )
        for worker, launch in current.items():
            up.add_metric([str(worker)], launch is not None)
            exits.add_metric([str(worker)], self._exits.get(worker, 0))
        yield from (up, exits)

    def _merged(self, current: Mapping[int, int | None]) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for worker, serving in current.items():
            totals: dict[str, _Family] = {}
            for name, family in self._ended.get(worker, {}).items():
                totals[name] = family._replace(samples=dict(family.samples))
            for launch, (owner, families) in self._collected.items():
                if owner == worker:
                    _add(totals, families, gauges=launch == serving)
            for name, (kind, meaning, unit, samples) in totals.items():
                shown = merged.setdefault(name, Metric(name, meaning, kind, unit))
                for (sample, labels), value in samples.items():
                    shown.add_sample(sample, {**dict(labels), "worker": str(worker)}, value)
        yield from merged.values()


def _add(totals: dict[str, _Family], families: Families, *, gauges: bool) -> None:
    for name, kind, meaning, unit, samples in families:
        adds = kind in _CUMULATIVE
        if adds or gauges:
            known = totals.setdefault(name, _Family(kind, meaning, unit, {})).samples
            for sample, labels, value in samples:
                key = sample, tuple(labels.items())
                known[key] = known.get(key, 0.0) + value if adds else value


class _Merged(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
