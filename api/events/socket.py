"""`/ws` and `/ws/events/{eventId}`: the WebSockets on which a user follows the availability of events.

An event here is an event with ticket types or a cinema screening. A client may subscribe to several; a client
of `/ws/events/{eventId}` is subscribed to that event from the start. A subscription starts with the current
counts, so there is nothing to resume: after a reconnect a client subscribes again. Every subscription is
authorized by the database; an event that the user may not see is reported as not found.

Administrators and scanners may also follow how many are admitted at the door.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from api.events.messages import event_id_of
from api.events.updates import EventUpdates, counts_frame
from api.identity.tokens import Identity, InvalidToken
from api.limiter import network_of
from api.looks import SOCKET
from api.rest.fields import LARGEST_ID
from api.rest.styles import camel_case
from api.sales.admissions import CHECK_IN_SERVICE
from api.services import Totals
from api.wire import SESSION_PREFIX
from api.ws.feed import Position, Watcher
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage
from api.ws.sales import window_fields
from api.ws.socket import REFUSALS, ClientSocket, CloseReason, HandshakeRequest, NoToken, SocketServices
from api.ws.socket_counts import SocketCounts
from engine.commands import ReadStock
from engine.errors import EngineError
from engine.replies import Stock
from engine.selling_errors import ScreeningNotFound

_TRY_AGAIN_LATER = "Try again later"
_NOBODY = 0
"""The user id of clients without a token; no user has it."""

_SUFFIX_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX_LENGTH = 6


class TooManySubscriptions(Exception):
    """The socket has reached its limit of subscriptions."""


class EventAccess(Protocol):
    """Authorizes subscriptions."""

    async def may_watch(self, event_id: int, user_id: int, *, admin: bool) -> bool:
        """Return whether the event exists and the user may see it."""


class Door(Protocol):
    """Tells how many were admitted; `api.sales.admissions.Door` documents it."""

    async def counts(self, screening_id: int) -> dict[str, Any]:
        """Return the present counts."""

    def watch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Call `send` with the counts whenever they change."""

    def unwatch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Do not call it any more."""


@dataclass(frozen=True, slots=True)
class EventServices:
    """The collaborators that all event sockets share.

    Attributes:
        access: authorizes subscriptions.
        totals: counts the sockets and subscriptions of all servers.
        door: tells how many were admitted.
        counts: counts those of this server.
    """

    access: EventAccess
    totals: Totals
    door: Door
    counts: SocketCounts = field(default_factory=SocketCounts)


class EventSocket(ClientSocket):
    """A client that follows events.

    Args:
        services: collaborators of all sockets.
        shared: state shared by all event sockets.
    """

    route = "/ws"
    endpoint = "events"
    refusals = (
        # The guide capitalizes these two reasons differently from the other endpoints.
        (NoToken, CloseReason(POLICY_VIOLATION, "Authentication Required")),
        (InvalidToken, CloseReason(POLICY_VIOLATION, "Invalid Token")),
        (ScreeningNotFound, CloseReason(4404, "Event not found")),
        (TimeoutError, CloseReason(1013, _TRY_AGAIN_LATER)),
        *REFUSALS,
    )

    __slots__ = ("_admissions", "_holders", "_identity", "_shared", "_watchers")

    _identity: Identity | None
    _holders: tuple[str, ...]

    def __init__(self, services: SocketServices, shared: EventServices) -> None:
        super().__init__(services)
        self._shared = shared
        self._watchers: dict[int, Watcher] = {}
        self._admissions: dict[int, Callable[[dict[str, Any]], None]] = {}

    async def enter(self, handshake: HandshakeRequest) -> None:
        self.send_message(**await self._established(handshake), timestamp=self.timestamp())

    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Handle a client message: the guide's four, and one about the door."""
        match message["type"]:
            case "subscribe_event":
                return self._subscribe(event_id_of(message))
            case "subscribe_check_ins":
                return self._subscribe_check_ins(event_id_of(message))
            case "unsubscribe_event":
                self._unsubscribe(event_id_of(message))
            case "ping":
                self.send_message(type="pong", timestamp=self.timestamp())
            case "get_stats":
                return self._send_statistics()
            case _:
                raise BadMessage("unknown_type", "Unknown message type")
        return None

    def depart(self) -> None:
        """End all subscriptions."""
        for event_id in {*self._watchers, *self._admissions}:
            self._unwatch(event_id)
        if self.admitted:
            self._shared.counts.clients -= 1

    async def _established(self, handshake: HandshakeRequest) -> dict[str, Any]:
        """Admit the client and return its `connection_established` message.

        A guest of the public API has no token, only a session; it may see what everybody may.
        """
        session_id = handshake.query.get("sessionId")
        guest = session_id and "token" not in handshake.query
        identity = self._identity = None if guest else self.authenticate(handshake, CHECK_IN_SERVICE)
        # All scanners have the same holder, so their sockets are counted by address.
        user = (identity.holder,) if identity and not identity.service else ()
        self._holders = (*user, f"{SESSION_PREFIX}{session_id}") if session_id else user
        await self.admit(user[0] if user else network_of(handshake.remote_ip), identity)
        self._shared.counts.clients += 1
        milliseconds = int(self.services.clock.now() * 1000)
        suffix = "".join(secrets.choice(_SUFFIX_CHARACTERS) for _ in range(_SUFFIX_LENGTH))
        return {"type": "connection_established", "clientId": f"ws_{milliseconds}_{suffix}"}

    # Subscriptions

    async def _subscribe(self, event_id: int) -> None:
        """Subscribe to an event, or send an error.

        A refusal also ends an earlier subscription to the event, because the user's access may have changed.
        """
        await self._subscribed(event_id, self._watch(event_id, {"type": "subscribed", "eventId": event_id}))

    async def _subscribe_check_ins(self, event_id: int) -> None:
        identity = self._identity
        if identity is None or not (identity.admin or identity.service):
            self.send_refusal(
                "not_allowed", "Only administrators and scanners may follow this", eventId=event_id
            )
            return
        await self._subscribed(event_id, self._follow_door(event_id))

    async def _subscribed(self, event_id: int, subscribing: Awaitable[None]) -> None:
        try:
            await subscribing
        except TooManySubscriptions:
            limit = self.services.limits.socket_subscriptions_limit
            self._refuse(
                event_id, "too_many_subscriptions", f"Unsubscribe from an event first; the limit is {limit}"
            )
        except ScreeningNotFound:
            self._refuse(event_id, "event_not_found", "Event not found")
        except EngineError:
            self._refuse(event_id, "unavailable", _TRY_AGAIN_LATER)

    def _unsubscribe(self, event_id: int) -> None:
        if event_id in self._watchers or event_id in self._admissions:
            self._unwatch(event_id)
            self.send_message(type="unsubscribed", eventId=event_id, timestamp=self.timestamp())
        else:
            self._refuse(event_id, "not_subscribed", "Not subscribed to this event")

    def _refuse(self, event_id: int, code: str, reason: str) -> None:
        self._unwatch(event_id)
        self.send_refusal(code, reason, eventId=event_id)

    async def _watch(self, event_id: int, confirmation: dict[str, Any]) -> None:
        """Start or renew a subscription: send `confirmation` and the current counts, then all changes.

        Args:
            event_id: the event.
            confirmation: sent once the subscription is authorized.

        Raises:
            TooManySubscriptions: the socket has reached its limit.
            ScreeningNotFound: the event does not exist or the user may not see it.
            EngineError: the engine or the database is unavailable.
        """
        await self._require_access(event_id, self._watchers)
        # If the client disconnects meanwhile, `depart` is only called after this coroutine is done.
        watcher = self._watchers.get(event_id) or self._joined(event_id)
        watcher.buffer()
        stock: Stock = await self.in_time(self.services.screenings.ask(ReadStock(event_id)))
        now = self.services.clock.now()
        at = self.timestamp()
        sales = {camel_case(name): value for name, value in window_fields(stock.window, at).items()}
        self.send_message(**confirmation, **sales, timestamp=at)
        self.outbox.send(counts_frame(stock, now))
        missed = watcher.follow(Position(stock.epoch, stock.seq))
        self.services.observer.frames_sent(1 + missed)

    async def _require_access(self, event_id: int, followed: Collection[int]) -> None:
        limit = self.services.limits.socket_subscriptions_limit
        if event_id not in followed and len(followed) >= limit:
            raise TooManySubscriptions
        identity = self._identity
        user_id, staff = (
            (identity.user_id, identity.admin or bool(identity.service)) if identity else (_NOBODY, False)
        )
        if not await self.in_time(self._shared.access.may_watch(event_id, user_id, admin=staff)):
            raise ScreeningNotFound(event_id)

    async def _follow_door(self, event_id: int) -> None:
        """Send how many were admitted, now and whenever it changes. Raises as `_watch`."""
        await self._require_access(event_id, self._admissions)
        if event_id not in self._admissions:
            send = self._admissions[event_id] = partial(self._send_check_ins, event_id)
            self._shared.door.watch(event_id, send)
        self._send_check_ins(event_id, await self.in_time(self._shared.door.counts(event_id)))

    def _send_check_ins(self, event_id: int, counts: dict[str, Any]) -> None:
        self.send_message(type="check_ins", eventId=event_id, **counts, timestamp=self.timestamp())

    def _joined(self, event_id: int) -> Watcher:
        watcher = self._watchers[event_id] = self.watcher(event_id, self._holders, EventUpdates)
        self.services.feed.join(watcher)
        self._shared.counts.add(event_id)
        self.services.looks.count(event_id, SOCKET)
        return watcher

    def _unwatch(self, event_id: int) -> None:
        """End a subscription. Does nothing if there is none."""
        watcher = self._watchers.pop(event_id, None)
        if watcher is not None:
            self.services.feed.leave(watcher)
            self._shared.counts.remove(event_id)
        if event_id in self._admissions:
            self._shared.door.unwatch(event_id, self._admissions.pop(event_id))

    async def _send_statistics(self) -> None:
        clients, subscriptions = await self._shared.totals.event_sockets()
        self.send_message(
            type="stats",
            data={"totalClients": clients, "eventSubscriptions": subscriptions},
            timestamp=self.timestamp(),
        )


class OneEventSocket(EventSocket):
    """A client that is subscribed to the event in its path; it may subscribe to others as well."""

    route = "/ws/events/{eventId}"

    __slots__ = ()

    async def enter(self, handshake: HandshakeRequest) -> None:
        """Admit the client and subscribe it to the event."""
        established, event_id = await self._established(handshake), int(handshake.path[0])
        if event_id > LARGEST_ID:
            raise ScreeningNotFound(event_id)
        await self._watch(event_id, {**established, "eventId": event_id})
