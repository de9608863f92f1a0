"""The contents of our dashboards. `make dashboards` writes them to `dashboards/` as JSON for Grafana.

`$instance` is the chosen server. Workers of a server are added up. Figures that all nodes read from the same
database are taken once, as the maximum.
"""

from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import board, graph, number

FOLDER = Path(__file__).parent / "dashboards"

_HERE = 'instance=~"$instance"'
_HOLDS = 'route=~".*/seat-reservations/(reserve|best-available|toggle)|.*/public/reservations"'


def _rate(metric: str, by: str = "", **labels: str) -> str:
    """The increase per second, added up over all labels but `by`."""
    chosen = ", ".join([_HERE, *(f'{name}=~"{value}"' for name, value in labels.items())])
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{chosen}}}[$__rate_interval]))"


def _gauge(metric: str, by: str = "instance", how: str = "sum", **labels: str) -> str:
    chosen = ", ".join([_HERE, *(f'{name}=~"{value}"' for name, value in labels.items())])
    return f"{how}{f' by ({by})' if by else ''} ({metric}{{{chosen}}})"


def _quantile(share: float, metric: str, more: str = "", by: str = "") -> str:
    labels = f"{_HERE}, {more}" if more else _HERE
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket{{{labels}}}[$__rate_interval])))"


def _quantiles(metric: str, more: str = "") -> list[tuple[str, str]]:
    return [(_quantile(0.5, metric, more), "half below"), (_quantile(0.99, metric, more), "99 % below")]


def _sale() -> Dashboard:
    return board(
        "sale",
        "sale",
        "The night on which it begins: what is asked for, held and sold, how fast, and what is refused.",
        number("Seats sold", "In the chosen time.", "short", f"sum(increase(frontrow_seats_sold_total{{{_HERE}}}[$__range]))"),
        number("Taken", "Prices of these seats, in cents, in the chosen time.", "short", f"sum(increase(frontrow_sold_cents_total{{{_HERE}}}[$__range]))"),
        number("Holds", "Live holds of the screenings in memory.", "short", _gauge("frontrow_holds_live", "")),
        number("Sockets", "Open WebSockets.", "short", _gauge("frontrow_sockets_open", "")),
        number("Holds late or failed", "Share of the holds in five minutes that took over 100 ms, or ended with an error of the server. The objective is 1 %.", "percentunit", "frontrow:hold_requests:missed_ratio_rate5m", 0.144),
        number("Answers 503", "Share of all requests that were answered with 503.", "percentunit", f'{_rate("frontrow_http_responses_total", status="503")} / {_rate("frontrow_http_responses_total")}', 0.01),
        graph("Holds per second", "Commands that hold seats, by outcome. A sold-out hall shows as `seats_unavailable`.", "ops", (_rate("frontrow_commands_total", "outcome", kind="HoldSeats|HoldBest|HoldPlaces|ToggleSeats"), "{{outcome}}")),
        graph("Time to answer a hold", "From the request to the response, without the network.", "s", *_quantiles("frontrow_http_request_duration_seconds", _HOLDS)),
        graph("Seats sold and cancelled per second", "After the commit. Cancelled seats are those that had been paid for.", "ops", (_rate("frontrow_seats_sold_total", "kind"), "sold: {{kind}}"), (_rate("frontrow_seats_cancelled_total", "kind"), "cancelled: {{kind}}")),
        graph("Money per second", "Prices in cents. Screenings are shown one by one if FRONTROW_METRICS_SCREENINGS names them.", "short", (_rate("frontrow_sold_cents_total", "kind, screening"), "sold: {{kind}} {{screening}}"), (_rate("frontrow_cancelled_cents_total", "kind, screening"), "cancelled: {{kind}} {{screening}}")),
        graph("Requests per second by status", "429 are throttled, 503 were not served.", "reqps", (_rate("frontrow_http_responses_total", "status"), "status {{status}}")),
        graph("Holds that expired per second", "Many of them together are a wave of buyers who gave up, or could not pay.", "ops", (_rate("frontrow_holds_lapsed_total"), "expired")),
        graph("Waiting lists", "Entries that wait, have an offer, or want to be told.", "short", (_gauge("frontrow_waitlist_entries"), "entries at {{instance}}")),
        graph("Log-ins per second", "Failed and throttled ones in numbers are somebody who guesses passwords.", "ops", (_rate("frontrow_logins_total", "result"), "{{result}}")),
        graph("Scans at the door per second", "By result; refusals have their code.", "ops", (_rate("frontrow_check_ins_total", "result"), "{{result}}")),
    )  # fmt: skip


def _engine() -> Dashboard:
    return board(
        "engine",
        "engine",
        "Whether the servers keep up: commands, mailboxes, the event loop, memory and processor.",
        graph("Commands per second", "By kind, over all outcomes.", "ops", (_rate("frontrow_commands_total", "kind"), "{{kind}}")),
        graph("Commands turned away per second", "overloaded: a mailbox is full. journal_full: PostgreSQL is too slow. failed: a bug.", "ops", (_rate("frontrow_command_outcomes_total", "outcome", outcome="overloaded|journal_full|ids_exhausted|command_expired|ownership_lost|failed"), "{{outcome}}")),
        graph("Commands that wait", "In all mailboxes. One screening may have as many as FRONTROW_MAILBOX_LIMIT.", "short", (_gauge("frontrow_mailbox_depth"), "waiting at {{instance}}")),
        graph("Time in a mailbox", "Before a command is decided.", "s", *_quantiles("frontrow_command_wait_seconds")),
        graph("Time to decide", "99 % of the commands of a kind are decided within this time, without the wait for a commit.", "s", (_quantile(0.99, "frontrow_command_duration_seconds", by="kind"), "{{kind}}")),
        graph("Screenings in memory", "In a cluster, those that a node owns.", "short", (_gauge("frontrow_screenings_active"), "screenings of {{instance}}")),
        graph("Loading of screenings", "How long it took.", "s", *_quantiles("frontrow_screening_activation_seconds")),
        graph("Holds released late", "Time between a hold's deadline and its release.", "s", *_quantiles("frontrow_hold_lapse_lateness_seconds")),
        graph("Event loop lag", "99 % of the samples. More than 50 ms means that the process has no core for itself.", "s", (_quantile(0.99, "frontrow_event_loop_lag_seconds", by="instance"), "99 % below at {{instance}}")),
        graph("Processor", "Of each process; at 1 its core is saturated.", "percentunit", (f'max by (instance) (rate(process_cpu_seconds_total{{job="frontrow", {_HERE}}}[$__rate_interval]))', "busiest process of {{instance}}")),
        graph("Memory", "Resident memory, of all workers.", "bytes", (_gauge("process_resident_memory_bytes", job="frontrow"), "memory of {{instance}}")),
        graph("File descriptors", "Share of the limit that is open.", "percentunit", (f'max by (instance) (process_open_fds{{job="frontrow", {_HERE}}} / process_max_fds{{job="frontrow", {_HERE}}})', "open at {{instance}}")),
        graph("Slowest routes", "99 % of the requests to the five slowest routes are answered within this time.", "s", (f"topk(5, {_quantile(0.99, 'frontrow_http_request_duration_seconds', by='route')})", "{{route}}")),
        graph("Not ready", "1 if the component keeps the server from working.", "short", (_gauge("frontrow_not_ready", "instance, component", "max"), "{{component}} at {{instance}}")),
        graph("Workers", "1 if the worker serves. Only servers with several workers have this.", "short", (_gauge("frontrow_worker_up", "instance, worker"), "worker {{worker}} of {{instance}}")),
        graph("Steps of the clock", "In five minutes. Holds keep the time that they had left.", "short", (f"sum by (instance, direction) (increase(frontrow_clock_steps_total{{{_HERE}}}[5m]))", "{{direction}} at {{instance}}")),
    )  # fmt: skip


def _journal() -> Dashboard:
    return board(
        "journal",
        "journal",
        "How far the database is behind the decisions, and what delays it.",
        graph("Lag", "Age of the oldest entry that is not committed: a crash now would lose the holds of that time, but no booking.", "s", (_gauge("frontrow_journal_lag_seconds", how="max"), "oldest entry of {{instance}}")),
        graph("Depth", "Share of FRONTROW_JOURNAL_LIMIT that waits; at 100 % every change is refused.", "percentunit", (f"max by (instance) (frontrow_journal_depth{{{_HERE}}} / frontrow_journal_limit{{{_HERE}}})", "journal of {{instance}}")),
        graph("Failed writes per second", "Batches that had to be sent again, by reason.", "ops", (_rate("frontrow_journal_flush_failures_total", "reason"), "{{reason}}")),
        graph("Time to commit", "From sending a batch to its commit: the disk of PostgreSQL.", "s", *_quantiles("frontrow_journal_flush_seconds")),
        graph("Age at the commit", "Of the oldest entry of each batch.", "s", *_quantiles("frontrow_journal_batch_lag_seconds")),
        graph("Entries per batch", "More under load, which makes each cheaper.", "short", *_quantiles("frontrow_journal_batch_entries")),
        graph("Batches per second", "That were committed.", "ops", (_rate("frontrow_journal_flush_seconds_count", "instance"), "batches of {{instance}}")),
        graph("Entries per second", "That were committed.", "ops", (_rate("frontrow_journal_batch_entries_sum", "instance"), "entries of {{instance}}")),
    )  # fmt: skip


def _sockets() -> Dashboard:
    return board(
        "sockets",
        "sockets",
        "Who watches, how fresh what they see is, and why sockets end.",
        graph("Open", "By endpoint.", "short", (_gauge("frontrow_sockets_open", "endpoint"), "{{endpoint}}")),
        graph("Share of the limit", "Of FRONTROW_SOCKETS_LIMIT, per process.", "percentunit", (f"max by (instance) (sum without (endpoint) (frontrow_sockets_open{{{_HERE}}}) / frontrow_sockets_limit{{{_HERE}}})", "sockets of {{instance}}")),
        graph("Age of updates", "From a decision until the last watcher has been sent it.", "s", *_quantiles("frontrow_socket_update_age_seconds")),
        graph("Frames per second", "One update to 500 sockets counts 500 times.", "ops", (_rate("frontrow_socket_frames_sent_total", "instance"), "frames of {{instance}}")),
        graph("Ends per second, by code", "1006 without a close frame is a lost connection; docs/websocket.md lists the codes.", "ops", (_rate("frontrow_socket_closes_total", "code, by"), "code {{code}} by {{by}}")),
        graph("Refused per second, by code", "1008 is a bad token, 4429 too many of one client, 1013 the limit of the server.", "ops", (_rate("frontrow_socket_refusals_total", "code"), "code {{code}}")),
        graph("Slow clients per second", "Closed because they did not read; they reconnect and catch up.", "ops", (_rate("frontrow_slow_clients_dropped_total", "endpoint"), "{{endpoint}}")),
        graph("Mass disconnects", "In five minutes: a fifth of all sockets of a process within ten seconds. Look at the proxy and the network.", "short", (f"sum by (instance) (increase(frontrow_mass_disconnects_total{{{_HERE}}}[5m]))", "disconnects at {{instance}}")),
    )  # fmt: skip


def _cluster() -> Dashboard:
    return board(
        "cluster",
        "cluster",
        "Nodes, ownership and what goes between them. Empty for a server that runs alone.",
        graph("Nodes", "By state, as each node sees them. All should see the same.", "short", (_gauge("frontrow_cluster_nodes", "instance, state", "max"), "{{state}}, as {{instance}} sees them")),
        graph("Connected to NATS", "1 if it is.", "short", (_gauge("frontrow_nats_connected", how="min"), "NATS at {{instance}}")),
        graph("Lease", "How long a node may still decide commands without hearing from the others.", "s", (_gauge("frontrow_lease_seconds", how="min"), "lease of {{instance}}")),
        graph("Screenings owned", "They follow the nodes: after a node has come or gone, the others take over.", "short", (_gauge("frontrow_screenings_active"), "owned by {{instance}}")),
        graph("Takeovers per second", "handed_over is orderly. gone and deposed are not.", "ops", (_rate("frontrow_takeovers_total", "reason"), "{{reason}}")),
        graph("Forwarded commands per second", "That another node was asked to carry out, by outcome.", "ops", (_rate("frontrow_forwarded_commands_total", "outcome"), "{{outcome}}")),
        graph("Time of forwarded commands", "Until they were answered, with repetitions.", "s", *_quantiles("frontrow_forwarded_command_seconds")),
        graph("Changes between nodes per second", "For sockets that watch screenings of other nodes.", "ops", (_rate("frontrow_changes_between_nodes_total", "direction"), "{{direction}}")),
        graph("Gaps per second", "Changes that did not arrive, those that were fetched, and all seats sent again.", "ops", (_rate("frontrow_change_gaps_found_total"), "found"), (_rate("frontrow_change_gaps_filled_total"), "filled"), (_rate("frontrow_change_reloads_total"), "all seats sent again")),
    )  # fmt: skip


def _database() -> Dashboard:
    return board(
        "database",
        "database",
        "The pool for reading, PostgreSQL's connections, and how much space is left.",
        graph("Pool", "Connections in use, idle, and work that waits for one.", "short", (_gauge("frontrow_database_pool_connections", "state"), "{{state}}"), (_gauge("frontrow_database_pool_waiting", ""), "waiting"), (_gauge("frontrow_database_pool_limit", ""), "limit")),
        graph("Wait for a connection", "Including connecting.", "s", *_quantiles("frontrow_database_pool_wait_seconds")),
        graph("Given up per second", "Requests answered with 503 because all connections stayed busy.", "ops", (_rate("frontrow_database_pool_exhausted_total", "instance"), "given up by {{instance}}")),
        graph("Connections to PostgreSQL", "Of all its clients, and max_connections.", "short", (_gauge("frontrow_database_connections", "", "max"), "open"), (_gauge("frontrow_database_connections_limit", "", "max"), "limit")),
        graph("Size of the database", "Tables and indexes.", "bytes", (_gauge("frontrow_database_bytes", "", "max"), "size")),
        graph("Disk of the data directory", "What the embedded PostgreSQL may still write. Watch your own PostgreSQL's disk with its machine.", "bytes", (_gauge("frontrow_data_disk_free_bytes", how="min"), "free at {{instance}}")),
    )  # fmt: skip


def _outbox() -> Dashboard:
    return board(
        "outbox",
        "money and messages",
        "What is owed to buyers, and whether mails and webhooks arrive.",
        number("Refunds owed", "In the whole database.", "short", _gauge("frontrow_refunds_owed", "", "max")),
        number("Sum owed", "In cents.", "short", _gauge("frontrow_refunds_owed_cents", "", "max")),
        number("Dead letters", "Messages that were given up.", "short", f"sum({_gauge('frontrow_outbox_dead', 'kind', 'max')})", 1),
        number("Messages that wait", "For their delivery.", "short", f"sum({_gauge('frontrow_outbox_waiting', 'kind', 'max')})"),
        number("Webhooks disabled", "By hand, or because they got nothing for too long.", "short", _gauge("frontrow_webhooks_disabled", "", "max"), 1),
        number("Oldest event", "That an enabled webhook has not got.", "s", _gauge("frontrow_webhook_wait_seconds", "", "max"), 600),
        graph("Refunds owed over time", "Cancelled tickets and payments that could not be used.", "short", (_gauge("frontrow_refunds_owed", "", "max"), "owed")),
        graph("Mails per second", "Attempts to hand a mail to the mail server, by result.", "ops", (_rate("frontrow_mails_total", "result"), "{{result}}")),
        graph("Webhooks per second", "Attempts by result.", "ops", (_rate("frontrow_webhook_attempts_total", "result"), "{{result}}")),
        graph("Messages delivered per second", "By kind.", "ops", (_rate("frontrow_outbox_delivered_total", "kind"), "{{kind}}")),
        graph("Failed attempts per second", "By kind; they are repeated.", "ops", (_rate("frontrow_outbox_failed_attempts_total", "kind"), "{{kind}}")),
        graph("Oldest message", "Grows while the mail server is down.", "s", (_gauge("frontrow_outbox_oldest_seconds", "kind", "max"), "{{kind}}")),
    )  # fmt: skip


def dashboards() -> Iterator[tuple[Path, str]]:
    """Return the file of each dashboard and its content."""
    for made in (_sale(), _engine(), _journal(), _sockets(), _cluster(), _database(), _outbox()):
        file = FOLDER / f"{(made.uid or '').removeprefix('frontrow-')}.json"
        yield file, JSONEncoder(sort_keys=True, indent=2).encode(made) + "\n"


if __name__ == "__main__":
    for file, content in dashboards():
        file.write_text(content)
