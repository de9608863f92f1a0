"""Counters and histograms for one thread: a plain addition when something happens, all else at the scrape.

prometheus_client's own instruments take a lock and look labels up on every call, which costs several
microseconds; a command is decided in less. Everything here runs on the event loop, scrapes included, so
plain numbers do. At a scrape each instrument writes itself down as a metric family of prometheus_client,
which does the rest.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]


class Instrument(Protocol):
    """Anything that can be scraped."""

    def family(self) -> Metric:
        """What there is to tell now."""


class InstrumentCollector(Collector):
    """A set of instruments, to be registered with a `CollectorRegistry`."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = tuple(instruments)

    def collect(self) -> Iterator[Metric]:
        """One family per instrument."""
        return (instrument.family() for instrument in self._instruments)


class Counter:
    """Counts; `values[labels] += amount` is all there is to it.

    Args:
        name: ends in `_total`.
        meaning: the help text.
        labels: names of the labels; without any, the counter is there from the start.
    """

    __slots__ = ("_labels", "_meaning", "_name", "values")

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self.values: defaultdict[Labels, float] = defaultdict(float)
        if not labels:
            self.values[()] = 0.0

    def family(self) -> Metric:
        """The counts."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class UpDownCounter(Counter):
    """Counts up and down, and is scraped as a gauge."""

    __slots__ = ()

    def family(self) -> Metric:
        """The present counts."""
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class Gauge:
    """A number that is read when it is asked for.

    Args:
        name: of the metric.
        meaning: the help text.
        read: gives the number.
    """

    __slots__ = ("_meaning", "_name", "_read")

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name = name
        self._meaning = meaning
        self._read = read

    def family(self) -> Metric:
        """The present value."""
        return GaugeMetricFamily(self._name, self._meaning, value=self._read())


class Distribution:
    """How often values fell into each bucket, and their sum: one child of a histogram."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Add a value; one that equals a bound belongs below it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """Buckets as Prometheus wants them, each with all below it, and the sum."""
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self._counts)), strict=True)), self._sum


class _Children(dict[Labels, Distribution]):
    """Makes the distribution of new labels on first use."""

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__()
        self._bounds = bounds

    def __missing__(self, labels: Labels) -> Distribution:
        child = self[labels] = Distribution(self._bounds)
        return child


class Histogram:
    """Distributions by labels.

    Args:
        name: ends in a base unit, e.g. `_seconds`.
        meaning: the help text.
        bounds: upper bounds of the buckets, ascending.
        labels: names of the labels; without any, the one child is there from the start.
    """

    __slots__ = ("_labels", "_meaning", "_name", "children")

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self.children = _Children(bounds)
        if not labels:
            self.children[()]

    def family(self) -> Metric:
        """All distributions."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, child in self.children.items():
            buckets, total = child.cumulative()
            family.add_metric(labels, buckets, total)
        return family
