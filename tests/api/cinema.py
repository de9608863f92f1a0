"""A server for tests of the WebSockets: the real engine in memory, the real feed, a real port.

Clients use the `websockets` library, so that our own code is never on both ends of a connection.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from tornado.testing import bind_unused_port
from tornado.web import Application
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.access_log import AccessLog
from api.events.socket import EventServices
from api.http1.http_server import make_http_server
from api.identity.channels import Channels
from api.identity.origins import AllowedOrigins
from api.identity.revocations import Revocations
from api.identity.token_watches import TokenExpiries
from api.identity.tokens import Tokens
from api.limiter import Limiter
from api.limits import Limits, SocketLimits
from api.overload import Overload
from api.socket_routes import socket_routes
from api.ws.feed import SeatFeed
from api.ws.open_sockets import OpenSockets, SocketsOfHolders
from api.ws.socket import SocketServices
from api.ws.socket_counts import SocketCounts
from api.ws.totals import OwnTotals
from engine.clock import SystemClock
from engine.commands import BookSeats, Command, HoldSeats, ReadSeats, ReleaseHolds
from engine.directory import ScreeningDirectory
from engine.errors import StoreUnavailable
from engine.memory import MemoryDatabase, MemoryIds, MemoryJournal, MemoryStore, NullObserver
from engine.policy import Policy
from engine.ports import Clock
from engine.records import Layout, ScreeningInfo, Seat
from engine.views import SeatMap
from tests.api.room_services import memory_room_services
from tests.api.venue import RecordingHttpObserver
from tests.http_layer import http_layer

SCREENING = 123
SECRET = "a secret that is long enough for HS256"


class CountingObserver:
    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.frames = 0
        self.dropped = 0
        self.ends: list[tuple[int, str]] = []
        self.refused: list[int] = []
        self.ages_seconds: list[float] = []

    def socket_opened(self, endpoint: str) -> None:
        self.opened += 1

    def socket_closed(self, endpoint: str, code: int, by: str) -> None:
        self.closed += 1
        self.ends.append((code, by))

    def socket_refused(self, endpoint: str, code: int) -> None:
        self.refused.append(code)

    def frames_sent(self, count: int) -> None:
        self.frames += count

    def update_sent(self, age_seconds: float) -> None:
        self.ages_seconds.append(age_seconds)

    def slow_client_dropped(self, endpoint: str) -> None:
        self.dropped += 1


class NobodyAtTheDoor:
    """A door through which nobody goes."""

    async def counts(self, screening_id: int) -> dict[str, Any]:
        return {"expected": 0, "admitted": 0, "inside": 0, "conflicts": 0, "gates": []}

    def watch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Do nothing: this screening does not change."""

    def unwatch(self, screening_id: int, send: Callable[[dict[str, Any]], None]) -> None:
        """Do nothing: this screening does not change."""


class NoStoredRevocations:
    async def revoked_since(self, since: float | None) -> tuple[tuple[()], tuple[()], float]:
        return (), (), 0.0


class NoChannels:
    """There are no channels, and none can be added."""

    async def by_code(self, code_hash: bytes) -> None:
        return None

    async def exists(self, name: str) -> bool:
        return False

    async def all(self, *, limit: int, offset: int) -> tuple[()]:
        return ()

    async def add(self, name: str, code_hash: bytes | None) -> Mapping[str, Any]:
        raise NotImplementedError

    change = add

    async def remove(self, name: str) -> None:
        raise NotImplementedError


class GuestList:
    """Authorizes subscriptions. `away` makes it fail; `asked` is called before it answers."""

    def __init__(self) -> None:
        self.events: dict[int, Collection[int] | None] = {SCREENING: None}
        self.away = False
        self.asked: Callable[[], Awaitable[None]] | None = None

    async def may_watch(self, event_id: int, user_id: int, *, admin: bool) -> bool:
        if self.asked is not None:
            await self.asked()
        if self.away:
            raise StoreUnavailable
        invited = self.events.get(event_id, ())
        return invited is None or admin or user_id in invited


class Cinema:
    """A server with one screening, and methods that hold, release and sell its seats."""

    def __init__(
        self,
        seats: int = 40,
        limits: SocketLimits | None = None,
        tick_seconds: float = 0.005,
        change_memory: int = 1024,
        screenings: int = 1,
        rooms: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        overload: Overload | None = None,
    ) -> None:
        self._clients: list[ClientConnection] = []
        self.clock = clock or SystemClock()
        self.observer = CountingObserver()
        self.requests = RecordingHttpObserver()
        self.revocations = Revocations(NoStoredRevocations(), self.clock.now, 86_400)
        self.tokens = Tokens(SECRET, is_revoked=self.revocations.is_revoked, clock=self.clock.now)
        self.feed = SeatFeed(self.clock, self.observer, tick_seconds=tick_seconds)
        limits = limits or SocketLimits()
        self.open_sockets = OpenSockets(limits.sockets_limit, SocketsOfHolders(limits))
        database = MemoryDatabase()
        layout = Layout(1, 1, (Seat(n, 1, "A", n, "standard", float(n), 1.0) for n in range(1, seats + 1)))
        begin = self.clock.now() + 86_400
        for screening in range(SCREENING, SCREENING + screenings):
            database.add_screening(ScreeningInfo(screening, begin, begin + 7200, 1599, {}), layout)
        self.screenings = ScreeningDirectory(
            MemoryStore(database),
            MemoryJournal(database),
            self.feed,
            NullObserver(),
            self.clock,
            MemoryIds(),
            MemoryIds(),
            Policy(held_seats_limit=seats),
            change_memory=change_memory,
            ask_timeout_seconds=60.0,
        )
        services = SocketServices(
            self.screenings,
            self.tokens,
            self.revocations,
            TokenExpiries(self.clock),
            self.feed,
            self.open_sockets,
            self.clock,
            self.observer,
            AllowedOrigins(["https://cinema.example"]),
            limits,
            Channels(NoChannels(), b"key", Limiter(100, 60.0, monotonic), monotonic),
            AccessLog(self.requests),
            overload=overload or Overload(),
        )
        self.watched = SocketCounts()
        self.guest_list = GuestList()
        self.room_services = memory_room_services(
            self.screenings, database, lambda: self.feed.connections, self.clock, **(rooms or {})
        )
        event_sockets = SocketCounts()
        totals = OwnTotals(
            self.watched, event_sockets, self.room_services, lambda: self.screenings.hold_count
        )
        self.event_services = EventServices(self.guest_list, totals, NobodyAtTheDoor(), event_sockets)
        application = Application(
            socket_routes(services, self.watched, self.event_services, self.room_services)
        )
        self._server = make_http_server(application, Limits(), lambda refusal: None, http_layer())
        listening, self.port = bind_unused_port()
        self._server.add_sockets([listening])

    async def close(self) -> None:
        self._server.stop()
        for client in self._clients:
            client.transport.abort()
            await client.wait_closed()
        await eventually(lambda: len(self.open_sockets) == 0)
        await self.screenings.stop()

    def url(self, user: int | None = 7, screening: int = SCREENING, **query: object) -> str:
        return self._address(f"/ws/screenings/{screening}", user, query)

    def _address(self, path: str, user: int | None, query: dict[str, object]) -> str:
        if user is not None:
            query.setdefault("token", self.tokens.issue(user, ttl_seconds=600))
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return f"ws://127.0.0.1:{self.port}{path}?{text}"

    async def connect(
        self,
        user: int | None = 7,
        screening: int = SCREENING,
        headers: Mapping[str, str] | None = None,
        compression: str | None = None,
        **query: object,
    ) -> ClientConnection:
        return await self._dial(self.url(user, screening, **query), headers, compression)

    async def _dial(
        self, url: str, headers: Mapping[str, str] | None = None, compression: str | None = None
    ) -> ClientConnection:
        client = await connect(url, proxy=None, compression=compression, additional_headers=headers)
        self._clients.append(client)
        return client

    async def join(self, user: int = 7, **query: object) -> ClientConnection:
        """Connect and receive the confirmation."""
        socket = await self.connect(user, **query)
        confirmed = await receive(socket)
        assert confirmed["type"] == "connection_confirmed"
        return socket

    async def connect_raw(
        self, user: int = 7, receive_buffer_bytes: int | None = None, after: bytes = b"", **query: object
    ) -> tuple[socket.socket, bytes]:
        """Connect with a plain TCP socket and receive the confirmation.

        Args:
            user: user of the token.
            receive_buffer_bytes: size of the kernel's receive buffer.
            after: bytes sent together with the handshake.
            query: query parameters of the handshake.

        Returns:
            The socket, and the bytes received.
        """
        loop = asyncio.get_running_loop()
        raw = socket.create_connection(("127.0.0.1", self.port))
        if receive_buffer_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        raw.setblocking(False)
        path = self.url(user, **query).removeprefix(f"ws://127.0.0.1:{self.port}")
        request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await loop.sock_sendall(raw, request.encode() + after)
        answer = b""
        while b"connection_confirmed" not in answer:
            answer += await loop.sock_recv(raw, 4096)
        return raw, answer

    async def follow(
        self, user: int | None = 7, event: int | None = None, **query: object
    ) -> ClientConnection:
        """Connect to `/ws`, or to `/ws/events/{event}`."""
        path = "/ws" if event is None else f"/ws/events/{event}"
        return await self._dial(self._address(path, user, query))

    async def enter(self, client_id: str, user: int | None = None, **query: object) -> ClientConnection:
        """Connect to `/ws/{client_id}`, as a guest or a user."""
        return await self._dial(self._address(f"/ws/{client_id}", user, query))

    async def ask(self, command: Command) -> Any:
        return await self.screenings.ask(command)

    async def hold(self, user: int, *seats: int) -> None:
        await self.ask(HoldSeats(SCREENING, f"user:{user}", seats))

    async def release(self, user: int, *seats: int) -> None:
        await self.ask(ReleaseHolds(SCREENING, f"user:{user}", seats))

    async def book(self, user: int, *seats: int) -> None:
        await self.ask(BookSeats(SCREENING, f"user:{user}", seats))

    async def last_seq(self) -> int:
        """Return the `seq` of the last visible change."""
        seat_map: SeatMap = await self.ask(ReadSeats(SCREENING))
        return seat_map.seq

    async def holders(self) -> dict[int, str]:
        """Return the holder of each taken seat."""
        seat_map = await self.ask(ReadSeats(SCREENING))
        return {view.seat_id: view.holder for view in seat_map.views.values() if view.status != "available"}

    async def truth(self) -> dict[int, str]:
        """Return the status of every seat in the engine."""
        seat_map = await self.ask(ReadSeats(SCREENING))
        return {
            seat.id: seat_map.views[seat.id].status if seat.id in seat_map.views else "available"
            for seat in seat_map.layout.seats
        }


class Picture:
    """The seats as a client sees them, from its messages alone."""

    def __init__(self) -> None:
        self.seats: dict[int, str] = {}
        self.seq = 0
        self.epoch = 0

    def apply(self, message: dict[str, Any]) -> None:
        for update in message.get("updates", [message] if "seat_id" in message else []):
            self.seats[update["seat_id"]] = update["status"]
        if "seq" in message:
            assert (message["epoch"], message["seq"]) >= (self.epoch, self.seq)
            self.epoch, self.seq = message["epoch"], message["seq"]

    def over(self, all_seats: Iterable[int]) -> dict[int, str]:
        """Return the status of all seats, if all were available when the client connected."""
        return {seat_id: self.seats.get(seat_id, "available") for seat_id in all_seats}

    async def follow(self, socket: ClientConnection, *, until: int | None = None) -> None:
        """Apply messages up to a `seq`, or until the connection ends."""
        with suppress(ConnectionClosed):
            while until is None or self.seq < until:
                self.apply(json.loads(await socket.recv()))


async def eventually(condition: Callable[[], bool], *, within_seconds: float = 60) -> None:
    """Poll until a condition holds, for effects that cannot be awaited."""
    async with asyncio.timeout(within_seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def receive(socket: ClientConnection) -> dict[str, Any]:
    """Return the next message, within a minute."""
    async with asyncio.timeout(60):
        message = json.loads(await socket.recv())
    assert isinstance(message, dict)
    return message


async def receive_close(socket: ClientConnection) -> tuple[int | None, str | None]:
    """Return the server's close code and reason, skipping messages."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                await socket.recv()
    return socket.close_code, socket.close_reason
