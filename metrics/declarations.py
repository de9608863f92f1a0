"""Declares counters and histograms on a registry, in one call each."""

from collections.abc import Callable, Iterable
from itertools import product

from prometheus_client import CollectorRegistry

from metrics.instruments import Counter, Counts, Histogram, Instrument, InstrumentCollector, UpDownCounter

LATENCY_BOUNDS_SECONDS = (0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Declarations:
    """Instruments that are declared together.

    A label is declared as `name=values`, with the values that exist from the start; other values are added
    when they are first used.
    """

    def __init__(self) -> None:
        self._instruments: list[Instrument] = []

    def add(self, instrument: Instrument) -> None:
        """Add an instrument that was made elsewhere."""
        self._instruments.append(instrument)

    def counter(self, name: str, meaning: str, **labels: Iterable[str]) -> Counts:
        """Declare a counter and return its values."""
        counter = Counter(name, meaning, tuple(labels), product(*labels.values()))
        self.add(counter)
        return counter.values

    def up_and_down(self, name: str, meaning: str, **labels: Iterable[str]) -> Counts:
        """Declare a gauge that is set or changed as things happen, and return its values."""
        gauge = UpDownCounter(name, meaning, tuple(labels), product(*labels.values()))
        self.add(gauge)
        return gauge.values

    def figure(self, name: str, meaning: str) -> Counts:
        """Declare a gauge without labels that has no value until one is set."""
        values = self.up_and_down(name, meaning)
        values.clear()
        return values

    def histogram(
        self, name: str, meaning: str, bounds: tuple[float, ...] = LATENCY_BOUNDS_SECONDS, *labels: str
    ) -> Histogram:
        """Declare a histogram, whose bounds are in the unit of its name."""
        histogram = Histogram(name, meaning, bounds, labels)
        self.add(histogram)
        return histogram

    def register(self, registry: CollectorRegistry, fold: Callable[[], None] | None = None) -> None:
        """Make everything that has been declared readable.

        Args:
            registry: where to.
            fold: called before each scrape; adds what is counted elsewhere.
        """
        registry.register(InstrumentCollector(self._instruments, fold))
