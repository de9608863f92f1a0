"""The fast path of a request: from its bytes to the bytes of its response in one function.

`FastPath.answer` does for plain requests (`api.http1.plain`) what `api.rest.exchange` and
`api.rest.operation` do step by step for all others, and from the same declarations:

    line, fields, body ─▶ route ─▶ host, origin ─▶ identity ─▶ arguments ─▶ command ─▶ engine
    bytes ◀─ head, JSON ◀─ `Ask.respond` ◀──────────────────── reply or refusal ◀────────┘

It serves operations whose handlers return an `Ask`. Everything unusual takes the general path before anything
has been done: a request that is refused before it reaches the engine, a screening that is not in memory, an
operation with a rate limit. If the engine's reply has to wait for the database, an `Exchange` takes over.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from http.client import responses
from logging import INFO
from time import perf_counter, time
from typing import Any, NamedTuple, cast

import orjson

from api.access_log import counting
from api.bodies import MEDIA_TYPE
from api.errors import ApiError
from api.http1 import plain
from api.http1.common_headers import COMMON_HEADERS, FieldLines, http_date, new_request_id
from api.http1.peer import Peer
from api.http1.plain import token_in
from api.http1.protocol import ANSWERED_LATER, Http1Protocol
from api.identity.tokens import Identity, InvalidToken
from api.json_log import access, log_access
from api.rest.endpoint import ADDRESS_PREFIX, Access, Answer, Ask, Call
from api.rest.exchange import Exchange, RestRouter, refusal_answer
from api.rest.operation import Operation
from api.rest.path_prefix import within
from api.rest.plan import shared_with
from api.rest.styles import PLAIN
from engine.errors import EngineError

_LINE = re.compile(rb"([A-Z]+) (/[!-\"$-~]*) HTTP/1\.1")
_LINES_KEPT = 16_384
_ORIGINS_KEPT = 1024
REMEMBERED_CALLERS = 131_072
"""Verified tokens that are remembered, at about a kilobyte each."""

_NO_HEADERS: Mapping[str, str] = {}


class _Route(NamedTuple):
    """An operation, compiled for one request line.

    Attributes:
        arguments: from the path and the query.
        decode: decodes the body; None if the operation has none.
        identified: whether a token is required.
        count_request: called with the status and the seconds that the response took.
    """

    operation: Operation
    handler: Callable[..., Ask]
    arguments: Mapping[str, Any]
    decode: Callable[[bytes], dict[str, Any] | None] | None
    identified: bool
    status: int
    count_request: Callable[[int, float], None]
    target: str
    method: str
    pattern: str
    path: str


class FastPath:
    """Answers plain requests.

    Args:
        router: finds operations, and runs exchanges.
    """

    def __init__(self, router: RestRouter) -> None:
        self._router = router
        self._services = services = router.services
        self._line_limit_bytes = services.limits.request_line_bytes
        self._routes: dict[bytes, _Route | None] = {}
        self._hosts: set[str] = set()
        self._recheck = services.tokens.recheck
        # By the bytes of the Authorization line. Expiry and revocation are checked for each request.
        self._identities: dict[bytes | None, Identity] = {}
        # CORS headers by origin, host and scheme; None for origins that are not allowed.
        self._origins: dict[tuple[str, str, str | None], FieldLines | None] = {}
        self._second = 0
        self._heads: dict[tuple[int, FieldLines], str] = {}
        self._ask = services.screenings.ask_active

    def answer(
        self, lines: Sequence[bytes], fields: Sequence[Any], body: bytes, connection: Http1Protocol
    ) -> bytes | None:
        """Answer a request.

        Args:
            lines: of its head, without line ends.
            fields: from `plain.read_fields`.
            body: the whole body.
            connection: where the request came from.

        Returns:
            The response; ANSWERED_LATER if an exchange will send it; None if nothing has been done and the
            request must take the general path.
        """
        started = perf_counter()
        route = self._routes.get(lines[0])
        if route is None and (route := self._route_of(lines[0])) is None:
            return None
        operation, handler, arguments, decode, identified, status, count_request, target = route[:8]
        _, host, _, credentials, request_id, is_json, _, origin, _, _, _, close = fields
        if host not in self._hosts and not self._admits(host):
            return None
        peer = connection.peer
        if peer.relays:
            peer = self._client(peer, fields)
        shared = COMMON_HEADERS if origin is None else self._shared_with(origin, host, peer.scheme)
        if shared is None:
            return None

        services = self._services
        if identified:
            identity = self._identities.get(credentials)
            try:
                if identity is None:
                    identity = self._identified(credentials)
                else:
                    self._recheck(identity)
            except InvalidToken:
                return None
            holder = identity.holder
        else:
            identity, holder = None, f"{ADDRESS_PREFIX}{peer.remote_ip}"
        if decode is not None:
            decoded = decode(body) if is_json else None
            if decoded is None:
                return None
            arguments = {**arguments, **decoded} if arguments else decoded
        elif body:
            return None

        unfinished = operation.unfinished
        call = Call(services, holder, identity, peer.remote_ip, _NO_HEADERS, target, None, unfinished)
        if request_id is None:
            request_id = new_request_id()
        try:
            ask = handler(call, **arguments)
            try:
                reply = self._ask(ask.command)
            except EngineError as refusal:
                if ask.reconsider is None:
                    raise
                reply = refusal.with_traceback(None)
            if reply is None:
                return None
            if isinstance(reply, asyncio.Future | EngineError):
                exchange = self._exchange(lines, connection, peer)
                exchange.take_over(started, identity, ask, reply)
                return ANSWERED_LATER
            result = ask.respond(reply)
            if type(result) is dict and not close:
                octets = self._with_head(status, shared, request_id, orjson.dumps(result))
            else:
                status, octets = self._written(operation.written(result), shared, request_id, fields)
        except Exception as error:
            answer = refusal_answer(error, PLAIN, request_id)
            status, octets = self._written(answer, shared, request_id, fields)

        seconds = perf_counter() - started
        try:
            count_request(status, seconds)
        except Exception as defect:
            counting.report(defect)
        if access.isEnabledFor(INFO):
            log_access(
                method=route.method,
                route=route.pattern,
                path=route.path,
                status=status,
                seconds=seconds,
                address=peer.remote_ip,
                request_id=request_id,
                user_id=identity.user_id if identity else None,
            )
        return octets

    def _route_of(self, line: bytes) -> _Route | None:
        """The compiled operation of a request line; None if it takes the general path."""
        if line in self._routes:
            return None
        route = self._found(line)
        if b"?" not in line:
            if len(self._routes) >= _LINES_KEPT:
                self._routes.clear()
            self._routes[line] = route
        return route

    def _found(self, line: bytes) -> _Route | None:
        match = _LINE.fullmatch(line)
        if match is None or len(line) + 2 > self._line_limit_bytes:
            return None
        method, target = match[1].decode("ascii"), match[2].decode("ascii")
        path, _, query = target.partition("?")
        served_path = within(self._services.path_prefix, path)
        found = None if served_path is None else self._router.routes.find(served_path)
        operation = found and found.route.operations.get(method)
        if found is None or operation is None or not operation.fast:
            return None
        arguments = dict(zip(operation.endpoint.path_parameters, found.parameters, strict=True))
        try:
            arguments |= operation.arguments_in_query(query)
        except ApiError:
            return None
        endpoint, body = operation.endpoint, operation.plain_body
        return _Route(
            operation,
            cast(Callable[..., Ask], endpoint.handler),
            arguments,
            body.decode if body is not None else None,
            endpoint.access is Access.USER,
            endpoint.status,
            self._router.access_log.meter(found.route.pattern, method),
            target,
            method,
            found.route.pattern,
            path,
        )

    def _identified(self, credentials: bytes | None) -> Identity:
        """Verify a token and remember its identity.

        Raises:
            InvalidToken: the token is missing or invalid.
        """
        token = token_in(credentials) if credentials else None
        identity = self._services.tokens.verify(token or "")
        if len(self._identities) >= REMEMBERED_CALLERS:
            self._identities.clear()
        self._identities[credentials] = identity
        return identity

    def _admits(self, host: str | None) -> bool:
        if host is None or not self._services.hosts.admits(host) or not plain.HOST_VALUE.fullmatch(host):
            return False
        if len(self._hosts) < _ORIGINS_KEPT:
            self._hosts.add(host)
        return True

    def _shared_with(self, origin: str, host: str, scheme: str | None) -> FieldLines | None:
        """The headers for pages of an origin; None if the origin is not allowed."""
        key = (origin, host, scheme)
        if key not in self._origins:
            if len(self._origins) >= _ORIGINS_KEPT:
                self._origins.clear()
            admitted = self._services.allowed_origins.admits(origin, host, scheme)
            self._origins[key] = shared_with(origin) if admitted else None
        return self._origins[key]

    def _client(self, proxy: Peer, fields: Sequence[Any]) -> Peer:
        """The client for whom a trusted proxy sends the request."""
        named = {name: fields[place] for name, place in plain.FORWARDING.items() if fields[place] is not None}
        return self._services.proxies.client(proxy, named)

    def _exchange(self, lines: Sequence[bytes], connection: Http1Protocol, peer: Peer) -> Exchange:
        request = connection.begin_plain(lines)
        request.context = peer
        return Exchange(self._router, self._router.plan_of(request.head, peer.scheme), request)

    def _written(
        self, answer: Answer, shared: FieldLines, request_id: str, fields: Sequence[Any]
    ) -> tuple[int, bytes]:
        """The status and the bytes of a response that may have headers of its own."""
        status, body, headers, media_type = answer
        if fields[plain.CLOSE]:
            headers = {**headers, "Connection": "close"}
        if fields[plain.GZIP] and body.worth_compressing:
            content, headers = body.compressed, {**headers, "Content-Encoding": "gzip"}
        else:
            content = body.plain
        if headers:
            shared = shared.without(headers)
            more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            return status, self._with_head(status, shared, request_id, content, media_type, more)
        return status, self._with_head(status, shared, request_id, content, media_type)

    def _with_head(
        self,
        status: int,
        shared: FieldLines,
        request_id: str,
        content: bytes,
        media_type: str = MEDIA_TYPE,
        more: str = "",
    ) -> bytes:
        second = int(time())
        if second != self._second:
            self._second = second
            self._heads.clear()
        head = self._heads.get((status, shared))
        if head is None:
            head = f"HTTP/1.1 {status} {responses[status]}\r\n{shared.text}Date: {http_date(second)}\r\n"
            self._heads[status, shared] = head
        if status == 204:
            return f"{head}X-Request-ID: {request_id}\r\n{more}\r\n".encode("latin-1")
        head = (
            f"{head}X-Request-ID: {request_id}\r\n{more}"
            f"Content-Type: {media_type}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode("latin-1") + content
