"""`/ws/{client_id}`: the WebSocket on which clients select seats in rooms and see others' selections.

A selected seat is an ordinary hold in the engine, owned by the guest or by the user of the client's token.
The engine expires, sells and stores it; disconnecting releases nothing.

A message about a seat needs no task: the engine's future is queued among the responses (`api.ws.answers`).
Slower work (joining, looking up a room) stops reading from this client until it is done.
"""

import asyncio
import re
from collections.abc import Awaitable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson
from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Encoder
from tornado.websocket import WebSocketClosedError

from api.errors import ApiError, TooManyAttempts
from api.limiter import AttemptLimit, network_of
from api.looks import ROOMS
from api.overload import Urgency
from api.rooms.client_ids import ClientIdInUse, UsedIds
from api.rooms.directory import RoomDirectory
from api.rooms.errors import NotInRoom, TooManyRooms, about_stranded, refusal_of
from api.rooms.messages import party_of, room_of, seat_of, usual_seat_message
from api.rooms.notes import SelectionNote, sanitized_user_info
from api.rooms.room import NoSuchRoom, Room
from api.rooms.updates import RoomClient, joined_frame, room_encoder, selections
from api.rooms.watcher import RoomWatcher
from api.sales.parties import best_for
from api.wire import holder_of, timestamp
from api.ws.answers import OrderedAnswers
from api.ws.feed import Encoder as UpdateEncoder
from api.ws.feed import Position
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage
from api.ws.outbox import text_frame
from api.ws.socket import REFUSALS, ClientSocket, CloseReason, HandshakeRequest, SocketServices
from api.ws.socket_counts import SocketCounts
from engine.causes import Cause
from engine.commands import HoldSeats, ReleaseHolds
from engine.errors import EngineError, forget_frames
from engine.events import HoldsReleased, SeatsHeld
from engine.records import make
from engine.replies import Released
from engine.rule_errors import WouldStrandSeat
from engine.selling_errors import NotHeld, ScreeningNotFound, SeatsNotFound

_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_UNANSWERED_LIMIT = 1000
"""Most messages with a pending response; beyond it no further message is read until these are answered."""


TAKEN_OVER = CloseReason(4410, "Client id taken over")


class BadClientId(Exception):
    """The client id in the path is invalid."""


@dataclass(frozen=True, slots=True)
class RoomServices:
    """The collaborators that all room sockets share.

    Attributes:
        directory: finds rooms.
        client_ids: the ids in use.
        selecting: limits the seats that guests of one IP address select within the duration of a hold.
        counts: counts the sockets per room.
    """

    directory: RoomDirectory
    client_ids: UsedIds
    selecting: AttemptLimit
    counts: SocketCounts = field(default_factory=SocketCounts)

    @property
    def client_count(self) -> int:
        """Number of open sockets."""
        return len(self.client_ids)

    @property
    def occupied(self) -> Collection[int]:
        """Ids of rooms with at least one client."""
        return tuple(self.counts.by_screening)

    async def selections(self, name: str) -> list[dict[str, Any]]:
        """Return the taken seats of a room; empty if the room does not exist.

        Raises:
            NoSuchRoom: the name is invalid.
            EngineError: the engine or the database is unavailable.
        """
        room = await self.directory.find(name)
        try:
            return [] if room is None else selections(room, (await self.directory.read(room)).views.values())
        except NoSuchRoom:
            return []


class _SeatRequest(NamedTuple):
    """A request to select or release a seat.

    Attributes:
        note: encoded note to store with the selected seat; None to release it.
    """

    room_id: str
    seat_id: str
    note: str | None


class _SeatChanged(Struct, gc=False):
    """The message that answers a successful request; encoding a struct takes less time than a dict."""

    type: str
    seat_id: str
    room_id: str
    client_id: str
    stranded: list[str] | UnsetType = UNSET
    alternatives: list[list[str]] | UnsetType = UNSET


_encode = Encoder().encode


class RoomSocket(ClientSocket):
    """A client of rooms.

    Args:
        services: collaborators of all sockets.
        shared: state shared by all room sockets.
    """

    route = "/ws/{client_id}"
    endpoint = "rooms"
    refusals = (
        (BadClientId, CloseReason(POLICY_VIOLATION, "Invalid client id")),
        (ClientIdInUse, CloseReason(4409, "Client id in use")),
        *REFUSALS,
    )

    __slots__ = (
        "_access",
        "_address",
        "_answers",
        "_cause",
        "_claim",
        "_client_id",
        "_guest",
        "_holder",
        "_rooms",
        "_shared",
    )

    _client_id: str
    _holder: str
    _address: str
    _access: tuple[str, ...]

    def __init__(self, services: SocketServices, shared: RoomServices) -> None:
        super().__init__(services)
        self._shared = shared
        self._cause: Cause | None = None
        self._claim: Any = None
        self._guest = True
        self._rooms: dict[str, tuple[Room, RoomWatcher]] = {}
        self._answers = OrderedAnswers(self._send_answers, self.fail)

    async def enter(self, handshake: HandshakeRequest) -> None:
        """Admit the client, as a guest or as the user of its token."""
        self._cause = Cause(handshake.request_id) if handshake.named else None
        client_id = self._client_id = handshake.path[0]
        if not _CLIENT_ID.fullmatch(client_id):
            raise BadClientId
        identity = self.authenticate(handshake) if "token" in handshake.query else None
        self._guest = identity is None
        self._address = network_of(handshake.remote_ip)
        self._holder = holder_of(identity.user_id) if identity else f"client:{client_id}"
        self._access = await self.access_of(handshake, identity)
        await self.admit(self._holder if identity else self._address, identity)
        user = self._holder if identity else None
        claim = self._shared.client_ids.take(client_id, self._address, user, self._taken_over)
        self._claim = await claim if isinstance(claim, Awaitable) else claim

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Handle a message. The usual one is about a known seat of a joined room and takes a fast path.

        Names that are known are valid. All other messages, the invalid ones included, take the general path.
        """
        usual = usual_seat_message(message)
        known = usual and self._rooms.get(usual.room_id)
        if usual and known and (seat_id := known[0].seat_id(usual.seat_id)) is not None:
            try:
                request = self._request(usual.type, usual.room_id, usual.seat_id, usual.user_info)
            except BadMessage:
                return super().on_message(message)
            return self._attempt(request, known[0], seat_id)
        return super().on_message(message)

    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Handle one of the guide's five client messages, or `select_best`."""
        match message["type"]:
            case "select_seat" | "release_seat" as kind:
                room_id, seat_id = room_of(message), seat_of(message)
                return self._attempt(self._request(kind, room_id, seat_id, message.get("user_info")))
            case "select_best":
                return self._select_best(message)
            case "join_room":
                return self._join(room_of(message))
            case "leave_room":
                self._leave_room(room_of(message))
            case "ping":
                self.send_message(type="pong", timestamp=self.timestamp())
            case _:
                raise BadMessage("unknown_type", "Unknown message type")
        return None

    def depart(self) -> None:
        """Leave all rooms and release the client id."""
        self._answers.drop()
        for name in tuple(self._rooms):
            self._unwatch(name)
        if self._claim is not None:
            self._shared.client_ids.leave(self._claim)
            self._claim = None

    def _taken_over(self) -> None:
        """Close this socket, because another socket of the same user has taken its id over."""
        self.depart()
        self.close(*TAKEN_OVER)

    def send_message(self, **message: Any) -> None:
        """Send a message after all pending responses."""
        self._answers.put(text_frame(orjson.dumps(message)))

    def _send_answers(self, frames: bytes, number: int) -> None:
        self.outbox.send(frames)
        if number:
            self.services.observer.frames_sent(number)

    def watcher(self, screening_id: int, holder: Any, encoder: UpdateEncoder) -> RoomWatcher:
        """Return a watcher whose updates keep their place between the responses."""
        send = partial(self._answers.send_update, screening_id)
        return RoomWatcher(screening_id, holder, encoder, send, self._fail, self._deflate_from_bytes)

    def _refuse(self, error: Exception, **about: str) -> None:
        self.send_message(**refusal_of(error, self.timestamp(), **about))

    # Rooms

    async def _join(self, name: str) -> None:
        """Join a room, or send its current selections again if already joined."""
        await self._answers.settled()
        try:
            room, watcher = self._rooms.get(name) or await self._entered(name)
            watcher.pause()
            await self.outbox.drained()
            watcher.buffer()
            seat_map = await self.in_time(self._shared.directory.read(room))
        except WebSocketClosedError:
            return
        except (EngineError, TooManyAttempts) as refusal:
            self._unwatch(name)
            self._refuse(refusal, room_id=name)
            forget_frames(refusal)
            return
        if self.admitted:
            self._answers.put(joined_frame(room, self._client_id, seat_map.window, self.timestamp()))
            self.send_frames(self._shared.directory.current_selections(room, seat_map, self._access))
            self.services.observer.frames_sent(watcher.follow(Position(seat_map.epoch, seat_map.seq)))

    async def _entered(self, name: str) -> tuple[Room, RoomWatcher]:
        limit = self.services.limits.rooms_per_socket_limit
        if len(self._rooms) >= limit:
            raise TooManyRooms(limit)
        room = await self.in_time(self._shared.directory.open(name, self._address))
        if not self.admitted:
            raise WebSocketClosedError
        client = RoomClient(self._client_id, self._holder)
        watcher = self.watcher(room.screening_id, client, room_encoder(room, self._access))
        self.services.looks.count(room.screening_id, ROOMS)
        self._rooms[name] = room, watcher
        self.services.feed.join(watcher)
        self._shared.counts.add(room.screening_id)
        return room, watcher

    def _leave_room(self, name: str) -> None:
        if name in self._rooms:
            self._unwatch(name)
            self.send_message(type="room_left", room_id=name, client_id=self._client_id)
        else:
            self._refuse(NotInRoom(), room_id=name)

    def _unwatch(self, name: str) -> None:
        """Leave a room. Does nothing if the client has not joined it."""
        if name in self._rooms:
            room, watcher = self._rooms.pop(name)
            self.services.feed.leave(watcher)
            self._shared.counts.remove(room.screening_id)

    # Seats

    def _request(self, kind: str, room_id: str, seat_id: str, user_info: object) -> _SeatRequest:
        note = None
        if kind == "select_seat":
            info = sanitized_user_info(user_info, self.services.limits.user_info_limit_bytes)
            note = SelectionNote(seat_id, self._client_id, info).encoded()
        return make(_SeatRequest, (room_id, seat_id, note))

    def _attempt(
        self, request: _SeatRequest, room: Room | None = None, seat_id: int | None = None
    ) -> Awaitable[None] | None:
        """Count a guest's selection, then send the request to the engine.

        Args:
            request: the request.
            room, seat_id: its room and seat, if the caller knows them.
        """
        overload = self.services.overload
        if overload.refusing and request.note is not None and not overload.admits(Urgency.HOLD):
            self._refuse(overload.refusal(), room_id=request.room_id, seat_id=request.seat_id)
            return None
        if self._guest and request.note is not None:
            try:
                counted = self._shared.selecting.attempt(self._address)
            except TooManyAttempts as refusal:
                self._refuse(refusal, room_id=request.room_id, seat_id=request.seat_id)
                return None
            if counted is not None:
                return self._attempt_once_counted(counted, request, room, seat_id)
        return self._ask(request, room, seat_id)

    async def _attempt_once_counted(
        self, counted: Awaitable[None], request: _SeatRequest, room: Room | None, seat_id: int | None
    ) -> None:
        """Send a request to the engine after another node has counted it."""
        try:
            await counted
        except TooManyAttempts as refusal:
            self._refuse(refusal, room_id=request.room_id, seat_id=request.seat_id)
            forget_frames(refusal)
            return
        if (waiting := self._ask(request, room, seat_id)) is not None:
            await waiting

    def _ask(self, request: _SeatRequest, room: Room | None, seat_id: int | None) -> Awaitable[None] | None:
        """Send a request to the engine. Only returns an awaitable if something must be looked up first."""
        if room is None:
            known = self._rooms.get(request.room_id)
            room = known[0] if known else self._shared.directory.known(request.room_id)
            seat_id = room.seat_id(request.seat_id) if room else None
        if room is None or seat_id is None:
            return self._attempt_with_lookup(request)
        outcome: Any
        try:
            outcome = self.services.screenings.ask_active(self._command(request, room, seat_id), self._cause)
        except EngineError as refusal:
            outcome = refusal
            forget_frames(refusal)
        if outcome is None:
            return self._attempt_with_lookup(request)
        if isinstance(outcome, asyncio.Future):
            frame_of = partial(self._answer_of_future, request)
            self._answers.expect(outcome, frame_of, room.screening_id)
        else:
            self._answers.put(self._answer(request, outcome), room.screening_id)
        return self._answers.settled() if len(self._answers.due) > _UNANSWERED_LIMIT else None

    async def _attempt_with_lookup(self, request: _SeatRequest) -> None:
        """Send a request to the engine after loading the room, its seats or its screening."""
        await self._answers.settled()
        outcome: Any
        try:
            room = await self.in_time(self._room_for(request))
            if room.seat_id(request.seat_id) is None:
                await self.in_time(self._shared.directory.read(room))
            seat_id = room.seat_id(request.seat_id)
            if seat_id is None:
                raise SeatsNotFound(())
            outcome = await self.in_time(self.services.screenings.ask(self._command(request, room, seat_id)))
        except (EngineError, TooManyAttempts) as refusal:
            outcome = refusal
            forget_frames(refusal)
        frame = self._answer(request, outcome)
        if self.admitted:
            self._answers.put(frame)

    def _select_best(self, message: dict[str, Any]) -> Awaitable[None]:
        room_id, party = room_of(message), party_of(message)
        info = sanitized_user_info(message.get("user_info"), self.services.limits.user_info_limit_bytes)
        return self._selected_best(room_id, party, SelectionNote("", self._client_id, info).encoded())

    async def _selected_best(self, room_id: str, party: dict[str, Any], note: str) -> None:
        """Select the best seats for a party. Those of a guest count like seats that are selected by name."""
        await self._answers.settled()
        counted, overload = 0, self.services.overload
        try:
            if overload.refusing and not overload.admits(Urgency.HOLD):
                raise overload.refusal()
            for _ in range(party["quantity"] if self._guest else 0):
                await _finished(self._shared.selecting.attempt(self._address))
                counted += 1
            room = await self.in_time(self._shared.directory.find(room_id))
            if room is None:
                raise NoSuchRoom
            if room_id not in self._rooms:
                await self.in_time(self._shared.directory.read(room))  # it loads the names of seats
            network = self._address if self._guest else None
            command = best_for(room.screening_id, self._holder, **party, guest_network=network)
            command = command._replace(note=note, origin=self._client_id, access=self._access)
            held: Any = await self.in_time(self.services.screenings.ask(command))
        except (EngineError, ApiError) as refusal:
            for _ in range(counted):
                await _finished(self._shared.selecting.retract(self._address))
            if self.admitted:
                error = refusal_of(refusal, self.timestamp(), room_id=room_id, request="select_best")
                if isinstance(refusal, WouldStrandSeat) and (known := self._shared.directory.known(room_id)):
                    error.update(about_stranded(refusal, "", known))
                self.send_message(**error)
            forget_frames(refusal)
            return
        if not self.admitted:
            return
        if (joined := self._rooms.get(room_id)) is not None:
            joined[1].answered(Position(held.epoch, held.seq))
        message = {
            "type": "best_selected",
            "room_id": room_id,
            "client_id": self._client_id,
            "seat_ids": room.seat_names(held.seat_ids),
            "expires_at": timestamp(held.expires_at),
        }
        if held.stranded:
            message["stranded"] = room.seat_names(held.stranded)
        self._answers.put(text_frame(orjson.dumps(message)), room.screening_id)

    async def _room_for(self, request: _SeatRequest) -> Room:
        """Return the room of a request. Selecting a seat creates a free room, releasing one does not."""
        if request.note is not None:
            return await self._shared.directory.open(request.room_id, self._address)
        room = await self._shared.directory.find(request.room_id)
        if room is None:
            raise NotHeld(())
        return room

    def _command(self, request: _SeatRequest, room: Room, seat_id: int) -> HoldSeats | ReleaseHolds:
        # `make` skips the calls that fill in default values.
        screening_id, holder, note, origin = room.screening_id, self._holder, request.note, self._client_id
        if note is None:
            return make(ReleaseHolds, (screening_id, holder, (seat_id,), None, origin))
        network = self._address if self._guest else None
        return make(HoldSeats, (screening_id, holder, (seat_id,), note, origin, network, self._access))

    def _answer_of_future(self, request: _SeatRequest, future: "asyncio.Future[Any]") -> bytes:
        return self._answer(request, future.exception() or future.result())

    def _answer(self, request: _SeatRequest, outcome: Any) -> bytes:
        """Return the frame that answers a request.

        Args:
            request: the request.
            outcome: the engine's reply, or the exception it raised.
        """
        if type(outcome) is SeatsHeld or type(outcome) is HoldsReleased:
            known = self._rooms.get(request.room_id)
            if known is not None:
                known[1].answered(Position(outcome.epoch, outcome.seq))
        if isinstance(outcome, Released):  # nothing was held
            outcome = NotHeld(())
        room_id, seat_id, note = request
        selecting, done = note is not None, not isinstance(outcome, Exception)
        if self._guest and selecting is not done:
            # Only seats that are still selected count: uncount a failed selection or a release.
            counted = self._shared.selecting.retract(self._address)
            if counted is not None:
                self._answers.hold_back(asyncio.ensure_future(counted))
        if isinstance(outcome, ScreeningNotFound):
            self._shared.directory.forget(room_id)
        if not done:
            refusal = refusal_of(outcome, self.timestamp(), room_id=room_id, seat_id=seat_id)
            if isinstance(outcome, WouldStrandSeat) and (room := self._shared.directory.known(room_id)):
                refusal.update(about_stranded(outcome, seat_id, room))
            return text_frame(orjson.dumps(refusal))
        kind = "seat_selected" if selecting else "seat_released"
        answer = _SeatChanged(kind, seat_id, room_id, self._client_id)
        if selecting and outcome.stranded and (room := self._shared.directory.known(room_id)):
            answer.stranded = room.seat_names(outcome.stranded)
            answer.alternatives = [room.seat_names(seats) for seats in outcome.alternatives]
        return text_frame(_encode(answer))


async def _finished(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
