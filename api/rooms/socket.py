"""`/ws/{client_id}`: a socket on which seats are selected in rooms, and seen to be selected by others.

A selected seat is held in the engine like any other: by the client as a guest, or by the user whose token the
client brings. Nothing here expires, sells or remembers it, and going away releases nothing.

A message about a seat costs no task: the engine's future is queued among the answers (`api.ws.answers`). What
takes longer (joining, a room that has to be looked up) stops the reading of this client until it is done.
"""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson
from tornado.websocket import WebSocketClosedError

from api.errors import TooManyAttempts
from api.limiter import Limiter, network_of
from api.rooms.client_ids import Claim, ClientIdInUse, ClientIds
from api.rooms.directory import NoSuchRoom, Room, RoomDirectory
from api.rooms.messages import room_of, seat_of
from api.rooms.notes import SelectionNote, harmless_user_info
from api.rooms.refusals import NotInRoom, TooManyRooms, refusal_of
from api.rooms.updates import selections
from api.wire import holder_of
from api.ws.answers import AnswersInOrder
from api.ws.attendance import Attendance
from api.ws.feed import Position, Watcher
from api.ws.frames import POLICY_VIOLATION
from api.ws.messages import BadMessage
from api.ws.outbox import text_frame
from api.ws.socket import REFUSALS, ClientSocket, Farewell, Opening, SocketServices
from engine.commands import HoldSeats, ReleaseHolds
from engine.errors import EngineError, NotHeld, ScreeningNotFound, SeatsNotFound, forget_frames
from engine.replies import Released

_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_UNANSWERED_LIMIT = 1000
"""Messages that may wait for their answers; until these have been answered, no other is read."""


TAKEN_OVER = Farewell(4410, "Client id taken over")


class BadClientId(Exception):
    """No client can be called that."""


@dataclass(frozen=True, slots=True)
class RoomDoor:
    """What the sockets of this door share beyond what all sockets work with.

    Attributes:
        directory: finds rooms.
        client_ids: who is called what.
        selecting: bounds how many seats guests of one address select in the time for which a seat is held.
        attendance: who is in which room.
    """

    directory: RoomDirectory
    client_ids: ClientIds
    selecting: Limiter
    attendance: Attendance = field(default_factory=Attendance)

    @property
    def client_count(self) -> int:
        """Sockets that are open."""
        return len(self.client_ids)

    @property
    def occupied_count(self) -> int:
        """Rooms that somebody is in."""
        return len(self.attendance.connections)

    async def selections(self, name: str) -> list[dict[str, Any]]:
        """The seats of a room that are taken; none if there is no such room.

        Raises:
            NoSuchRoom: no room can have this name.
            EngineError: they cannot be read now.
        """
        room = await self.directory.find(name)
        try:
            return [] if room is None else selections(room, await self.directory.read(room))
        except NoSuchRoom:
            return []


class _Wish(NamedTuple):
    """What a client wants done to a seat.

    Attributes:
        note: what is to be kept with the seat; None to release it.
    """

    room_id: str
    seat_id: str
    note: str | None = None


class RoomSocket(ClientSocket):
    """One client of rooms.

    Args:
        services: what sockets work with.
        door: what the sockets of this door share beyond that.
    """

    route = "/ws/{client_id}"
    endpoint = "rooms"
    refusals = (
        (BadClientId, Farewell(POLICY_VIOLATION, "Invalid client id")),
        (ClientIdInUse, Farewell(4409, "Client id in use")),
        *REFUSALS,
    )

    __slots__ = ("_address", "_answers", "_claim", "_client_id", "_door", "_guest", "_holder", "_rooms")

    _client_id: str
    _holder: str
    _address: str

    def __init__(self, services: SocketServices, door: RoomDoor) -> None:
        super().__init__(services)
        self._door = door
        self._claim: Claim | None = None
        self._guest = True
        self._rooms: dict[str, tuple[Room, Watcher]] = {}
        self._answers = AnswersInOrder(self._send_answers, self.fail)

    async def enter(self, opening: Opening) -> None:
        """Admit the client, as a guest or as the user of its token."""
        client_id = self._client_id = opening.path[0]
        if not _CLIENT_ID.fullmatch(client_id):
            raise BadClientId
        identity = self.authenticate(opening) if "token" in opening.query else None
        self._guest = identity is None
        self._address = network_of(opening.remote_ip)
        self._holder = holder_of(identity.user_id) if identity else f"client:{client_id}"
        self.admit(self._holder if identity else self._address, identity)
        user = self._holder if identity else None
        self._claim = self._door.client_ids.take(client_id, self._address, user, self._taken_over)

    def receive(self, message: dict[str, Any]) -> Awaitable[None] | None:
        """Answer one of the five messages that the guide has for clients."""
        match message["type"]:
            case "select_seat":
                return self._attempt(self._selection(message))
            case "release_seat":
                return self._attempt(_Wish(room_of(message), seat_of(message)))
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
        """Be in no room any more, and need the name no longer."""
        self._answers.drop()
        for name in tuple(self._rooms):
            self._unwatch(name)
        if self._claim is not None:
            self._door.client_ids.leave(self._claim)
            self._claim = None

    def _taken_over(self) -> None:
        """Close this socket, because another one of the same user uses its id now."""
        self.depart()
        self.close(*TAKEN_OVER)

    def send_message(self, **message: Any) -> None:
        """Send a message to this client alone, after the answers that are due before it."""
        self._answers.put(text_frame(orjson.dumps(message)))

    def _send_answers(self, frames: bytes, number: int) -> None:
        for _, watcher in self._rooms.values():
            number += watcher.serve()
        self.outbox.send(frames)
        self.services.observer.frames_sent(number)

    def _refuse(self, error: Exception, **about: str) -> None:
        self.send_message(**refusal_of(error, self.timestamp(), **about))

    # Rooms

    async def _join(self, name: str) -> None:
        """Enter a room, or look round once more in one where the client is already."""
        await self._answers.settled()
        try:
            room, watcher = self._rooms.get(name) or await self._entered(name)
            watcher.pause()
            await self.outbox.drained()
            watcher.hold_back()
            seat_map = await self.in_time(self._door.directory.read(room))
        except WebSocketClosedError:
            return
        except (EngineError, TooManyAttempts) as refusal:
            self._unwatch(name)
            self._refuse(refusal, room_id=name)
            forget_frames(refusal)
            return
        if self.admitted:
            self.send_message(type="room_joined", room_id=name, client_id=self._client_id)
            self.send_frames(self._door.directory.current_selections(room, seat_map))
            self.services.observer.frames_sent(watcher.follow(Position(seat_map.epoch, seat_map.seq)))

    async def _entered(self, name: str) -> tuple[Room, Watcher]:
        limit = self.services.limits.rooms_per_socket_limit
        if len(self._rooms) >= limit:
            raise TooManyRooms(limit)
        room = await self.in_time(self._door.directory.open(name, self._address))
        if not self.admitted:
            raise WebSocketClosedError
        watcher = self.watcher(room.screening_id, self._client_id, room.wording)
        self._rooms[name] = room, watcher
        self.services.feed.join(watcher)
        self._door.attendance.watch(room.screening_id)
        return room, watcher

    def _leave_room(self, name: str) -> None:
        if name in self._rooms:
            self._unwatch(name)
            self.send_message(type="room_left", room_id=name, client_id=self._client_id)
        else:
            self._refuse(NotInRoom(), room_id=name)

    def _unwatch(self, name: str) -> None:
        """Be in a room no longer, if the client is."""
        if name in self._rooms:
            room, watcher = self._rooms.pop(name)
            self.services.feed.leave(watcher)
            self._door.attendance.unwatch(room.screening_id)

    # Seats

    def _selection(self, message: dict[str, Any]) -> _Wish:
        room_id, seat_id = room_of(message), seat_of(message)
        info = harmless_user_info(message.get("user_info"), self.services.limits.user_info_limit_bytes)
        return _Wish(room_id, seat_id, SelectionNote(seat_id, self._client_id, info).encoded())

    def _attempt(self, wish: _Wish) -> Awaitable[None] | None:
        """Have the engine do what is wished; where it can begin at once, without waiting for it."""
        if self._guest and wish.note is not None:
            try:
                self._door.selecting.attempt(self._address)
            except TooManyAttempts as refusal:
                self._refuse(refusal, room_id=wish.room_id, seat_id=wish.seat_id)
                return None
        known = self._rooms.get(wish.room_id)
        room = known[0] if known else self._door.directory.known(wish.room_id)
        seat_id = room.seat_id(wish.seat_id) if room else None
        if room is None or seat_id is None:
            return self._attempt_anew(wish)
        try:
            reply = self.services.screenings.ask_active(self._command(wish, room, seat_id))
        except EngineError as refusal:
            self.send_message(**self._outcome(wish, refusal))
            return None
        if reply is None:
            return self._attempt_anew(wish)
        if isinstance(reply, asyncio.Future):
            self._answers.expect(reply, partial(self._answer, wish))
        else:
            self.send_message(**self._outcome(wish, reply))
        return self._answers.settled() if len(self._answers) > _UNANSWERED_LIMIT else None

    async def _attempt_anew(self, wish: _Wish) -> None:
        """The same where the room, its seats or its screening has to be looked up first."""
        await self._answers.settled()
        outcome: Any
        try:
            room = await self.in_time(self._room_for(wish))
            if room.seat_id(wish.seat_id) is None:
                await self.in_time(self._door.directory.read(room))
            seat_id = room.seat_id(wish.seat_id)
            if seat_id is None:
                raise SeatsNotFound(())
            outcome = await self.in_time(self.services.screenings.ask(self._command(wish, room, seat_id)))
        except (EngineError, TooManyAttempts) as refusal:
            outcome = refusal
            forget_frames(refusal)
        message = self._outcome(wish, outcome)
        if self.admitted:
            self.send_message(**message)

    async def _room_for(self, wish: _Wish) -> Room:
        """The room of a wish. Nobody makes a room by releasing a seat."""
        if wish.note is not None:
            return await self._door.directory.open(wish.room_id, self._address)
        room = await self._door.directory.find(wish.room_id)
        if room is None:
            raise NotHeld(())
        return room

    def _command(self, wish: _Wish, room: Room, seat_id: int) -> HoldSeats | ReleaseHolds:
        if wish.note is None:
            return ReleaseHolds(room.screening_id, self._holder, (seat_id,), origin=self._client_id)
        network = self._address if self._guest else None
        return HoldSeats(room.screening_id, self._holder, (seat_id,), wish.note, self._client_id, network)

    def _answer(self, wish: _Wish, future: "asyncio.Future[Any]") -> bytes:
        """The frame that tells what became of a wish."""
        outcome = future.exception() or future.result()
        return text_frame(orjson.dumps(self._outcome(wish, outcome)))

    def _outcome(self, wish: _Wish, outcome: Any) -> dict[str, Any]:
        """The message that tells what became of a wish.

        Args:
            wish: what was wished.
            outcome: the engine's reply, or why there is none.
        """
        if isinstance(outcome, Released) and not outcome.holds:
            outcome = NotHeld(())
        selecting, done = wish.note is not None, not isinstance(outcome, Exception)
        if self._guest and selecting is not done:
            # A seat that could not be had, or was given back, counts no more.
            self._door.selecting.retract(self._address)
        if isinstance(outcome, ScreeningNotFound):
            self._door.directory.forget(wish.room_id)
        if not done:
            return refusal_of(outcome, self.timestamp(), room_id=wish.room_id, seat_id=wish.seat_id)
        return {
            "type": "seat_selected" if selecting else "seat_released",
            "seat_id": wish.seat_id,
            "room_id": wish.room_id,
            "client_id": self._client_id,
        }
