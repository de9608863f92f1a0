"""The fast path of a request: from its bytes to the bytes of its response in one function.

`FastPath.answer` does for plain requests (`api.http1.plain`) what `api.rest.exchange` and
`api.rest.operation` do step by step for all others, and from the same declarations:

    line, fields, body ─▶ route ─▶ host, origin ─▶ identity ─▶ arguments ─▶ command ─▶ engine
    bytes ◀─ head, JSON ◀─ `Ask.respond` ◀──────────────────── reply or refusal ◀────────┘

It serves operations whose handlers return an `Ask`. Everything unusual takes the general path before anything
has been done: a request that is refused before it reaches the engine, a screening that is not in memory, an
operation with a rate limit. If the reply has to wait for the database, `_Waiting` sends the response.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from http.client import responses
from logging import INFO
from time import monotonic, perf_counter, time
from typing import Any, NamedTuple, cast

import orjson

from api.access_log import counting
from api.bodies import MEDIA_TYPE, Body
from api.http1 import plain
from api.http1.common_headers import COMMON_HEADERS, FieldLines, http_date, new_request_id
from api.http1.connection import LaterAnswer
from api.http1.peer import Peer
from api.http1.plain import token_in
from api.http1.protocol import ANSWERED_LATER, Http1Protocol
from api.identity.tokens import Identity, InvalidToken
from api.json_log import access, log_access
from api.rest.endpoint import ADDRESS_PREFIX, Access, Answer, Ask, Call
from api.rest.exchange import Exchange, RestRouter, is_known
from api.rest.operation import Operation
from api.rest.path_prefix import within
from api.rest.patience import Patience
from api.rest.plan import shared_with
from api.rest.refusals import refusal_answer
from api.rest.styles import PLAIN
from engine.causes import Cause, handling
from engine.causes import cause as present_cause
from engine.errors import EngineError

_LINE = re.compile(rb"(([A-Z]+) (/[!-\"$->@-~]*))(?:\?([!-\"$-~]*))? HTTP/1\.1")
_LINES_KEPT = 16_384
_LINE_BYTES = 512
"""Longest request line, without its query, whose compiled route is kept."""

_ORIGINS_KEPT = 1024
_ORIGIN_CHARACTERS = 256
"""Longest Origin of a request on the fast path."""

_CALLERS_KEPT = 65_536
_CALLERS_SECONDS = 300.0
"""Time after which callers are looked up anew among the verified tokens, so that those who have left do not
stay in memory. Less than `REMEMBERED_SECONDS`, so that tokens in use are not verified anew."""

_CREDENTIALS_BYTES = 1024
"""Longest Authorization line whose caller is kept; longer ones are verified each time."""

_NOT_YET = (asyncio.Future, EngineError)
"""Results of the engine that are not a reply: a future of one, or an error to answer."""

_NO_HEADERS: Mapping[str, str] = {}
_JSON = f"Content-Type: {MEDIA_TYPE}\r\n"


class _Route(NamedTuple):
    """An operation, compiled for one request line.

    Attributes:
        arguments: from the path and the query.
        target: path and query.
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
    target: str
    count_request: Callable[[int, float], None]
    body_limit_bytes: int
    method: str
    pattern: str
    path: str


class FastPath:
    """Answers plain requests.

    Args:
        router: finds operations, and runs exchanges.
    """

    def __init__(self, router: RestRouter) -> None:
        self.router = router
        self._services = services = router.services
        self._line_limit_bytes = services.limits.request_line_bytes
        # By request lines without a query.
        self._routes: dict[bytes, _Route | None] = {}
        self._hosts: set[str] = set()
        self._recheck = services.tokens.recheck
        self._overload = services.overload
        # By the bytes of the Authorization line. Expiry and revocation are checked for each request.
        self._identities: dict[bytes | None, Identity] = {}
        self._identities_since = 0.0
        # CORS headers by origin, host and scheme; None for origins that are not allowed.
        self._origins: dict[tuple[str, str, str | None], FieldLines | None] = {}
        self._second = 0
        self._logs = False
        self._heads: dict[tuple[int, FieldLines], str] = {}
        self._ask = services.screenings.ask_active
        self.patience: Patience[_Waiting] = Patience(services.limits.ask_timeout_seconds, _Waiting.stop)

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
            The response; ANSWERED_LATER if it is sent later; None if nothing has been done and the
            request must take the general path.
        """
        started = perf_counter()
        if started >= self._overload.refuses_from and (
            refusal := self._refused(lines[0], fields, connection, started)
        ):
            return refusal
        route = self._routes.get(lines[0])
        if route is None and (route := self._route_of(lines[0])) is None:
            return None
        operation, handler, arguments, decode, identified, status, target, _, limit_bytes, _, _, _ = route
        _, host, _, credentials, request_id, is_json, _, origin, _, _, _, close, _ = fields
        if len(body) > limit_bytes or (host not in self._hosts and not self._admits(host)):
            return None
        peer = connection.peer
        if peer.relays:
            peer = self._client(peer, fields)
        shared = COMMON_HEADERS if origin is None else self.shared_with(origin, host, peer.scheme)
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

        background = operation.background
        call = Call(services, holder, identity, peer.remote_ip, _NO_HEADERS, target, None, background)
        if request_id is None:
            request_id = new_request_id()
            # A hold whose client has not named the request is written without its id, which is cheaper.
            cause = Cause(request_id) if operation.endpoint.durable else None
        else:
            cause = Cause(request_id)
        handling.request_id = request_id
        try:
            ask = handler(call, **arguments)
            try:
                reply = self._ask(ask.command, cause)
            except EngineError as refusal:
                if ask.reconsider is None:
                    raise
                reply = refusal.with_traceback(None)
            if reply is None:
                return None
            if isinstance(reply, _NOT_YET):
                waiting = _Waiting(
                    self, lines, fields, connection, peer, route, request_id, started, identity, ask
                )
                waiting.wait_for(reply)
                return ANSWERED_LATER
            result = ask.respond(reply)
            if type(result) is dict and not close:
                content = orjson.dumps(result)
                second = int(time())
                if second != self._second:
                    self._renew(second)
                head = self._heads.get((status, shared)) or self._head_of(status, shared)
                head = f"{head}X-Request-ID: {request_id}\r\n{_JSON}Content-Length: {len(content)}\r\n\r\n"
                response = head.encode("latin-1") + content
            else:
                status, response = self.written(operation.encode(result), shared, request_id, fields)
        except Exception as error:
            answer = refusal_answer(error, PLAIN, request_id)
            status, response = self.written(answer, shared, request_id, fields)
        finally:
            handling.request_id = None

        self.finish(route, status, started, peer, request_id, identity)
        return response

    def _refused(
        self, line: bytes, fields: Sequence[Any], connection: Http1Protocol, started: float
    ) -> bytes | None:
        """The refusal of a request, if the server is too busy for it. It is counted but not logged.

        Nothing but the route is looked up: a refusal must cost far less than an answer.
        """
        route = self._routes.get(line) or self._route_of(line)
        if route is None or self._overload.admits(route.operation.urgency):
            return None
        origin, request_id = fields[plain.ORIGIN], fields[plain.REQUEST_ID] or new_request_id()
        shared = COMMON_HEADERS
        if origin is not None:
            shared = self.shared_with(origin, fields[plain.HOST], connection.peer.scheme) or COMMON_HEADERS
        answer = refusal_answer(self._overload.refusal(), PLAIN, request_id)
        status, response = self.written(answer, shared, request_id, fields)
        route.count_request(status, perf_counter() - started)
        return response

    def finish(
        self,
        route: _Route,
        status: int,
        started: float,
        peer: Peer,
        request_id: str,
        identity: Identity | None,
    ) -> None:
        """Count and log a request."""
        seconds = perf_counter() - started
        try:
            route.count_request(status, seconds)
        except Exception as defect:
            counting.report(defect)
        if self._logs:
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

    def _route_of(self, line: bytes) -> _Route | None:
        """The compiled operation of a request line; None if it takes the general path."""
        if line in self._routes:
            return None
        match = _LINE.fullmatch(line)
        if match is None or len(line) + 2 > self._line_limit_bytes:
            return None
        beginning, method, path, query = match.groups()
        without_query = line if query is None else beginning + b" HTTP/1.1"
        if without_query in self._routes:
            route = self._routes[without_query]
        else:
            route = self._found(method.decode("ascii"), path.decode("ascii"))
            if len(without_query) <= _LINE_BYTES:
                if len(self._routes) >= _LINES_KEPT:
                    self._routes.clear()
                self._routes[without_query] = route
        if query is None or route is None:
            return route
        return _with_query(route, query.decode("ascii"))

    def _found(self, method: str, path: str) -> _Route | None:
        served_path = within(self._services.path_prefix, path)
        found = None if served_path is None else self.router.routes.find(served_path)
        operation = found and found.route.operations.get(method)
        if found is None or operation is None or not operation.fast:
            return None
        endpoint, body = operation.endpoint, operation.plain_body
        in_path = dict(zip(endpoint.path_parameters, found.parameters, strict=True))
        return _Route(
            operation,
            cast(Callable[..., Ask], endpoint.handler),
            {**in_path, **(operation.without_query or {})},
            body.decode if body is not None else None,
            endpoint.access is Access.USER,
            endpoint.status,
            path,
            self.router.access_log.meter(found.route.pattern, method),
            operation.body_limit_bytes,
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
        if credentials and len(credentials) <= _CREDENTIALS_BYTES:
            now = monotonic()
            if len(self._identities) >= _CALLERS_KEPT or now - self._identities_since >= _CALLERS_SECONDS:
                self._identities.clear()
                self._identities_since = now
            self._identities[credentials] = identity
        return identity

    def _admits(self, host: str | None) -> bool:
        if host is None or not self._services.hosts.admits(host) or not plain.HOST_VALUE.fullmatch(host):
            return False
        if len(self._hosts) < _ORIGINS_KEPT:
            self._hosts.add(host)
        return True

    def shared_with(self, origin: str, host: str, scheme: str | None) -> FieldLines | None:
        """The headers for pages of an origin; None if the origin is not allowed."""
        if len(origin) > _ORIGIN_CHARACTERS:
            return None
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

    def written(
        self, answer: Answer, shared: FieldLines, request_id: str, fields: Sequence[Any]
    ) -> tuple[int, bytes]:
        """The status and the bytes of a response that may have headers of its own."""
        status, body, headers, media_type, _ = answer  # what is streamed takes the general path
        if fields[plain.CLOSE]:
            headers = {**headers, "Connection": "close"}
        if status != 204 and is_known(answer, fields[plain.IF_NONE_MATCH]):
            status, content = 304, b""
        elif fields[plain.GZIP] and body.worth_compressing:
            content, headers = body.compressed, {**headers, "Content-Encoding": "gzip"}
        else:
            content = body.plain
        if headers:
            shared = shared.without(headers)
            more = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
            return status, self.with_head(status, shared, request_id, content, media_type, more)
        return status, self.with_head(status, shared, request_id, content, media_type)

    def _renew(self, second: int) -> None:
        """Forget what changes with every second of the wall clock."""
        self._second = second
        self._heads.clear()
        self._logs = access.isEnabledFor(INFO)

    def _head_of(self, status: int, shared: FieldLines) -> str:
        """The beginning of responses with this status, the same for a second."""
        head = f"HTTP/1.1 {status} {responses[status]}\r\n{shared.text}Date: {http_date(self._second)}\r\n"
        self._heads[status, shared] = head
        return head

    def with_head(
        self,
        status: int,
        shared: FieldLines,
        request_id: str,
        content: bytes,
        media_type: str = MEDIA_TYPE,
        more: str = "",
    ) -> bytes:
        """The bytes of a response."""
        second = int(time())
        if second != self._second:
            self._renew(second)
        head = self._heads.get((status, shared)) or self._head_of(status, shared)
        if status in (204, 304):
            return f"{head}X-Request-ID: {request_id}\r\n{more}\r\n".encode("latin-1")
        head = (
            f"{head}X-Request-ID: {request_id}\r\n{more}"
            f"Content-Type: {media_type}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode("latin-1") + content


def _with_query(route: _Route, query: str) -> _Route | None:
    """The route of a request with a query; None if the request takes the general path."""
    arguments, schema = route.arguments, route.operation.plain_query
    if query and schema is not None:
        given = schema.read(query)
        if given is None:
            return None
        arguments = {**arguments, **given}
    return route._replace(arguments=arguments, target=f"{route.path}?{query}")


class _Waiting(LaterAnswer):
    """A request whose response waits for the engine's reply.

    Args:
        path: the fast path.
        lines, fields, connection, peer, route, request_id, started, identity, ask: of the request, as in
            `FastPath.answer`.
    """

    __slots__ = (
        "_ask",
        "_connection",
        "_fields",
        "_identity",
        "_lines",
        "_path",
        "_peer",
        "_request_id",
        "_route",
        "_started",
    )

    def __init__(
        self,
        path: FastPath,
        lines: Sequence[bytes],
        fields: Sequence[Any],
        connection: Http1Protocol,
        peer: Peer,
        route: _Route,
        request_id: str,
        started: float,
        identity: Identity | None,
        ask: Ask,
    ) -> None:
        self._path = path
        self._lines = lines
        self._fields = fields
        self._connection = connection
        self._peer = peer
        self._route = route
        self._request_id = request_id
        self._started = started
        self._identity = identity
        self._ask = ask

    def wait_for(self, reply: "asyncio.Future[Any] | EngineError") -> None:
        """Answer when the engine has replied, or when a refusal has been reconsidered."""
        if isinstance(reply, EngineError):
            self._reconsider(reply)
            return
        path = self._path
        self._connection.answer_later(self)
        path.router.unanswered.add(reply)
        reply.add_done_callback(self._replied)
        path.patience.begin(self)

    def _replied(self, reply: "asyncio.Future[Any]") -> None:
        path = self._path
        path.router.unanswered.discard(reply)
        answer: Answer | bytes
        try:
            refusal = reply.exception()
            if refusal is None:
                result = self._ask.respond(reply.result())
                encode = orjson.dumps if type(result) is dict else self._route.operation.encode
                answer = encode(result)
            elif isinstance(refusal, EngineError) and self._ask.reconsider is not None:
                if path.patience.end(self):
                    self._reconsider(refusal)
                else:
                    path.router.run(self._reconsider_late(refusal))
                return
            else:
                answer = refusal_answer(refusal, PLAIN, self._request_id)
        except asyncio.CancelledError:
            self.stop()  # The server has stopped, and what was asked for is over, done or not.
            return
        except Exception as error:
            answer = refusal_answer(error, PLAIN, self._request_id)
        self._send(answer)

    def _reconsider(self, refusal: EngineError) -> None:
        """Let an exchange answer: reconsidering takes a task."""
        router = self._path.router
        request = self._connection.begin_plain(self._lines)
        request.context = self._peer
        exchange = Exchange(router, router.plan_of(request.head, self._peer.scheme), request)
        exchange.reconsider(self._started, self._identity, self._ask, refusal)

    async def _reconsider_late(self, refusal: EngineError) -> None:
        """Do what was asked for, although the client was told that the outcome is unknown."""
        present_cause.set(Cause(self._request_id))
        try:
            await self._route.operation.reconsidered(self._ask, refusal)
        except Exception as error:
            refusal_answer(error, PLAIN, self._request_id)  # logs a defect

    def stop(self) -> None:
        """Answer that the outcome is unknown. What was asked for goes on, as far as the server does."""
        self._send(refusal_answer(self._route.operation.too_slow(_NO_HEADERS), PLAIN, self._request_id))

    def _send(self, answer: Answer | bytes) -> None:
        """Send an answer, or a JSON document with the usual status."""
        path, route, request_id = self._path, self._route, self._request_id
        if not path.patience.end(self):
            return  # The client was told that the outcome is unknown.
        fields = self._fields
        if not self.persistent:
            fields = [*fields]
            fields[plain.CLOSE] = True
        elif fields[plain.CLOSE]:
            self.persistent = False
        origin, peer = fields[plain.ORIGIN], self._peer
        shared = COMMON_HEADERS
        if origin is not None:
            shared = path.shared_with(origin, fields[plain.HOST], peer.scheme) or COMMON_HEADERS
        if type(answer) is bytes and self.persistent:
            status, response = route.status, path.with_head(route.status, shared, request_id, answer)
        else:
            if isinstance(answer, bytes):
                answer = Answer(route.status, Body(answer))
            status, response = path.written(answer, shared, request_id, fields)
        self._connection.complete(self, response)
        path.finish(route, status, self._started, peer, request_id, self._identity)
