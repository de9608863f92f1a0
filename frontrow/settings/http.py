"""HTTP settings: addresses and ports, proxies, origins, and limits."""

from dataclasses import dataclass, field
from typing import Annotated

from api.http1.trusted_proxies import FORWARDED, X_FORWARDED_FOR, Network
from frontrow.settings.rules import (
    HOST,
    HOST_NAMES,
    HOUR_SECONDS,
    KIB,
    MIB,
    NETWORKS,
    ORIGINS,
    PATH,
    PORT,
    SCREENINGS,
    SECRET,
    one_of,
    ports,
    seconds,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class ListeningSettings:
    """Listening and proxies"""

    host: Annotated[str, HOST, "The address on which the server listens."] = "127.0.0.1"
    port: Annotated[int, PORT, "The TCP port on which it listens; 0 picks a free one."] = 8000
    extra_ports: Annotated[
        tuple[int, ...],
        ports(1),
        "More ports that serve the same, for clients that expect other ports; the guides' sample clients "
        "expect 8001 and 3000.",
    ] = ()
    metrics_port: Annotated[
        int,
        PORT,
        "The TCP port that serves /metrics instead of the API's ports. 0: /metrics is served with the API, "
        "but in production only if FRONTROW_METRICS_TOKEN is set.",
    ] = 0
    metrics_host: Annotated[str, HOST, "The address on which FRONTROW_METRICS_PORT listens."] = "127.0.0.1"
    metrics_screenings: Annotated[
        tuple[int, ...],
        SCREENINGS,
        "The ids of screenings and events whose sales /metrics shows one by one; all others are added up.",
    ] = ()
    metrics_token: Annotated[
        str, SECRET, "The Bearer token required to read /metrics, on either port. Empty: none is required."
    ] = field(default="", repr=False)
    path_prefix: Annotated[
        str,
        PATH,
        "The path under which everything is served, if a proxy shares its host with other programs. The "
        "proxy must forward the path unchanged.",
    ] = ""
    trusted_proxies: Annotated[
        tuple[Network, ...],
        NETWORKS,
        "Proxies that are trusted to report a client's address. List proxies only, never a network with "
        "clients in it.",
    ] = ()
    proxy_header: Annotated[
        str,
        one_of(X_FORWARDED_FOR, FORWARDED),
        "The header field in which these proxies report the client's address; with X-Forwarded-For also "
        "X-Forwarded-Proto. The other field is ignored, because proxies forward it as clients send it.",
    ] = X_FORWARDED_FOR
    proxy_protocol_ports: Annotated[
        tuple[int, ...],
        ports(0),
        "More ports that serve the same to trusted proxies only. Each connection has to begin with a PROXY "
        "protocol header, version 1 or 2. 0 picks a free one.",
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        ORIGINS,
        "Pages of these origins, and of the server's own, may call the API and open WebSockets. `null` means "
        "pages without an origin, such as those opened from a file, `*` all pages. In development any port "
        "of localhost is allowed as well, in a demo also `null`.",
    ] = ("http://localhost:3000", "http://localhost:4200", "http://localhost:5173", "http://localhost:8080")
    hosts: Annotated[
        tuple[str, ...],
        HOST_NAMES,
        "Host names of this server, besides those in FRONTROW_PUBLIC_URL and FRONTROW_HOST; requests to "
        "other names are answered with 421. IP addresses and localhost are always accepted; `*` stands for "
        "any name.",
    ] = ()


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """HTTP limits"""

    http_layer: Annotated[
        str,
        one_of("httptools", "tornado"),
        "The HTTP layer: our own with httptools, or Tornado's server, which is several times slower.",
    ] = "httptools"
    connections_limit: Annotated[
        int,
        whole(10, 1_000_000, "connections"),
        "Maximum of open HTTP connections, without WebSockets; further ones are refused with 503.",
    ] = 20_000
    connections_per_address_limit: Annotated[
        int,
        whole(0, 1_000_000, "connections"),
        "Maximum of open HTTP connections per address, or per IPv6 /64 network; 0 for no limit. Trusted "
        "proxies are not counted.",
    ] = 0
    header_timeout_seconds: Annotated[
        float, seconds(0.1, 300), "How long a client may take to send the head of a request."
    ] = 10.0
    body_timeout_seconds: Annotated[
        float, seconds(0.1, 300), "How long a client may take to send the body of a request."
    ] = 10.0
    keep_alive_seconds: Annotated[
        float,
        seconds(0.1, HOUR_SECONDS),
        "How long an idle connection is kept for the next request. Tornado's HTTP layer uses "
        "FRONTROW_HEADER_TIMEOUT_SECONDS instead.",
    ] = 60.0
    write_timeout_seconds: Annotated[
        float,
        seconds(0.1, 300),
        "Time after which a client that barely reads its response is disconnected. Tornado's HTTP layer has "
        "no such limit.",
    ] = 10.0
    body_limit_bytes: Annotated[
        int, whole(KIB, 16 * MIB, "bytes"), "Largest body of a request; larger ones are answered with 413."
    ] = 64 * KIB
    upload_limit_bytes: Annotated[
        int,
        whole(KIB, 16 * MIB, "bytes"),
        "Largest body of a request that uploads a file; larger ones are answered with 413.",
    ] = 2 * MIB
    overload_wait_ms: Annotated[
        int,
        whole(0, 10_000, "milliseconds"),
        "How long requests may wait for the server before it refuses some with 503 `overloaded`: looks "
        "first, then holds, sales last. 0: none are refused.",
    ] = 100
    ask_timeout_seconds: Annotated[
        float, seconds(0.1, 60), "How long a request may wait for its result before it is answered with 503."
    ] = 2.0
    idempotency_hours: Annotated[
        int, whole(24, 8760, "hours"), "How long an Idempotency-Key and its response are kept."
    ] = 24
