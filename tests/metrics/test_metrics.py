"""The metrics page is correct, well-formed, and matches the documentation."""

import asyncio
import re
import time
from itertools import product
from pathlib import Path

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from api.catalogue.departures import DEPARTURE
from api.webhooks.notices import NOTICE
from engine.records import ScreeningInfo
from metrics.cluster import ClusterObserver, ClusterReadings
from metrics.database import DatabaseMetrics
from metrics.event_loop import sample_event_loop_lag, task_count, timer_count
from metrics.exposition import OPENMETRICS, render, render_in_turns
from metrics.instruments import PART_SAMPLES
from metrics.observer import MetricsObserver
from metrics.outbox import OutboxMetrics
from metrics.readings import Limits, Readings, register_readings
from metrics.sockets import SocketMetrics
from metrics.workers import WorkerMetrics
from persistence.journal import FAILURES

SCREENING = ScreeningInfo(1, 2e9, 2e9 + 7200, 1500, {})
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\| (?P<meaning>[^|]+) \|$", re.M)


class Shop:
    """A registry with all metrics, and a way to read it like Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.observer = MetricsObserver(self.registry, screenings=[17])
        self.sockets = SocketMetrics(self.registry, lambda: self.now)
        self.outbox = OutboxMetrics(self.registry)
        self.database = DatabaseMetrics(self.registry)
        self.depth = 0
        self.now = 1000.0
        readings = Readings(
            mailbox_depth=lambda: self.depth,
            active_screenings=lambda: 2,
            live_holds=lambda: 3,
            waitlist_entries=lambda: 4,
            journal_depth=lambda: 4,
            journal_lag_seconds=lambda: 0.25,
            webhooks_disabled=lambda: 1,
            webhook_wait_seconds=lambda: 2.5,
            pool_busy=lambda: 5,
            pool_idle=lambda: 3,
            pool_waiting=lambda: 1,
            loop_tasks=lambda: 12,
            loop_timers=lambda: 34,
            overload_pressure=lambda: 1.5,
            refused=lambda: {"look": 7, "hold": 3, "sale": 0},
            refused_handshakes=lambda: 2,
        )
        register_readings(self.registry, readings, Limits(2000, 100_000, 5000, 8), "1.2.3")
        self.lease_seconds = 2.5
        cluster_readings = ClusterReadings(
            nodes=lambda: {"serving": 2, "gone": 1},
            nats_connected=lambda: True,
            lease_seconds=lambda: self.lease_seconds,
        )
        self.cluster_observer = ClusterObserver(self.registry, cluster_readings)

    def families(self):
        _, body = render(self.registry, "")
        return list(parse_text(body.decode()))

    def value(self, sample_name: str, **labels: str) -> float | None:
        for family in self.families():
            for sample in family.samples:
                if sample.name == sample_name and sample.labels == labels:
                    return sample.value
        return None

    def use_everything(self) -> None:
        self.observer.command_meter("HoldSeats").handled("ok", 0.001, 0.00002)
        self.observer.screening_activated(0.01)
        self.observer.screening_passivated()
        self.observer.screening_taken_over("gone")
        self.observer.holds_lapsed(2, 0.01)
        self.observer.seats_sold(SCREENING, 1, 1500)
        self.observer.batch_flushed(10, 0.005, 0.007)
        self.observer.http_route("/", "GET").finished(200, 0.001)
        self.cluster_observer.forwarded("HoldSeats", 0.0004, "ok")
        self.cluster_observer.changes_sent(1)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_the_page_and_the_documentation_agree(shop):
    shop.use_everything()
    exposed = {}
    _, of_workers = WorkerMetrics().page({1: None}, "")
    for family in (*shop.families(), *parse_text(of_workers.decode())):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name = family.name + "_total" if family.type == "counter" else family.name
        exposed[name] = (family.type, labels)
    documented = {
        row["name"]: (row["type"], set(re.findall(r"`(\w+)`", row["labels"])))
        for row in ROW.finditer(PAGE.read_text())
    }
    assert exposed == documented


def test_names_end_in_their_base_unit(shop):
    for family in shop.families():
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert not re.search(r"(ms|millis|minutes|kb|mb)$", family.name)
        assert family.documentation


@pytest.mark.parametrize(
    ("accept", "parse", "content_type"),
    [
        ("", parse_text, "text/plain; version=0.0.4"),
        ("text/html, */*", parse_text, "text/plain; version=0.0.4"),
        (f"{OPENMETRICS}; version=1.0.0, text/plain", parse_openmetrics, OPENMETRICS),
        (f"{OPENMETRICS}; version=abc", parse_openmetrics, OPENMETRICS),
    ],
)
def test_both_formats_are_read_by_their_parser(shop, accept, parse, content_type):
    shop.use_everything()
    answered, body = render(shop.registry, accept)
    families = {family.name for family in parse(body.decode())}
    assert answered.startswith(content_type)
    assert {"frontrow_commands", "frontrow_command_wait_seconds", "frontrow_build_info"} <= families


@pytest.mark.gen_test
@pytest.mark.parametrize(("accept", "parse"), [("", parse_text), (OPENMETRICS, parse_openmetrics)])
async def test_a_large_page_is_rendered_in_many_turns(shop, accept, parse):
    routes = [f"/route/{number}" for number in range(200)]
    for route in routes:
        shop.observer.http_route(route, "GET").finished(200, 0.003)
    turns = 0
    rendering = asyncio.ensure_future(render_in_turns(shop.registry, accept))
    while not rendering.done():
        turns += 1
        # A new route is seen for the first time while the page is rendered.
        shop.observer.http_route(f"/new/{turns}", "GET").finished(200, 0.003)
        await asyncio.sleep(0)
    _, body = await rendering
    lines = body.decode().splitlines()
    assert turns > len(lines) / PART_SAMPLES
    heads = [line for line in lines if line.startswith("# ")]
    assert len(heads) == len(set(heads))
    families = {family.name: family for family in parse(body.decode())}
    times = families["frontrow_http_request_duration_seconds"].samples
    counted = {sample.labels["route"]: sample.value for sample in times if sample.name.endswith("_count")}
    assert {route: counted[route] for route in routes} == dict.fromkeys(routes, 1)
    requests = families["frontrow_http_requests"].samples
    assert set(routes) <= {sample.labels["route"] for sample in requests}


def test_commands_are_counted_by_kind_and_outcome(shop):
    for outcome in ("ok", "ok", "seats_unavailable"):
        shop.observer.command_meter("HoldSeats").handled(outcome, 0.0, 0.00001)
    shop.observer.command_meter("BookSeats").handled("ok", 0.2, 0.00003)
    assert shop.value("frontrow_commands_total", kind="HoldSeats", outcome="ok") == 2
    assert shop.value("frontrow_commands_total", kind="HoldSeats", outcome="seats_unavailable") == 1
    assert shop.value("frontrow_command_duration_seconds_count", kind="HoldSeats") == 3
    assert shop.value("frontrow_command_wait_seconds_count") == 4
    assert shop.value("frontrow_command_wait_seconds_sum") == pytest.approx(0.2)


def test_commands_that_did_not_wait_count_like_all_others(shop):
    meter = shop.observer.command_meter("HoldSeats")
    for seconds in (0.000005, 0.00001, 0.7):
        meter.succeeded(seconds)
    meter.handled("ok", 0.2, 0.00001)
    for _ in range(2):  # a second scrape changes nothing
        assert shop.value("frontrow_commands_total", kind="HoldSeats", outcome="ok") == 4
    assert shop.value("frontrow_command_duration_seconds_count", kind="HoldSeats") == 4
    assert shop.value("frontrow_command_duration_seconds_bucket", kind="HoldSeats", le="5e-06") == 1
    assert shop.value("frontrow_command_duration_seconds_bucket", kind="HoldSeats", le="1e-05") == 3
    assert shop.value("frontrow_command_duration_seconds_sum", kind="HoldSeats") == pytest.approx(0.700025)
    assert shop.value("frontrow_command_wait_seconds_count") == 4
    assert shop.value("frontrow_command_wait_seconds_bucket", le="5e-05") == 3
    assert shop.value("frontrow_command_wait_seconds_sum") == pytest.approx(0.2)


def test_requests_are_counted_by_route_method_and_status(shop):
    get, post = shop.observer.http_route("/a", "GET"), shop.observer.http_route("/a", "POST")
    get.finished(200, 0.001)
    get.finished(200, 0.02)
    post.finished(200, 0.02)
    post.finished(409, 0.02)
    shop.observer.http_route("/a", "GET").finished(200, 0.02)
    for _ in range(2):  # a second scrape changes nothing
        count = "frontrow_http_requests_total"
        assert shop.value(count, route="/a", method="GET", status="200") == 3
        assert shop.value(count, route="/a", method="POST", status="200") == 1
        assert shop.value(count, route="/a", method="POST", status="409") == 1
    assert shop.value("frontrow_http_request_duration_seconds_count", route="/a", status="200") == 4
    assert (
        shop.value("frontrow_http_request_duration_seconds_bucket", route="/a", status="200", le="0.001") == 1
    )


def test_buckets_are_cumulative_and_include_their_bound(shop):
    for seconds in (0.001, 0.0011, 7.0, 100.0):
        shop.observer.screening_activated(seconds)
    counts = {
        bound: shop.value("frontrow_screening_activation_seconds_bucket", le=bound)
        for bound in ("0.001", "0.0025", "5.0", "10.0", "+Inf")
    }
    assert counts == {"0.001": 1, "0.0025": 2, "5.0": 2, "10.0": 3, "+Inf": 4}
    assert shop.value("frontrow_screening_activation_seconds_count") == 4


def test_gauges_are_read_at_the_scrape(shop):
    assert shop.value("frontrow_mailbox_depth") == 0
    shop.depth = 17
    assert shop.value("frontrow_mailbox_depth") == 17
    assert shop.value("frontrow_journal_lag_seconds") == 0.25


def test_open_sockets_go_up_and_down(shop):
    shop.sockets.socket_opened("screenings")
    shop.sockets.socket_opened("screenings")
    shop.sockets.socket_closed("screenings", 1001, "client")
    shop.sockets.frames_sent(500)
    assert shop.value("frontrow_sockets_open", endpoint="screenings") == 1
    assert shop.value("frontrow_socket_frames_sent_total") == 500


def test_the_cluster_is_read_at_the_scrape(shop):
    assert shop.value("frontrow_cluster_nodes", state="serving") == 2
    assert shop.value("frontrow_cluster_nodes", state="gone") == 1
    assert shop.value("frontrow_nats_connected") == 1
    assert shop.value("frontrow_lease_seconds") == 2.5
    shop.lease_seconds = float("-inf")
    assert shop.value("frontrow_lease_seconds") == 0


def test_forwarded_commands_and_gaps_are_counted(shop):
    for seconds, outcome in ((0.0004, "ok"), (0.002, "ok"), (2.0, "outcome_unknown")):
        shop.cluster_observer.forwarded("HoldSeats", seconds, outcome)
    shop.cluster_observer.gap_found()
    shop.cluster_observer.gap_filled()
    shop.cluster_observer.screening_reloaded()
    shop.cluster_observer.changes_sent(3)
    shop.cluster_observer.change_received()
    count = "frontrow_forwarded_commands_total"
    assert shop.value(count, kind="HoldSeats", outcome="ok") == 2
    assert shop.value(count, kind="HoldSeats", outcome="outcome_unknown") == 1
    assert shop.value("frontrow_forwarded_command_seconds_bucket", kind="HoldSeats", le="0.0005") == 1
    assert shop.value("frontrow_forwarded_command_seconds_count", kind="HoldSeats") == 3
    assert shop.value("frontrow_change_gaps_found_total") == 1
    assert shop.value("frontrow_change_gaps_filled_total") == 1
    assert shop.value("frontrow_change_reloads_total") == 1
    assert shop.value("frontrow_changes_between_nodes_total", direction="sent") == 3
    assert shop.value("frontrow_changes_between_nodes_total", direction="received") == 1


def test_client_input_never_becomes_a_label(shop):
    for number in range(100):
        shop.observer.http_route("/", f"METHOD{number}").finished(405, 0.001)
    assert shop.value("frontrow_http_requests_total", route="/", method="OTHER", status="405") == 100


def test_close_codes_that_clients_choose_do_not_become_labels(shop):
    for code in range(3000, 3100):
        shop.sockets.socket_opened("rooms")
        shop.sockets.socket_closed("rooms", code, "client")
    assert shop.value("frontrow_socket_closes_total", endpoint="rooms", code="other", by="client") == 100


def test_what_alerts_are_about_starts_at_zero(shop):
    assert shop.value("frontrow_command_wait_seconds_count") == 0
    assert shop.value("frontrow_mass_disconnects_total") == 0
    assert shop.value("frontrow_database_pool_exhausted_total") == 0
    for name, labels in {
        "command_outcomes": {"outcome": ("ok", "overloaded", "journal_full", "failed")},
        "http_responses": {"status": ("200", "429", "500", "503")},
        "seats_sold": {"kind": ("screening", "event", "room"), "screening": ("17", "other")},
        "cancelled_cents": {"kind": ("screening", "event", "room"), "screening": ("17", "other")},
        "journal_flush_failures": {"reason": set(FAILURES.values())},
        "takeovers": {"reason": ("handed_over", "gone", "deposed")},
        "logins": {"result": ("succeeded", "failed", "throttled")},
        "mails": {"result": ("sent", "failed", "rejected", "dropped")},
        "webhook_attempts": {"result": ("delivered", "failed", "dead")},
        "outbox_failed_attempts": {"kind": ("mail", NOTICE, DEPARTURE)},
        "slow_clients_dropped": {"endpoint": ("screenings", "events", "rooms")},
        "socket_refusals": {"endpoint": ("screenings", "rooms"), "code": ("1013", "4429")},
        "socket_closes": {"endpoint": ("events",), "code": ("1011", "1013"), "by": ("server",)},
        "clock_steps": {"direction": ("forwards", "backwards", "suspended")},
    }.items():
        for values in product(*labels.values()):
            found = shop.value(f"frontrow_{name}_total", **dict(zip(labels, values, strict=True)))
            assert found == 0, (name, values)
    for component in ("database", "journal", "screenings", "nats", "node"):
        assert shop.value("frontrow_not_ready", component=component) == 0


def test_commands_and_requests_are_added_up_by_outcome_and_status(shop):
    for kind in ("HoldSeats", "BookSeats"):
        shop.observer.command_meter(kind).handled("overloaded", 0.0, 0.0)
        shop.observer.command_meter(kind).succeeded(0.0)
    for route in ("/a", "/b"):
        shop.observer.http_route(route, "GET").finished(503, 0.1)
    for _ in range(2):  # a second scrape changes nothing
        assert shop.value("frontrow_command_outcomes_total", outcome="overloaded") == 2
        assert shop.value("frontrow_command_outcomes_total", outcome="ok") == 2
        assert shop.value("frontrow_http_responses_total", status="503") == 2


def test_sales_are_shown_by_kind_and_for_the_named_screenings_alone(shop):
    event = SCREENING._replace(id=17, seated=False)
    shop.observer.seats_sold(SCREENING, 2, 3000)
    shop.observer.seats_sold(SCREENING._replace(id=2), 1, 1500)
    shop.observer.seats_sold(event, 3, 4500)
    shop.observer.seats_sold(SCREENING._replace(id=3, free_seats=9), 1, 0)
    shop.observer.seats_cancelled(event, 1, 1500)
    assert shop.value("frontrow_sold_cents_total", kind="screening", screening="other") == 4500
    assert shop.value("frontrow_sold_cents_total", kind="event", screening="17") == 4500
    assert shop.value("frontrow_seats_sold_total", kind="room", screening="other") == 1
    assert shop.value("frontrow_seats_cancelled_total", kind="event", screening="17") == 1
    assert shop.value("frontrow_cancelled_cents_total", kind="event", screening="17") == 1500


def test_figures_of_the_database_are_absent_until_they_are_read(shop):
    assert shop.value("frontrow_refunds_owed") is None
    shop.database.figures_read(1_000_000, 12, 100, 3, 4500)
    assert shop.value("frontrow_refunds_owed") == 3
    assert shop.value("frontrow_refunds_owed_cents") == 4500


def test_components_that_recover_are_ready_again(shop):
    shop.observer.readiness_checked({"database": "the database does not answer"})
    assert shop.value("frontrow_not_ready", component="database") == 1
    shop.observer.readiness_checked({})
    assert shop.value("frontrow_not_ready", component="database") == 0


class Crowd:
    """Open sockets that end a few at a time."""

    def __init__(self, shop: Shop, number: int) -> None:
        self._shop = shop
        for _ in range(number):
            shop.sockets.socket_opened("events")

    def lose(self, number: int, code: int = 1006, by: str = "network") -> float | None:
        for _ in range(number):
            self._shop.sockets.socket_closed("events", code, by)
        return self._shop.value("frontrow_mass_disconnects_total")


def test_a_mass_disconnect_is_a_fifth_of_all_sockets_within_ten_seconds(shop):
    crowd = Crowd(shop, 1000)
    assert crowd.lose(199) == 0
    assert crowd.lose(1) == 1
    assert crowd.lose(700) == 1  # still the same one
    shop.now += 10
    assert crowd.lose(49) == 1  # fewer than 50 are no mass
    assert crowd.lose(1) == 2


def test_disconnects_that_are_spread_out_are_no_mass_disconnect(shop):
    crowd = Crowd(shop, 1000)
    for _ in range(6):
        assert crowd.lose(90) == 0
        shop.now += 10


def test_a_server_that_stops_causes_no_mass_disconnect(shop):
    assert Crowd(shop, 1000).lose(1000, 1001, "server") == 0


def test_two_registries_do_not_share_anything():
    first, second = Shop(), Shop()
    first.observer.holds_lapsed(3, 0.1)
    assert (first.value("frontrow_holds_lapsed_total"), second.value("frontrow_holds_lapsed_total")) == (3, 0)


@pytest.mark.gen_test
async def test_a_blocked_event_loop_shows(shop):
    sampling = asyncio.create_task(sample_event_loop_lag(shop.observer.event_loop_lagged))
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - blocking is what is measured
    await sampling
    assert shop.value("frontrow_event_loop_lag_seconds_sum") > 0.1
    assert shop.value("frontrow_event_loop_lag_seconds_count") == 1


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tasks_and_timers_are_counted_on_both_event_loops(new_loop):
    async def counted():
        loop = asyncio.get_running_loop()
        before = task_count(), timer_count()
        tasks = [loop.create_task(asyncio.sleep(0)) for _ in range(3)]
        timers = [loop.call_later(3600, print) for _ in range(5)]
        during = task_count(), timer_count()
        await asyncio.gather(*tasks)
        for timer in timers:
            timer.cancel()
        return before, during, task_count()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        before, during, tasks_left = runner.run(counted())
    assert before == (1, 0)
    assert during == (4, 5)
    assert tasks_left == 1
