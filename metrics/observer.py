"""The metrics that are updated as the engine decides, requests are answered, people log in and scan tickets.

`MetricsObserver` implements `engine.ports.Observer`, `api.access_log.HttpObserver`,
`api.identity.accounts.LoginObserver` and `api.sales.admissions.ScanObserver`; `metrics.sockets`,
`metrics.outbox` and `metrics.database` have the others. Values of labels come from small fixed sets (kinds,
codes, route patterns); ids are labels only of screenings that a setting names. docs/metrics.md lists every
name, which a test checks.
"""

from collections.abc import Collection, Iterable
from threading import Lock

from prometheus_client import CollectorRegistry

from engine.errors import CommandExpired, IdsExhausted, JournalFull, Overloaded, OwnershipLost
from engine.records import ScreeningInfo
from metrics.declarations import LATENCY_BOUNDS_SECONDS, Declarations
from metrics.instruments import Counts, Labels, Summary
from metrics.meters import CommandMeter, RouteMeter

COMMAND_BOUNDS_SECONDS = (
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5
)  # fmt: skip
WAIT_BOUNDS_SECONDS = (0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0)
BATCH_BOUNDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

FLUSH_FAILURES = (
    "unavailable", "connection_lost", "too_slow", "locked", "read_only", "disk_full", "aborted", "refused",
    "defective",
)  # fmt: skip
READINESS = ("database", "journal", "screenings", "nats", "node")
"""The components that `/readyz` names."""

CHECK_INS = ("admitted", "left", "undone", "conflict", "already_admitted")
"""Results of scans that start at 0; refusals with other codes are added."""

_OUTCOMES = (
    "ok", "failed", "withdrawn", Overloaded.code, JournalFull.code, IdsExhausted.code, CommandExpired.code,
    OwnershipLost.code,
)  # fmt: skip
_STATUSES = ("200", "201", "204", "400", "401", "403", "404", "409", "422", "429", "500", "503")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_KINDS = ("screening", "event", "room")
_OTHER = "other"


class MetricsObserver:
    """Records what the engine, the HTTP server, the accounts and the door report.

    Args:
        registry: where the metrics are registered.
        screenings: ids of the screenings and events whose sales are shown one by one.
    """

    def __init__(self, registry: CollectorRegistry, screenings: Collection[int] = ()) -> None:
        declared = Declarations()
        self._shown = {screening_id: str(screening_id) for screening_id in screenings}
        self._declare_engine(declared)
        self._declare_sales(declared)
        self._declare_journal(declared)
        self._declare_http(declared)
        self._declare_people(declared)
        self._declare_traces(declared)
        self._spans_lock = Lock()
        self._command_meters: dict[str, CommandMeter] = {}
        self._route_meters: dict[tuple[str, str], RouteMeter] = {}
        declared.register(registry, self._fold)

    def _fold(self) -> None:
        for command_meter in self._command_meters.values():
            command_meter.fold()
        for route_meter in self._route_meters.values():
            route_meter.fold()

    # Engine

    def command_meter(self, kind: str) -> CommandMeter:
        """The meter of commands of a kind, always the same one."""
        if kind not in self._command_meters:
            ran = self._command_run[(kind,)]
            self._command_meters[kind] = CommandMeter(kind, self._commands, self._command_wait, ran)
        return self._command_meters[kind]

    def screening_activated(self, seconds: float) -> None:
        self._activation.observe(seconds)

    def screening_taken_over(self, reason: str) -> None:
        """A screening of another node was taken over."""
        self._takeovers[(reason,)] += 1

    def screening_passivated(self) -> None:
        self._passivations[()] += 1

    def holds_lapsed(self, count: int, lateness_seconds: float) -> None:
        """Holds expired; `lateness_seconds` is the time between the deadline and the release."""
        self._lapses[()] += count
        self._lapse_lateness.observe(lateness_seconds)

    def seats_sold(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        """A sale of `count` seats for `cents` in all was committed."""
        labels = self._labels_of(screening)
        self._seats_sold[labels] += count
        self._sold_cents[labels] += cents

    def seats_cancelled(self, screening: ScreeningInfo, count: int, cents: int) -> None:
        """Tickets that had been paid for were cancelled; their prices are `cents` in all."""
        labels = self._labels_of(screening)
        self._seats_cancelled[labels] += count
        self._cancelled_cents[labels] += cents

    def _labels_of(self, screening: ScreeningInfo) -> Labels:
        kind = "room" if screening.free_seats else "screening" if screening.seated else "event"
        return kind, self._shown.get(screening.id, _OTHER)

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        """A journal batch was committed; `lag_seconds` is the age of its oldest entry."""
        self._batch_entries.observe(entries)
        self._flush_time.observe(seconds)
        self._batch_lag.observe(lag_seconds)

    def flush_failed(self, reason: str) -> None:
        """A journal batch failed and has to be sent again."""
        self._flush_failures[(reason,)] += 1

    # HTTP and the process

    def http_route(self, route: str, method: str) -> RouteMeter:
        """The meter of a route pattern and method. Methods that HTTP does not define count as `OTHER`."""
        key = route, method if method in _METHODS else "OTHER"
        if key not in self._route_meters:
            self._route_meters[key] = RouteMeter(*key, self._requests, self._request_time)
        return self._route_meters[key]

    def event_loop_lagged(self, seconds: float) -> None:
        """The event loop woke up this much later than asked."""
        self._loop_lag.observe(seconds)

    def clock_stepped(self, seconds: float) -> None:
        """The wall clock was stepped; by 0 if the machine was suspended."""
        direction = "forwards" if seconds > 0 else "backwards" if seconds < 0 else "suspended"
        self._clock_steps[(direction,)] += 1

    def readiness_checked(self, reasons: Iterable[str]) -> None:
        """The components that keep the server from working have been determined."""
        self._not_ready.update(dict.fromkeys(self._not_ready, 0.0))
        self._not_ready.update(((reason,), 1.0) for reason in reasons)

    # People

    def login_attempted(self, result: str) -> None:
        """A password was tried: it "succeeded", "failed", or was not looked at because it was "throttled"."""
        self._logins[(result,)] += 1

    def scanned(self, result: str) -> None:
        """A scan at the door was decided."""
        self._check_ins[(result,)] += 1

    # Declarations of the metrics

    def _declare_engine(self, declared: Declarations) -> None:
        commands = declared.counter(
            "frontrow_commands_total", "Commands by kind and outcome.", kind=(), outcome=()
        )
        self._commands = commands
        declared.add(
            Summary(
                "frontrow_command_outcomes_total",
                "Commands of all kinds, by outcome.",
                "outcome",
                commands,
                1,
                _OUTCOMES,
            )
        )
        self._command_wait = declared.histogram(
            "frontrow_command_wait_seconds", "Time that commands waited in a mailbox.", WAIT_BOUNDS_SECONDS
        ).children[()]
        self._command_run = declared.histogram(
            "frontrow_command_duration_seconds",
            "Time spent executing commands, by kind.",
            COMMAND_BOUNDS_SECONDS,
            "kind",
        ).children
        self._activation = declared.histogram(
            "frontrow_screening_activation_seconds",
            "Time that loading screenings took; the count is the number of activations.",
        ).children[()]
        self._takeovers = declared.counter(
            "frontrow_takeovers_total",
            "Screenings taken over from other nodes, by reason.",
            reason=("handed_over", "gone", "deposed"),
        )
        self._passivations = declared.counter(
            "frontrow_screening_passivations_total", "Idle screenings unloaded from memory."
        )
        self._lapses = declared.counter("frontrow_holds_lapsed_total", "Holds that expired.")
        self._lapse_lateness = declared.histogram(
            "frontrow_hold_lapse_lateness_seconds", "Time between a hold's deadline and its release."
        ).children[()]

    def _declare_sales(self, declared: Declarations) -> None:
        shown = (*self._shown.values(), _OTHER)

        def counter(name: str, meaning: str) -> Counts:
            return declared.counter(name, meaning, kind=_KINDS, screening=shown)

        self._seats_sold = counter("frontrow_seats_sold_total", "Seats whose sale was committed.")
        self._sold_cents = counter("frontrow_sold_cents_total", "Prices of the seats that were sold.")
        self._seats_cancelled = counter("frontrow_seats_cancelled_total", "Paid seats that were cancelled.")
        self._cancelled_cents = counter(
            "frontrow_cancelled_cents_total", "Prices of the paid seats that were cancelled."
        )

    def _declare_journal(self, declared: Declarations) -> None:
        self._batch_entries = declared.histogram(
            "frontrow_journal_batch_entries", "Entries per committed batch.", BATCH_BOUNDS
        ).children[()]
        self._flush_time = declared.histogram(
            "frontrow_journal_flush_seconds", "Time from sending a batch to its commit."
        ).children[()]
        self._batch_lag = declared.histogram(
            "frontrow_journal_batch_lag_seconds", "Age of a batch's oldest entry at its commit."
        ).children[()]
        self._flush_failures = declared.counter(
            "frontrow_journal_flush_failures_total",
            "Batches that had to be sent again, by reason.",
            reason=FLUSH_FAILURES,
        )

    def _declare_http(self, declared: Declarations) -> None:
        requests = declared.counter(
            "frontrow_http_requests_total",
            "HTTP requests by route pattern, method and status.",
            route=(),
            method=(),
            status=(),
        )
        self._requests = requests
        declared.add(
            Summary(
                "frontrow_http_responses_total",
                "HTTP requests to all routes, by status.",
                "status",
                requests,
                2,
                _STATUSES,
            )
        )
        self._request_time = declared.histogram(
            "frontrow_http_request_duration_seconds",
            "Time to answer HTTP requests, by route pattern and status.",
            LATENCY_BOUNDS_SECONDS,
            "route",
            "status",
        ).children
        self._loop_lag = declared.histogram(
            "frontrow_event_loop_lag_seconds", "Event loop lag, sampled."
        ).children[()]
        self._clock_steps = declared.counter(
            "frontrow_clock_steps_total",
            "Steps of the machine's clock, by direction.",
            direction=("forwards", "backwards", "suspended"),
        )
        self._not_ready = declared.up_and_down(
            "frontrow_not_ready", "1 if the component keeps the server from working.", component=READINESS
        )

    def _declare_people(self, declared: Declarations) -> None:
        self._logins = declared.counter(
            "frontrow_logins_total",
            "Passwords that were tried, by result.",
            result=("succeeded", "failed", "throttled"),
        )
        self._check_ins = declared.counter(
            "frontrow_check_ins_total", "Scans at the door, by result.", result=CHECK_INS
        )

    def _declare_traces(self, declared: Declarations) -> None:
        self._spans = declared.counter(
            "frontrow_trace_spans_total",
            "Spans of traces that have ended, by what became of them.",
            result=("sent", "failed", "dropped"),
        )

    def spans_ended(self, result: str, number: int) -> None:
        """Spans were sent, not taken by the collector, or dropped. Called by several threads."""
        with self._spans_lock:
            self._spans[(result,)] += number
