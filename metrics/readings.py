"""What is read when it is asked for: depths and ages that others keep, the build, and the process."""

import platform
from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

from metrics.instruments import Gauge, InstrumentCollector


class Readings(NamedTuple):
    """How to read each gauge; every call must be cheap and must not fail.

    Attributes:
        mailbox_depth: commands that wait for their screenings.
        active_screenings: screenings in memory.
        live_holds: holds that stand, in all of them.
        journal_depth: entries that are not yet committed.
        journal_lag_seconds: age of the oldest of them.
    """

    mailbox_depth: Callable[[], float]
    active_screenings: Callable[[], float]
    live_holds: Callable[[], float]
    journal_depth: Callable[[], float]
    journal_lag_seconds: Callable[[], float]


class _BuildInfo:
    """The version as a label, always 1, the usual way to show it in Prometheus."""

    def __init__(self, version: str) -> None:
        self._labels = {"version": version, "python": platform.python_version()}

    def family(self) -> GaugeMetricFamily:
        """The constant."""
        family = GaugeMetricFamily(
            "frontrow_build_info", "Version of Frontrow and of Python.", labels=list(self._labels)
        )
        family.add_metric(list(self._labels.values()), 1)
        return family


def register_readings(registry: CollectorRegistry, readings: Readings, version: str) -> None:
    """Register the gauges, the build and the collector of the process (memory, CPU, descriptors).

    Args:
        registry: where to.
        readings: how to read the gauges.
        version: of Frontrow.
    """
    registry.register(
        InstrumentCollector(
            (
                Gauge(
                    "frontrow_mailbox_depth",
                    "Commands that wait for their screenings.",
                    readings.mailbox_depth,
                ),
                Gauge("frontrow_screenings_active", "Screenings in memory.", readings.active_screenings),
                Gauge("frontrow_holds_live", "Holds that stand.", readings.live_holds),
                Gauge("frontrow_journal_depth", "Journal entries not yet committed.", readings.journal_depth),
                Gauge(
                    "frontrow_journal_lag_seconds",
                    "Age of the oldest journal entry not yet committed.",
                    readings.journal_lag_seconds,
                ),
                _BuildInfo(version),
            )
        )
    )
    ProcessCollector(registry=registry)
