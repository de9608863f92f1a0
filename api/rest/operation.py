"""Carries out a request: authenticate, validate, count, look up the idempotency key, run the handler, encode.

It knows requests and answers but no connections.
"""

import inspect
from collections.abc import Awaitable, Coroutine, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson
from marshmallow import Schema, ValidationError
from msgspec import structs

from api.bodies import Body
from api.errors import ApiError
from api.identity.channels import ACCESS_CODE_HEADER
from api.identity.errors import (
    AdminRequired,
    CronDisabled,
    NotAuthenticated,
    ServiceNotAllowed,
    TokenRefused,
)
from api.identity.shared_secret import require_secret
from api.identity.tokens import Identity, InvalidToken, OfService
from api.limiter import Tally
from api.limits import Limits
from api.rest.access_codes import ACCESS_CODE, without_code
from api.rest.background import BackgroundTasks
from api.rest.endpoint import ADDRESS_PREFIX, Access, Answer, Ask, Call, Endpoint, Result
from api.rest.errors import problem_of
from api.rest.fields import RequestSchema
from api.rest.idempotency import (
    KEY_HEADER,
    REPLAYED_HEADER,
    IdempotencyKeys,
    KeyedAnswer,
    fingerprint_of,
    parse_key,
    record_of,
)
from api.rest.parsing import Parser, is_form
from api.rest.plain_bodies import PlainBody
from api.rest.plain_queries import PlainQuery
from api.rest.receipts import ReceiptForm
from api.rest.request import Request
from api.rest.styles import Content
from api.services import KeyedRequest, Services
from api.wire import SESSION_PREFIX
from engine.errors import EngineError, OutcomeUnknown, StoreUnavailable, Unavailable, forget_frames
from engine.records import Receipt
from engine.replies import Booked

_parser = Parser()

_KEPT_SCHEMAS = 1024

_bounds_of = attrgetter(*Limits.__slots__)


class Operation:
    """An endpoint that is ready for requests.

    Args:
        endpoint: the declaration.
        services: collaborators of handlers.
        keys: the idempotency keys of the server.
        background: runs work that no response waits for.

    Attributes:
        plain_body: the schema of the body, if `msgspec` decodes it.
        plain_query: the schema of the query, if its fields are read one by one.
        without_query: arguments of a request without a query; None if a query is required.
        fast: whether the fast path serves it.
        urgency: which requests are refused before it while the server is overloaded.
    """

    def __init__(
        self, endpoint: Endpoint, services: Services, keys: IdempotencyKeys, background: BackgroundTasks
    ) -> None:
        self.endpoint = endpoint
        self.urgency = endpoint.urgent
        self._services = services
        self._keys = keys
        self.background = background
        bounds = _bounds_of(services.limits)
        self._query = _schema(endpoint.query, bounds) if endpoint.query else None
        self.body = _schema(endpoint.body, bounds) if endpoint.body else None
        self._form = _schema(endpoint.form, bounds) if endpoint.form else None
        self.without_query = _defaults(self._query)
        self._style = endpoint.style
        self._cipher = services.cipher if endpoint.encrypted else None
        self.plain_body = self.body if isinstance(self.body, PlainBody) else None
        self.plain_query = self._query if isinstance(self._query, PlainQuery) else None
        self.fast = (
            not inspect.iscoroutinefunction(endpoint.handler)
            and endpoint.access in (Access.PUBLIC, Access.USER)
            and (self.body is None or self.plain_body is not None)
            and (self._query is None or self.plain_query is not None)
            and self.without_query is not None
            and not (endpoint.upload or endpoint.form or endpoint.body_optional or self._style.rate_limited)
        )

    @property
    def body_limit_bytes(self) -> int:
        """The largest body that is accepted."""
        limits = self._services.limits
        usual = limits.upload_limit_bytes if self.endpoint.upload else limits.body_limit_bytes
        return self.endpoint.body_limit_bytes or usual

    def authenticate(self, request: Request) -> Identity | None:
        """The caller's identity; None if the operation needs none.

        Raises:
            NotAuthenticated: the token is missing.
            TokenRefused: the token is invalid.
            ServiceNotAllowed: it is a service's, and the operation is not for that service.
            AdminRequired: the caller is no administrator, nor the service that the operation is for.
            CronDisabled: no secret is configured for scheduled calls.
        """
        access = self.endpoint.access
        if access is Access.CRON and not self._services.cron_secret:
            raise CronDisabled
        if access is Access.PUBLIC or (access is Access.GUEST and "Authorization" not in request.headers):
            return None
        if request.credentials is None:
            raise NotAuthenticated
        if access is Access.CRON:
            require_secret(request.credentials, self._services.cron_secret)
            return None
        try:
            identity = self._services.tokens.verify(request.credentials, self.endpoint.service)
        except OfService as error:
            raise ServiceNotAllowed from error
        except InvalidToken as error:
            raise TokenRefused(str(error), error.code) from error
        if access is Access.ADMIN and not (identity.admin or identity.service):
            raise AdminRequired(self.endpoint.service)
        return identity

    def begin(
        self,
        request: Request,
        in_path: Mapping[str, int | str],
        identity: Identity | None,
        tally: Tally | None = None,
    ) -> Coroutine[Any, Any, Answer]:
        """Check a request.

        Args:
            request: the request.
            in_path: arguments from the path.
            identity: the caller.
            tally: counts the request against rate limits; None if there are none.

        Returns:
            A coroutine that carries the request out, or raises an ApiError or an EngineError. It must not be
            cancelled, even if the client is gone: the idempotency key is in flight until it ends, and a
            durable change may have been decided.

        Raises:
            ApiError: the request is refused.
        """
        arguments = self._arguments(request, in_path)
        holder = self._holder(request, arguments, identity)
        if tally:
            self._count(tally, holder)
        keyed = self._keyed(request, holder, arguments)
        form = self.endpoint.receipt_form
        receipt = Receipt(*keyed, form.name) if keyed and form else None
        call = Call(
            self._services,
            holder,
            identity,
            request.remote_ip,
            request.headers,
            request.uri,
            receipt,
            self.background,
            record_of=(lambda result: record_of(keyed, self.encode(result), self._cipher)) if keyed else None,
        )
        if keyed:
            answering = self._keys.once(
                keyed,
                lambda: self._keyed_answer(call, arguments),
                self._cipher,
                stored_first=self.endpoint.stores_key_first,
            )
            return self._with_present_tickets(form, answering) if form else answering
        return self._handled(call, arguments)

    def too_slow(self, headers: Mapping[str, str]) -> Unavailable:
        """The refusal of a request that took too long; it says how to find out what happened.

        Args:
            headers: of the request.
        """
        endpoint = self.endpoint
        if endpoint.method == "GET":
            return StoreUnavailable("The database does not answer in time; repeat the request")
        if endpoint.keyed and KEY_HEADER in headers:
            return OutcomeUnknown(f"repeat the request with the same {KEY_HEADER}")
        if endpoint.method != "POST":
            return OutcomeUnknown("repeat the request")
        if self.body and "payment_id" in self.body.load_fields:
            return OutcomeUnknown(
                "repeat the request if it has a payment_id, otherwise see first whether it has happened"
            )
        return OutcomeUnknown()

    def _holder(self, request: Request, arguments: dict[str, Any], identity: Identity | None) -> str:
        """The holder for the engine. Removes a guest's session id from the arguments."""
        if self.endpoint.access is Access.GUEST and (session_id := arguments.pop("session_id", None)):
            return f"{SESSION_PREFIX}{session_id}"
        return identity.holder if identity else f"{ADDRESS_PREFIX}{request.remote_ip}"

    def _count(self, tally: Tally, holder: str) -> None:
        if not holder.startswith(ADDRESS_PREFIX):
            tally.count_caller(holder)
        if self.endpoint.creates:
            tally.count_creation()

    def _arguments(self, request: Request, in_path: Mapping[str, int | str]) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(in_path)
        if self._query and (request.query or self.without_query is None):
            arguments |= _parser.parse(self._query, request, location="query")
        else:
            arguments |= self.without_query or {}
        if self._form and is_form(request):
            arguments |= _parser.parse(self._form, request, location="form")
        elif self.body and (request.body or not self.endpoint.body_optional):
            arguments |= _parser.body(self.body, request)
        if self.endpoint.raw_body is not None:
            arguments["body"] = request.body
        if self.endpoint.upload:
            arguments[self.endpoint.upload.field] = self.endpoint.upload.read(request)
        return arguments

    def _keyed(self, request: Request, holder: str, arguments: Mapping[str, Any]) -> KeyedRequest | None:
        header = request.headers.get(KEY_HEADER) if self.endpoint.keyed else None
        if header is None:
            return None
        body = without_code(request.body) if ACCESS_CODE in arguments else request.body
        fingerprint = fingerprint_of(self.endpoint.method, request.uri, body)
        return KeyedRequest(holder, parse_key(header), fingerprint)

    async def _keyed_answer(self, call: Call, arguments: Mapping[str, Any]) -> KeyedAnswer:
        try:
            return KeyedAnswer(await self._handled(call, arguments), final=True)
        except (ApiError, EngineError) as error:
            problem = problem_of(error)
            forget_frames(error)
            return KeyedAnswer(Answer.of(*self._style.render_error(problem)), problem.final)

    async def _with_present_tickets(self, form: ReceiptForm, answering: Awaitable[Answer]) -> Answer:
        """The response; if it is a stored one about paid tickets, with their present status.

        The same payment has the same answer however often it comes, with a key or without.
        """
        answer = await answering
        if REPLAYED_HEADER not in answer.headers or answer.status != form.status:
            return answer
        ids = form.paid_tickets(orjson.loads(answer.body.plain))
        try:
            tickets = [await self._services.tickets.ticket(ticket_id) for ticket_id in ids]
        except StoreUnavailable:
            return answer
        present = Booked(tuple(ticket for ticket in tickets if ticket is not None))
        return answer._replace(body=Body(form.encoded(present)[1])) if present.tickets else answer

    async def _handled(self, call: Call, arguments: Mapping[str, Any]) -> Answer:
        if self.endpoint.access_code:
            arguments = {**arguments}
            code = arguments.pop(ACCESS_CODE, None) or call.headers.get(ACCESS_CODE_HEADER)
            if code is not None:
                access = await self._services.channels.access_by(code, call.address)
                call = structs.replace(call, code_access=access)
        handling = self.endpoint.handler(call, **arguments)
        if not isinstance(handling, Ask):
            return self.encode(await handling)
        try:
            reply = await call.ask(handling.command)
        except EngineError as refusal:
            return await self.reconsidered(handling, refusal)
        return self.encode(handling.respond(reply))

    async def reconsidered(self, ask: Ask, refusal: EngineError) -> Answer:
        """The answer after the handler has reconsidered the engine's refusal.

        Raises:
            EngineError: the request stays refused.
        """
        if ask.reconsider is None:
            raise refusal
        return self.encode(ask.respond(await ask.reconsider(refusal)))

    def encode(self, result: Result) -> Answer:
        """Encode the result of a handler."""
        endpoint = self.endpoint
        if isinstance(result, Answer):
            return result
        if endpoint.receipt_form:
            status, body = endpoint.receipt_form.encoded(result)
            return Answer(status, Body(body))
        if result is None:
            return Answer(endpoint.status)
        if endpoint.message is not None:
            result = Content(result, endpoint.message)
        return Answer.of(self._style.render(result), endpoint.status)


@lru_cache(_KEPT_SCHEMAS)
def _schema(kind: type[RequestSchema], bounds: tuple[Any, ...]) -> RequestSchema:
    """Return a schema for these values of `Limits`.

    Making all schemas takes half of a server's start, so servers in one process share them.
    """
    return kind(Limits(*bounds))


def _defaults(query: Schema | None) -> Mapping[str, Any] | None:
    """Arguments without a query; None if a query is required or a default is computed."""
    if query is None:
        return {}
    if any(callable(field.load_default) for field in query.load_fields.values()):
        return None
    try:
        defaults: Mapping[str, Any] = query.load({})
        return defaults
    except ValidationError:
        return None
