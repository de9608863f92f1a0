"""Where the sockets are served: every door with its path, for a Tornado application."""

from tornado.routing import URLSpec

from api.attendance import Attendance
from api.event_socket import EventDoor, EventSocket, OneEventSocket
from api.room_socket import RoomDoor, RoomSocket
from api.screening_socket import ScreeningSocket
from api.sockets import SocketServices

_ID = r"([0-9]{1,30})"


_ANY_NAME_BUT = r"((?!(?:stats|screenings|events)$)[^/]+)"


def socket_routes(
    services: SocketServices, screenings: Attendance, events: EventDoor, rooms: RoomDoor
) -> list[URLSpec]:
    """The routes of all doors.

    Args:
        services: what sockets work with.
        screenings: who watches which screening.
        events: what the sockets of events share.
        rooms: what the sockets of rooms share.
    """
    return [
        URLSpec(rf"/ws/screenings/{_ID}", ScreeningSocket, {"services": services, "attendance": screenings}),
        URLSpec(r"/ws", EventSocket, {"services": services, "door": events}),
        URLSpec(rf"/ws/events/{_ID}", OneEventSocket, {"services": services, "door": events}),
        URLSpec(rf"/ws/{_ANY_NAME_BUT}", RoomSocket, {"services": services, "door": rooms}),
    ]
