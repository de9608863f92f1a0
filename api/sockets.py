"""`/ws/screenings/{id}`: a socket on which a user watches the seats of a screening.

A handler lives in three acts. It admits: token, query, bounds. It catches up: what the client missed, or a
snapshot of all seats, at the client's own pace. Then it only answers pings, while the feed (`api.feed`)
writes updates straight into its outbox. Why a socket was closed is told by a close code; the table below
is the public one (docs/websocket.md).
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import orjson
from marshmallow import ValidationError
from tornado.routing import URLSpec
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from api.feed import FeedObserver, Position, SeatFeed, Watcher
from api.fields import LARGEST_ID
from api.open_sockets import OpenSocket, OpenSockets, TooManyOfHolder, TooManySockets
from api.origins import AllowedOrigins
from api.outbox import Outbox, text_frame
from api.seat_updates import SEAT_WORDINGS, SeatUpdates, snapshot_frames
from api.socket_messages import BadMessage, UpdateForm, WatchQuery, require_ping
from api.socket_protocol import POLICY_VIOLATION, RateLimit, RateLimitedProtocol
from api.tokens import Identity, InvalidToken
from api.wire import holder_of, timestamp
from engine.commands import Command, ReadChanges, ReadSeats
from engine.errors import EngineError, ScreeningNotFound
from engine.ports import Clock
from engine.replies import Changes

ENDPOINT = "screenings"
_ROUTE = r"/ws/screenings/([0-9]{1,30})"
_QUERY = WatchQuery()
_UNREAD_FACTOR = 4
"""A message over the limit is read and answered with a close frame up to this many times the limit. Beyond
it Tornado cuts the connection, and with bytes unread the client may not see the close code."""


class Farewell(NamedTuple):
    """Why a socket is closed: a close code (RFC 6455 section 7.4, or 4000 + an HTTP status) and words."""

    code: int
    reason: str


class NoToken(Exception):
    """The query has no token."""


TOKEN_EXPIRED = Farewell(POLICY_VIOLATION, "Token expired")
TOKEN_REVOKED = Farewell(POLICY_VIOLATION, "Token revoked")
BAD_MESSAGES = Farewell(POLICY_VIOLATION, "Too many invalid messages")
MESSAGE_TOO_BIG = Farewell(1009, "Message too big")
TOO_SLOW = Farewell(1013, "Reading too slowly")

REFUSALS: tuple[tuple[type[Exception], Farewell], ...] = (
    (NoToken, Farewell(POLICY_VIOLATION, "Authentication required")),
    (InvalidToken, Farewell(POLICY_VIOLATION, "Invalid token")),
    (ValidationError, Farewell(POLICY_VIOLATION, "Invalid query")),
    (ScreeningNotFound, Farewell(4404, "Screening not found")),
    (TooManyOfHolder, Farewell(4429, "Too many connections")),
    (TooManySockets, Farewell(1013, "Too many connections")),
    (EngineError, Farewell(1013, "Try again later")),
    (TimeoutError, TOO_SLOW),
)
"""What ends a socket before it is live; the first row that fits counts."""

_REFUSED = tuple(kind for kind, _ in REFUSALS)


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
    """

    message_bytes: int = 16_384
    outbox_bytes: int = 65_536
    ping_seconds: float = 20.0
    frames_per_second: float = 50.0
    frames_at_once: int = 200
    bad_messages: int = 20
    catch_up_seconds: float = 10.0


class Screenings(Protocol):
    """The directory of the engine."""

    async def ask(self, command: Command) -> Any:
        """The command's own kind of reply, or an EngineError."""


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


def routes(services: SocketServices) -> list[URLSpec]:
    """The routes of the sockets, for a Tornado application."""
    return [URLSpec(_ROUTE, ScreeningSocket, {"services": services})]


class ScreeningSocket(WebSocketHandler):
    """One client that watches one screening."""

    route = "/ws/screenings/{screening_id}"
    """How the access log and the metrics call it."""

    _protocol: RateLimitedProtocol
    _outbox: Outbox

    def initialize(self, services: SocketServices) -> None:
        """Take the collaborators."""
        self._services = services
        self._watcher: Watcher | None = None
        self._place: OpenSocket | None = None
        self._token_ends: tuple[Cancellable, ...] = ()
        self._bad_messages_left = services.limits.bad_messages

    # How Tornado runs the connection

    def check_origin(self, origin: str) -> bool:
        """Admit pages of this server and of the allow-list."""
        return self._services.allowed_origins.admits(origin, self.request.headers.get("Host"))

    @property
    def ping_interval(self) -> float:
        """Seconds between pings."""
        return self._services.limits.ping_seconds

    @property
    def max_message_size(self) -> int:
        """Largest message in bytes that is read at all."""
        return _UNREAD_FACTOR * self._services.limits.message_bytes

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The protocol that the handshake asks for, with its rate bounded."""
        protocol = super().get_websocket_protocol()
        if not isinstance(protocol, WebSocketProtocol13):
            return protocol
        limits = self._services.limits
        time = asyncio.get_running_loop().time
        rate = RateLimit(limits.frames_per_second, limits.frames_at_once, time)
        self._protocol = RateLimitedProtocol(self, protocol, rate)
        return self._protocol

    # A client's life

    async def open(self, screening_id: str) -> None:
        """Admit the client and bring it up to date, or close with the reason why not."""
        limits = self._services.limits
        stream = self._protocol.stream
        stream.set_nodelay(True)
        # The kernel's own buffer would grow to megabytes for a client that does not read.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.outbox_bytes)
        self._outbox = Outbox(self._protocol, limits.outbox_bytes, self._drop_slow_client)
        try:
            async with asyncio.timeout(limits.catch_up_seconds):
                await self._watch(int(screening_id))
        except WebSocketClosedError:
            return
        except _REFUSED as error:
            self._leave()
            self.close(*next(farewell for kind, farewell in REFUSALS if isinstance(error, kind)))
        except BaseException:
            # Tornado cuts the connection then, without calling on_close.
            self._leave()
            raise

    def on_message(self, message: str | bytes) -> None:
        """Answer a ping, and everything else with what is wrong about it."""
        size = len(message if isinstance(message, bytes) else message.encode())
        if size > self._services.limits.message_bytes:
            self.close(*MESSAGE_TOO_BIG)
            return
        try:
            require_ping(message)
        except BadMessage as error:
            self._send_message(type="error", code=error.code, message=str(error), timestamp=self._timestamp())
            self._bad_messages_left -= 1
            if self._bad_messages_left <= 0:
                self.close(*BAD_MESSAGES)
        else:
            self._send_message(type="pong", timestamp=self._timestamp())

    def on_close(self) -> None:
        """The connection has gone."""
        self._leave()

    async def _watch(self, screening_id: int) -> None:
        services = self._services
        query = self._query()
        if not query.get("token"):
            raise NoToken
        identity = services.tokens.verify(query["token"])
        if screening_id > LARGEST_ID:
            raise ScreeningNotFound(screening_id)
        holder, form = holder_of(identity.user_id), query["updates"]
        self._place = services.open_sockets.admit(holder, self.close)
        services.observer.socket_opened(ENDPOINT)
        watcher = self._watcher = Watcher(screening_id, holder, SEAT_WORDINGS[form], self._outbox.send)
        services.feed.join(watcher)
        self._token_ends = (
            services.clock.call_at(identity.expires_at, partial(self.close, *TOKEN_EXPIRED)),
            services.revocations.watch(identity, partial(self.close, *TOKEN_REVOKED)),
        )
        since = query.get("since")
        await self._catch_up(watcher, form, None if since is None else Position(query["epoch"], since))

    async def _catch_up(self, watcher: Watcher, form: UpdateForm, known: Position | None) -> None:
        """Send what the client needs before live updates make sense to it, then let it follow.

        Args:
            watcher: the client's place in the audience.
            form: which messages it wants.
            known: what the client has seen; None if it asked for live updates only.
        """
        screening_id = watcher.screening_id
        watcher.hold_back()
        changes = await self._services.screenings.ask(ReadChanges(screening_id, *(known or Position(0, 0))))
        if known is None:
            self._confirm(screening_id, Position(changes.epoch, changes.seq))
        else:
            # A position that nobody knows any more is as good as none: the client gets all seats.
            self._confirm(screening_id, Position(0, 0) if changes.missed is None else known)
            changes = await self._send_missed(watcher, form, changes)
        self._services.observer.frames_sent(watcher.follow(Position(changes.epoch, changes.seq)))

    async def _send_missed(self, watcher: Watcher, form: UpdateForm, changes: Changes) -> Changes:
        """Bring a returning client up to the engine's last answer, which is returned."""
        screenings, screening_id = self._services.screenings, watcher.screening_id
        while changes.missed is None:
            watcher.pause()
            seat_map = await screenings.ask(ReadSeats(screening_id))
            await self._send_paced(snapshot_frames(seat_map, watcher.holder, self._services.clock.now()))
            watcher.hold_back()
            changes = await screenings.ask(ReadChanges(screening_id, seat_map.epoch, seat_map.seq))
        if changes.missed:
            await self._send_paced(SeatUpdates(form, changes.missed).parts(watcher.holder))
        return changes

    def _leave(self) -> None:
        for ending in self._token_ends:
            ending.cancel()
        if self._watcher is not None:
            self._services.feed.leave(self._watcher)
            self._watcher = None
        if self._place is not None:
            self._services.open_sockets.leave(self._place)
            self._services.observer.socket_closed(ENDPOINT)
            self._place = None

    def _drop_slow_client(self) -> None:
        self._services.observer.slow_client_dropped(ENDPOINT)
        self.close(*TOO_SLOW)

    def _query(self) -> dict[str, Any]:
        """The query, validated. Bytes that are no text are replaced, so that they are refused as any
        other wrong value."""
        arguments = self.request.query_arguments
        query: dict[str, Any] = _QUERY.load(
            {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items()}
        )
        return query

    # Sending

    def _confirm(self, screening_id: int, position: Position) -> None:
        self._send_message(
            type="connection_confirmed",
            screening_id=screening_id,
            message="Connected to real-time seat updates",
            seq=position.seq,
            epoch=position.epoch,
        )

    def _send_message(self, **message: Any) -> None:
        self._outbox.send(text_frame(orjson.dumps(message)))
        self._services.observer.frames_sent(1)

    async def _send_paced(self, frames: Iterable[bytes]) -> None:
        """Send frames as fast as the client reads them, and no faster than others may wait."""
        for frame in frames:
            self._outbox.send(frame)
            self._services.observer.frames_sent(1)
            await self._outbox.drained()
            await asyncio.sleep(0)

    def _timestamp(self) -> str:
        return timestamp(self._services.clock.now())
