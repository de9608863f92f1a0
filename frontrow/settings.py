"""Everything an operator can set, in one table: the fields of `Settings`.

A field's annotation says what its variable may hold and what it is for; validation at start and the
page `docs/settings.md` are both made from it, so a setting is added, changed or removed here alone
(`make docs` writes the page again). The environment is read by `load_settings`, never at import.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, get_type_hints
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, validate
from phonenumbers import SUPPORTED_REGIONS

from api.http1.trusted_proxies import FORWARDED, X_FORWARDED_FOR, Network
from api.identity.tokens import ALGORITHMS, UnusableKey, usable_key

PREFIX = "FRONTROW_"

# Variables under the prefix that tests and benchmarks have for themselves.
_NO_SETTINGS = ("FRONTROW_TEST_", "FRONTROW_BENCH_")

# Pieces of the placeholders found in tutorials; a secret drawn at random holds none of them.
_PLACEHOLDERS = ("secret", "password", "change", "example", "frontrow", "qwerty", "1234567")
_FEWEST_DISTINCT_CHARACTERS = 8
_QUOTED_LIMIT = 80


if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Group = TypeVar("Group", bound="DataclassInstance")


class SettingsError(Exception):
    """The environment can't be used as it is.

    Attributes:
        faults: one sentence each, naming the variable.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Rule(NamedTuple):
    """What a variable may hold.

    Attributes:
        method: the method of environs that reads it.
        options: what this method is told.
        allowed: the same in words, to follow "must be".
    """

    method: str
    options: dict[str, Any]
    allowed: str


def _seconds(low: float, high: float) -> Rule:
    return Rule("float", {"validate": validate.Range(low, high)}, f"between {low} and {high} seconds")


def _whole(low: int, high: int, unit: str = "") -> Rule:
    allowed = f"a whole number{unit and f' of {unit}'} between {low} and {high}"
    return Rule("int", {"validate": validate.Range(low, high)}, allowed)


def _one_of(*choices: str) -> Rule:
    return Rule("str", {"validate": validate.OneOf(choices)}, f"one of {', '.join(choices)}")


def _matching(pattern: str, allowed: str) -> Rule:
    return Rule("str", {"validate": validate.Regexp(rf"(?:{pattern})\Z")}, allowed)


def _list_of(rule: Rule, allowed: str) -> Rule:
    def check(texts: list[str]) -> None:
        for text in texts:
            rule.options["validate"](text)

    return Rule("list", {"subcast": str.strip, "validate": check}, allowed)


def _ports(low: int) -> Rule:
    def check(ports: list[int]) -> None:
        for port in ports:
            validate.Range(low, 65_535)(port)

    allowed = f"whole numbers between {low} and 65535, separated by commas"
    return Rule("list", {"subcast": int, "validate": check}, allowed)


def _parts_of_the_internet(networks: list[Network]) -> None:
    for network in networks:
        validate.Range(min=1)(network.prefixlen)


_NETWORKS = Rule(
    "list",
    {"subcast": lambda text: ip_network(text.strip()), "validate": _parts_of_the_internet},
    "networks like 10.0.0.0/8 or addresses, not of everybody, separated by commas",
)
_ANY_TEXT = Rule("str", {}, "any text")
_YES_OR_NO = Rule("bool", {}, "true or false")
_LONG_SECRET = _matching(r"(\S{32,})?", "32 characters or more, without spaces")
_OLD_SECRETS = _list_of(
    _matching(r"\S{32,}", ""), "secrets of 32 characters or more, without spaces, separated by commas"
)
_DATABASE_URL = _matching(r"(postgres(ql)?://\S+)?", "a URL that begins with postgresql://")
_HOST = _matching(r"\S+", "a host name or an address")
_SMTP_URL = _matching(r"(smtps?://\S+)?", "a URL that begins with smtp:// or smtps://")
_MAIL_ADDRESS = _matching(r"[^\s@<>]+@[^\s@<>]+", "an e-mail address")
_WEB_ADDRESS = _matching(
    r"(https?://[^\s?#]*[^\s?#/])?", "an address like https://example.com, without a slash at its end"
)
_PATH = _matching(r"(/[A-Za-z0-9._~-]+)*", "a path like /tickets, without a slash at its end")
_REGION = Rule(
    "str",
    {"validate": validate.OneOf(("", *SUPPORTED_REGIONS))},
    "two capital letters of a region, such as DE",
)
_ORIGIN = _matching(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?|null|\*", "an origin")
_HOST_NAME = _matching(r"[A-Za-z0-9_-][A-Za-z0-9._-]*|\*", "a name")
_KIB = 1024
_HOUR_SECONDS = 3600
_DAY_SECONDS = 24 * _HOUR_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server. What must not be shown is left out of their `repr`."""

    env: Annotated[
        str,
        _one_of("development", "production"),
        "Production starts only with a strong key for tokens; development makes a secret and keeps it.",
    ] = "development"
    log_level: Annotated[
        str, _one_of("debug", "info", "warning", "error"), "The least severe messages that are logged."
    ] = "info"

    data_dir: Annotated[
        Path,
        Rule("path", {}, "a directory"),
        "Where the embedded PostgreSQL and development's secret are kept.",
    ] = Path(".frontrow")
    database_url: Annotated[
        str,
        _DATABASE_URL,
        "The PostgreSQL database. Empty: an embedded server in the data directory.",
    ] = field(default="", repr=False)
    direct_database_url: Annotated[
        str,
        _DATABASE_URL,
        "The same database without a pooler between, for the journal, the lock of the server and migrations, "
        "if FRONTROW_DATABASE_URL leads to a pooler like PgBouncer. Empty: it is PostgreSQL's own.",
    ] = field(default="", repr=False)
    database_pool_size: Annotated[
        int,
        _whole(1, 100, "connections"),
        "Connections that are kept open for reading; the journal has its own.",
    ] = 8
    statement_timeout_seconds: Annotated[
        float, _seconds(0.1, 600), "How long PostgreSQL may work on one statement."
    ] = 5.0

    host: Annotated[str, _HOST, "Where the server listens."] = "127.0.0.1"
    port: Annotated[int, _whole(0, 65_535), "The TCP port where it listens; 0 takes a free one."] = 8000
    extra_ports: Annotated[
        tuple[int, ...],
        _ports(1),
        "More ports where all of it is served, for clients that expect other ones, such as 8001 and 3000 for "
        "the guides' own.",
    ] = ()
    metrics_port: Annotated[
        int,
        _whole(0, 65_535),
        "The TCP port where /metrics is served in place of the API's; 0: it is served with the API, but in "
        "production only if FRONTROW_METRICS_TOKEN is set.",
    ] = 0
    metrics_host: Annotated[str, _HOST, "Where FRONTROW_METRICS_PORT listens."] = "127.0.0.1"
    metrics_token: Annotated[
        str,
        _LONG_SECRET,
        "The Bearer token that reading /metrics takes, on either port. Empty: none is needed.",
    ] = field(default="", repr=False)
    path_prefix: Annotated[
        str,
        _PATH,
        "The path under which everything is served, where a proxy shares its host with other programs. The "
        "proxy passes paths on as they come.",
    ] = ""
    trusted_proxies: Annotated[
        tuple[Network, ...],
        _NETWORKS,
        "The proxies whose header fields tell a client's address. Name proxies alone, and no network that "
        "clients are in.",
    ] = ()
    proxy_header: Annotated[
        str,
        _one_of(X_FORWARDED_FOR, FORWARDED),
        "The header field in which these proxies tell it; X-Forwarded-Proto belongs to X-Forwarded-For. The "
        "other field is not read, since proxies pass it on as clients send it.",
    ] = X_FORWARDED_FOR
    proxy_protocol_ports: Annotated[
        tuple[int, ...],
        _ports(0),
        "More ports where all of it is served, to trusted proxies alone. Each connection there has to begin "
        "with a header of the PROXY protocol, version 1 or 2. 0 takes a free one.",
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        _list_of(_ORIGIN, "origins like https://example.com, `null` or `*`, separated by commas"),
        "Pages of these origins, and of the server's own, may call the API and open WebSockets. `null` means "
        "pages without an origin, such as those opened from a file, `*` all pages. In development any port "
        "of localhost is allowed as well, in a demo also `null`.",
    ] = ("http://localhost:3000", "http://localhost:4200", "http://localhost:5173", "http://localhost:8080")
    hosts: Annotated[
        tuple[str, ...],
        _list_of(_HOST_NAME, "names without ports, or `*`, separated by commas"),
        "Names that this server has besides those in FRONTROW_PUBLIC_URL and FRONTROW_HOST; requests to "
        "other names get 421. IP addresses and localhost are always answered, `*` stands for any name.",
    ] = ()
    http_layer: Annotated[
        str,
        _one_of("httptools", "tornado"),
        "What speaks HTTP: our own layer on httptools, or Tornado's server, which is several times slower.",
    ] = "httptools"
    header_timeout_seconds: Annotated[
        float, _seconds(0.1, 300), "How long a client may take to send the header of a request."
    ] = 10.0
    body_timeout_seconds: Annotated[
        float, _seconds(0.1, 300), "How long a client may take to send the body of a request."
    ] = 10.0
    keep_alive_seconds: Annotated[
        float,
        _seconds(0.1, _HOUR_SECONDS),
        "How long a connection is kept for the next request. Tornado's HTTP layer keeps it for the time that "
        "a header may take.",
    ] = 60.0
    write_timeout_seconds: Annotated[
        float,
        _seconds(0.1, 300),
        "How long a client may take next to nothing of its answer. Tornado's HTTP layer has no such bound.",
    ] = 10.0
    body_limit_bytes: Annotated[
        int,
        _whole(_KIB, 16 * _KIB * _KIB, "bytes"),
        "The longest body of a request; beyond it the answer is 413.",
    ] = 64 * _KIB
    upload_limit_bytes: Annotated[
        int,
        _whole(_KIB, 16 * _KIB * _KIB, "bytes"),
        "The longest body of a request with a file; beyond it the answer is 413.",
    ] = 2 * _KIB * _KIB
    idempotency_hours: Annotated[
        int, _whole(24, 8760, "hours"), "How long an Idempotency-Key and its answer are kept."
    ] = 24

    jwt_algorithm: Annotated[str, _one_of(*ALGORITHMS), "The one algorithm by which tokens are signed."] = (
        "HS256"
    )
    jwt_secret: Annotated[
        str, _ANY_TEXT, "For HS256: the secret that signs and verifies tokens, 32 bytes or more."
    ] = field(default="", repr=False)
    jwt_old_secrets: Annotated[
        tuple[str, ...],
        _OLD_SECRETS,
        "Earlier values of FRONTROW_JWT_SECRET: their tokens and the QR codes of their tickets stay good.",
    ] = field(default=(), repr=False)
    jwt_public_key: Annotated[
        str,
        _ANY_TEXT,
        "For RS256 and EdDSA: the public key that verifies the tokens of another service, in PEM.",
    ] = ""
    jwt_issuer: Annotated[str, _ANY_TEXT, "What `iss` must be. Empty: it is not looked at."] = ""
    jwt_audience: Annotated[
        str, _ANY_TEXT, "What `aud` must be or contain. Empty: tokens must not name an audience."
    ] = ""
    token_ttl_seconds: Annotated[
        int, _whole(1, 365 * _DAY_SECONDS, "seconds"), "How long a token lives that is issued here."
    ] = _HOUR_SECONDS
    token_max_life_seconds: Annotated[
        int,
        _whole(1, 365 * _DAY_SECONDS, "seconds"),
        "Tokens that live longer are refused, whoever issued them.",
    ] = 30 * _DAY_SECONDS

    refresh_token_ttl_seconds: Annotated[
        int,
        _whole(60, 365 * _DAY_SECONDS, "seconds"),
        "How long a refresh token may be used; each use gives a new one.",
    ] = 30 * _DAY_SECONDS
    revocation_refresh_seconds: Annotated[
        float,
        _seconds(0.05, 300),
        "How soon a token that another server has revoked is refused here. One's own are refused at once.",
    ] = 2.0
    password_memory_kib: Annotated[
        int, _whole(64, 1024 * _KIB, "KiB"), "Memory that hashing one password takes (Argon2id)."
    ] = 64 * _KIB
    password_passes: Annotated[
        int, _whole(1, 100, "passes"), "How often hashing a password goes through that memory."
    ] = 3
    password_reset_seconds: Annotated[
        float, _seconds(1, _DAY_SECONDS), "How long the link in a mail may be used to set another password."
    ] = 1800.0
    attempts_per_account: Annotated[
        int,
        _whole(1, 1_000_000, "attempts"),
        "Wrong passwords for one account from one address within the window; beyond it the answer is 429.",
    ] = 10
    attempts_per_account_anywhere: Annotated[
        int,
        _whole(1, 1_000_000, "attempts"),
        "Wrong passwords for one account within the window, from all addresses together that it has not been "
        "used from.",
    ] = 200
    attempts_per_address: Annotated[
        int,
        _whole(1, 1_000_000, "attempts"),
        "Registrations, mails asked for and wrong passwords from one address within the window.",
    ] = 100
    attempts_window_seconds: Annotated[
        float, _seconds(1, _DAY_SECONDS), "The window in which attempts are counted."
    ] = 900.0

    hold_seconds: Annotated[float, _seconds(1, _DAY_SECONDS), "How long seats are held for a buyer."] = 300.0
    hold_extension_limit: Annotated[
        int, _whole(0, 1000, "extensions"), "How many times one hold may be extended."
    ] = 3
    hold_life_seconds: Annotated[
        float,
        _seconds(1, 7 * _DAY_SECONDS),
        "How long a buyer may keep a seat in all: extensions, and taking it again after a release, an expiry "
        "or a payment that did not come, included.",
    ] = 1800.0
    held_seats_limit: Annotated[
        int, _whole(1, 10_000, "seats"), "Seats that one buyer may hold in one screening at the same time."
    ] = 10
    guest_seats_limit: Annotated[
        int,
        _whole(1, 1_000_000, "seats"),
        "Seats and tickets that all guests of one address may hold in one screening at the same time. Users "
        "with a token are not counted.",
    ] = 40
    seats_per_request_limit: Annotated[int, _whole(1, 1000, "seats"), "Seats that one request may name."] = (
        100
    )
    payment_window_seconds: Annotated[
        float, _seconds(1, 30 * _DAY_SECONDS), "How long a ticket waits for its payment before it lapses."
    ] = 900.0

    guest_hold_minutes: Annotated[
        int, _whole(1, 1440, "minutes"), "How long tickets of an event are reserved, unless the guest says."
    ] = 10
    guest_hold_minutes_limit: Annotated[
        int,
        _whole(1, 1440, "minutes"),
        "The longest `expirationMinutes` and `additionalMinutes` of a guest; a hold's life ends it before.",
    ] = 30
    guest_reservations_per_request_limit: Annotated[
        int, _whole(1, 100, "reservations"), "Reservations that one request of a guest may make."
    ] = 10
    guest_metadata_limit_bytes: Annotated[
        int, _whole(2, 64 * _KIB, "bytes"), "The longest `metadata` of a reservation, as compact JSON."
    ] = 2 * _KIB
    guest_purchase: Annotated[
        bool, _YES_OR_NO, "Whether tickets may be bought by a session alone, without a user's token."
    ] = False
    phone_region: Annotated[
        str,
        _REGION,
        "Whose phone numbers need no country code, e.g. DE for `0228 1234567`; by default every number does.",
    ] = ""
    guest_requests_per_address: Annotated[
        int,
        _whole(1, 1_000_000, "requests"),
        "Requests per minute of one address under /api/public, /api/admin and /api/cron; beyond it the "
        "answer is 429.",
    ] = 1200
    guest_requests_per_session: Annotated[
        int, _whole(1, 1_000_000, "requests"), "The same, of one session or user."
    ] = 240
    guest_creations_per_address: Annotated[
        int,
        _whole(1, 1_000_000, "creations"),
        "Sessions and requests for reservations per minute of one address; beyond it the answer is 429.",
    ] = 240
    personal_data_key: Annotated[
        str,
        _LONG_SECRET,
        "Encrypts what buyers of event tickets say of themselves. Without it that cannot be read any more. "
        "Production starts only with one; development makes one and keeps it.",
    ] = field(default="", repr=False)
    personal_data_old_keys: Annotated[
        tuple[str, ...],
        _OLD_SECRETS,
        "Earlier values of FRONTROW_PERSONAL_DATA_KEY: what was encrypted with them can still be read.",
    ] = field(default=(), repr=False)
    cron_secret: Annotated[
        str,
        _LONG_SECRET,
        "The Bearer token of whoever calls /api/cron. Empty: that is switched off.",
    ] = field(default="", repr=False)

    mailbox_limit: Annotated[
        int,
        _whole(1, 1_000_000, "commands"),
        "Commands that may wait for one screening; beyond it the answer is 503.",
    ] = 10_000
    journal_limit: Annotated[
        int,
        _whole(100, 10_000_000, "entries"),
        "Entries that may wait for PostgreSQL; beyond it the answer to every change is 503.",
    ] = 100_000
    ready_lag_seconds: Annotated[
        float,
        _seconds(0.1, 600),
        "How long entries may wait for PostgreSQL before /readyz answers 503.",
    ] = 2.0
    ask_timeout_seconds: Annotated[
        float, _seconds(0.1, 60), "How long a request waits for its outcome before the answer is 503."
    ] = 2.0
    idle_seconds: Annotated[
        float, _seconds(0.1, _DAY_SECONDS), "How long an untouched screening stays in memory."
    ] = 300.0
    sweep_seconds: Annotated[
        float,
        _seconds(0.1, _HOUR_SECONDS),
        "Time between two searches for idle screenings and for lapsed stored holds.",
    ] = 5.0

    socket_tick_ms: Annotated[
        int,
        _whole(0, 1000, "milliseconds"),
        "Changes of seats within this time are merged into one frame; 0 to merge none.",
    ] = 20
    socket_ping_seconds: Annotated[
        float,
        _seconds(0.1, _HOUR_SECONDS),
        "Time between two pings that find WebSockets whose client is gone.",
    ] = 20.0
    socket_message_limit_bytes: Annotated[
        int, _whole(128, 1024 * _KIB, "bytes"), "The longest message a client may send over a WebSocket."
    ] = 16 * _KIB
    socket_outbox_limit_bytes: Annotated[
        int,
        _whole(_KIB, 16 * _KIB * _KIB, "bytes"),
        "Bytes that may wait for one slow WebSocket before it is closed.",
    ] = 64 * _KIB
    socket_frames_per_second: Annotated[
        float,
        Rule("float", {"validate": validate.Range(0.1, 1_000_000)}, "between 0.1 and 1000000 frames"),
        "Frames that one WebSocket may send in a second, in the long run.",
    ] = 50.0
    socket_frames_at_once: Annotated[
        int, _whole(1, 1_000_000, "frames"), "Frames that one WebSocket may send at once after a pause."
    ] = 200
    socket_deflate_from_bytes: Annotated[
        int,
        _whole(64, 1024 * _KIB, "bytes"),
        "From which size on frames are compressed for clients that offer it.",
    ] = _KIB
    connections_limit: Annotated[
        int,
        _whole(10, 1_000_000, "connections"),
        "HTTP connections that may be open, WebSockets apart; beyond it new ones are refused with 503.",
    ] = 20_000
    connections_per_address_limit: Annotated[
        int,
        _whole(0, 1_000_000, "connections"),
        "HTTP connections that may be open from one address, or /64 network of IPv6; 0 for no bound. Trusted "
        "proxies are not counted.",
    ] = 0
    sockets_limit: Annotated[
        int,
        _whole(1, 1_000_000, "sockets"),
        "WebSockets that may be open; beyond it they are closed with 1013.",
    ] = 20_000
    sockets_per_user_limit: Annotated[
        int, _whole(1, 10_000, "sockets"), "WebSockets of one user; beyond it they are closed with 4429."
    ] = 50
    socket_subscriptions_limit: Annotated[
        int, _whole(1, 10_000, "events"), "Events that one WebSocket may watch at the same time."
    ] = 100
    sockets_per_address_limit: Annotated[
        int,
        _whole(1, 1_000_000, "sockets"),
        "WebSockets of guests of one address; beyond it they are closed with 4429.",
    ] = 200
    rooms_per_socket_limit: Annotated[
        int, _whole(1, 1000, "rooms"), "Rooms that one WebSocket may be in."
    ] = 20
    free_rooms_limit: Annotated[
        int, _whole(0, 1_000_000, "rooms"), "Rooms that belong to no screening; no more are made beyond it."
    ] = 1000
    free_rooms_per_address: Annotated[
        int, _whole(1, 1_000_000, "rooms"), "Rooms that one address may make within an hour."
    ] = 50
    free_room_seats_limit: Annotated[
        int, _whole(1, 100_000, "seats"), "Seats that may be selected in such a room at the same time."
    ] = 1000
    free_room_idle_seconds: Annotated[
        float, _seconds(1, 365 * _DAY_SECONDS), "How long such a room is kept that is empty and not watched."
    ] = 3600.0
    guest_selections_limit: Annotated[
        int,
        _whole(1, 1_000_000, "seats"),
        "Seats that guests of one address may select in rooms within FRONTROW_HOLD_SECONDS.",
    ] = 200
    user_info_limit_bytes: Annotated[
        int, _whole(64, 8 * _KIB, "bytes"), "How much a client of a room may tell others about its user."
    ] = _KIB
    resume_limit: Annotated[
        int,
        _whole(0, 100_000, "changes"),
        "Changes kept per screening for clients that come back with `since`.",
    ] = 1000

    public_url: Annotated[
        str,
        _WEB_ADDRESS,
        "The cinema's pages, to which links in mails lead. Empty: this server on localhost.",
    ] = ""
    mail_from: Annotated[str, _MAIL_ADDRESS, "The address that mails come from."] = "tickets@localhost"
    smtp_url: Annotated[
        str,
        _SMTP_URL,
        "The SMTP server, smtp://user:password@host:port or smtps://…. Empty: mails become files in the data "
        "directory, under `mail`.",
    ] = field(default="", repr=False)
    smtp_timeout_seconds: Annotated[
        float, _seconds(0.1, 300), "How long each step of sending a mail may take."
    ] = 15.0

    def group(self, kind: type[Group]) -> Group:
        """A dataclass of settings, as a part of the server takes them.

        Args:
            kind: each of its fields that has the name of a setting, or of a property here, is filled by it;
                the others keep their defaults.
        """
        return kind(
            **{
                column.name: getattr(self, column.name)
                for column in fields(kind)
                if hasattr(self, column.name)
            }
        )

    @property
    def site_url(self) -> str:
        """Where links in mails lead."""
        return self.public_url or f"http://localhost:{self.port}{self.path_prefix}"

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names under which the server may be called."""
        return (*self.hosts, self.host, urlsplit(self.public_url).hostname or "")

    @property
    def metrics_open(self) -> bool:
        """Whether the API serves the metrics to everybody."""
        return not (self.metrics_port or self.metrics_token or self.production)

    @property
    def production(self) -> bool:
        """Whether weak or missing secrets must be refused."""
        return self.env == "production"

    @property
    def shown_database_url(self) -> str:
        """The database URL as it may be printed and logged: without its password."""
        without_query_password = re.sub(r"(password=)[^&]*", r"\1***", self.database_url)
        return re.sub(r"(//[^:/@]*:).*@", r"\1***@", without_query_password)


class Setting(NamedTuple):
    """A row of the table.

    Attributes:
        name: the field's.
        default: what holds if the variable is not set.
        rule: what the variable may hold.
        purpose: what it is for, one sentence or two.
        public: whether its value may be shown.
    """

    name: str
    default: Any
    rule: Rule
    purpose: str
    public: bool

    @property
    def variable(self) -> str:
        return variable_of(self.name)


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _rows() -> Iterator[Setting]:
    annotations = get_type_hints(Settings, include_extras=True)
    for column in fields(Settings):
        rule, purpose = annotations[column.name].__metadata__
        yield Setting(column.name, column.default, rule, purpose, public=column.repr)


TABLE = {setting.name: setting for setting in _rows()}


def load_settings(**given: object) -> Settings:
    """The settings of this process, from its environment.

    Args:
        given: settings by field name, from a command line; those that are not None win over the environment.

    Raises:
        SettingsError: variables hold what they must not, or name no setting; all of them are named at once.
    """
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    faults: dict[str, str] = dict(_unknown_variables())
    for setting in TABLE.values():
        if setting.name not in values:
            try:
                values[setting.name] = _read(setting)
            except (EnvValidationError, ValueError):
                faults[setting.name] = f"{setting.variable} must be {setting.rule.allowed}{_quoted(setting)}"
    settings = Settings(**values)
    for names, complaint in _contradictions(settings):
        if faults.keys().isdisjoint(names):
            faults[names[0]] = f"{variable_of(names[0])} {complaint}"
    if faults:
        raise SettingsError(list(faults.values()))
    return settings


def _unknown_variables() -> Iterator[tuple[str, str]]:
    """Variables under our prefix that no setting has, with what is to be said of each."""
    known = {setting.variable for setting in TABLE.values()}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(_NO_SETTINGS):
            # The prefix, which all share, would make any two names look alike.
            likely = get_close_matches(variable.removeprefix(PREFIX).lower(), TABLE, 1)
            hint = f"{variable_of(likely[0])} may be meant" if likely else "docs/settings.md lists them all"
            yield variable, f"{variable} is not a setting; {hint}"


def _read(setting: Setting) -> object:
    environment = Env(prefix=PREFIX)
    value = getattr(environment, setting.rule.method)(
        setting.name.upper(), setting.default, **setting.rule.options
    )
    return tuple(value) if isinstance(value, list) else value


def _quoted(setting: Setting) -> str:
    return f' (got "{os.environ[setting.variable][:_QUOTED_LIMIT]}")' if setting.public else ""


class _Contradiction(NamedTuple):
    """Settings, each valid by itself, that can't stand together; the first one is to blame."""

    names: tuple[str, ...]
    complaint: str


def _contradictions(settings: Settings) -> Iterator[_Contradiction]:
    bounds = {
        "hold_seconds": "hold_life_seconds",
        "guest_hold_minutes": "guest_hold_minutes_limit",
        "token_ttl_seconds": "token_max_life_seconds",
    }
    for part, whole in bounds.items():
        if getattr(settings, part) > getattr(settings, whole):
            yield _Contradiction((part, whole), f"must not be greater than {variable_of(whole)}")
    if settings.direct_database_url and not settings.database_url:
        complaint = f"goes with {variable_of('database_url')}, which is empty"
        yield _Contradiction(("direct_database_url", "database_url"), complaint)
    plain_ports = {settings.port, settings.metrics_port, *settings.extra_ports} - {0}
    if not plain_ports.isdisjoint(settings.proxy_protocol_ports):
        others = ("port", "metrics_port", "extra_ports")
        complaint = f"must not hold ports of {', '.join(map(variable_of, others))}"
        yield _Contradiction(("proxy_protocol_ports", *others), complaint)
    own_ports = [port for port in (settings.port, *settings.extra_ports) if port]
    if len(set(own_ports)) < len(own_ports):
        complaint = f"must hold other ports than {variable_of('port')}, each of them once"
        yield _Contradiction(("extra_ports", "port"), complaint)
    if settings.proxy_protocol_ports and not settings.trusted_proxies:
        complaint = f"needs {variable_of('trusted_proxies')}: nobody else may connect there"
        yield _Contradiction(("proxy_protocol_ports", "trusted_proxies"), complaint)
    algorithm = settings.jwt_algorithm
    wanted, unused = "jwt_secret", "jwt_public_key"
    if algorithm != "HS256":
        wanted, unused = unused, wanted
    if getattr(settings, unused):
        complaint = f"is not used with {variable_of('jwt_algorithm')}={algorithm}"
        yield _Contradiction((unused, "jwt_algorithm"), complaint)
    if key := getattr(settings, wanted):
        try:
            usable_key(key, algorithm)
        except UnusableKey as error:
            yield _Contradiction((wanted, "jwt_algorithm"), f"is refused: {error}")
    elif wanted == "jwt_public_key":
        yield _Contradiction((wanted, "jwt_algorithm"), f"must hold the public key for {algorithm}, in PEM")
    if settings.metrics_port in (settings.port, *settings.extra_ports) and settings.metrics_port:
        complaint = f"must be none of the ports in {variable_of('port')} and {variable_of('extra_ports')}"
        yield _Contradiction(("metrics_port", "port", "extra_ports"), complaint)
    if algorithm != "HS256" and settings.jwt_old_secrets:
        complaint = f"is not used with {variable_of('jwt_algorithm')}={algorithm}"
        yield _Contradiction(("jwt_old_secrets", "jwt_algorithm"), complaint)
    for number, secret in enumerate(settings.jwt_old_secrets, 1):
        try:
            usable_key(secret, "HS256")
        except UnusableKey as error:
            yield _Contradiction(("jwt_old_secrets",), f"is refused: secret {number} of the list: {error}")
    if settings.production:
        for name in ("jwt_old_secrets", "personal_data_old_keys"):
            if any(map(_is_guessable, getattr(settings, name))):
                complaint = (
                    "holds a secret that is not random; what it signed or sealed is not safe to accept"
                )
                yield _Contradiction((name, "env"), complaint)
        secrets: list[tuple[str, ...]] = [("personal_data_key", "env")]
        if wanted == "jwt_secret":
            secrets.append((wanted, "jwt_algorithm", "env"))
        secrets += [(name, "env") for name in ("cron_secret", "metrics_token") if getattr(settings, name)]
        for names in secrets:
            if _is_guessable(getattr(settings, names[0])):
                complaint = "must be a random secret in production, for example from: openssl rand -base64 48"
                yield _Contradiction(names, complaint)


def _is_guessable(secret: str) -> bool:
    few_characters = len(set(secret)) < _FEWEST_DISTINCT_CHARACTERS
    return few_characters or any(placeholder in secret.casefold() for placeholder in _PLACEHOLDERS)


def settings_page() -> str:
    """The page `docs/settings.md`."""
    rows = [
        f"| `{setting.variable}` | {_cell(setting.default)} | {setting.rule.allowed} | {setting.purpose} |"
        for setting in TABLE.values()
    ]
    return "\n".join([_PAGE_HEAD, *rows, ""])


def _cell(default: object) -> str:
    match default:
        case "" | ():
            return "empty"
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return f"`{','.join(map(str, default))}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


_PAGE_HEAD = """\
# Settings

The server and every command of `frontrow` read these variables when they start. A value that is not allowed
stops them with a message that names the variable, and so does a variable that begins with `FRONTROW_` and is
not listed here; all such messages come at once. Only `FRONTROW_TEST_*` and `FRONTROW_BENCH_*` are left to
tests and benchmarks. In Kubernetes a service called `frontrow` adds variables such as `FRONTROW_SERVICE_HOST`
to the pods: set `enableServiceLinks: false`. This page is made from `frontrow/settings.py` by `make docs`.

| variable | default | must be | what it is for |
| --- | --- | --- | --- |"""


if __name__ == "__main__":
    print(settings_page(), end="")
