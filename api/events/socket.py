"""`/ws` and `/ws/events/{eventId}`: a socket on which a user follows how much is left of events.

An event is whatever sells seats or places: an event of ticket types, or a screening of a cinema. A client
subscribes to as many as it is allowed to; whoever connects to one event has subscribed to it by that. Each
subscription is a place of its own in the audience of that event, and begins with the present counts, so there
is nothing to resume: a client that comes back subscribes anew. What may be watched is asked of the database
with every subscription, and an event that is not for the user looks like one that does not exist.
"""

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.events.messages import event_id_of
from api.events.updates import EventUpdates, counts_frame
from api.identity.tokens import Identity, InvalidToken
from api.rest.fields import LARGEST_ID
from api.wire import holder_of
from api.ws.attendance import Attendance
from api.ws.feed import Position, Watcher
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage
from api.ws.socket import REFUSALS, ClientSocket, Farewell, NoToken, Opening, SocketServices
from engine.commands import ReadStock
from engine.errors import EngineError, ScreeningNotFound
from engine.replies import Stock

_TRY_AGAIN_LATER = "Try again later"
_SUFFIX_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX_LENGTH = 6


class TooManySubscriptions(Exception):
    """The socket watches as many events as it may."""


class EventAccess(Protocol):
    """Knows who may watch which event."""

    async def may_watch(self, event_id: int, user_id: int, *, admin: bool) -> bool:
        """Whether there is such an event, and the user may know of it."""


@dataclass(frozen=True, slots=True)
class EventDoor:
    """What the sockets of this door share beyond what all sockets work with.

    Attributes:
        access: says who may watch what.
        attendance: who watches what.
    """

    access: EventAccess
    attendance: Attendance = field(default_factory=Attendance)


class EventSocket(ClientSocket):
    """One client that follows events.

    Args:
        services: what sockets work with.
        door: what the sockets of this door share beyond that.
    """

    route = "/ws"
    endpoint = "events"
    refusals = (
        # The guide to this socket spells these two differently from ours.
        (NoToken, Farewell(POLICY_VIOLATION, "Authentication Required")),
        (InvalidToken, Farewell(POLICY_VIOLATION, "Invalid Token")),
        (ScreeningNotFound, Farewell(4404, "Event not found")),
        (TimeoutError, Farewell(1013, _TRY_AGAIN_LATER)),
        *REFUSALS,
    )

    __slots__ = ("_door", "_identity", "_watchers")

    _identity: Identity

    def __init__(self, services: SocketServices, door: EventDoor) -> None:
        super().__init__(services)
        self._door = door
        self._watchers: dict[int, Watcher] = {}

    async def enter(self, opening: Opening) -> None:
        """Admit the client."""
        self.send_message(**self._established(opening), timestamp=self.timestamp())

    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Answer one of the four messages that the guide has for clients."""
        match message["type"]:
            case "subscribe_event":
                return self._subscribe(event_id_of(message))
            case "unsubscribe_event":
                self._unsubscribe(event_id_of(message))
            case "ping":
                self.send_message(type="pong", timestamp=self.timestamp())
            case "get_stats":
                self._send_statistics()
            case _:
                raise BadMessage("unknown_type", "Unknown message type")
        return None

    def depart(self) -> None:
        """Watch nothing any more."""
        for event_id in tuple(self._watchers):
            self._unwatch(event_id)
        if self.admitted:
            self._door.attendance.clients -= 1

    def _established(self, opening: Opening) -> dict[str, Any]:
        """Admit the client. Returns the message that tells it."""
        self._identity = self.authenticate(opening)
        self.admit(holder_of(self._identity.user_id), self._identity)
        self._door.attendance.clients += 1
        milliseconds = int(self.services.clock.now() * 1000)
        suffix = "".join(secrets.choice(_SUFFIX_CHARACTERS) for _ in range(_SUFFIX_LENGTH))
        return {"type": "connection_established", "clientId": f"ws_{milliseconds}_{suffix}"}

    # Subscriptions

    async def _subscribe(self, event_id: int) -> None:
        """Watch an event and say so, or say why not. Where it is refused the event is not watched, even if
        it was before: who may watch it is asked every time."""
        try:
            await self._watch(event_id, {"type": "subscribed", "eventId": event_id})
        except TooManySubscriptions:
            limit = self.services.limits.socket_subscriptions_limit
            self._refuse(event_id, "too_many_subscriptions", f"At most {limit} events can be watched")
        except ScreeningNotFound:
            self._refuse(event_id, "event_not_found", "Event not found")
        except EngineError:
            self._refuse(event_id, "unavailable", _TRY_AGAIN_LATER)

    def _unsubscribe(self, event_id: int) -> None:
        if event_id in self._watchers:
            self._unwatch(event_id)
            self.send_message(type="unsubscribed", eventId=event_id, timestamp=self.timestamp())
        else:
            self._refuse(event_id, "not_subscribed", "Not subscribed to this event")

    def _refuse(self, event_id: int, code: str, reason: str) -> None:
        self._unwatch(event_id)
        self.send_refusal(code, reason, eventId=event_id)

    async def _watch(self, event_id: int, confirmation: dict[str, Any]) -> None:
        """Confirm that an event is watched, send its present counts, and have every change follow.

        Args:
            event_id: the event.
            confirmation: what is sent once it is certain that the event may be watched.

        Raises:
            TooManySubscriptions: so many are watched already.
            ScreeningNotFound: there is no such event, or none that the user may know of.
            EngineError: it cannot be said now.
        """
        limit = self.services.limits.socket_subscriptions_limit
        if event_id not in self._watchers and len(self._watchers) >= limit:
            raise TooManySubscriptions
        user_id, admin = self._identity.user_id, self._identity.admin
        if not await self.in_time(self._door.access.may_watch(event_id, user_id, admin=admin)):
            raise ScreeningNotFound(event_id)
        # A client that has gone meanwhile departs when this has returned: nothing is read until then.
        watcher = self._watchers.get(event_id) or self._joined(event_id)
        watcher.hold_back()
        stock: Stock = await self.in_time(self.services.screenings.ask(ReadStock(event_id)))
        now = self.services.clock.now()
        self.send_message(**confirmation, timestamp=self.timestamp())
        self.outbox.send(counts_frame(stock, now))
        missed = watcher.follow(Position(stock.epoch, stock.seq))
        self.services.observer.frames_sent(1 + missed)

    def _joined(self, event_id: int) -> Watcher:
        holder = holder_of(self._identity.user_id)
        watcher = self._watchers[event_id] = self.watcher(event_id, holder, EventUpdates)
        self.services.feed.join(watcher)
        self._door.attendance.watch(event_id)
        return watcher

    def _unwatch(self, event_id: int) -> None:
        """End a subscription, if there is one."""
        watcher = self._watchers.pop(event_id, None)
        if watcher is not None:
            self.services.feed.leave(watcher)
            self._door.attendance.unwatch(event_id)

    def _send_statistics(self) -> None:
        attendance = self._door.attendance
        self.send_message(
            type="stats",
            data={"totalClients": attendance.clients, "eventSubscriptions": attendance.subscriptions},
            timestamp=self.timestamp(),
        )


class OneEventSocket(EventSocket):
    """One client that was connected to an event by its path; it may subscribe to others as well."""

    route = "/ws/events/{eventId}"

    __slots__ = ()

    async def enter(self, opening: Opening) -> None:
        """Admit the client and subscribe it to the event."""
        established, event_id = self._established(opening), int(opening.path[0])
        if event_id > LARGEST_ID:
            raise ScreeningNotFound(event_id)
        await self._watch(event_id, {**established, "eventId": event_id})
