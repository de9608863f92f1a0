"""The metrics of several workers on one page."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from metrics.exposition import OPENMETRICS
from metrics.observer import MetricsObserver
from metrics.sockets import SocketMetrics
from metrics.workers import Families, WorkerMetrics, families_of


def after(requests: int, sockets: int = 0) -> Families:
    """The metrics of a process that has answered requests and has open sockets."""
    registry = CollectorRegistry()
    observer, socket_metrics = MetricsObserver(registry), SocketMetrics(registry)
    for _ in range(requests):
        observer.http_route("/", "GET").finished(200, 0.003)
    for _ in range(sockets):
        socket_metrics.socket_opened("rooms")
    return asyncio.run(families_of(registry))


class Page:
    """The page of all workers, read like Prometheus."""

    def __init__(self, metrics: WorkerMetrics, current: dict[int, int | None]) -> None:
        _, body = metrics.page(current, "")
        self._samples = {
            (sample.name, sample.labels.pop("worker"), sample.labels.get("le")): sample.value
            for family in parse_text(body.decode())
            for sample in family.samples
            if sample.labels.get("endpoint", "rooms") == "rooms"
        }

    def __call__(self, name: str, worker: int, le: str | None = None) -> float | None:
        return self._samples.get((name, str(worker), le))

    def requests(self, worker: int) -> float | None:
        return self("frontrow_http_requests_total", worker)


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics()


def test_every_sample_names_its_worker(metrics: WorkerMetrics) -> None:
    metrics.collected(1, 1, after(2, sockets=5))
    metrics.collected(2, 2, after(3))
    page = Page(metrics, {1: 1, 2: 2})
    assert (page.requests(1), page.requests(2)) == (2, 3)
    assert page("frontrow_sockets_open", 1) == 5
    assert page("frontrow_worker_up", 1) == page("frontrow_worker_up", 2) == 1


def test_counters_and_histograms_continue_after_a_process_has_ended(metrics: WorkerMetrics) -> None:
    metrics.collected(1, 1, after(2, sockets=5))
    metrics.ended(1, 1)
    page = Page(metrics, {1: None})
    assert page.requests(1) == 2
    assert page("frontrow_sockets_open", 1) is None
    assert (page("frontrow_worker_up", 1), page("frontrow_worker_exits_total", 1)) == (0, 1)

    metrics.collected(1, 2, after(3, sockets=1))
    page = Page(metrics, {1: 2})
    assert page.requests(1) == 5
    assert page("frontrow_http_request_duration_seconds_count", 1) == 5
    assert page("frontrow_http_request_duration_seconds_bucket", 1, "0.005") == 5
    assert page("frontrow_http_request_duration_seconds_bucket", 1, "0.001") == 0
    assert page("frontrow_sockets_open", 1) == 1

    metrics.ended(1, 2)
    metrics.ended(1, 3)  # it ended before it sent anything
    page = Page(metrics, {1: None})
    assert (page.requests(1), page("frontrow_worker_exits_total", 1)) == (5, 3)


def test_while_a_worker_is_replaced_both_processes_count_and_the_new_one_is_shown(
    metrics: WorkerMetrics,
) -> None:
    metrics.collected(1, 1, after(2, sockets=5))
    metrics.collected(1, 2, after(3, sockets=1))
    page = Page(metrics, {1: 2})
    assert page.requests(1) == 5
    assert page("frontrow_sockets_open", 1) == 1


def test_a_process_that_does_not_answer_keeps_its_counters(metrics: WorkerMetrics) -> None:
    metrics.collected(1, 1, after(2, sockets=5))
    page = Page(metrics, {1: None})
    assert page.requests(1) == 2
    assert page("frontrow_sockets_open", 1) is None


def test_the_page_is_valid_openmetrics(metrics: WorkerMetrics) -> None:
    metrics.collected(1, 1, after(2, sockets=5))
    metrics.ended(1, 1)
    metrics.collected(1, 3, after(1))
    metrics.collected(2, 2, after(3))
    media_type, body = metrics.page({1: 3, 2: 2}, OPENMETRICS)
    assert media_type.startswith(OPENMETRICS)
    names = [family.name for family in parse_openmetrics(body.decode())]
    assert len(names) == len(set(names)) > 10
