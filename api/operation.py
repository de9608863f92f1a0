"""What is done with every request, in this order: authenticate, validate, look at the idempotency key,
run the handler, write the answer down.

It knows requests and answers but no connection, so whatever carries HTTP can call it.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from tornado.httputil import HTTPServerRequest

from api.bodies import Body
from api.endpoint import Access, Answer, Call, Endpoint
from api.errors import AdminRequired, ApiError, NotAuthenticated, TokenRefused, problem_of
from api.idempotency import KEY_HEADER, IdempotencyKeys, KeyedRequest, Outcome, fingerprint_of, parse_key
from api.parsing import Parser
from api.receipts import encode_reply
from api.services import Services
from api.tokens import Identity, InvalidToken
from api.wire import holder_of
from engine.errors import EngineError, OutcomeUnknown
from engine.records import Receipt

log = logging.getLogger("frontrow.api")

_parser = Parser()


class UnfinishedWork:
    """Work that must come to its end, whether or not somebody still waits for it.

    Args:
        wait_seconds: how long a caller waits.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def answer(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Start work and wait for it as long as a caller waits.

        Raises:
            OutcomeUnknown: it has not ended yet, and goes on.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait((task,), timeout=self._wait_seconds)
        if not done:
            task.add_done_callback(_report_defect)
            raise OutcomeUnknown
        return task.result()

    async def finished(self) -> None:
        """Return when all the work that has been started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _report_defect(task: asyncio.Task[Answer]) -> None:
    """Nobody is told any more how the work ended; a refusal is no news, anything else is a defect."""
    if not task.cancelled() and not isinstance(error := task.exception(), ApiError | EngineError | None):
        log.error("work that outlived its request failed", exc_info=error)


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
        self, request: HTTPServerRequest, path_ids: Mapping[str, int], identity: Identity | None
    ) -> Answer:
        """Carry the request out.

        Raises:
            ApiError: the request is refused.
            EngineError: the engine refuses what it asks for.
        """
        arguments = self._arguments(request, path_ids)
        user_id = identity.user_id if identity else None
        holder = f"address:{request.remote_ip}" if user_id is None else holder_of(user_id)
        keyed = self._keyed(request, holder)
        form = self.endpoint.receipt_form
        receipt = Receipt(*keyed, form) if keyed and form else None
        admin = identity is not None and identity.admin
        call = Call(self._services, holder, user_id, admin, request.headers, request.uri or "", receipt)
        if keyed:
            work = self._keys.once(keyed, lambda: self._outcome(call, arguments))
            return await self._unfinished.answer(work)
        if self.endpoint.durable:
            return await self._unfinished.answer(self._handled(call, arguments))
        return await self._handled(call, arguments)

    def _arguments(self, request: HTTPServerRequest, path_ids: Mapping[str, int]) -> dict[str, Any]:
        arguments = dict(path_ids)
        if self._query:
            arguments |= _parser.parse(self._query, request, location="query")
        if self._body:
            arguments |= _parser.parse(self._body, request, location="json")
        return arguments

    def _keyed(self, request: HTTPServerRequest, holder: str) -> KeyedRequest | None:
        header = request.headers.get(KEY_HEADER) if self.endpoint.method == "POST" else None
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
