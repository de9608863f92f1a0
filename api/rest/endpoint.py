"""How an operation of the API is declared: once, and everything else is derived from it.

A resource is a module with one `Resource` and its handlers:

    tickets = Resource("/api/v1/tickets", tag="Tickets")

    @tickets.get("/{ticket_id}", answers=Ticket, refusals=(TicketNotFound,))
    async def get_ticket(call: Call, ticket_id: int) -> Document:
        \"\"\"Get a ticket.\"\"\"

From this come the route, authentication, validation (`api.rest.operation`) and the OpenAPI document
(`api.documents.openapi`), whose summary and description are the handler's docstring. The ids in the path, the
query's fields and the body's fields arrive as the handler's keyword arguments. What it returns is
rendered as JSON under the declared status, in the style of the path (`api.rest.styles`); an `Answer` is sent
as it is.

Where a path has a name in it and not an id, it is declared as text, `"/room/{room_id:text}/selections"`,
and arrives decoded. A path has ids or texts, not both.

An operation with a `receipt_form` returns the engine's reply itself. One that only asks the engine something
is a plain function that returns an `Ask`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import orjson
from marshmallow import Schema
from msgspec import Struct

from api.bodies import EMPTY, MEDIA_TYPE, Body
from api.errors import ApiError, InvalidInput
from api.identity.errors import NotAuthenticated
from api.identity.tokens import Identity
from api.limiter import network_of
from api.rest.fields import RequestSchema
from api.rest.receipts import ReceiptForm
from api.rest.styles import Content, Style, style_of
from api.rest.unfinished import UnfinishedWork
from api.rest.uploads import Upload
from api.services import Services
from api.wire import SESSION_PREFIX
from engine.commands import Command
from engine.errors import EngineError, StoreUnavailable
from engine.records import Receipt
from engine.replies import Reply

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TEXT_PLACEHOLDER = re.compile(r"\{(\w+):text\}")

ADDRESS_PREFIX = "address:"
"""How callers are named who have neither session nor token."""

Document = dict[str, Any] | list[Any]
"""What `orjson` can write down."""


class Access(Enum):
    """Who may call an operation.

    `GUEST` is everybody, but whoever sends a token is known by it; `CRON` is whoever knows its secret.
    """

    PUBLIC = "public"
    GUEST = "guest"
    USER = "user"
    ADMIN = "admin"
    CRON = "cron"


class Answer(NamedTuple):
    """An answer as it goes out, apart from what every answer carries."""

    status: int
    body: Body = EMPTY
    headers: Mapping[str, str] = {}
    media_type: str = MEDIA_TYPE

    @classmethod
    def of(cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        """A document in JSON."""
        return cls(status, Body(orjson.dumps(document)), headers or {})


class Call(Struct, frozen=True):
    """One call of an operation, as its handler sees it.

    Attributes:
        services: what there is to work with.
        holder: in whose name the engine is asked: "session:…" of a guest, "user:7", or "address:…" of a
            caller with neither session nor token.
        identity: whose token it is, None in public operations and of guests without one.
        address: where the request comes from.
        headers: the request's headers.
        uri: the request's path and query.
        receipt: where the answer to a durable command is kept, if the caller gave an idempotency key.
        unfinished: where work goes on that the answer does not wait for.
    """

    services: Services
    holder: str
    identity: Identity | None
    address: str
    headers: Mapping[str, str]
    uri: str
    receipt: Receipt | None
    unfinished: UnfinishedWork

    @property
    def caller(self) -> Identity:
        """Whose token it is, in operations that need one.

        Raises:
            NotAuthenticated: this one is public.
        """
        if self.identity is None:
            raise NotAuthenticated
        return self.identity

    @property
    def buyer(self) -> str:
        """In whose name tickets are reserved: that of the session, or that of the token without one.

        Raises:
            InvalidInput: there is neither.
        """
        if self.holder.startswith(ADDRESS_PREFIX):
            raise InvalidInput({"sessionId": ["Needed where there is no token."]})
        return self.holder

    @property
    def guest_network(self) -> str | None:
        """The network on which a guest session's holds are counted; None for a user.

        Anybody can make sessions, so a session counts as a guest even if the request has a token too.
        """
        return network_of(self.address) if self.holder.startswith(SESSION_PREFIX) else None

    @property
    def account_id(self) -> int:
        """The user, in operations that need a token."""
        return self.caller.user_id

    @property
    def user_id(self) -> int | None:
        """The user, None in public operations."""
        return self.identity.user_id if self.identity else None

    @property
    def admin(self) -> bool:
        """Whether the caller is an administrator."""
        return self.identity is not None and self.identity.admin

    async def ask(self, command: Command) -> Any:
        """Put a command to the engine. Returns and raises what the command does."""
        return await self.services.screenings.ask(command)

    async def written(self) -> None:
        """Return when everything acknowledged so far can be read from the database.

        Raises:
            StoreUnavailable: that takes longer than a request waits.
        """
        try:
            async with asyncio.timeout(self.services.limits.ask_timeout_seconds):
                await self.services.journal.flushed()
        except TimeoutError as error:
            raise StoreUnavailable("The database is not keeping up") from error


Result = Document | Content | Answer | Reply | None
"""What a handler has to say."""


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
        path: with a placeholder per id, e.g. "/api/v1/tickets/{ticket_id}". An id is a decimal number
            from 1 to 2^63-1. A path that ends in a slash is served without it too.
        text_parameters: whether the placeholders stand for texts instead.
        answers: shape of the answer; None where it has no body, or none in JSON.
        status: of the answer.
        refusals: errors that the operation itself may end in.
        durable: whether the answer waits for the database; it may then come too late for its caller, and
            the operation goes on.
        receipt_form: where the handler returns the reply to a durable command: how it is
            written down, now and for repeats.
        headers: response headers beside the usual ones, with their meaning.
        media_type: of the answer.
        form: shape of an HTML form that is taken in the place of a JSON body; it yields the same arguments.
        body_optional: whether the JSON body may be left out; then its fields are not passed.
        upload: a file that is taken in the place of a JSON body, and passed under the name of its field.
        body_limit_bytes: largest body, where it is not the usual one.
        secret: whether neither the answer nor a digest of the request may be kept, so that there is no
            repeating it by `Idempotency-Key`.
        sealed: whether the answer holds personal data, so that it is kept encrypted.
        creates: whether it is counted as making something that costs (`api.limiter`).
        listed: whether the answer is a page of a list.
        message: what the answer says beside its data, where its style has a place for that.
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
    form: type[RequestSchema] | None = None
    upload: Upload | None = None
    body_limit_bytes: int | None = None
    secret: bool = False
    sealed: bool = False
    creates: bool = False
    listed: bool = False
    message: str | None = None
    text_parameters: bool = False

    @property
    def keyed(self) -> bool:
        """Whether `Idempotency-Key` is honoured."""
        return self.method != "GET" and not self.secret

    @property
    def stores_key_first(self) -> bool:
        """Whether the answer to a keyed request is stored before it is sent.

        An operation with a receipt stores the answer in its own transaction; holds do not wait for the
        database.
        """
        return self.durable and self.receipt_form is None

    @property
    def style(self) -> Style:
        """How it is answered."""
        return style_of(self.path)

    @property
    def name(self) -> str:
        """Unique name of the operation."""
        return self.handler.__name__

    @property
    def path_parameters(self) -> list[str]:
        """Names of the ids, or of the texts, in the path, in their order."""
        return PLACEHOLDER.findall(self.path)


class Resource:
    """Operations that belong together.

    Args:
        prefix: what their paths begin with.
        tag: the heading they stand under in the documentation.
    """

    def __init__(self, prefix: str, *, tag: str) -> None:
        self.prefix = prefix
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def get(self, path: str, **declaration: Any) -> Callable[[H], H]:
        """Declare the decorated handler as a GET operation; see `Endpoint` for what can be said.

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
