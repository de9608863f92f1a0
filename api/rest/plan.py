"""Plans: the part of answering a request that its head alone determines.

Clients send the same heads again and again, and `api.http1.head` caches them. A plan is computed once per
head and cached with it. So it must not depend on anything that can change between two requests with the same
head, such as whether a token is still valid or how many requests a caller has left.
"""

from collections.abc import Mapping
from functools import lru_cache

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

from api.http1.common_headers import COMMON_HEADERS, REQUEST_ID_HEADER, FieldLines, request_id_given
from api.http1.plain import HOST_VALUE
from api.overload import Urgency
from api.rest.idempotency import REPLAYED_HEADER
from api.rest.operation import Operation
from api.rest.path_prefix import within
from api.rest.routes import Match, Routes
from api.rest.styles import Style, style_of
from api.services import Services

_SOCKETS = "/ws/"
_UNSERVED = Urgency.ALWAYS
"""Urgency of preflight requests, which precede others, and of paths that do not exist. Refusing them would
cost as much as answering."""
_ORIGINS_KEPT = 1024
_EXPOSED_HEADERS = (
    "Date, ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Epoch, "
    "X-Seq, X-Server-Time, X-Sales-Start, X-Sales-End, X-Total-Count, X-Next-Cursor, "
    f"{REQUEST_ID_HEADER}, {REPLAYED_HEADER}"
)


class Plan:
    """The plan for answering all requests with one head.

    Args:
        line: method, target and version.
        headers: the header fields.
        scheme: "http" or "https", as the client uses it; None if unknown.
        routes: all routes.
        services: gives the limits, allowed hosts and allowed origins.

    Attributes:
        route: pattern of the path, for logs and metrics.
        match: the route and its parameters; None if no route matches.
        operation: the operation for the method and path; None if there is none.
        path_arguments: values of the parameters in the path, by name.
        host_admitted: whether the Host field is an allowed one.
        urgency: which requests are refused before it while the server is overloaded.
        served_elsewhere: whether it is left to Tornado's handlers of sockets and files: no route matches.
        origin_admitted: whether the Origin field is absent or allowed.
        shared_fields: header fields of every response to this head.
        request_id: the client's request id, if it sent a valid one.
        declared_bytes: the body's Content-Length; None without one.
        body_limit_bytes: largest body accepted.
        credentials: the Bearer token in the Authorization field, or None.

    Raises:
        HTTPInputError: the Host field is missing or malformed.
    """

    def __init__(
        self,
        line: RequestStartLine,
        headers: HTTPHeaders,
        scheme: str | None,
        routes: Routes,
        services: Services,
    ) -> None:
        self.method, self.uri, version = line
        self.scheme = scheme
        self.path, _, self.query = self.uri.partition("?")
        self.headers = headers
        _require_host(headers.get("Host"), version)
        served_path = within(services.path_prefix, self.path)
        self.match: Match | None = None
        if served_path is not None and not _opens_socket(served_path, headers):
            self.match = routes.find(served_path)
        self.style: Style = style_of(served_path or self.path)
        self.host_admitted = services.hosts.admits(headers.get("Host"))
        self.served_elsewhere = self.match is None and self.host_admitted
        self.route, self.operation, self.path_arguments = _served(self.method, self.match)
        self.urgency = self.operation.urgency if self.operation else _UNSERVED
        self.body_limit_bytes = (
            self.operation.body_limit_bytes if self.operation else services.limits.body_limit_bytes
        )
        self.credentials = credentials_in(headers.get("Authorization", ""))
        declared = headers.get("Content-Length")
        self.has_body = declared is not None or "Transfer-Encoding" in headers
        self.declared_bytes = int(declared[:20]) if declared is not None and declared.isdecimal() else None
        self.request_id = request_id_given(headers.get(REQUEST_ID_HEADER))
        self.accepts_gzip = "gzip" in headers.get("Accept-Encoding", "")
        self.if_none_match: str | None = headers.get("If-None-Match")
        origin = headers.get("Origin")
        self.origin_admitted = origin is None or services.allowed_origins.admits(
            origin, headers.get("Host"), scheme
        )
        self.shared_fields = shared_with(origin) if origin and self.origin_admitted else COMMON_HEADERS


def _opens_socket(path: str, headers: HTTPHeaders) -> bool:
    """Return whether this is a WebSocket handshake. Some paths also serve plain requests (/ws/stats)."""
    return path.startswith(_SOCKETS) and headers.get("Upgrade", "").lower() == "websocket"


def _served(method: str, match: Match | None) -> tuple[str, Operation | None, Mapping[str, int | str]]:
    if match is None:
        return "unmatched", None, {}
    route, parameters = match
    operation = route.operations.get("GET" if method == "HEAD" else method)
    if operation is None:
        return route.pattern, None, {}
    return route.pattern, operation, dict(zip(operation.endpoint.path_parameters, parameters, strict=True))


def credentials_in(authorization: str) -> str | None:
    """The Bearer token in an Authorization field (RFC 6750, section 2.1), or None."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@lru_cache(_ORIGINS_KEPT)
def shared_with(origin: str) -> FieldLines:
    """The header fields of every response to pages of an allowed origin."""
    return FieldLines(
        {
            **COMMON_HEADERS.fields,
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
        }
    )


def _require_host(host: str | None, version: str) -> None:
    if host is None:
        if version != "HTTP/1.0":
            raise HTTPInputError("Missing Host header")
    elif not HOST_VALUE.fullmatch(host):
        raise HTTPInputError("Invalid Host header")
