"""Where the sockets are served: every door with its path, for a Tornado application."""

from tornado.routing import URLSpec

from api.screening_socket import ScreeningSocket
from api.sockets import SocketServices


def socket_routes(services: SocketServices) -> list[URLSpec]:
    """The routes of all doors.

    Args:
        services: what sockets work with.
    """
    given = {"services": services}
    return [URLSpec(r"/ws/screenings/([0-9]{1,30})", ScreeningSocket, given)]
