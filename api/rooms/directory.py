"""Finds rooms by name: `funcion_123` is screening 123, any other name is a free room.

To the engine a room is a screening like any other; only this package knows the names of rooms and their
seats. Free rooms are created on first use, and deleted when they have been unused for long.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from api.limiter import AttemptLimit
from api.lru_cache import LruCache
from api.papers.aliases import Aliases
from api.rooms.room import NoSuchRoom, Room
from api.rooms.updates import selections_frame
from api.services import Screenings
from api.ws.feed import Frames
from engine.commands import ReadSeats
from engine.selling_errors import ScreeningNotFound
from engine.views import SeatMap

ROOM_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_OF_SCREENING = re.compile(r"funcion_([0-9]+)")
_CANONICAL_ID = re.compile(r"[1-9][0-9]{0,17}")
_REMEMBERED_BYTES = 16 * 1024 * 1024
_ROOM_BYTES = 1024
_LISTING_BYTES = 1024
"""Memory of a cached `current_selections` without its bytes."""

_LISTING_IDLE_SECONDS = 300.0

_Listing = tuple[int, tuple[str, ...]]
"""A screening, and the keys of the blocks whose seats are available to a client."""


class FreeRooms(Protocol):
    """Stores free rooms; `persistence.free_rooms` documents it."""

    async def find(self, name: str) -> int | None:
        """Return the id of a room, None if there is no such room."""

    async def use(self, name: str) -> int | None:
        """Return the id like `find`, and mark the room as used now."""

    async def make(self, name: str) -> int:
        """Create a room unless it exists, and return its id. Raises RoomLimitReached."""

    async def touch(self, room_ids: Sequence[int]) -> None:
        """Mark rooms as used now."""

    async def idle(self) -> Sequence[tuple[int, str]]:
        """Return ids and names of some rooms that have been unused for long."""

    async def forget(self, room_id: int) -> bool:
        """Delete a room if it is still idle. Returns whether it was deleted."""


class RoomDirectory:
    """Finds, creates and deletes rooms, and caches those in use.

    Args:
        screenings: the engine.
        free_rooms: stores free rooms.
        watched: returns the number of watchers by screening.
        made: limits the free rooms created per IP address.
        aliases: shown instead of holders whose identity is private.
    """

    def __init__(
        self,
        screenings: Screenings,
        free_rooms: FreeRooms,
        watched: Callable[[], Mapping[int, int]],
        made: AttemptLimit,
        aliases: Aliases,
    ) -> None:
        self._screenings = screenings
        self._free_rooms = free_rooms
        self._watched = watched
        self._made = made
        self._aliases = aliases
        # Ids of free rooms marked as used at or after the last check. Another server may delete any other.
        self._used: set[int] = set()
        self._rooms: LruCache[str, Room] = LruCache(_REMEMBERED_BYTES)
        self._listed: LruCache[_Listing, tuple[tuple[int, int], Frames]] = LruCache(
            _REMEMBERED_BYTES, idle_seconds=_LISTING_IDLE_SECONDS
        )

    def known(self, name: str) -> Room | None:
        """Return a room from the cache. None for one that another server may have deleted."""
        room = self._rooms.get(name)
        return None if room is None or self._may_be_gone(room) else room

    async def find(self, name: str) -> Room | None:
        """Return a room; None if there is no free room of this name.

        For `funcion_…` this does not check that the screening exists.

        Raises:
            NoSuchRoom: the name is invalid.
            StoreUnavailable: the database cannot be reached.
        """
        room = self._without_lookup(name)
        if room is None and (room_id := await self._free_rooms.find(name)) is not None:
            room = self._cache(name, room_id, free=True)
        return room

    async def open(self, name: str, address: str) -> Room:
        """Return a room; a free room is created if it does not exist.

        Args:
            name: name of the room.
            address: address of the client, for the limit on created rooms.

        Raises:
            NoSuchRoom: the name is invalid.
            RoomLimitReached, TooManyAttempts: the room does not exist and a limit prevents its creation.
            StoreUnavailable: the database cannot be reached.
        """
        room = self._without_lookup(name)
        if room is None or self._may_be_gone(room):
            room_id = await self._free_rooms.use(name)
            if room_id is None:
                if (counted := self._made.attempt(address)) is not None:
                    await counted
                room_id = await self._free_rooms.make(name)
            self._used.add(room_id)
            room = self._cache(name, room_id, free=True)
        return room

    async def read(self, room: Room) -> SeatMap:
        """Return the current seats of a room.

        Raises:
            NoSuchRoom: the room's screening does not exist.
            EngineError: the engine or the database is unavailable.
        """
        try:
            seat_map: SeatMap = await self._screenings.ask(ReadSeats(room.screening_id))
        except ScreeningNotFound as error:
            self.forget(room.name)
            raise NoSuchRoom from error
        room.load_seat_names(seat_map)
        return seat_map

    def current_selections(self, room: Room, seat_map: SeatMap, access: tuple[str, ...]) -> Frames:
        """Return the `current_selections` message, cached until the next change of the room.

        Args:
            room: the room.
            seat_map: its current seats.
            access: keys of the blocks whose seats are available to the client.
        """
        version = seat_map.epoch, seat_map.seq
        known = self._listed.get((room.screening_id, access))
        if known is not None and known[0] == version:
            return known[1]
        frames = Frames(selections_frame(room, seat_map.with_access(access).views.values()), 1)
        self._listed.put((room.screening_id, access), (version, frames), len(frames.wire) + _LISTING_BYTES)
        return frames

    def forget(self, name: str) -> None:
        """Remove a room from the cache, because it no longer exists."""
        self._rooms.discard(name)

    async def forget_idle(self) -> int:
        """Delete free rooms that have been unused for long. Returns their number.

        Every server marks those that it uses; a room is only deleted if none has done so for long.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        watched = tuple(self._watched())
        self._used = set(watched)
        await self._free_rooms.touch(watched)
        deleted = 0
        for room_id, name in await self._free_rooms.idle():
            self.forget(name)
            deleted += await self._screenings.change(room_id, partial(self._delete_unwatched, room_id))
        return deleted

    async def _delete_unwatched(self, room_id: int) -> bool:
        return room_id not in self._watched() and await self._free_rooms.forget(room_id)

    def _may_be_gone(self, room: Room) -> bool:
        return room.free and room.screening_id not in self._used

    def _without_lookup(self, name: str) -> Room | None:
        """Return a cached room or the room of a screening; None if the database must be asked."""
        if not ROOM_NAME.fullmatch(name):
            raise NoSuchRoom
        room = self._rooms.get(name)
        if room is None and (of_screening := _OF_SCREENING.fullmatch(name)):
            if not _CANONICAL_ID.fullmatch(of_screening[1]):
                raise NoSuchRoom
            room = self._cache(name, int(of_screening[1]), free=False)
        return room

    def _cache(self, name: str, screening_id: int, *, free: bool) -> Room:
        """Return the cached room. Sharing one object lets its watchers share encoded updates."""
        room = self._rooms.get(name)
        if room is None or room.screening_id != screening_id:
            room = Room(name, screening_id, self._aliases, free=free)
            self._rooms.put(name, room, _ROOM_BYTES)
        return room
