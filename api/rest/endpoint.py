"""Declares the operations of the API; everything else about them is derived from the declaration.

A resource is a module with one `Resource` and its handlers:

    tickets = Resource("/api/v1/tickets", tag="Tickets")

    @tickets.get("/{ticket_id}", answers=Ticket, refusals=(TicketNotFound,))
    async def get_ticket(call: Call, ticket_id: int) -> Document:
        \"\"\"Get a ticket.\"\"\"

The route, authentication, validation (`api.rest.operation`) and the OpenAPI document
(`api.documents.openapi`) are derived from it; the handler's docstring is the operation's summary and
description. The handler gets the ids in the path and the fields of the query and the body as keyword
arguments. Its result is rendered as JSON with the declared status, in the style of the path
(`api.rest.styles`); an `Answer` is sent unchanged.

A path parameter that is not an id is declared as text, `"/room/{room_id:text}/selections"`, and passed
decoded. A path has either ids or texts, not both.

A handler with a `receipt_form` returns the engine's reply itself. A handler that only sends one command to
the engine is a plain function that returns an `Ask`.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, TypeVar

import orjson
from marshmallow import Schema
from msgspec import Struct

from api.bodies import EMPTY, MEDIA_TYPE, Body
from api.errors import ApiError, InvalidInput
from api.identity.errors import AccountRequired, NotAuthenticated
from api.identity.tokens import Identity
from api.limiter import network_of
from api.mails.languages import accepted_language
from api.overload import Urgency
from api.rest.background import BackgroundTasks
from api.rest.errors import KeyInFlight
from api.rest.fields import RequestSchema
from api.rest.receipts import ReceiptForm
from api.rest.styles import Content, Style, style_of
from api.rest.uploads import Upload
from api.services import Services
from api.wire import SESSION_PREFIX
from engine.commands import Command
from engine.errors import EngineError, StoreUnavailable
from engine.records import IdempotencyRecord, Receipt
from engine.replies import Reply

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TEXT_PLACEHOLDER = re.compile(r"\{(\w+):text\}")

R = TypeVar("R")

ADDRESS_PREFIX = "address:"
"""Prefix of holders that have neither session nor token."""

Document = dict[str, Any] | list[Any]
"""A JSON document, as `orjson` accepts it."""


def dump(kind: type[Schema], record: object) -> dict[str, Any]:
    """Return a record as a document in the form of a schema."""
    document: dict[str, Any] = _schema(kind).dump(record)
    return document


def dump_all(kind: type[Schema], records: Iterable[object]) -> list[dict[str, Any]]:
    """Return records as documents in the form of a schema."""
    documents: list[dict[str, Any]] = _schema(kind).dump(records, many=True)
    return documents


@cache
def _schema(kind: type[Schema]) -> Schema:
    return kind()


class Access(Enum):
    """The callers that an operation admits.

    `PUBLIC` operations ignore tokens. `GUEST` operations work without a token, and verify one that is sent.
    `CRON` operations require the shared secret for scheduled jobs.
    """

    PUBLIC = "public"
    GUEST = "guest"
    USER = "user"
    ADMIN = "admin"
    CRON = "cron"


class Answer(NamedTuple):
    """A response, without the header fields that all responses have.

    Attributes:
        stream: the content piece by piece, instead of `body`. A piece is made once the client has read most
            of those before it.
    """

    status: int
    body: Body = EMPTY
    headers: Mapping[str, str] = {}
    media_type: str = MEDIA_TYPE
    stream: AsyncGenerator[bytes, None] | None = None

    @classmethod
    def of(cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        """Return a response with a JSON document."""
        return cls(status, Body(orjson.dumps(document)), headers or {})


class Call(Struct, frozen=True):
    """One call of an operation, as its handler sees it.

    Attributes:
        services: the server's services.
        holder: the caller's name in the engine: "session:…" for a guest, "user:7" for a user, or "address:…"
            for a caller with neither session nor token.
        identity: the token's owner; None in public operations, and for guests without a token.
        address: the client's IP address.
        headers: the request's headers.
        uri: the request's path and query.
        receipt: where a durable command stores the response, if the request has an idempotency key.
        background: runs work that the response does not wait for.
        code_access: keys of the blocks that the request's access code opens.
        record_of: turns the result into what is stored for repeats; None without an idempotency key.
    """

    services: Services
    holder: str
    identity: Identity | None
    address: str
    headers: Mapping[str, str]
    uri: str
    receipt: Receipt | None
    background: BackgroundTasks
    code_access: tuple[str, ...] = ()
    record_of: "Callable[[Any], IdempotencyRecord] | None" = None

    @property
    def access(self) -> tuple[str, ...]:
        """Keys of the blocks whose seats the caller may take, by its token or its access code."""
        return self.code_access if self.identity is None else self.code_access + self.identity.access

    @property
    def caller(self) -> Identity:
        """The token's owner, in operations that require a token.

        Raises:
            NotAuthenticated: the request has no token.
        """
        if self.identity is None:
            raise NotAuthenticated
        return self.identity

    @property
    def buyer(self) -> str:
        """The holder of ticket reservations: the session, or else the token's owner.

        Raises:
            InvalidInput: the request has neither session nor token.
        """
        if self.holder.startswith(ADDRESS_PREFIX):
            raise InvalidInput({"sessionId": ["Give a sessionId, or send a token."]})
        return self.holder

    @property
    def guest_network(self) -> str | None:
        """The network on which a guest's holds are counted; None for a user.

        Anyone can create sessions, so a session counts as a guest even if the request has a token too.
        """
        identity = self.identity
        if (identity is not None and identity.guest) or self.holder.startswith(SESSION_PREFIX):
            return network_of(self.address)
        return None

    @property
    def accepted_language(self) -> str | None:
        """The first language of the request's `Accept-Language` that mails have."""
        return accepted_language(self.headers.get("Accept-Language"))

    def require_buyer(self) -> None:
        """Check that the caller may buy.

        Raises:
            AccountRequired: the token is a guest's, and only users can buy.
        """
        if self.identity is not None and self.identity.guest and not self.services.guest_purchase:
            raise AccountRequired

    @property
    def now(self) -> datetime:
        """The current time, in UTC."""
        return datetime.fromtimestamp(self.services.clock.now(), UTC)

    @property
    def account_id(self) -> int:
        """The id of the token's owner, in operations that require a token."""
        return self.caller.user_id

    @property
    def user_id(self) -> int | None:
        """The id of the token's owner, or None."""
        return self.identity.user_id if self.identity else None

    @property
    def admin(self) -> bool:
        """True if the caller is an administrator."""
        return self.identity is not None and self.identity.admin

    async def ask(self, command: Command) -> Any:
        """Send a command to the engine. Returns the engine's reply, or raises its error."""
        return await self.services.screenings.ask(command)

    async def kept(self, write: Callable[[], Awaitable[R]]) -> R:
        """Change the database in one transaction, which also stores the response for repeats of the request.

        So a repeat after a crash changes nothing again.

        Args:
            write: changes the database, and returns the result of the handler. What it raises is passed on,
                and nothing is changed.

        Raises:
            KeyInFlight: another server has just answered a request with this idempotency key.
        """
        record_of = self.record_of
        if record_of is None:
            return await write()
        results = []

        async def recorded() -> IdempotencyRecord:
            results.append(await write())
            return record_of(results[0])

        if not await self.services.idempotency.store_with(recorded):
            raise KeyInFlight
        return results[0]

    async def flushed(self) -> None:
        """Wait until everything acknowledged so far can be read from the database.

        Raises:
            StoreUnavailable: it takes longer than `ask_timeout_seconds`.
        """
        try:
            async with asyncio.timeout(self.services.limits.ask_timeout_seconds):
                await self.services.flushing.flushed()
        except TimeoutError as error:
            raise StoreUnavailable("The database is not keeping up") from error


Result = Document | Content | Answer | Reply | None
"""The result of a handler."""


class Ask(Struct, frozen=True):
    """Returned by a handler that does nothing but ask the engine. Such a handler is a plain function.

    Attributes:
        command: the command for the engine.
        respond: turns the engine's reply into the result.
        reconsider: called with the engine's refusal; returns a reply after all, or raises.
    """

    command: Command
    respond: Callable[[Any], Result]
    reconsider: Callable[[EngineError], Awaitable[Any]] | None = None


Handler = Callable[..., Awaitable[Result] | Ask]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The declaration of one operation.

    Attributes:
        method: the HTTP method.
        path: with a placeholder per id, e.g. "/api/v1/tickets/{ticket_id}". An id is a decimal number
            from 1 to 2^63-1. A path that ends in a slash is served without it too.
        tag: heading in the documentation.
        handler: the function that carries the operation out.
        access: who may call it.
        query: schema of the query.
        body: schema of the JSON body.
        body_optional: whether the JSON body may be omitted; its fields are not passed then.
        answers: schema of the response; None if it has no body, or one that is not JSON.
        status: status of the response.
        refusals: errors that the operation itself may raise.
        durable: whether the response waits for the database. If that takes too long, the caller gets an error
            and the operation continues.
        receipt_form: renders the engine's reply to a durable command, which the handler returns; used for the
            response and for repeats.
        headers: response headers specific to the operation, with their descriptions.
        media_type: media type of the response.
        other_media_type: media type of another form of the response that may be asked for; empty for none.
        form: schema of an HTML form that is accepted instead of a JSON body; it yields the same arguments.
        raw_body: an example of a JSON document whose bytes the handler gets as `body`; None for none.
        upload: a file that is accepted instead of a JSON body, and passed under the name of its field.
        body_limit_bytes: largest body, if it differs from the general limit.
        extra_seconds: how much longer than `ask_timeout_seconds` a request may wait for its result, because
            the operation waits for somebody else's server.
        secret: whether neither the response nor a digest of the request may be stored; `Idempotency-Key` is
            not honoured then.
        encrypted: whether the response has personal data and is stored encrypted.
        creates: whether it counts against the limit of creations (`api.limiter`).
        listed: whether the response is a page of a list.
        message: message of the response, if its style has one.
        text_parameters: whether the placeholders stand for texts instead of ids.
        service: the service whose tokens are accepted besides those of users; empty for none.
        access_code: whether the access code of a channel (`api.identity.channels`) is honoured, in the field
            `access_code` of the body or the query (`api.rest.access_codes`), or else in `X-Access-Code`.
            Handlers get what it opens as `Call.access`.
        urgency: which requests are refused before it while the server is overloaded. By default operators
            are always answered, reading is a look, a durable change a sale, and any other a hold.
    """

    method: str
    path: str
    tag: str
    handler: Handler
    access: Access = Access.USER
    query: type[RequestSchema] | None = None
    body: type[RequestSchema] | None = None
    body_optional: bool = False
    answers: Schema | type[Schema] | None = None
    status: int = 200
    refusals: tuple[type[ApiError] | type[EngineError], ...] = ()
    durable: bool = False
    receipt_form: ReceiptForm | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = MEDIA_TYPE
    other_media_type: str = ""
    form: type[RequestSchema] | None = None
    raw_body: Mapping[str, Any] | None = None
    upload: Upload | None = None
    body_limit_bytes: int | None = None
    extra_seconds: float = 0.0
    secret: bool = False
    encrypted: bool = False
    creates: bool = False
    listed: bool = False
    message: str | None = None
    text_parameters: bool = False
    service: str = ""
    access_code: bool = False
    urgency: Urgency | None = None

    @property
    def urgent(self) -> Urgency:
        """Its place in the order in which requests are refused while the server is overloaded."""
        if self.urgency is not None:
            return self.urgency
        if self.access in (Access.ADMIN, Access.CRON):
            return Urgency.ALWAYS
        if self.method == "GET":
            return Urgency.LOOK
        return Urgency.SALE if self.durable else Urgency.HOLD

    @property
    def keyed(self) -> bool:
        """True if `Idempotency-Key` is honoured."""
        return self.method != "GET" and not self.secret

    @property
    def stores_key_first(self) -> bool:
        """True if the response to a request with a key is stored before it is sent.

        An operation with a receipt stores it in its own transaction; holds do not wait for the database.
        """
        return self.durable and self.receipt_form is None

    @property
    def style(self) -> Style:
        """The style of its responses."""
        return style_of(self.path)

    @property
    def name(self) -> str:
        """The operation's unique name."""
        return self.handler.__name__

    @property
    def path_parameters(self) -> list[str]:
        """Names of the placeholders in the path, in their order."""
        return PLACEHOLDER.findall(self.path)


class Resource:
    """A group of operations.

    Args:
        prefix: prefix of their paths.
        tag: their heading in the documentation.
    """

    def __init__(self, prefix: str, *, tag: str) -> None:
        self.prefix = prefix
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def get(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare the decorated handler as a GET operation; see `Endpoint` for the arguments.

        All other methods honour `Idempotency-Key`, unless the operation is secret.
        """
        return self.declare("GET", path, **declaration)

    def post(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare a POST operation."""
        return self.declare("POST", path, **declaration)

    def put(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare a PUT operation."""
        return self.declare("PUT", path, **declaration)

    def patch(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare a PATCH operation."""
        return self.declare("PATCH", path, **declaration)

    def delete(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare a DELETE operation."""
        return self.declare("DELETE", path, **declaration)

    def declare(self, method: str, path: str, **declaration: Any) -> Callable[[H], H]:
        plain, texts = _TEXT_PLACEHOLDER.subn(r"{\1}", self.prefix + path)
        if texts not in (0, len(PLACEHOLDER.findall(plain))):
            raise ValueError(f"{path} has both ids and texts")

        def declare(handler: H) -> H:
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=plain,
                    tag=self.tag,
                    handler=handler,
                    text_parameters=texts > 0,
                    **declaration,
                )
            )
            return handler

        return declare
