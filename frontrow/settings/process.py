"""Settings for the process itself: data directory, database, cluster and mail."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from api.mails.languages import LANGUAGES, SOURCE_LANGUAGE
from frontrow.settings.rules import (
    DATABASE_URL,
    DIRECTORY,
    MAIL_ADDRESS,
    NATS_URLS,
    NODE_NAME,
    OPTIONAL_FILE,
    PAUSES,
    SMTP_URL,
    WEB_ADDRESS,
    YES_OR_NO,
    fraction,
    one_of,
    seconds,
    whole,
)

WORKERS_LIMIT = 128
"""Maximum number of worker processes of one `frontrow serve`."""


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """Process"""

    env: Annotated[
        str,
        one_of("development", "production"),
        "Production requires strong secrets; development generates secrets and stores them.",
    ] = "development"
    log_level: Annotated[
        str, one_of("debug", "info", "warning", "error"), "The lowest level that is logged."
    ] = "info"
    data_dir: Annotated[Path, DIRECTORY, "Directory of the embedded PostgreSQL and of generated secrets."] = (
        Path(".frontrow")
    )
    workers: Annotated[
        int,
        whole(0, WORKERS_LIMIT, "processes"),
        "Processes that serve together on one port, started and restarted by `frontrow serve`; 0 starts one "
        "per core.",
    ] = 1
    stop_seconds: Annotated[
        float,
        seconds(1, 600),
        "How long an orderly end takes at most, e.g. while PostgreSQL does not answer: handing over to other "
        "nodes, writing the journal, sending responses. What is not written by then is lost, as in a crash.",
    ] = 15.0


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Database"""

    database_url: Annotated[
        str, DATABASE_URL, "The PostgreSQL database. Empty: an embedded PostgreSQL in the data directory."
    ] = field(default="", repr=False)
    direct_database_url: Annotated[
        str,
        DATABASE_URL,
        "The same database without a pooler in between, for the journal, the server lock and migrations. "
        "Needed if FRONTROW_DATABASE_URL leads to a pooler such as PgBouncer; empty otherwise.",
    ] = field(default="", repr=False)
    database_pool_size: Annotated[
        int, whole(1, 100, "connections"), "Connections kept open for reading; the journal has its own."
    ] = 8
    statement_timeout_seconds: Annotated[
        float, seconds(0.1, 600), "How long PostgreSQL may take for one statement."
    ] = 5.0
    journal_limit: Annotated[
        int,
        whole(100, 10_000_000, "entries"),
        "Journal entries that may wait for PostgreSQL; over the limit every change is answered with 503.",
    ] = 100_000
    ready_lag_seconds: Annotated[
        float,
        seconds(0.1, 600),
        "How long journal entries may wait for PostgreSQL before /readyz returns 503.",
    ] = 2.0


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Cluster"""

    nats_url: Annotated[
        tuple[str, ...],
        NATS_URLS,
        "The NATS servers that connect the nodes of a cluster: nats://token@host:port or "
        "nats://user:password@host:port; tls:// requires encryption. Empty: this server is not part of a "
        "cluster.",
    ] = field(default=(), repr=False)
    nats_credentials: Annotated[
        str, OPTIONAL_FILE, "A credentials file (.creds) for NATS servers with accounts."
    ] = ""
    nats_ca: Annotated[
        str,
        OPTIONAL_FILE,
        "The certificate authority of the NATS servers, in PEM. Empty: those of the machine.",
    ] = ""
    node_name: Annotated[
        str,
        NODE_NAME,
        "The name of this node for operators, unique in its cluster. Empty: host name and process id. Leave "
        "it empty with several workers.",
    ] = ""
    node_heartbeat_seconds: Annotated[
        float, seconds(0.1, 60), "Time between two heartbeats of a node; the same on all nodes."
    ] = 1.0
    node_gone_seconds: Annotated[
        float,
        seconds(0.3, 300),
        "Time without heartbeats after which others take over a node's screenings; at least twice "
        "FRONTROW_NODE_HEARTBEAT_SECONDS, and the same on all nodes.",
    ] = 3.0


@dataclass(frozen=True, kw_only=True)
class TraceSettings:
    """Traces"""

    traces_url: Annotated[
        str,
        WEB_ADDRESS,
        "Where OpenTelemetry traces are sent: the URL of a collector that understands OTLP/HTTP, such as "
        "http://127.0.0.1:4318. Needs the packages of `frontrow[traces]`. Empty: no traces.",
    ] = field(default="", repr=False)
    traces_share: Annotated[
        float,
        fraction(),
        "Share of the requests that are traced, of those that come without a `traceparent`. With one, its "
        "sampled flag decides.",
    ] = 0.1


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Mail"""

    public_url: Annotated[
        str,
        WEB_ADDRESS,
        "URL of your site, which links in mails start with. Empty: this server on 127.0.0.1, with its port.",
    ] = ""
    language: Annotated[
        str,
        one_of(*LANGUAGES),
        "The language of mails to people whose own language is unknown or none of these.",
    ] = SOURCE_LANGUAGE
    mail_from: Annotated[str, MAIL_ADDRESS, "The sender of mails."] = "tickets@localhost"
    smtp_url: Annotated[
        str,
        SMTP_URL,
        "The SMTP server, smtp://user:password@host:port or smtps://…. Empty: mails are written to files in "
        "the folder `mail` of the data directory.",
    ] = field(default="", repr=False)
    smtp_timeout_seconds: Annotated[
        float, seconds(0.1, 300), "How long each step of sending a mail may take."
    ] = 15.0


@dataclass(frozen=True, kw_only=True)
class OutboxSettings:
    """Outbox: delivery of mails and webhooks"""

    outbox_retry_seconds: Annotated[
        tuple[float, ...],
        PAUSES,
        "Pauses after failed attempts to deliver a message; the last one is repeated.",
    ] = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)
    outbox_give_up_hours: Annotated[
        int,
        whole(0, 24 * 30, "hours"),
        "How long delivery of a message is attempted. Then it becomes a dead letter; see `frontrow outbox`.",
    ] = 72
    outbox_keep_days: Annotated[
        int,
        whole(1, 3650, "days"),
        "How long delivered messages and dead letters are kept, from when they were written.",
    ] = 30


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """Webhooks"""

    webhook_private_addresses: Annotated[
        bool,
        YES_OR_NO,
        "Whether webhooks may be sent to loopback addresses and private networks. Without it they are only "
        "sent to public addresses.",
    ] = False
    webhook_keep_days: Annotated[
        int,
        whole(1, 3650, "days"),
        "How long events are kept, with the log of their deliveries, for replays and for webhooks that are "
        "disabled.",
    ] = 30
