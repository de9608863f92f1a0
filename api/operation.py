"""What is done with every request, in this order: authenticate, validate, look at the idempotency key,
run the handler, write the answer down.

It knows requests and answers but no connection, so whatever carries HTTP can call it.
"""

from collections.abc import Mapping
from typing import Any

from tornado.httputil import HTTPServerRequest

from api.bodies import Body
from api.endpoint import Access, Answer, Call, Endpoint
from api.errors import AdminRequired, ApiError, NotAuthenticated, TokenRefused, problem_of
from api.idempotency import KEY_HEADER, IdempotencyKeys, KeyedRequest, Outcome, fingerprint_of, parse_key
from api.parsing import Parser, is_form
from api.receipts import encode_reply
from api.services import Services
from api.tokens import Identity, InvalidToken
from api.unfinished import UnfinishedWork
from api.wire import holder_of
from engine.errors import EngineError
from engine.records import Receipt

_parser = Parser()


class Operation:
    """An endpoint, ready to answer requests.

    Args:
        endpoint: its declaration.
        services: what handlers work with.
        keys: the idempotency keys of the server.
        unfinished: where durable work goes on.
    """

    def __init__(
        self, endpoint: Endpoint, services: Services, keys: IdempotencyKeys, unfinished: UnfinishedWork
    ) -> None:
        self.endpoint = endpoint
        self._services = services
        self._keys = keys
        self._unfinished = unfinished
        self._query = endpoint.query(services.limits) if endpoint.query else None
        self._body = endpoint.body(services.limits) if endpoint.body else None
        self._form = endpoint.form(services.limits) if endpoint.form else None

    @property
    def body_limit_bytes(self) -> int:
        """Largest body."""
        limits = self._services.limits
        usual = limits.upload_bytes if self.endpoint.upload else limits.body_bytes
        return self.endpoint.body_limit_bytes or usual

    def authenticate(self, request: HTTPServerRequest) -> Identity | None:
        """Who calls; None where that does not matter.

        Raises:
            NotAuthenticated: a token is needed.
            TokenRefused: the token is not to be believed.
            AdminRequired: the token is not an administrator's.
        """
        if self.endpoint.access is Access.PUBLIC:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        try:
            identity = self._services.tokens.verify(token.strip())
        except InvalidToken as error:
            raise TokenRefused(str(error), error.code) from error
        if self.endpoint.access is Access.ADMIN and not identity.admin:
            raise AdminRequired
        return identity

    async def answer(
        self, request: HTTPServerRequest, in_path: Mapping[str, int | str], identity: Identity | None
    ) -> Answer:
        """Carry the request out.

        Raises:
            ApiError: the request is refused.
            EngineError: the engine refuses what it asks for.
        """
        arguments = self._arguments(request, in_path)
        holder = holder_of(identity.user_id) if identity else f"address:{request.remote_ip}"
        keyed = self._keyed(request, holder)
        form = self.endpoint.receipt_form
        receipt = Receipt(*keyed, form) if keyed and form else None
        call = Call(
            services=self._services,
            holder=holder,
            identity=identity,
            address=request.remote_ip or "",
            headers=request.headers,
            uri=request.uri or "",
            receipt=receipt,
            unfinished=self._unfinished,
        )
        if keyed:
            work = self._keys.once(keyed, lambda: self._outcome(call, arguments))
            return await self._unfinished.answer(work)
        if self.endpoint.durable:
            return await self._unfinished.answer(self._handled(call, arguments))
        return await self._handled(call, arguments)

    def _arguments(self, request: HTTPServerRequest, in_path: Mapping[str, int | str]) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(in_path)
        if self._query:
            arguments |= _parser.parse(self._query, request, location="query")
        if self._form and is_form(request):
            arguments |= _parser.parse(self._form, request, location="form")
        elif self._body:
            arguments |= _parser.parse(self._body, request, location="json")
        if self.endpoint.upload:
            arguments[self.endpoint.upload.field] = self.endpoint.upload.read(request)
        return arguments

    def _keyed(self, request: HTTPServerRequest, holder: str) -> KeyedRequest | None:
        header = request.headers.get(KEY_HEADER) if self.endpoint.keyed else None
        if header is None:
            return None
        fingerprint = fingerprint_of(self.endpoint.method, request.uri or "", request.body)
        return KeyedRequest(holder, parse_key(header), fingerprint)

    async def _outcome(self, call: Call, arguments: Mapping[str, Any]) -> Outcome:
        try:
            return Outcome(await self._handled(call, arguments), lasting=True)
        except (ApiError, EngineError) as error:
            problem = problem_of(error)
            return Outcome(Answer.of(*problem), problem.lasting)

    async def _handled(self, call: Call, arguments: Mapping[str, Any]) -> Answer:
        endpoint = self.endpoint
        result: Any = await endpoint.handler(call, **arguments)
        if isinstance(result, Answer):
            return result
        if endpoint.receipt_form:
            status, body = encode_reply(endpoint.receipt_form, result)
            return Answer(status, Body(body))
        if result is None:
            return Answer(endpoint.status)
        return Answer.of(result, endpoint.status)
