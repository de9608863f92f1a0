"""The routes of all WebSocket endpoints, for a Tornado application."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tornado.routing import URLSpec

from api.events.socket import EventServices, EventSocket, OneEventSocket
from api.rooms.socket import RoomServices, RoomSocket
from api.seats.snapshots import Snapshots
from api.seats.socket import ScreeningSocket
from api.ws.handshake import SocketEndpoint
from api.ws.heartbeat import Heartbeat
from api.ws.socket import ClientSocket, SocketServices
from api.ws.socket_counts import SocketCounts
from engine.guards import guarded

_ID = r"([0-9]{1,30})"
_NAME = r"([^/]+)"


def socket_routes(
    services: SocketServices, screenings: SocketCounts, events: EventServices, rooms: RoomServices
) -> list[URLSpec]:
    """Return the routes.

    Args:
        services: collaborators of all sockets.
        screenings: counts the sockets per screening.
        events: state shared by the sockets of events.
        rooms: state shared by the sockets of rooms.
    """
    services = replace(services, observer=guarded(services.observer))
    heartbeat = Heartbeat(services.clock, services.limits.socket_ping_seconds)

    def route(pattern: str, kind: type[ClientSocket], handler: Callable[[], ClientSocket]) -> URLSpec:
        return URLSpec(pattern, SocketEndpoint(kind.route, services, heartbeat, handler))

    screening = partial(ScreeningSocket, services, screenings, Snapshots())
    return [
        route(rf"/ws/screenings/{_ID}", ScreeningSocket, screening),
        route(r"/ws", EventSocket, partial(EventSocket, services, events)),
        route(rf"/ws/events/{_ID}", OneEventSocket, partial(OneEventSocket, services, events)),
        route(rf"/ws/{_NAME}", RoomSocket, partial(RoomSocket, services, rooms)),
    ]
