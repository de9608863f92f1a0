"""Builds the rooms endpoint from the settings, and schedules the removal of unused free rooms."""

from api.rooms.directory import RoomDirectory
from api.rooms.socket import RoomServices
from api.services import Screenings
from api.ws.feed import SeatFeed
from frontrow.counts import Counts
from frontrow.settings import Settings
from frontrow.signing import aliases_of
from persistence.connector import Connector
from persistence.free_rooms import FreeRooms

_CHECKS_PER_IDLE_TIME = 4
_LONGEST_BETWEEN_CHECKS_SECONDS = 60.0


def room_services_of(
    settings: Settings,
    connector: Connector,
    screenings: Screenings,
    feed: SeatFeed,
    counts: Counts,
) -> RoomServices:
    free_rooms = FreeRooms(
        connector, limit=settings.free_rooms_limit, idle_seconds=settings.free_room_idle_seconds
    )
    return RoomServices(
        directory=RoomDirectory(
            screenings, free_rooms, lambda: feed.connections, counts.free_rooms, aliases_of(settings)
        ),
        client_ids=counts.client_ids,
        selecting=counts.selections,
    )


def free_room_check_seconds(settings: Settings) -> float:
    """Return the interval at which unused free rooms are removed."""
    return min(settings.free_room_idle_seconds / _CHECKS_PER_IDLE_TIME, _LONGEST_BETWEEN_CHECKS_SECONDS)
