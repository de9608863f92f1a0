"""The life of a WebSocket, whatever is spoken on it.

A client is admitted: origin, token, bounds. It speaks: messages of bounded size and rate, of which only so
many may make no sense. It listens: frames go through an outbox, and a client that does not read is let go.
It leaves: by itself, or with its token, or with the server. Why a socket was closed is told by a close code
(docs/websocket.md). A door (`api.screening_socket` is one) derives from `ClientSocket` and adds what its
clients come for.
"""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import orjson
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from api import compression
from api.feed import FeedObserver, Frames, SeatFeed, Watcher, Wording
from api.open_sockets import OpenSocket, OpenSockets, TooManyOfHolder, TooManySockets
from api.origins import AllowedOrigins
from api.outbox import Outbox, text_frame
from api.rate_limit import RateLimit
from api.socket_frames import POLICY_VIOLATION, FrameReader
from api.socket_messages import BadMessage, parsed_message
from api.socket_protocol import BoundedProtocol
from api.tokens import Identity, InvalidToken
from api.wire import timestamp
from engine.commands import Command
from engine.errors import EngineError
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


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The bounds of one socket.

    Attributes:
        message_bytes: largest message of a client.
        outbox_bytes: how much may wait to be sent; also what the kernel is asked to buffer.
        ping_seconds: how often the server pings, and how long it waits for the pong.
        frames_per_second: how many frames of any kind a client may send in the long run.
        frames_at_once: how many it may send after a pause.
        bad_messages: how many messages that are not understood it may send.
        catch_up_seconds: how long it may take to read what it missed.
        deflate_from_bytes: from which size on frames are compressed for clients that offer it.
    """

    message_bytes: int = 16_384
    outbox_bytes: int = 65_536
    ping_seconds: float = 20.0
    frames_per_second: float = 50.0
    frames_at_once: int = 200
    bad_messages: int = 20
    catch_up_seconds: float = 10.0
    deflate_from_bytes: int = 1024


class Screenings(Protocol):
    """The directory of the engine."""

    async def ask(self, command: Command) -> Any:
        """The command's own kind of reply, or an EngineError."""

    def ask_active(self, command: Command) -> "asyncio.Future[Any] | None":
        """A future of the same; None if the screening has to be loaded first."""


class TokenVerifier(Protocol):
    """Knows whom a token speaks for."""

    def verify(self, token: str) -> Identity:
        """The token's owner, or InvalidToken."""


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
    limits: SocketLimits = SocketLimits()


class ClientSocket(WebSocketHandler, ABC):
    """One client of a door.

    A door defines `enter` and `receive`, and `depart` if there is something to end.

    Attributes:
        route: how the access log and the metrics of HTTP call it.
        endpoint: how the metrics of sockets call it: a short fixed word.
        refusals: what ends it before it is live.
    """

    route: ClassVar[str]
    endpoint: ClassVar[str]
    refusals: ClassVar[Refusals] = REFUSALS

    _protocol: BoundedProtocol
    outbox: Outbox

    def initialize(self, services: SocketServices, *args: Any, **kwargs: Any) -> None:
        """Take the collaborators; a door takes what it needs beyond `services`."""
        self.services = services
        self._place: OpenSocket | None = None
        self._token_ends: tuple[Cancellable, ...] = ()
        self._bad_messages_left = services.limits.bad_messages
        self._deflate_from_bytes: int | None = None

    # What a door defines

    @abstractmethod
    async def enter(self, *path: str) -> None:
        """Admit the client, and send what it needs to begin with.

        Args:
            path: the variable parts of the path.

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

    def depart(self) -> None:
        """The client has gone or is about to be closed; may be called more than once."""

    # What a door uses

    @property
    def query(self) -> dict[str, str]:
        """The query, of repeated names the last. Bytes that are no text are replaced, so that they are
        refused as any other wrong value."""
        arguments = self.request.query_arguments
        return {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items()}

    def authenticate(self) -> Identity:
        """Whom the token in the query speaks for.

        Raises:
            NoToken: there is none.
            InvalidToken: it is not to be believed.
        """
        token = self.query.get("token")
        if not token:
            raise NoToken
        return self.services.tokens.verify(token)

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

    def watcher(self, screening_id: int, holder: str, wording: Wording) -> Watcher:
        """A place in the audience of a screening, to be joined.

        Args:
            screening_id: what it watches.
            holder: in whose name.
            wording: how changes are told.
        """
        return Watcher(screening_id, holder, wording, self.outbox.send, self._deflate_from_bytes)

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

    # How Tornado runs the connection

    def check_origin(self, origin: str) -> bool:
        """Admit pages of this server and of the allow-list."""
        return self.services.allowed_origins.admits(origin, self.request.headers.get("Host"))

    @property
    def ping_interval(self) -> float:
        """Seconds between pings."""
        return self.services.limits.ping_seconds

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The protocol that the handshake asks for, with bounds on what comes in, and compression if the
        client offers it."""
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return protocol
        limits = self.services.limits
        deflates = compression.agreed(self.request.headers.get("Sec-WebSocket-Extensions", ""))
        if deflates:
            self.set_header("Sec-WebSocket-Extensions", compression.ANSWER)
            self._deflate_from_bytes = limits.deflate_from_bytes
        time = asyncio.get_running_loop().time
        rate = RateLimit(limits.frames_per_second, limits.frames_at_once, time)
        reader = FrameReader(rate, limits.message_bytes, inflates=deflates)
        self._protocol = BoundedProtocol(self, protocol, reader)
        return self._protocol

    async def open(self, *path: str) -> None:
        """Let the client in, or close with the reason why not."""
        limits = self.services.limits
        stream = self._protocol.stream
        stream.set_nodelay(True)
        # The kernel's own buffer would grow to megabytes for a client that does not read.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.outbox_bytes)
        self.outbox = Outbox(self._protocol, limits.outbox_bytes, self._drop_slow_client)
        try:
            async with asyncio.timeout(limits.catch_up_seconds):
                await self.enter(*path)
        except WebSocketClosedError:
            return
        except tuple(kind for kind, _ in self.refusals) as error:
            self._leave()
            self.close(*next(farewell for kind, farewell in self.refusals if isinstance(error, kind)))
        except BaseException:
            # Tornado cuts the connection then, without calling on_close.
            self._leave()
            raise

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Have a message answered, be it by what is wrong about it."""
        try:
            return self.receive(parsed_message(message))
        except BadMessage as error:
            self.send_refusal(error.code, str(error))
            self._bad_messages_left -= 1
            if self._bad_messages_left <= 0:
                self.close(*BAD_MESSAGES)
            return None

    def on_close(self) -> None:
        """The connection has gone."""
        self._leave()

    def _leave(self) -> None:
        self.depart()
        for ending in self._token_ends:
            ending.cancel()
        if self._place is not None:
            self.services.open_sockets.leave(self._place)
            self.services.observer.socket_closed(self.endpoint)
            self._place = None

    def _drop_slow_client(self) -> None:
        self.services.observer.slow_client_dropped(self.endpoint)
        self.close(*TOO_SLOW)
