"""Counters and histograms for a single thread, cheap to record and converted when scraped.

prometheus_client's own instruments take a lock and look up labels on every call, which costs several
microseconds; a whole command takes less. Everything here runs on the event loop, scrapes included, so plain
numbers are safe. At scrape time each instrument is converted to prometheus_client's metric families, which
that library renders. A large instrument yields its family in parts, so that the event loop can do other work
between them: after each `yield`, labels may have been added.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import ClassVar, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

T = TypeVar("T")
Labels = tuple[str, ...]
Counts = defaultdict[Labels, float]


PART_SAMPLES = 50
"""Most samples in a part of a family. Rendering them takes about half a millisecond."""


def batched(entries: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Yield a copy of the entries in tuples of this size; one empty tuple if there are none."""
    copied = tuple(entries)
    for start in range(0, max(1, len(copied)), size):
        yield copied[start : start + size]


class Instrument(Protocol):
    """Anything that can be scraped."""

    def families(self) -> Iterator[Metric]:
        """Yield the current values as a metric family of prometheus_client, perhaps in several parts."""


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
        """Yield the families of the instruments, one after the other."""
        if self._fold is not None:
            self._fold()
        for instrument in self._instruments:
            yield from instrument.families()


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
    _family: ClassVar[type[CounterMetricFamily | GaugeMetricFamily]] = CounterMetricFamily

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), known: Iterable[Labels] = ()
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self.values: Counts = defaultdict(float)
        self.values.update(dict.fromkeys(known if labels else [()], 0.0))

    def families(self) -> Iterator[Metric]:
        for part in batched(self.values.items(), PART_SAMPLES):
            family = self._family(self._name, self._meaning, labels=self._labels)
            for labels, value in part:
                family.add_metric(labels, value)
            yield family


class UpDownCounter(Counter):
    """A value that goes up and down by increments; scraped as a gauge."""

    __slots__ = ()
    _family = GaugeMetricFamily


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

    def families(self) -> Iterator[Metric]:
        sums = Counter(self._name, self._meaning, [self._label], ((value,) for value in self._known))
        for labels, value in self._values.items():
            sums.values[(labels[self._position],)] += value
        return sums.families()


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

    def families(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(self._name, self._meaning, value=self._read())


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

    __slots__ = ("_labels", "_meaning", "_name", "_shown_bounds", "children")

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self._shown_bounds = [*map(floatToGoString, bounds), "+Inf"]
        self.children = Distributions(bounds)
        if not labels:
            self.children[()]

    def families(self) -> Iterator[Metric]:
        children_per_part = max(1, PART_SAMPLES // (len(self._shown_bounds) + 2))
        for part in batched(self.children.items(), children_per_part):
            family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
            for labels, child in part:
                cumulative = map(float, accumulate(child.counts))
                family.add_metric(labels, list(zip(self._shown_bounds, cumulative, strict=True)), child.total)
            yield family
