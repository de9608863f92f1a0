"""What is done with every request, in this order: authenticate, validate, count it where requests are
counted, look at the idempotency key, run the handler, write the answer down.

It knows requests and answers but no connection, so whatever carries HTTP can call it.
"""

import inspect
from collections.abc import Coroutine, Mapping
from typing import Any, cast

from marshmallow import Schema, ValidationError

from api.bodies import Body
from api.errors import ApiError
from api.identity.errors import AdminRequired, CronDisabled, NotAuthenticated, TokenRefused
from api.identity.shared_secret import require_secret
from api.identity.tokens import Identity, InvalidToken
from api.limiter import Tally
from api.rest.endpoint import ADDRESS_PREFIX, Access, Answer, Call, Endpoint, Question, Result
from api.rest.errors import problem_of
from api.rest.idempotency import KEY_HEADER, IdempotencyKeys, KeyedRequest, Outcome, fingerprint_of, parse_key
from api.rest.parsing import Parser, is_form
from api.rest.plain_bodies import PlainBody
from api.rest.request import Request
from api.rest.styles import Content
from api.rest.unfinished import UnfinishedWork
from api.services import Services
from api.wire import SESSION_PREFIX
from engine.errors import EngineError, OutcomeUnknown, forget_frames
from engine.records import Receipt

_parser = Parser()


class Operation:
    """An endpoint, ready to answer requests.

    Args:
        endpoint: its declaration.
        services: what handlers work with.
        keys: the idempotency keys of the server.
        unfinished: where work goes on that no answer waits for.
    """

    def __init__(
        self, endpoint: Endpoint, services: Services, keys: IdempotencyKeys, unfinished: UnfinishedWork
    ) -> None:
        self.endpoint = endpoint
        self._services = services
        self._keys = keys
        self.unfinished = unfinished
        self._query = endpoint.query(services.limits) if endpoint.query else None
        self.body = endpoint.body(services.limits) if endpoint.body else None
        self._form = endpoint.form(services.limits) if endpoint.form else None
        self._without_query = _defaults(self._query)
        self._style = endpoint.style
        self._seal = services.seal if endpoint.sealed else None
        self.plain_body = self.body if isinstance(self.body, PlainBody) else None
        self.straight = (
            not inspect.iscoroutinefunction(endpoint.handler)
            and endpoint.access in (Access.PUBLIC, Access.USER)
            and (self.body is None or self.plain_body is not None)
            and not (endpoint.upload or endpoint.form or endpoint.body_optional or self._style.rate_limited)
        )

    @property
    def body_limit_bytes(self) -> int:
        """Largest body."""
        limits = self._services.limits
        usual = limits.upload_limit_bytes if self.endpoint.upload else limits.body_limit_bytes
        return self.endpoint.body_limit_bytes or usual

    def authenticate(self, request: Request) -> Identity | None:
        """Who calls; None where that does not matter.

        Raises:
            NotAuthenticated: a token is needed.
            TokenRefused: the token is not to be believed.
            AdminRequired: the token is not an administrator's.
            CronDisabled: no secret has been set for time-driven callers.
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
            identity = self._services.tokens.verify(request.credentials)
        except InvalidToken as error:
            raise TokenRefused(str(error), error.code) from error
        if access is Access.ADMIN and not identity.admin:
            raise AdminRequired
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
            in_path: the arguments that its path gives.
            identity: who calls.
            tally: what it is counted on, where requests are counted.

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
        keyed = self._keyed(request, holder)
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
            self.unfinished,
        )
        if keyed:
            return self._keys.once(
                keyed,
                lambda: self._outcome(call, arguments),
                self._seal,
                stored_first=self.endpoint.stores_key_first,
            )
        return self._handled(call, arguments)

    def arguments_in_query(self, query: str) -> Mapping[str, Any]:
        """The arguments that a query gives.

        Raises:
            InvalidInput: it is refused.
        """
        if self._query and (query or self._without_query is None):
            request = Request({}, "", query, b"", "", None)
            return cast(Mapping[str, Any], _parser.parse(self._query, request, location="query"))
        return self._without_query or {}

    def outcome_unknown(self, headers: Mapping[str, str]) -> OutcomeUnknown:
        """The refusal of a request that took too long. It says how to find out what has happened.

        Args:
            headers: the request's headers.
        """
        endpoint = self.endpoint
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
        """In whose name the engine is asked; takes a guest's session out of the arguments."""
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
        arguments |= self.arguments_in_query(request.query)
        if self._form and is_form(request):
            arguments |= _parser.parse(self._form, request, location="form")
        elif self.body and (request.body or not self.endpoint.body_optional):
            arguments |= _parser.body(self.body, request)
        if self.endpoint.upload:
            arguments[self.endpoint.upload.field] = self.endpoint.upload.read(request)
        return arguments

    def _keyed(self, request: Request, holder: str) -> KeyedRequest | None:
        header = request.headers.get(KEY_HEADER) if self.endpoint.keyed else None
        if header is None:
            return None
        fingerprint = fingerprint_of(self.endpoint.method, request.uri, request.body)
        return KeyedRequest(holder, parse_key(header), fingerprint)

    async def _outcome(self, call: Call, arguments: Mapping[str, Any]) -> Outcome:
        try:
            return Outcome(await self._handled(call, arguments), lasting=True)
        except (ApiError, EngineError) as error:
            problem = problem_of(error)
            forget_frames(error)
            return Outcome(Answer.of(*self._style.refused(problem)), problem.lasting)

    async def _handled(self, call: Call, arguments: Mapping[str, Any]) -> Answer:
        handling = self.endpoint.handler(call, **arguments)
        if not isinstance(handling, Question):
            return self.written(await handling)
        try:
            reply = await call.ask(handling.command)
        except EngineError as refusal:
            return await self.reconsidered(handling, refusal)
        return self.written(handling.told(reply))

    async def reconsidered(self, question: Question, refusal: EngineError) -> Answer:
        """The answer if the engine's refusal need not be the last word.

        Raises:
            EngineError: it is.
        """
        if question.reconsidered is None:
            raise refusal
        return self.written(question.told(await question.reconsidered(refusal)))

    def written(self, result: Result) -> Answer:
        """What a handler has to say, as it goes out."""
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
        return Answer.of(self._style.written(result), endpoint.status)


def _defaults(query: Schema | None) -> Mapping[str, Any] | None:
    """What a handler gets where there is no query; None if there must be one, or if that varies."""
    if query is None:
        return {}
    if any(callable(field.load_default) for field in query.load_fields.values()):
        return None
    try:
        defaults: Mapping[str, Any] = query.load({})
        return defaults
    except ValidationError:
        return None
