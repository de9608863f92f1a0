"""The metrics that are updated as things happen: one object that implements every observer port.

It implements `engine.ports.Observer`, `api.access_log.HttpObserver`, `api.ws.socket.SocketObserver` and
`frontrow.deliveries.DeliveryObserver`, `frontrow.webhooks.WebhookObserver` and
`api.sales.admissions.ScanObserver`.
Values of labels come from small fixed sets (kinds, codes, route patterns, endpoints) and are never ids.
docs/metrics.md lists every name, which a test checks.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from metrics.instruments import Counter, Counts, Histogram, Instrument, InstrumentCollector, UpDownCounter
from metrics.meters import CommandMeter, RouteMeter

COMMAND_BOUNDS_SECONDS = (
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5
)  # fmt: skip
WAIT_BOUNDS_SECONDS = (0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0)
LATENCY_BOUNDS_SECONDS = (0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BOUNDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsObserver:
    """Records what the engine, the HTTP server and the sockets report.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._instruments: list[Instrument] = []
        self._declare_engine()
        self._declare_journal()
        self._declare_sockets()
        self._declare_http()
        self._declare_outbox()
        self._declare_webhooks()
        self._declare_door()
        self._command_meters: dict[str, CommandMeter] = {}
        self._route_meters: dict[tuple[str, str], RouteMeter] = {}
        registry.register(InstrumentCollector(self._instruments, self._fold))

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

    def seats_sold(self, count: int) -> None:
        """A sale of `count` seats was committed."""
        self._seats_sold[()] += count

    def batch_flushed(self, entries: int, seconds: float, lag_seconds: float) -> None:
        """A journal batch was committed; `lag_seconds` is the age of its oldest entry."""
        self._batch_entries.observe(entries)
        self._flush_time.observe(seconds)
        self._batch_lag.observe(lag_seconds)

    def flush_failed(self, reason: str) -> None:
        """A journal batch failed and has to be sent again."""
        self._flush_failures[(reason,)] += 1

    # Sockets and HTTP

    def socket_opened(self, endpoint: str) -> None:
        """A WebSocket was admitted."""
        self._sockets_open[(endpoint,)] += 1

    def socket_closed(self, endpoint: str) -> None:
        self._sockets_open[(endpoint,)] -= 1

    def frames_sent(self, count: int) -> None:
        """Frames were queued for sending, counted once per socket."""
        self._frames[()] += count

    def slow_client_dropped(self, endpoint: str) -> None:
        """A WebSocket was closed because its client did not read."""
        self._slow_clients[(endpoint,)] += 1

    def http_route(self, route: str, method: str) -> RouteMeter:
        """The meter of a route pattern and method. Methods that HTTP does not define count as `OTHER`."""
        key = route, method if method in _METHODS else "OTHER"
        if key not in self._route_meters:
            self._route_meters[key] = RouteMeter(*key, self._requests, self._request_time)
        return self._route_meters[key]

    def event_loop_lagged(self, seconds: float) -> None:
        """The event loop woke up this much later than asked."""
        self._loop_lag.observe(seconds)

    # The door

    def scanned(self, result: str) -> None:
        """A scan at the door was decided."""
        self._check_ins[(result,)] += 1

    # Outbox

    def webhook_attempted(self, result: str) -> None:
        """An event for a webhook was `delivered`, has `failed` for now, or was given up as `dead`."""
        self._webhook_attempts[(result,)] += 1

    def message_delivered(self, kind: str) -> None:
        """A message of the outbox was delivered."""
        self._delivered[(kind,)] += 1

    def attempt_failed(self, kind: str) -> None:
        """An attempt to deliver a message of the outbox failed."""
        self._failed_attempts[(kind,)] += 1

    def backlog_counted(self, backlog: Iterable[tuple[str, str, int, float]]) -> None:
        """Messages of the outbox were counted: status, kind, number, and age of the oldest in seconds.

        Kinds that had messages before and are not named any more have none.
        """
        for gauge in (self._waiting, self._oldest, self._dead):
            gauge.update(dict.fromkeys(gauge, 0.0))
        for status, kind, number, oldest_seconds in backlog:
            if status == "waiting":
                self._waiting[(kind,)] = number
                self._oldest[(kind,)] = oldest_seconds
            else:
                self._dead[(kind,)] = number

    # Declarations of the metrics

    def _declare_engine(self) -> None:
        self._commands = self._counter(
            "frontrow_commands_total", "Commands by kind and outcome.", "kind", "outcome"
        ).values
        self._command_wait = self._histogram(
            "frontrow_command_wait_seconds",
            "Time that commands waited in a mailbox.",
            WAIT_BOUNDS_SECONDS,
        ).children[()]
        self._command_run = self._histogram(
            "frontrow_command_duration_seconds",
            "Time spent executing commands, by kind.",
            COMMAND_BOUNDS_SECONDS,
            "kind",
        ).children
        self._activation = self._histogram(
            "frontrow_screening_activation_seconds",
            "Time that loading screenings took; the count is the number of activations.",
            LATENCY_BOUNDS_SECONDS,
        ).children[()]
        self._takeovers = self._counter(
            "frontrow_takeovers_total", "Screenings taken over from other nodes, by reason.", "reason"
        ).values
        self._passivations = self._counter(
            "frontrow_screening_passivations_total", "Idle screenings unloaded from memory."
        ).values
        self._lapses = self._counter("frontrow_holds_lapsed_total", "Holds that expired.").values
        self._lapse_lateness = self._histogram(
            "frontrow_hold_lapse_lateness_seconds",
            "Time between a hold's deadline and its release.",
            LATENCY_BOUNDS_SECONDS,
        ).children[()]
        self._seats_sold = self._counter(
            "frontrow_seats_sold_total", "Seats whose sale was committed."
        ).values
        self._loop_lag = self._histogram(
            "frontrow_event_loop_lag_seconds",
            "Event loop lag, sampled.",
            LATENCY_BOUNDS_SECONDS,
        ).children[()]

    def _declare_journal(self) -> None:
        self._batch_entries = self._histogram(
            "frontrow_journal_batch_entries", "Entries per committed batch.", BATCH_BOUNDS
        ).children[()]
        self._flush_time = self._histogram(
            "frontrow_journal_flush_seconds",
            "Time from sending a batch to its commit.",
            LATENCY_BOUNDS_SECONDS,
        ).children[()]
        self._batch_lag = self._histogram(
            "frontrow_journal_batch_lag_seconds",
            "Age of a batch's oldest entry at its commit.",
            LATENCY_BOUNDS_SECONDS,
        ).children[()]
        self._flush_failures = self._counter(
            "frontrow_journal_flush_failures_total", "Batches that had to be sent again, by reason.", "reason"
        ).values

    def _declare_sockets(self) -> None:
        self._sockets_open = self._up_and_down(
            "frontrow_sockets_open", "Open WebSockets, by endpoint.", "endpoint"
        )
        self._frames = self._counter(
            "frontrow_socket_frames_sent_total", "Frames queued for WebSockets, counted once per socket."
        ).values
        self._slow_clients = self._counter(
            "frontrow_slow_clients_dropped_total",
            "WebSockets closed because the client did not read, by endpoint.",
            "endpoint",
        ).values

    def _declare_http(self) -> None:
        self._requests = self._counter(
            "frontrow_http_requests_total",
            "HTTP requests by route pattern, method and status.",
            "route",
            "method",
            "status",
        ).values
        self._request_time = self._histogram(
            "frontrow_http_request_duration_seconds",
            "Time to answer HTTP requests, by route pattern and status.",
            LATENCY_BOUNDS_SECONDS,
            "route",
            "status",
        ).children

    def _declare_outbox(self) -> None:
        self._delivered = self._counter(
            "frontrow_outbox_delivered_total", "Messages of the outbox that were delivered, by kind.", "kind"
        ).values
        self._failed_attempts = self._counter(
            "frontrow_outbox_failed_attempts_total", "Attempts to deliver that failed, by kind.", "kind"
        ).values

        self._waiting = self._up_and_down("frontrow_outbox_waiting", "Messages that wait, by kind.", "kind")
        self._oldest = self._up_and_down(
            "frontrow_outbox_oldest_seconds", "Age of the oldest message that waits, by kind.", "kind"
        )
        self._dead = self._up_and_down("frontrow_outbox_dead", "Dead letters, by kind.", "kind")

    def _up_and_down(self, name: str, meaning: str, *labels: str) -> Counts:
        counter = UpDownCounter(name, meaning, labels)
        self._instruments.append(counter)
        return counter.values

    def _declare_webhooks(self) -> None:
        self._webhook_attempts = self._counter(
            "frontrow_webhook_attempts_total", "Attempts to send events to webhooks, by result.", "result"
        ).values

    def _declare_door(self) -> None:
        self._check_ins = self._counter(
            "frontrow_check_ins_total", "Scans at the door, by result.", "result"
        ).values

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        counter = Counter(name, meaning, labels)
        self._instruments.append(counter)
        return counter

    def _histogram(self, name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
        histogram = Histogram(name, meaning, bounds, labels)
        self._instruments.append(histogram)
        return histogram
