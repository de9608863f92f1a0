"""One HTTP request and its response, on Tornado's connection or on ours: the general path.

REST does not use `tornado.web.RequestHandler`, whose per-request state it does not need. Everything that all
responses have in common is here: request id, CORS, security headers, 304, gzip, access log and metrics.
`api.rest.fast_path` does the same in one function for the most frequent requests.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from http.client import responses
from typing import Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.routing import Router

from api.access_log import AccessLog
from api.errors import ApiError, MethodNotAllowed, PathNotFound
from api.http1.common_headers import REQUEST_ID_HEADER, http_date, new_request_id
from api.http1.connection import RequestConnection, send_answer
from api.http1.errors import BodyTooLarge
from api.http1.head import RequestHead
from api.http1.http_server import DISCARDED_BODY_BYTES
from api.identity.channels import ACCESS_CODE_HEADER
from api.identity.errors import HostRefused, OriginRefused
from api.identity.tokens import Identity
from api.json_log import log_refused_caller
from api.rest.endpoint import Answer, Ask
from api.rest.idempotency import KEY_HEADER
from api.rest.operation import Operation
from api.rest.plan import Plan
from api.rest.refusals import refusal_answer
from api.rest.request import Request
from api.rest.routes import Routes
from api.services import Services
from engine.causes import Cause, cause
from engine.errors import EngineError
from engine.tracing import Span

log = logging.getLogger("frontrow.api")

_UNBOUNDED = 2**62

_UNAUTHENTICATED_BYTES = 16_384
"""Longest body that is read before authentication. If the operation needs a token, it is verified before a
longer or chunked body is read."""

_ENTITY_TAG = re.compile(r'\*|(?:W/)?("[^"]*")')

_PREFLIGHT_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Headers": ", ".join(
        (
            *("Authorization", "Content-Type", KEY_HEADER, "If-None-Match", REQUEST_ID_HEADER),
            ACCESS_CODE_HEADER,
        )
    ),
    "Access-Control-Max-Age": "600",
}


AnswerUnknown = Callable[[Plan, Routes, Services], Answer | None]
"""Answers a request for a path that nothing serves: takes the plan, the routes and the services."""


class RestRouter(Router):
    """Creates an exchange for each request.

    Args:
        routes: the operations by path.
        services: collaborators of the operations.
        access_log: counts and logs requests.
        answer_unknown: answers requests for unknown paths; for None the answer is PathNotFound.

    Attributes:
        unanswered: the futures and tasks of requests that have no response yet.
    """

    def __init__(
        self, routes: Routes, services: Services, access_log: AccessLog, answer_unknown: AnswerUnknown
    ) -> None:
        self.routes = routes
        self.services = services
        self.access_log = access_log
        self.answer_unknown = answer_unknown
        self.traces = services.traces
        self.unanswered: set[asyncio.Future[Any]] = set()

    def plan(
        self, line: httputil.RequestStartLine, headers: httputil.HTTPHeaders, scheme: str | None
    ) -> Plan:
        """Plan the response to requests with this head.

        Args:
            line: method, target and version.
            headers: the header fields.
            scheme: "http" or "https", as the client uses it; None if unknown.

        Raises:
            HTTPInputError: the head has no Host field, or an invalid one.
        """
        return Plan(line, headers, scheme, self.routes, self.services)

    def plan_of(self, head: RequestHead, scheme: str | None) -> Plan:
        """As `plan`, kept with a head that is remembered.

        Raises:
            HTTPInputError: the head has no Host field, or an invalid one.
        """
        plan: Plan | None = head.delegate_cache
        # The scheme can differ for one head if only some clients are behind a trusted proxy.
        if plan is None or plan.scheme != scheme:
            plan = head.delegate_cache = self.plan(head.line, head.headers, scheme)
        return plan

    def find_handler(self, request: httputil.HTTPServerRequest, **_: Any) -> "Exchange":
        """The exchange of a request that neither a Tornado handler nor an operation serves."""
        line = httputil.RequestStartLine(request.method or "", request.uri or "", request.version)
        connection = cast(Any, request.connection)
        return Exchange(self, self.plan(line, request.headers, connection.context.scheme), connection)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the work of an exchange in a task."""
        task = asyncio.create_task(work)
        self.unanswered.add(task)
        task.add_done_callback(self.unanswered.discard)

    async def finished(self) -> None:
        """Wait until all requests that have been read are answered."""
        while self.unanswered:
            await asyncio.wait(self.unanswered)


class Exchange(httputil.HTTPMessageDelegate):
    """Reads one request and sends its response.

    Args:
        router: runs what the response has to wait for.
        plan: what follows from the head.
        connection: carries the request and the response.
    """

    _body: bytes | bytearray = b""
    _body_bytes = 0
    _started_at = 0.0
    _user_id: int | None = None
    _patience: asyncio.TimerHandle | None = None
    _answered = False
    _span: Span | None = None

    def __init__(
        self, router: RestRouter, plan: Plan, connection: HTTP1Connection | RequestConnection
    ) -> None:
        self._router = router
        self._plan = plan
        self._connection = connection
        self._remote_ip: str = cast(Any, connection).context.remote_ip or ""
        self._request_id = plan.request_id or new_request_id()
        counted = plan.style.rate_limited
        self._tally = router.services.rate_limits.tally(self._remote_ip) if counted else None

    # Called by the connection.

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        """Reject a body that is too long to read and discard, or a long one without a valid token."""
        plan = self._plan
        if not plan.has_body:
            return
        readable_bytes = max(DISCARDED_BODY_BYTES, 2 * plan.body_limit_bytes)
        self._connection.set_max_body_size(readable_bytes)
        if plan.declared_bytes is not None and plan.declared_bytes > readable_bytes:
            # Tornado's connection would answer 400 by itself, so its limit is lifted.
            self._connection.set_max_body_size(_UNBOUNDED)
            self._body_bytes = plan.declared_bytes
            self._refuse_unread(BodyTooLarge(plan.body_limit_bytes))
        elif plan.declared_bytes is None or plan.declared_bytes > _UNAUTHENTICATED_BYTES:
            self._authenticate_early()

    def _authenticate_early(self) -> None:
        """Verify the token before the body is read, if the operation requires one."""
        operation = self._plan.operation
        if operation is None:
            return
        try:
            operation.authenticate(self._request(b""))
        except ApiError as refusal:
            error = refusal
            try:
                if self._tally:
                    self._tally.count_request()
            except ApiError as limited:
                error = limited
            self._refuse_unread(error)

    def _refuse_unread(self, error: ApiError) -> None:
        """Answer before the body has been read, and close the connection."""
        self._started_at = time.perf_counter()
        refusal = self._refused(error)
        self._send(refusal._replace(headers={**refusal.headers, "Connection": "close"}))

    def data_received(self, chunk: bytes) -> None:
        """Collect the body up to its limit."""
        if self._answered:
            return
        self._body_bytes += len(chunk)
        if self._body_bytes <= self._plan.body_limit_bytes:
            if not self._body:
                self._body = chunk
            elif isinstance(self._body, bytearray):
                self._body += chunk
            else:
                # Grows in place, so a body in many small pieces is not copied for each piece.
                self._body = bytearray(self._body + chunk)

    def _request(self, body: bytes) -> Request:
        plan = self._plan
        return Request(plan.headers, plan.uri, plan.query, body, self._remote_ip, plan.credentials)

    def finish(self) -> None:
        """The request is complete: answer it, or start the work that answers it."""
        self._started_at = time.perf_counter()
        if (traces := self._router.traces) is not None:
            self._span = traces.begin_request(
                self._plan.headers.get("traceparent"), self._plan.method, self._plan.route, self._request_id
            )
        try:
            answer = self._begin()
        except Exception as error:
            answer = self._refused(error)
        if answer is not None:
            self._send(answer)

    def on_connection_close(self) -> None:
        """The client left before its request was complete."""
        self._body = b""

    # Finding the answer.

    def _begin(self) -> Answer | None:
        """Check the request and start its work.

        Returns:
            The answer; None if it is sent later.
        """
        plan, overload = self._plan, self._router.services.overload
        if overload.refusing and not overload.admits(plan.urgency):
            raise overload.refusal()
        if self._body_bytes > plan.body_limit_bytes:
            raise BodyTooLarge(plan.body_limit_bytes)
        if not plan.host_admitted:
            host = plan.headers["Host"]
            log_refused_caller(host=host, origin=plan.headers.get("Origin"), request_id=self._request_id)
            raise HostRefused(host)
        if not plan.origin_admitted:
            log_refused_caller(
                host=plan.headers.get("Host"), origin=plan.headers["Origin"], request_id=self._request_id
            )
            raise OriginRefused
        if self._tally and plan.method != "OPTIONS":
            self._tally.count_request()
        operation = plan.operation
        if operation is None:
            return self._unserved()
        request = self._request(bytes(self._body))
        identity = operation.authenticate(request)
        if identity:
            self._user_id = identity.user_id
        self._run(operation.begin(request, plan.path_arguments, identity, self._tally))
        return None

    def _run(self, answering: Coroutine[Any, Any, Answer]) -> None:
        """Answer with what a coroutine returns or raises."""
        self._router.run(self._wait_for(answering))
        self._bound_the_wait()

    def reconsider(self, started: float, identity: Identity | None, ask: Ask, refusal: EngineError) -> None:
        """Continue a request of the fast path that the engine has refused.

        Args:
            started: when the request began, by `time.perf_counter`.
            identity: the caller.
            ask: what the handler returned.
            refusal: the engine's.
        """
        self._started_at = started
        if identity is not None:
            self._user_id = identity.user_id
        self._run(cast(Operation, self._plan.operation).reconsidered(ask, refusal))

    def _bound_the_wait(self) -> None:
        """Answer within `ask_timeout_seconds` plus the `extra_seconds` of the operation, done or not.

        This is the only such limit, so nothing below needs one for the client's sake.
        """
        if self._patience is None:
            extra_seconds = cast(Operation, self._plan.operation).endpoint.extra_seconds
            seconds = self._router.services.limits.ask_timeout_seconds + extra_seconds
            self._patience = asyncio.get_running_loop().call_later(seconds, self._stop_waiting)

    def _unserved(self) -> Answer:
        """The answer if the path or its method is not served."""
        if self._plan.match is None:
            router = self._router
            if answer := router.answer_unknown(self._plan, router.routes, router.services):
                return answer
            raise PathNotFound
        methods = self._plan.match.route.methods
        if self._plan.method != "OPTIONS":
            raise MethodNotAllowed(methods)
        allowed = ", ".join(methods)
        headers = {"Allow": allowed}
        if "Access-Control-Request-Method" in self._plan.headers:
            headers |= {"Access-Control-Allow-Methods": allowed, **_PREFLIGHT_HEADERS}
        return Answer(204, headers=headers)

    async def _wait_for(self, answering: Coroutine[Any, Any, Answer]) -> None:
        span = self._span
        cause.set(Cause(self._request_id, None if span is None else span.traceparent))
        try:
            answer = await answering
        except (Exception, asyncio.CancelledError) as error:
            # This task is only cancelled at the end of the server, when the outcome is not known either.
            # Otherwise a CancelledError comes from something that it awaited.
            ends = (task := asyncio.current_task()) is not None and task.cancelling()
            answer = self._too_slow() if ends else self._refused(error)
        self._send(answer)

    def _stop_waiting(self) -> None:
        """Answer that the request takes too long. Its work continues, within the limits of the database."""
        self._patience = None
        self._send(self._too_slow())

    def _too_slow(self) -> Answer:
        return self._refused(cast(Operation, self._plan.operation).too_slow(self._plan.headers))

    def _refused(self, error: BaseException) -> Answer:
        return refusal_answer(error, self._plan.style, self._request_id)

    # Sending the answer.

    def _send(self, answer: Answer) -> None:
        if self._answered:
            # Too late: the client was told that the outcome is unknown.
            return
        self._answered = True
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        try:
            self._write(answer)
        except Exception as defect:
            self._write_instead(self._refused(defect))

    def _write_instead(self, answer: Answer) -> None:
        """Send an error instead of an answer that could not be sent, or close the connection."""
        connection = self._connection
        try:
            if isinstance(connection, RequestConnection) and connection.begun:
                connection.break_off()
            else:
                self._write(answer)
        except Exception:
            log.exception("request %s cannot be answered", self._request_id)
            if isinstance(connection, RequestConnection):
                connection.break_off()
            else:
                connection.close()

    def _write(self, answer: Answer) -> None:
        if answer.stream is not None:
            self._router.run(self._stream(answer, answer.stream))
            return
        status, content, fields = self._represented(answer)
        shared = self._plan.shared_fields
        if answer.headers:
            shared = shared.without(answer.headers)
        send_answer(self._connection, status, shared, fields, content)
        self._account_for(status)

    async def _stream(self, answer: Answer, pieces: AsyncGenerator[bytes, None]) -> None:
        """Send an answer piece by piece, no faster than the client reads it."""
        connection = self._connection
        fields = {**self._common_fields(answer), "Content-Type": answer.media_type}
        line = httputil.ResponseStartLine("HTTP/1.1", answer.status, responses.get(answer.status, ""))
        headers = httputil.HTTPHeaders({**self._plan.shared_fields.without(answer.headers).fields, **fields})
        try:
            async with aclosing(pieces):
                await connection.write_headers(line, headers)
                if self._plan.method != "HEAD":
                    async for piece in pieces:
                        await connection.write(piece)
                connection.finish()
        except StreamClosedError:
            pass  # the client has gone
        except Exception:
            # An incomplete body tells the client that something is missing.
            log.exception("request %s could not be answered completely", self._request_id)
            if isinstance(connection, RequestConnection):
                connection.break_off()
            else:
                connection.close()
        finally:
            self._account_for(answer.status)

    def _common_fields(self, answer: Answer) -> dict[str, str]:
        fields = {
            **answer.headers,
            "Date": http_date(int(time.time())),
            REQUEST_ID_HEADER: self._request_id,
        }
        if self._tally is not None:
            fields |= self._tally.headers
        return fields

    def _represented(self, answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        """Status, content and headers for this client: 304, compressed, or without content if need be."""
        plan = self._plan
        fields = self._common_fields(answer)
        if answer.status == 204:
            return 204, b"", fields
        if is_known(answer, plan.if_none_match):
            return 304, b"", fields
        content = answer.body.plain
        if plan.accepts_gzip and answer.body.worth_compressing:
            content = answer.body.compressed
            fields["Content-Encoding"] = "gzip"
        fields["Content-Type"] = answer.media_type
        fields["Content-Length"] = str(len(content))
        return answer.status, (b"" if plan.method == "HEAD" else content), fields

    def _account_for(self, status: int) -> None:
        if (span := self._span) is not None:
            self._span = None
            span.end("server_error" if status >= 500 else None, status)
        seconds = time.perf_counter() - self._started_at
        plan = self._plan
        self._router.access_log.finished(
            method=plan.method,
            route=plan.route,
            path=plan.path,
            status=status,
            seconds=seconds,
            address=self._remote_ip,
            request_id=self._request_id,
            user_id=self._user_id,
        )


def is_known(answer: Answer, if_none_match: str | None) -> bool:
    """Tell whether the client has this version of the answer (RFC 9110, section 13.1.2: weak comparison).

    Args:
        answer: the complete answer.
        if_none_match: value of the field with the versions that the client has; None without the field.
    """
    if if_none_match is None or (entity_tag := answer.headers.get("ETag")) is None:
        return False
    opaque = entity_tag.removeprefix("W/")
    return any(match[0] == "*" or match[1] == opaque for match in _ENTITY_TAG.finditer(if_none_match))
