"""One HTTP request and its answer, on Tornado's connection.

REST does without `tornado.web.RequestHandler`: the operations need none of what it keeps per request,
and making one costs more than deciding a hold. What every answer has in common is here, once: request
id, CORS, security headers, 304, gzip, access log and the metrics hook.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from http.client import responses
from typing import Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.routing import Router

from api.common_headers import COMMON_HEADERS, REQUEST_ID_HEADER, http_date, new_request_id
from api.endpoint import Answer, Result
from api.errors import (
    ApiError,
    BodyTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    OriginRefused,
    problem_of,
)
from api.http1.connection import RequestConnection
from api.idempotency import KEY_HEADER, REPLAYED_HEADER
from api.json_log import log_access
from api.operation import Operation
from api.request import Request
from api.routing import Match, Routes
from api.services import Services
from api.styles import style_of
from engine.errors import EngineError

log = logging.getLogger("frontrow.api")

# A body beyond its limit is read and thrown away up to here, or to twice its limit, so that its sender gets
# to read the 413; a larger one is answered at once and its connection closed.
DISCARDED_BODY_BYTES = 1024 * 1024
_UNBOUNDED = 2**62

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}", re.ASCII)
_ENTITY_TAG = re.compile(r'\*|(?:W/)?("[^"]*")')

_PREFLIGHT_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Headers": ", ".join(
        ("Authorization", "Content-Type", KEY_HEADER, "If-None-Match", REQUEST_ID_HEADER)
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED_HEADERS = (
    "ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Epoch, X-Seq, "
    f"X-Total-Count, {REQUEST_ID_HEADER}, {REPLAYED_HEADER}"
)


class RestRouter(Router):
    """Gives every request its exchange.

    Args:
        routes: what is served.
        services: for limits, origins and counting.
    """

    def __init__(self, routes: Routes, services: Services) -> None:
        self.routes = routes
        self.services = services
        self._unanswered: set[asyncio.Future[Any]] = set()

    def find_handler(self, request: httputil.HTTPServerRequest, **_: Any) -> "Exchange":
        """The exchange of a request that nothing else serves, and no operation either."""
        line = httputil.RequestStartLine(request.method or "", request.uri or "", request.version)
        connection = cast(HTTP1Connection, request.connection)
        return Exchange(self, Request(line, request.headers, connection), None)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run an exchange's work and keep hold of it."""
        self.when_done(asyncio.create_task(work), lambda task: None)

    def when_done(
        self, awaited: "asyncio.Future[Any]", then: Callable[["asyncio.Future[Any]"], None]
    ) -> None:
        """Call `then` when what an answer waits for is done, and keep hold of it until then."""

        def done(awaited: "asyncio.Future[Any]") -> None:
            self._unanswered.discard(awaited)
            then(awaited)

        self._unanswered.add(awaited)
        awaited.add_done_callback(done)

    async def finished(self) -> None:
        """Return when every request that has been read is answered."""
        while self._unanswered:
            await asyncio.wait(self._unanswered)


class Entrance(httputil.HTTPMessageDelegate):
    """Where a request comes in: operations get it straight away, all other handlers by Tornado's routing.

    Args:
        router: of the operations.
        connection: where it comes from.
        elsewhere: takes what is none of theirs.
    """

    __slots__ = ("_connection", "_delegate", "_elsewhere", "_router")

    def __init__(
        self,
        router: RestRouter,
        connection: HTTP1Connection,
        elsewhere: Callable[[], httputil.HTTPMessageDelegate],
    ) -> None:
        # Until the head has been found to be in order, nobody has to be told of anything.
        self._delegate = httputil.HTTPMessageDelegate()
        self._router = router
        self._connection = connection
        self._elsewhere = elsewhere

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Awaitable[None] | None:
        """Choose who takes it."""
        match = self._router.routes.find(start_line.path.partition("?")[0])
        if match is None:
            self._delegate = self._elsewhere()
        else:
            request = Request(start_line, headers, self._connection)
            self._delegate = Exchange(self._router, request, match)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand on a part of the body."""
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """Hand on that it is complete."""
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """Hand on that the client went away."""
        self._delegate.on_connection_close()


class Exchange(httputil.HTTPMessageDelegate):
    """Reads one request and sends its answer.

    Args:
        router: where it came from.
        request: its headers.
        match: what is served at its path, if anything is.
    """

    def __init__(self, router: RestRouter, request: Request, match: Match | None) -> None:
        self._router = router
        self._services = services = router.services
        self._request = request
        self._match = match
        self._operation = _operation(request, match)
        self._style = style_of(request.path)
        self._tally = services.rate_limits.tally(request.remote_ip) if self._style.rate_limited else None
        self._body = b""
        self._body_bytes = 0
        self._body_limit_bytes = (
            self._operation.body_limit_bytes if self._operation else services.limits.body_bytes
        )
        self._started_at = time.perf_counter()
        self._user_id: int | None = None
        self._request_id = _request_id(request.headers.get(REQUEST_ID_HEADER))
        self._origin = request.headers.get("Origin")
        self._origin_admitted = self._origin is None or services.allowed_origins.admits(
            self._origin, request.headers.get("Host")
        )

    # What Tornado's connection calls.

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        """Refuse a body that is not worth discarding."""
        declared = headers.get("Content-Length")
        if declared is None and "Transfer-Encoding" not in headers:
            return
        connection = self._request.connection
        readable_bytes = max(DISCARDED_BODY_BYTES, 2 * self._body_limit_bytes)
        connection.set_max_body_size(readable_bytes)
        if declared is not None and declared.isdecimal() and int(declared[:20]) > readable_bytes:
            # The connection would answer 400 by itself; the bound is lifted and the connection closed.
            connection.set_max_body_size(_UNBOUNDED)
            self._body_bytes = int(declared[:20])
            refusal = self._refused(BodyTooLarge(self._body_limit_bytes))
            self._send(refusal._replace(headers={"Connection": "close"}))

    def data_received(self, chunk: bytes) -> None:
        """Collect the body, up to its limit."""
        self._body_bytes += len(chunk)
        if self._body_bytes <= self._body_limit_bytes:
            self._body = self._body + chunk if self._body else chunk

    def finish(self) -> None:
        """The request is complete: answer it, or see to it that it is answered."""
        self._request.body = self._body
        self._started_at = time.perf_counter()
        try:
            answer = self._begin()
        except Exception as error:
            answer = self._refused(error)
        if answer is not None:
            self._send(answer)

    def on_connection_close(self) -> None:
        """The client went away in the middle of its request."""
        self._body = b""

    # The answer.

    def _begin(self) -> Answer | None:
        """Do what is asked for, or begin to.

        Returns:
            The answer; None if it will be sent when what it waits for is done.
        """
        request = self._request
        if self._body_bytes > self._body_limit_bytes:
            raise BodyTooLarge(self._body_limit_bytes)
        if not self._origin_admitted:
            raise OriginRefused
        if self._tally and request.method != "OPTIONS":
            self._tally.count_request()
        if self._match is None:
            raise NotFound
        route, parameters = self._match
        if request.method == "OPTIONS":
            return self._options(", ".join(route.methods))
        operation = self._operation
        if operation is None:
            raise MethodNotAllowed(route.methods)
        identity = operation.authenticate(request)
        if identity:
            self._user_id = identity.user_id
        named = dict(zip(operation.endpoint.path_parameters, parameters, strict=True))
        prepared = operation.prepared(request, named, identity, self._tally)
        asked = operation.asked(prepared)
        if asked is None:
            self._router.run(self._wait_for(operation.answer(prepared)))
        else:
            self._router.when_done(asked.reply, partial(self._replied, operation, asked.told))
        return None

    async def _wait_for(self, answering: Coroutine[Any, Any, Answer]) -> None:
        try:
            answer = await answering
        except Exception as error:
            answer = self._refused(error)
        self._send(answer)

    def _replied(
        self, operation: Operation, told: Callable[[Any], Result], reply: "asyncio.Future[Any]"
    ) -> None:
        try:
            refusal = reply.exception()
            if isinstance(refusal, EngineError):
                # The usual refusal need not be raised to be answered.
                answer = self._refused(refusal)
            else:
                answer = operation.written(told(reply.result()))
        except Exception as error:
            answer = self._refused(error)
        self._send(answer)

    def _options(self, methods: str) -> Answer:
        headers = {"Allow": methods}
        if "Access-Control-Request-Method" in self._request.headers:
            headers |= {"Access-Control-Allow-Methods": methods, **_PREFLIGHT_HEADERS}
        return Answer(204, headers=headers)

    def _refused(self, error: Exception) -> Answer:
        if not isinstance(error, ApiError | EngineError):
            log.error("request %s failed", self._request_id, exc_info=error)
            error = InternalError(self._request_id)
        return Answer.of(*self._style.refused(problem_of(error)))

    # Sending it.

    def _send(self, answer: Answer) -> None:
        status, content, headers = self._represented(answer)
        connection = self._request.connection
        if isinstance(connection, RequestConnection):
            connection.answer(status, headers, content)
        else:
            line = httputil.ResponseStartLine("HTTP/1.1", status, responses.get(status, ""))
            connection.write_headers(line, httputil.HTTPHeaders(headers), content)
            connection.finish()
        self._account_for(status)

    def _represented(self, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        """The answer as this client gets it: possibly unchanged, compressed, or without its body."""
        requested = self._request.headers
        headers = {
            **COMMON_HEADERS,
            **answer.headers,
            "Date": http_date(int(time.time())),
            REQUEST_ID_HEADER: self._request_id,
        }
        if self._tally is not None:
            headers |= self._tally.headers
        if self._origin is not None and self._origin_admitted:
            headers["Access-Control-Allow-Origin"] = self._origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if answer.status == 204:
            return 204, b"", headers
        if "ETag" in headers and _is_known(headers["ETag"], requested.get("If-None-Match")):
            return 304, b"", headers
        content = answer.body.plain
        if answer.body.worth_compressing and "gzip" in requested.get("Accept-Encoding", ""):
            content = answer.body.compressed
            headers["Content-Encoding"] = "gzip"
        headers["Content-Type"] = answer.media_type
        headers["Content-Length"] = str(len(content))
        return answer.status, (b"" if self._request.method == "HEAD" else content), headers

    def _account_for(self, status: int) -> None:
        seconds = time.perf_counter() - self._started_at
        request = self._request
        route = self._match.route.pattern if self._match else "unmatched"
        method = request.method if request.method in _METHODS else "OTHER"
        self._services.http_observer.request_finished(route, method, status, seconds)
        log_access(
            method=method,
            route=route,
            path=request.path,
            status=status,
            seconds=seconds,
            address=request.remote_ip,
            request_id=self._request_id,
            user_id=self._user_id,
        )


def _operation(request: Request, match: Match | None) -> Operation | None:
    """What the method does at the path, if it is served there."""
    if match is None:
        return None
    return match.route.operations.get("GET" if request.method == "HEAD" else request.method)


def _request_id(given: str | None) -> str:
    """The client's own id, if it is short and plain; else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return new_request_id()


def _is_known(entity_tag: str, if_none_match: str | None) -> bool:
    """Whether the client has the current version (RFC 9110, section 13.1.2: weak comparison)."""
    if if_none_match is None:
        return False
    opaque = entity_tag.removeprefix("W/")
    return any(match[0] == "*" or match[1] == opaque for match in _ENTITY_TAG.finditer(if_none_match))
