"""Metrics that are read at scrape time: queue depths and ages, the build, and the process."""

import platform
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from metrics.instruments import Gauge, InstrumentCollector


class Readings(NamedTuple):
    """Functions that read the gauges; each must be cheap and must not raise.

    Attributes:
        mailbox_depth: commands waiting in mailboxes.
        active_screenings: screenings in memory.
        live_holds: live holds of the screenings in memory.
        waitlist_entries: live entries of their waiting lists.
        journal_depth: journal entries not yet committed.
        journal_lag_seconds: age of the oldest of them.
        webhooks_disabled: webhooks that are disabled.
        webhook_wait_seconds: age of the oldest event that the others wait for.
        pool_busy, pool_idle: connections of the database pool that are in use, and that are not.
        pool_waiting: how many wait for a connection of the pool.
        loop_tasks: tasks of the event loop that have not ended.
        loop_timers: timers of the event loop that are due later.
        overload_pressure: how much is refused; 0 if nothing.
        refused: requests refused because of it, by urgency.
        refused_handshakes: WebSockets refused because of it, or because too many came at once.
    """

    mailbox_depth: Callable[[], float]
    active_screenings: Callable[[], float]
    live_holds: Callable[[], float]
    waitlist_entries: Callable[[], float]
    journal_depth: Callable[[], float]
    journal_lag_seconds: Callable[[], float]
    webhooks_disabled: Callable[[], float]
    webhook_wait_seconds: Callable[[], float]
    pool_busy: Callable[[], float]
    pool_idle: Callable[[], float]
    pool_waiting: Callable[[], float]
    loop_tasks: Callable[[], float]
    loop_timers: Callable[[], float]
    overload_pressure: Callable[[], float]
    refused: Callable[[], Mapping[str, float]]
    refused_handshakes: Callable[[], float]


class Limits(NamedTuple):
    """Limits that some gauges are compared with.

    Attributes:
        mailbox: commands that may wait in the mailbox of one screening.
        journal: entries that may wait in the journal.
        sockets: WebSockets that may be open.
        pool: connections of the database pool.
    """

    mailbox: int
    journal: int
    sockets: int
    pool: int


class _BuildInfo:
    """`frontrow_build_info`: always 1, with the versions as labels, as is usual in Prometheus."""

    def __init__(self, version: str) -> None:
        self._labels = {"version": version, "python": platform.python_version()}

    def families(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "frontrow_build_info", "Versions of Frontrow and Python.", labels=list(self._labels)
        )
        family.add_metric(list(self._labels.values()), 1)
        yield family


class _Connections:
    """`frontrow_database_pool_connections`: connections of the pool by state."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def families(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "frontrow_database_pool_connections", "Connections of the database pool.", labels=["state"]
        )
        family.add_metric(["busy"], self._readings.pool_busy())
        family.add_metric(["idle"], self._readings.pool_idle())
        yield family


class _Refused:
    """`frontrow_overload_refused_total`: what was refused while more came than could be answered."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def families(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "frontrow_overload_refused",
            "Requests refused while more came than could be answered.",
            labels=["urgency"],
        )
        for urgency, number in self._readings.refused().items():
            family.add_metric([urgency], number)
        family.add_metric(["handshake"], self._readings.refused_handshakes())
        yield family


def _limits(limits: Limits) -> Iterator[Gauge]:
    meanings = {
        "mailbox": "Commands that may wait in the mailbox of one screening.",
        "journal": "Entries that may wait in the journal.",
        "sockets": "WebSockets that may be open.",
        "database_pool": "Connections that the database pool may have.",
    }
    for (name, meaning), limit in zip(meanings.items(), limits, strict=True):
        yield Gauge(f"frontrow_{name}_limit", meaning, partial(float, limit))


def register_readings(registry: CollectorRegistry, readings: Readings, limits: Limits, version: str) -> None:
    """Register the gauges, the build and the process collector (memory, CPU, descriptors).

    Args:
        registry: where to register them.
        readings: functions that read the gauges.
        limits: what they are compared with.
        version: Frontrow's version.
    """
    registry.register(
        InstrumentCollector(
            (
                Gauge(
                    "frontrow_mailbox_depth",
                    "Commands waiting in mailboxes.",
                    readings.mailbox_depth,
                ),
                Gauge("frontrow_screenings_active", "Screenings in memory.", readings.active_screenings),
                Gauge("frontrow_holds_live", "Live holds of the screenings in memory.", readings.live_holds),
                Gauge(
                    "frontrow_waitlist_entries",
                    "Live entries of the waiting lists of the screenings in memory.",
                    readings.waitlist_entries,
                ),
                Gauge("frontrow_journal_depth", "Journal entries not yet committed.", readings.journal_depth),
                Gauge(
                    "frontrow_journal_lag_seconds",
                    "Age of the oldest journal entry not yet committed.",
                    readings.journal_lag_seconds,
                ),
                Gauge(
                    "frontrow_webhooks_disabled", "Webhooks that are disabled.", readings.webhooks_disabled
                ),
                Gauge(
                    "frontrow_webhook_wait_seconds",
                    "Age of the oldest event that an enabled webhook has not got.",
                    readings.webhook_wait_seconds,
                ),
                _Connections(readings),
                Gauge(
                    "frontrow_database_pool_waiting",
                    "Work that waits for a connection of the database pool.",
                    readings.pool_waiting,
                ),
                Gauge(
                    "frontrow_event_loop_tasks",
                    "Tasks of the event loop that have not ended.",
                    readings.loop_tasks,
                ),
                Gauge(
                    "frontrow_event_loop_timers",
                    "Timers of the event loop that are due later.",
                    readings.loop_timers,
                ),
                Gauge(
                    "frontrow_overload_pressure",
                    "How much is refused because more comes than can be answered; 0 if nothing.",
                    readings.overload_pressure,
                ),
                _Refused(readings),
                *_limits(limits),
                _BuildInfo(version),
            )
        )
    )
    ProcessCollector(registry=registry)
