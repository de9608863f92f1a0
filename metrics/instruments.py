"""Counters and histograms for a single thread, cheap to record and converted when scraped.

prometheus_client's own instruments take a lock and look up labels on every call, which costs several
microseconds; a whole command takes less. Everything here runs on the event loop, scrapes included, so plain
numbers are safe. At scrape time each instrument is converted to one of prometheus_client's metric families,
which that library renders.
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
Counts = defaultdict[Labels, float]


class Instrument(Protocol):
    """Anything that can be scraped."""

    def family(self) -> Metric:
        """The current values as a metric family of prometheus_client."""


class InstrumentCollector(Collector):
    """Makes a set of instruments registrable with a `CollectorRegistry`.

    Args:
        instruments: what is scraped.
        fold: called before each scrape; adds what is counted elsewhere to the instruments.
    """

    def __init__(self, instruments: Iterable[Instrument], fold: Callable[[], None] | None = None) -> None:
        self._instruments = tuple(instruments)
        self._fold = fold

    def collect(self) -> Iterator[Metric]:
        """Return one family per instrument."""
        if self._fold is not None:
            self._fold()
        return (instrument.family() for instrument in self._instruments)


class Counter:
    """A counter; increment it with `values[labels] += amount`.

    Args:
        name: ends in `_total`.
        meaning: the help text.
        labels: names of the labels; a counter without labels starts at 0.
        known: labels that start at 0. Prometheus cannot see that a counter has increased from nothing to 1,
            so failures to be alerted about should be known.
    """

    __slots__ = ("_labels", "_meaning", "_name", "values")

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), known: Iterable[Labels] = ()
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self.values: Counts = defaultdict(float)
        self.values.update(dict.fromkeys(known if labels else [()], 0.0))

    def family(self) -> Metric:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class UpDownCounter(Counter):
    """A value that goes up and down by increments; scraped as a gauge."""

    __slots__ = ()

    def family(self) -> Metric:
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class Summary:
    """The sum of another counter's values over all labels but one, worked out when scraped.

    It has few samples, so all can start at 0, and alerts about them miss nothing.

    Args:
        name: ends in `_total`.
        meaning: the help text.
        label: the label that is kept.
        values: those of the other counter.
        position: of the label among the other counter's labels.
        known: values of the label that start at 0.
    """

    __slots__ = ("_known", "_label", "_meaning", "_name", "_position", "_values")

    def __init__(
        self, name: str, meaning: str, label: str, values: Counts, position: int, known: Iterable[str]
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._label = label
        self._values = values
        self._position = position
        self._known = tuple(known)

    def family(self) -> Metric:
        sums = Counter(self._name, self._meaning, [self._label], ((value,) for value in self._known))
        for labels, value in self._values.items():
            sums.values[(labels[self._position],)] += value
        return sums.family()


class Gauge:
    """A gauge that is read at scrape time.

    Args:
        name: of the metric.
        meaning: the help text.
        read: returns the current value.
    """

    __slots__ = ("_meaning", "_name", "_read")

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name = name
        self._meaning = meaning
        self._read = read

    def family(self) -> Metric:
        return GaugeMetricFamily(self._name, self._meaning, value=self._read())


class Distribution:
    """One child of a histogram: the number of values in each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add a value; a value equal to a bucket's bound counts in that bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """The cumulative buckets in Prometheus' format, and the sum."""
        bounds = [*map(floatToGoString, self.bounds), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True)), self.total


class Distributions(dict[Labels, Distribution]):
    """Creates a distribution when labels are first used."""

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__()
        self._bounds = bounds

    def __missing__(self, labels: Labels) -> Distribution:
        child = self[labels] = Distribution(self._bounds)
        return child


class Histogram:
    """A histogram, one `Distribution` per combination of labels.

    Args:
        name: ends in a base unit, e.g. `_seconds`.
        meaning: the help text.
        bounds: upper bounds of the buckets, ascending.
        labels: names of the labels; a histogram without labels has its one child from the start.
    """

    __slots__ = ("_labels", "_meaning", "_name", "children")

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self.children = Distributions(bounds)
        if not labels:
            self.children[()]

    def family(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, child in self.children.items():
            buckets, total = child.cumulative()
            family.add_metric(labels, buckets, total)
        return family
