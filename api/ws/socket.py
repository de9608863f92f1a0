"""The life of a WebSocket, whatever is spoken on it.

A client is admitted: origin, token, bounds. It speaks: messages of bounded size and rate, of which only so
many may make no sense. It listens: frames go through an outbox, and a client that does not read is let go.
It leaves: by itself, or with its token, or with the server. Why a socket was closed is told by a close code
(docs/websocket.md). A door (`api.seats.socket` is one) derives from `ClientSocket` and adds what its
clients come for.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import orjson
from tornado.websocket import WebSocketClosedError

from api.identity.origins import AllowedOrigins
from api.identity.tokens import Identity, InvalidToken
from api.json_log import log_socket
from api.limits import SocketLimits
from api.services import Screenings, TokenVerifier
from api.wire import timestamp
from api.ws.connection import INTERNAL_ERROR, SocketConnection
from api.ws.feed import FeedObserver, Frames, SeatFeed, Watcher, Wording
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage, parsed_message
from api.ws.open_sockets import OpenSocket, OpenSockets, TooManyOfHolder, TooManySockets
from api.ws.outbox import text_frame
from engine.errors import EngineError, StoreUnavailable, forget_frames
from engine.guards import attempt
from engine.ports import Clock


class Farewell(NamedTuple):
    """Why a socket is closed: a close code (RFC 6455 section 7.4, or 4000 + an HTTP status) and words."""

    code: int
    reason: str


class NoToken(Exception):
    """The query has no token."""


TOKEN_EXPIRED = Farewell(POLICY_VIOLATION, "Token expired")
TOKEN_REVOKED = Farewell(POLICY_VIOLATION, "Token revoked")
BAD_MESSAGES = Farewell(POLICY_VIOLATION, "Too many invalid messages")
TOO_SLOW = Farewell(1013, "Reading too slowly")
DEFECT = Farewell(INTERNAL_ERROR, "Internal error")

Loaded = TypeVar("Loaded")

Refusals = tuple[tuple[type[Exception], Farewell], ...]
"""What ends a socket before it is live; the first row that fits counts."""

REFUSALS: Refusals = (
    (NoToken, Farewell(POLICY_VIOLATION, "Authentication required")),
    (InvalidToken, Farewell(POLICY_VIOLATION, "Invalid token")),
    (TooManyOfHolder, Farewell(4429, "Too many connections")),
    (TooManySockets, Farewell(1013, "Too many connections")),
    (EngineError, Farewell(1013, "Try again later")),
    (TimeoutError, TOO_SLOW),
)
"""Those of every door; a door puts its own before them."""


class Cancellable(Protocol):
    """Something that is going to happen."""

    def cancel(self) -> None:
        """See that it does not."""


class RevocationWatch(Protocol):
    """Knows when a token is no longer believed."""

    def watch(self, identity: Identity, close: Callable[[], None]) -> Cancellable:
        """Call `close` when the token of an identity is revoked."""


class SocketObserver(FeedObserver, Protocol):
    """Counts sockets. `endpoint` is a short fixed word."""

    def socket_opened(self, endpoint: str) -> None:
        """A client was admitted."""

    def socket_closed(self, endpoint: str) -> None:
        """A client that was admitted has gone."""

    def slow_client_dropped(self, endpoint: str) -> None:
        """A client was closed because it did not read."""


@dataclass(frozen=True, slots=True)
class SocketServices:
    """What sockets work with."""

    screenings: Screenings
    tokens: TokenVerifier
    revocations: RevocationWatch
    feed: SeatFeed
    open_sockets: OpenSockets
    clock: Clock
    observer: SocketObserver
    allowed_origins: AllowedOrigins
    limits: SocketLimits


class Opening(NamedTuple):
    """What a client brings when it comes.

    Attributes:
        path: the variable parts of the path.
        query: of repeated names the last.
        remote_ip: where it comes from; nothing if that is not known.
        request_id: how the log and the answer call its handshake.
    """

    path: tuple[str, ...]
    query: Mapping[str, str]
    remote_ip: str
    request_id: str = ""


class ClientSocket(ABC):
    """One client of a door.

    A door defines `enter`, `receive` and `depart`.

    Args:
        services: what sockets work with; a door takes what it needs beyond that.

    Attributes:
        route: how the access log and the metrics of HTTP call it.
        endpoint: how the metrics of sockets call it: a short fixed word.
        refusals: what ends it before it is live.
    """

    __slots__ = (
        "_bad_messages_left",
        "_connection",
        "_deflate_from_bytes",
        "_opened_at",
        "_place",
        "_request_id",
        "_token_ends",
        "_user_id",
        "outbox",
        "services",
    )

    route: ClassVar[str]
    endpoint: ClassVar[str]
    refusals: ClassVar[Refusals] = REFUSALS

    def __init__(self, services: SocketServices) -> None:
        self.services = services
        self._place: OpenSocket | None = None
        self._token_ends: tuple[Cancellable, ...] = ()
        self._bad_messages_left = services.limits.bad_messages
        self._user_id: int | None = None
        self._request_id = ""
        # When it was let in; None while it was not.
        self._opened_at: float | None = None

    # What a door defines

    @abstractmethod
    async def enter(self, opening: Opening) -> None:
        """Admit the client, and send what it needs to begin with.

        Args:
            opening: what it brings.

        Raises:
            Exception: one of `refusals`; the client is told why and closed.
        """

    @abstractmethod
    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Answer a message. While an awaitable that was returned is not done, no other message is read.

        Args:
            message: an object with a text `type`.

        Raises:
            BadMessage: it is not understood; the client is told why.
        """

    @abstractmethod
    def depart(self) -> None:
        """The client has gone or is about to be closed; may be called more than once."""

    # What a door uses

    def authenticate(self, opening: Opening) -> Identity:
        """Whom the token in the query speaks for.

        Raises:
            NoToken: there is none.
            InvalidToken: it is not to be believed.
        """
        token = opening.query.get("token")
        if not token:
            raise NoToken
        identity = self.services.tokens.verify(token)
        self._user_id = identity.user_id
        return identity

    def admit(self, holder: str, identity: Identity | None) -> None:
        """Take a place among the open sockets; it ends with the token, if the client has one.

        Args:
            holder: whose socket it is; of a guest, his address.
            identity: of the token; None for a guest.

        Raises:
            TooManySockets, TooManyOfHolder: a bound is reached.
        """
        services = self.services
        self._place = services.open_sockets.admit(holder, self.close, guest=identity is None)
        services.observer.socket_opened(self.endpoint)
        if identity is not None:
            self._token_ends = (
                services.clock.call_at(identity.expires_at, partial(self.close, *TOKEN_EXPIRED)),
                services.revocations.watch(identity, partial(self.close, *TOKEN_REVOKED)),
            )

    @property
    def admitted(self) -> bool:
        """Whether the client has been admitted and has not gone."""
        return self._place is not None

    async def in_time(self, work: Awaitable[Loaded]) -> Loaded:
        """Await `work`, which may wait for the database, within `ask_timeout_seconds`.

        Raises:
            StoreUnavailable: it took longer; it was cancelled.
            Exception: raised by `work`.
        """
        try:
            async with asyncio.timeout(self.services.limits.ask_timeout_seconds):
                return await work
        except TimeoutError:
            raise StoreUnavailable("The database does not answer in time; try again later") from None

    def watcher(self, screening_id: int, holder: str, wording: Wording) -> Watcher:
        """A place in the audience of a screening, to be joined.

        Args:
            screening_id: what it watches.
            holder: in whose name.
            wording: how changes are told.
        """
        return Watcher(screening_id, holder, wording, self.outbox.send, self._fail, self._deflate_from_bytes)

    def send_frames(self, frames: Frames) -> None:
        """Send frames that may be large."""
        from_bytes = self._deflate_from_bytes
        self.outbox.send(frames.wire if from_bytes is None else frames.deflated(from_bytes))
        self.services.observer.frames_sent(frames.number)

    def send_message(self, **message: Any) -> None:
        """Send a message to this client alone."""
        self.outbox.send(text_frame(orjson.dumps(message)))
        self.services.observer.frames_sent(1)

    def send_refusal(self, code: str, reason: str, **details: Any) -> None:
        """Tell the client that a message of its has had no effect, and why not.

        Args:
            code: stable, for machines.
            reason: for people.
            details: what else the message says.
        """
        self.send_message(type="error", code=code, message=reason, **details, timestamp=self.timestamp())

    def timestamp(self) -> str:
        """The time as messages tell it."""
        return timestamp(self.services.clock.now())

    # How the connection is run

    def attach(self, connection: SocketConnection, deflate_from_bytes: int | None) -> None:
        """Take the connection.

        Args:
            connection: leads to the client.
            deflate_from_bytes: from which size on frames are sent compressed; None for never.
        """
        self._connection = connection
        self._deflate_from_bytes = deflate_from_bytes
        self.outbox = connection.outbox

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close code and words."""
        self._connection.close(code, reason)
        # Now rather than when the client has answered, which a server that stops does not wait for.
        self._log_closed()

    def fail(self, defect: BaseException) -> None:
        """Log a defect and end the connection."""
        self._connection.fail(defect)

    async def open(self, opening: Opening) -> None:
        """Let the client in, or close with the reason why not.

        Args:
            opening: what it brings.
        """
        self._request_id = opening.request_id
        try:
            async with asyncio.timeout(self.services.limits.catch_up_seconds):
                await self.enter(opening)
            self._opened_at = monotonic()
            self._log("opened", address=opening.remote_ip)
        except WebSocketClosedError:
            return
        except tuple(kind for kind, _ in self.refusals) as error:
            self._leave()
            farewell = next(farewell for kind, farewell in self.refusals if isinstance(error, kind))
            self.close(*farewell)
            self._log("refused", address=opening.remote_ip, **farewell._asdict())
            forget_frames(error)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Have a message answered, be it by what is wrong about it."""
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
        """The connection has gone."""
        self._leave()
        self._log_closed()

    def on_overflow(self) -> None:
        """The client does not read."""
        self.services.observer.slow_client_dropped(self.endpoint)
        self.close(*TOO_SLOW)

    def _fail(self) -> None:
        self.close(*DEFECT)

    def _log_closed(self) -> None:
        """Tell once how a client that had been let in has gone."""
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

    def _leave(self) -> None:
        attempt(self.depart)
        for ending in self._token_ends:
            ending.cancel()
        self._token_ends = ()
        if self._place is not None:
            self.services.open_sockets.leave(self._place)
            self.services.observer.socket_closed(self.endpoint)
            self._place = None
