"""Finds rooms by their names: `funcion_123` is screening 123, every other name a free room.

What a room is called and what its seats are called is known here and nowhere in the engine, to which a room
is a screening like any other. Free rooms are made by being named, and forgotten when they have been empty for
long.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import orjson

from api.limiter import Limiter
from api.recency import RecentlyUsed
from api.rooms.notes import Aliases, SelectionNote
from api.rooms.seat_names import SeatNames, seat_names
from api.rooms.updates import RoomUpdates, selections
from api.services import Screenings
from api.ws.feed import Frames, Wording
from api.ws.outbox import text_frame
from engine.commands import ReadSeats
from engine.errors import EngineError, NotFound, ScreeningNotFound
from engine.places import named_seat_id
from engine.views import SeatMap

ROOM_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
FREE_SEAT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,20}")
_OF_SCREENING = re.compile(r"funcion_([0-9]+)")
_CANONICAL_ID = re.compile(r"[1-9][0-9]{0,17}")
_REMEMBERED_BYTES = 16 * 1024 * 1024
_ROOM_BYTES = 1024


class NoSuchRoom(NotFound):
    """There is no room of this name."""

    code = "room_not_found"

    def __init__(self) -> None:
        EngineError.__init__(self, "There is no such room")


class FreeRooms(Protocol):
    """Free rooms as they are stored (`persistence.free_rooms`)."""

    async def find(self, name: str) -> int | None:
        """The id of a room, if there is one of this name."""

    async def use(self, name: str) -> int | None:
        """As `find`; from now on the room counts as used."""

    async def make(self, name: str) -> int:
        """The id of a room that is made if it is not there, or RoomLimitReached."""

    async def touch(self, room_ids: Sequence[int]) -> None:
        """Count rooms as used now."""

    async def idle(self) -> Sequence[tuple[int, str]]:
        """Ids and names of some rooms that nobody has used for long."""

    async def forget(self, room_id: int) -> bool:
        """Delete a room, if it is idle still."""


class Room:
    """A room that has been found.

    Args:
        name: of the room.
        screening_id: what it is to the engine.
        aliases: how holders are called who are not to be named.
        free: whether its seats are whatever they are called.

    Attributes:
        wording: how changes in it are told.
    """

    __slots__ = ("_names", "aliases", "free", "name", "screening_id", "wording")

    def __init__(self, name: str, screening_id: int, aliases: Aliases, *, free: bool) -> None:
        self.name = name
        self.screening_id = screening_id
        self.aliases = aliases
        self.free = free
        self.wording: Wording = partial(RoomUpdates, self)
        self._names: SeatNames | None = None

    def learn(self, seat_map: SeatMap) -> None:
        """Take note of what the seats are called.

        Raises:
            NoSuchRoom: the screening is none of a room.
        """
        if self.free:
            return
        if not seat_map.layout.room_id:
            raise NoSuchRoom
        self._names = seat_names(seat_map.layout)

    def seat_id(self, name: str) -> int | None:
        """The seat of a name; None if there is none, or none that has been learnt of."""
        if self.free:
            return named_seat_id(name) if FREE_SEAT_NAME.fullmatch(name) else None
        return self._names.ids.get(name) if self._names else None

    def seat_name(self, seat_id: int, note: SelectionNote | None) -> str | None:
        """What a seat is called; None if that is not known."""
        if self.free:
            return note.seat if note else None
        return self._names.names.get(seat_id) if self._names else None


class RoomDirectory:
    """All rooms.

    Args:
        screenings: the engine.
        free_rooms: free rooms as they are stored.
        watched: how many watch each screening that anybody watches.
        made: bounds how many free rooms one address may make.
    """

    def __init__(
        self,
        screenings: Screenings,
        free_rooms: FreeRooms,
        watched: Callable[[], Mapping[int, int]],
        made: Limiter,
    ) -> None:
        self._screenings = screenings
        self._free_rooms = free_rooms
        self._watched = watched
        self._made = made
        self._aliases = Aliases()
        self._rooms: RecentlyUsed[str, Room] = RecentlyUsed(_REMEMBERED_BYTES)
        self._listed: RecentlyUsed[int, tuple[tuple[int, int], Frames]] = RecentlyUsed(_REMEMBERED_BYTES)

    def known(self, name: str) -> Room | None:
        """A room that has been found before, and is remembered."""
        return self._rooms.get(name)

    async def find(self, name: str) -> Room | None:
        """A room, if there is one of this name. Of a screening it is not said whether there is one.

        Raises:
            NoSuchRoom: no room can have this name.
            StoreUnavailable: the database cannot be reached.
        """
        room = self._remembered(name)
        if room is None and (room_id := await self._free_rooms.find(name)) is not None:
            room = self._remember(name, room_id, free=True)
        return room

    async def open(self, name: str, address: str) -> Room:
        """A room, made if it is a free one and not there.

        Args:
            name: of the room.
            address: who wants it, for the bound on how many he may make.

        Raises:
            NoSuchRoom: no room can have this name.
            RoomLimitReached, TooManyAttempts: it is not there, and cannot be made.
            StoreUnavailable: the database cannot be reached.
        """
        room = self._remembered(name)
        if room is None:
            room_id = await self._free_rooms.use(name)
            if room_id is None:
                self._made.attempt(address)
                room_id = await self._free_rooms.make(name)
            room = self._remember(name, room_id, free=True)
        return room

    async def read(self, room: Room) -> SeatMap:
        """The seats of a room as they are.

        Raises:
            NoSuchRoom: it is not there, or no longer.
            EngineError: they cannot be read now.
        """
        try:
            seat_map: SeatMap = await self._screenings.ask(ReadSeats(room.screening_id))
        except ScreeningNotFound as error:
            self.forget(room.name)
            raise NoSuchRoom from error
        room.learn(seat_map)
        return seat_map

    def current_selections(self, room: Room, seat_map: SeatMap) -> Frames:
        """All seats of a room that are taken, made once for everybody who joins before the next change.

        Args:
            room: the room.
            seat_map: its seats, as they were read.
        """
        version = seat_map.epoch, seat_map.seq
        known = self._listed.get(room.screening_id)
        if known is not None and known[0] == version:
            return known[1]
        message = {"type": "current_selections", "selections": selections(room, seat_map)}
        frames = Frames(text_frame(orjson.dumps(message)), 1)
        self._listed.put(room.screening_id, (version, frames), len(frames.wire))
        return frames

    def forget(self, name: str) -> None:
        """Look a room up anew the next time, since it turned out to be gone."""
        self._rooms.discard(name)

    async def forget_idle(self) -> int:
        """Delete free rooms that nobody has needed for long. Returns how many.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        await self._free_rooms.touch(tuple(self._watched()))
        forgotten = 0
        for room_id, name in await self._free_rooms.idle():
            self.forget(name)
            forgotten += await self._screenings.change(room_id, partial(self._forget_unwatched, room_id))
        return forgotten

    async def _forget_unwatched(self, room_id: int) -> bool:
        return room_id not in self._watched() and await self._free_rooms.forget(room_id)

    def _remembered(self, name: str) -> Room | None:
        """A room that needs no looking up."""
        if not ROOM_NAME.fullmatch(name):
            raise NoSuchRoom
        room = self._rooms.get(name)
        if room is None and (of_screening := _OF_SCREENING.fullmatch(name)):
            if not _CANONICAL_ID.fullmatch(of_screening[1]):
                raise NoSuchRoom
            room = self._remember(name, int(of_screening[1]), free=False)
        return room

    def _remember(self, name: str, screening_id: int, *, free: bool) -> Room:
        """The same object for everybody who comes to the room, so that what is told is made once."""
        room = self._rooms.get(name)
        if room is None or room.screening_id != screening_id:
            room = Room(name, screening_id, self._aliases, free=free)
            self._rooms.put(name, room, _ROOM_BYTES)
        return room
