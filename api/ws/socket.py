"""`ClientSocket`: the life cycle shared by all WebSocket endpoints.

A client is admitted after checks of its token and the limits. Its messages are bounded in size and rate, and
too many invalid ones close the socket. Outgoing frames go through an outbox, and a client that does not read
is disconnected. A socket ends with the client, with its token or with the server; the close code tells why
(docs/websocket.md). An endpoint (such as `api.seats.socket`) subclasses `ClientSocket`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import orjson
from tornado.websocket import WebSocketClosedError

from api.access_log import AccessLog
from api.errors import TooManyAttempts
from api.identity.channels import Channels
from api.identity.errors import AccessCodeRefused
from api.identity.origins import AllowedOrigins
from api.identity.token_watches import TokenExpiries, TokenWatch
from api.identity.tokens import Identity, InvalidToken, Tokens
from api.json_log import log_socket
from api.limits import SocketLimits
from api.looks import Looks
from api.overload import Overload
from api.services import Screenings
from api.wire import timestamp
from api.ws.connection import INTERNAL_ERROR, NO_CLOSE_FRAME, Ending, SocketConnection
from api.ws.feed import Encoder, FeedObserver, Frames, SeatFeed, Watcher
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage, parsed_message
from api.ws.open_sockets import OpenSockets, TooManySockets, TooManySocketsOfHolder
from api.ws.outbox import text_frame
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.errors import EngineError, StoreUnavailable, forget_frames
from engine.guards import attempt
from engine.ports import Clock


class CloseReason(NamedTuple):
    """A close code (RFC 6455, section 7.4, or 4000 + an HTTP status) and a reason for closing a socket."""

    code: int
    reason: str


class NoToken(Exception):
    """The handshake's query has no token."""


TOKEN_EXPIRED = CloseReason(POLICY_VIOLATION, "Token expired")
TOKEN_REVOKED = CloseReason(POLICY_VIOLATION, "Token revoked")
BAD_MESSAGES = CloseReason(POLICY_VIOLATION, "Too many invalid messages")
TOO_SLOW = CloseReason(1013, "Reading too slowly")
DEFECT = CloseReason(INTERNAL_ERROR, "Internal error")

Loaded = TypeVar("Loaded")

Refusals = tuple[tuple[type[Exception], CloseReason], ...]
"""Close codes for exceptions during admission; the first match applies."""

REFUSALS: Refusals = (
    (NoToken, CloseReason(POLICY_VIOLATION, "Authentication required")),
    (InvalidToken, CloseReason(POLICY_VIOLATION, "Invalid token")),
    (AccessCodeRefused, CloseReason(4403, "Access code refused")),
    (TooManyAttempts, CloseReason(4429, "Too many attempts")),
    (TooManySocketsOfHolder, CloseReason(4429, "Too many connections")),
    (TooManySockets, CloseReason(1013, "Too many connections")),
    (EngineError, CloseReason(1013, "Try again later")),
    (TimeoutError, TOO_SLOW),
)
"""The refusals of every endpoint; an endpoint puts its own before them."""


class RevocationWatch(Protocol):
    """Watches tokens for revocation."""

    def watch(self, watch: TokenWatch) -> None:
        """Call `token_revoked` of the watch's user when the token is revoked."""

    def unwatch(self, watch: TokenWatch) -> None:
        """End a watch."""


class SocketObserver(FeedObserver, Protocol):
    """Counts sockets. `endpoint` is one of a few fixed names."""

    def socket_opened(self, endpoint: str) -> None:
        """Count an admitted client."""

    def socket_closed(self, endpoint: str, code: int, by: str) -> None:
        """Count the end of an admitted client; `code` and `by` are those of its `Ending`."""

    def socket_refused(self, endpoint: str, code: int) -> None:
        """Count a client that was closed with `code` because it was not admitted."""

    def slow_client_dropped(self, endpoint: str) -> None:
        """Count a client that was disconnected because it did not read."""


@dataclass(frozen=True, slots=True)
class SocketServices:
    """The collaborators of all sockets."""

    screenings: Screenings
    tokens: Tokens
    revocations: RevocationWatch
    expiries: TokenExpiries
    feed: SeatFeed
    open_sockets: OpenSockets
    clock: Clock
    observer: SocketObserver
    allowed_origins: AllowedOrigins
    limits: SocketLimits
    channels: Channels
    access_log: AccessLog
    looks: Looks = field(default_factory=Looks)
    overload: Overload = field(default_factory=Overload)


class HandshakeRequest(NamedTuple):
    """The data of a handshake.

    Attributes:
        path: the path parameters.
        query: the query parameters; the last value of repeated names.
        remote_ip: IP address of the client; empty if unknown.
        request_id: id of the handshake in the log and in its response.
        named: whether the client has given this id.
    """

    path: tuple[str, ...]
    query: Mapping[str, str]
    remote_ip: str
    request_id: str = ""
    named: bool = False


class ClientSocket(ABC):
    """One client of a WebSocket endpoint.

    Subclasses define `enter`, `receive` and `depart`.

    Args:
        services: collaborators of all sockets.

    Attributes:
        route: name in the access log and the HTTP metrics.
        endpoint: name in the WebSocket metrics.
        refusals: close codes for exceptions raised by `enter`.
        admitted: whether the client is admitted and still connected.
    """

    __slots__ = (
        "_bad_messages_left",
        "_connection",
        "_deflate_from_bytes",
        "_opened_at",
        "_request_id",
        "_token_watch",
        "_user_id",
        "admitted",
        "outbox",
        "services",
    )

    route: ClassVar[str]
    endpoint: ClassVar[str]
    refusals: ClassVar[Refusals] = REFUSALS

    def __init__(self, services: SocketServices) -> None:
        self.services = services
        self.admitted = False
        self._token_watch: TokenWatch | None = None
        self._bad_messages_left = services.limits.bad_messages
        self._user_id: int | None = None
        self._request_id = ""
        # When the client was admitted; None before that, and once its end has been logged.
        self._opened_at: float | None = None

    # Defined by subclasses

    @abstractmethod
    async def enter(self, handshake: HandshakeRequest) -> None:
        """Admit the client, and send its initial messages.

        Args:
            handshake: the handshake.

        Raises:
            Exception: one of `refusals`; the socket is closed with its close code.
        """

    @abstractmethod
    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Handle a message. If an awaitable is returned, no further message is read until it is done.

        Args:
            message: a JSON object with a string `type`.

        Raises:
            BadMessage: the message is invalid; an error message is sent to the client.
        """

    @abstractmethod
    def depart(self) -> None:
        """Clean up, because the client is gone or about to be closed. Must be idempotent."""

    # Used by subclasses

    def authenticate(self, handshake: HandshakeRequest, service: str = "") -> Identity:
        """Return the identity of the token in the query.

        Args:
            handshake: the handshake.
            service: whose tokens are accepted besides those of users; by default none.

        Raises:
            NoToken: the query has no token.
            InvalidToken: the token is invalid.
        """
        token = handshake.query.get("token")
        if not token:
            raise NoToken
        identity = self.services.tokens.verify(token, service)
        self._user_id = identity.user_id
        return identity

    async def access_of(self, handshake: HandshakeRequest, identity: Identity | None) -> tuple[str, ...]:
        """Return the keys of the blocks that the token and the access code in the query open.

        They are those of the time of the handshake: a code that is replaced later does not close the socket.

        Args:
            handshake: the handshake.
            identity: identity of the token; None for a guest.

        Raises:
            AccessCodeRefused: no channel has this code.
            TooManyAttempts: too many wrong codes have come from the client's network.
        """
        access = () if identity is None else identity.access
        if code := handshake.query.get("access_code"):
            access += await self.in_time(self.services.channels.access_by(code, handshake.remote_ip))
        return access

    async def admit(self, holder: str, identity: Identity | None) -> None:
        """Register the socket. It is closed when the client's token expires or is revoked.

        Args:
            holder: holder of the socket; the IP address of a guest.
            identity: identity of the token; None for a guest.

        Raises:
            TooManySockets, TooManySocketsOfHolder: a limit is reached.
        """
        services = self.services
        await services.open_sockets.admit(holder, self, guest=identity is None)
        self.admitted = True
        services.observer.socket_opened(self.endpoint)
        if identity is not None:
            watch = self._token_watch = TokenWatch(identity, self)
            services.expiries.add(watch)
            services.revocations.watch(watch)

    async def in_time(self, work: Awaitable[Loaded]) -> Loaded:
        """Await `work`, which may wait for the database, for at most `ask_timeout_seconds`.

        Raises:
            StoreUnavailable: it took longer and was cancelled.
            Exception: raised by `work`.
        """
        try:
            async with asyncio.timeout(self.services.limits.ask_timeout_seconds):
                return await work
        except TimeoutError:
            raise StoreUnavailable("The database did not answer in time; try again later") from None

    def watcher(self, screening_id: int, holder: Any, encoder: Encoder) -> Watcher:
        """Return a watcher for this socket, to join the feed with.

        Args:
            screening_id: the screening to watch.
            holder: who has the socket, as `encoder` knows it.
            encoder: encodes changes.
        """
        return Watcher(screening_id, holder, encoder, self.outbox.send, self._fail, self._deflate_from_bytes)

    def send_frames(self, frames: Frames) -> None:
        """Send frames, compressed if large and the client supports it."""
        from_bytes = self._deflate_from_bytes
        self.outbox.send(frames.wire if from_bytes is None else frames.deflated(from_bytes))
        self.services.observer.frames_sent(frames.number)

    def send_message(self, **message: Any) -> None:
        """Send a message, given as keyword arguments."""
        self.outbox.send(text_frame(orjson.dumps(message)))
        self.services.observer.frames_sent(1)

    def send_refusal(self, code: str, reason: str, **details: Any) -> None:
        """Send an error message: a message of the client had no effect.

        Args:
            code: stable, machine-readable.
            reason: message for people.
            details: further fields.
        """
        self.send_message(type="error", code=code, message=reason, **details, timestamp=self.timestamp())

    def timestamp(self) -> str:
        """Return the current time as formatted in messages."""
        return timestamp(self.services.clock.now())

    # Called by the handshake, the connection and the token's watch

    def attach(self, connection: SocketConnection, deflate_from_bytes: int | None) -> None:
        """Set the connection.

        Args:
            connection: connection to the client.
            deflate_from_bytes: smallest frame to compress; None for no compression.
        """
        self._connection = connection
        self._deflate_from_bytes = deflate_from_bytes
        self.outbox = connection.outbox

    def close(self, code: int, reason: str) -> None:
        """Close the connection with a close code and a reason."""
        self._connection.close(code, reason)
        # Logged now, because a server that is stopping does not wait for the client's close frame.
        self._log_closed()

    def token_expired(self) -> None:
        """Close the connection, because the client's token has expired."""
        self.close(*TOKEN_EXPIRED)

    def token_revoked(self) -> None:
        """Close the connection, because the client's token has been revoked."""
        self.close(*TOKEN_REVOKED)

    def fail(self, defect: BaseException) -> None:
        """Log a bug in the server and end the connection."""
        self._connection.fail(defect)

    async def open(self, handshake: HandshakeRequest) -> None:
        """Admit the client, or close the connection with the reason for refusing it.

        Args:
            handshake: the handshake.
        """
        self._request_id = handshake.request_id
        if handshake.named:
            # The others do without: a context takes memory for as long as the socket is open.
            present_cause.set(Cause(handshake.request_id))
        try:
            async with asyncio.timeout(self.services.limits.catch_up_seconds):
                await self.enter(handshake)
            self._opened_at = monotonic()
            self._log("opened", address=handshake.remote_ip)
        except WebSocketClosedError:
            return
        except tuple(kind for kind, _ in self.refusals) as error:
            close_reason = next(
                close_reason for kind, close_reason in self.refusals if isinstance(error, kind)
            )
            self._leave(Ending(*close_reason, "server"))
            self.close(*close_reason)
            self.services.observer.socket_refused(self.endpoint, close_reason.code)
            self._log("refused", address=handshake.remote_ip, **close_reason._asdict())
            forget_frames(error)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Parse and handle a message; answer an invalid one with an error message."""
        try:
            return self.receive(parsed_message(message))
        except BadMessage as error:
            self.send_refusal(error.code, str(error))
            forget_frames(error)
            self._bad_messages_left -= 1
            if self._bad_messages_left <= 0:
                self.close(*BAD_MESSAGES)
            return None

    def on_close(self) -> None:
        self._leave(self._connection.ending or Ending(NO_CLOSE_FRAME, "", "network"))
        self._log_closed()

    def on_overflow(self) -> None:
        self.services.observer.slow_client_dropped(self.endpoint)
        self.close(*TOO_SLOW)

    def _fail(self) -> None:
        self.close(*DEFECT)

    def _log_closed(self) -> None:
        """Log the end of an admitted client, once."""
        opened_at, self._opened_at = self._opened_at, None
        if opened_at is not None and (ending := self._connection.ending) is not None:
            self._log(
                "closed",
                **ending._asdict(),
                received=self._connection.received,
                sent=self.outbox.sent,
                seconds=round(monotonic() - opened_at, 3),
            )

    def _log(self, event: str, **details: object) -> None:
        log_socket(
            event, endpoint=self.endpoint, request_id=self._request_id, user_id=self._user_id, **details
        )

    def _leave(self, ending: Ending) -> None:
        attempt(self.depart)
        watch, self._token_watch = self._token_watch, None
        if watch is not None:
            self.services.expiries.end(watch)
            self.services.revocations.unwatch(watch)
        if self.admitted:
            self.admitted = False
            self.services.open_sockets.leave(self)
            self.services.observer.socket_closed(self.endpoint, ending.code, ending.by)
