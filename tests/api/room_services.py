"""A `RoomServices` (the state shared by room sockets) for an in-memory engine."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from math import inf

from api.limiter import Limiter
from api.papers.aliases import Aliases
from api.rooms.client_ids import ClientIds
from api.rooms.directory import RoomDirectory
from api.rooms.socket import RoomServices
from engine.catalogue_errors import RoomLimitReached
from engine.directory import ScreeningDirectory
from engine.memory import MemoryDatabase
from engine.ports import Clock
from engine.records import Layout, ScreeningInfo

HOUR_SECONDS = 3600


class MemoryFreeRooms:
    """Free rooms in a `MemoryDatabase`; none is ever idle."""

    def __init__(self, database: MemoryDatabase, limit: int, seats: int) -> None:
        self._database = database
        self._limit = limit
        self._seats = seats
        self._ids = count(1_000_001)
        self.rooms: dict[str, int] = {}

    async def find(self, name: str) -> int | None:
        return self.rooms.get(name)

    async def use(self, name: str) -> int | None:
        return self.rooms.get(name)

    async def make(self, name: str) -> int:
        if len(self.rooms) >= self._limit:
            raise RoomLimitReached(self._limit)
        room_id = self.rooms[name] = next(self._ids)
        info = ScreeningInfo(room_id, inf, inf, 0, {}, free_seats=self._seats)
        self._database.add_screening(info, Layout(0, 0, ()))
        return room_id

    async def touch(self, room_ids: Sequence[int]) -> None:
        pass

    async def idle(self) -> Sequence[tuple[int, str]]:
        return ()

    async def forget(self, room_id: int) -> bool:
        return False


def memory_room_services(
    screenings: ScreeningDirectory,
    database: MemoryDatabase,
    watched: Callable[[], Mapping[int, int]],
    clock: Clock,
    *,
    rooms: int = 100,
    seats: int = 50,
    rooms_per_address: int = 1000,
    selections: int = 1000,
    kept_seconds: float = 300,
) -> RoomServices:
    """Return a `RoomServices`.

    Args:
        screenings: the engine.
        database: its storage.
        watched: returns the number of watchers by screening.
        clock: the time.
        rooms: most free rooms.
        seats: seats of a free room.
        rooms_per_address: free rooms that one IP address may create.
        selections: seats that guests of one IP address may select.
        kept_seconds: how long a client's id stays reserved for it.
    """
    made = Limiter(rooms_per_address, HOUR_SECONDS, clock.now)
    free_rooms = MemoryFreeRooms(database, rooms, seats)
    return RoomServices(
        directory=RoomDirectory(screenings, free_rooms, watched, made, Aliases(b"0123456789abcdef")),
        client_ids=ClientIds(clock.now, kept_seconds),
        selecting=Limiter(selections, HOUR_SECONDS, clock.now),
    )
