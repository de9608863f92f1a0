"""Builds the rooms endpoint from the settings, and schedules the removal of unused free rooms."""

from time import monotonic

from api.limiter import Limiter
from api.rooms.client_ids import ClientIds
from api.rooms.directory import RoomDirectory
from api.rooms.socket import RoomServices
from api.ws.feed import SeatFeed
from engine.directory import ScreeningDirectory
from frontrow.settings import Settings
from persistence.connector import Connector
from persistence.free_rooms import FreeRooms

_HOUR_SECONDS = 3600.0
_CHECKS_PER_IDLE_TIME = 4
_LONGEST_BETWEEN_CHECKS_SECONDS = 60.0


def room_services_of(
    settings: Settings, connector: Connector, screenings: ScreeningDirectory, feed: SeatFeed
) -> RoomServices:
    free_rooms = FreeRooms(
        connector, limit=settings.free_rooms_limit, idle_seconds=settings.free_room_idle_seconds
    )
    made = Limiter(settings.free_rooms_per_address, _HOUR_SECONDS, monotonic)
    return RoomServices(
        directory=RoomDirectory(screenings, free_rooms, lambda: feed.connections, made),
        client_ids=ClientIds(monotonic, settings.hold_seconds),
        selecting=Limiter(settings.guest_selections_limit, settings.hold_seconds, monotonic),
    )


def free_room_check_seconds(settings: Settings) -> float:
    """Return the interval at which unused free rooms are removed."""
    return min(settings.free_room_idle_seconds / _CHECKS_PER_IDLE_TIME, _LONGEST_BETWEEN_CHECKS_SECONDS)
