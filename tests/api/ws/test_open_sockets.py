"""The registry of open sockets: its limits, and closing all sockets."""

import pytest

from api.limits import SocketLimits
from api.ws.open_sockets import OpenSockets, SocketsOfHolders, TooManySockets, TooManySocketsOfHolder

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


def open_sockets(limits):
    return OpenSockets(limits.sockets_limit, SocketsOfHolders(limits))


class Socket:
    """A socket that notes how it is closed."""

    def __init__(self):
        self.closed = []

    def close(self, code, reason):
        self.closed.append((code, reason))


async def test_limits_count_open_sockets():
    sockets, first = open_sockets(SocketLimits(sockets_limit=3, sockets_per_user_limit=2)), Socket()
    await sockets.admit("user:1", first)
    await sockets.admit("user:1", Socket())
    with pytest.raises(TooManySocketsOfHolder):
        await sockets.admit("user:1", Socket())
    await sockets.admit("user:2", Socket())
    with pytest.raises(TooManySockets):
        await sockets.admit("user:3", Socket())
    sockets.leave(first)
    sockets.leave(first)
    await sockets.admit("user:3", Socket())
    assert len(sockets) == 3


async def test_close_all_closes_open_and_new_sockets():
    sockets, early, late = open_sockets(SocketLimits()), Socket(), Socket()
    await sockets.admit("user:1", early)
    sockets.close_all(1001, "bye")
    await sockets.admit("user:1", late)
    assert early.closed == late.closed == [(1001, "bye")]


async def test_a_socket_may_leave_during_close_all():
    class Leaving(Socket):
        def close(self, code, reason):
            sockets.leave(self)

    sockets = open_sockets(SocketLimits())
    for _ in range(3):
        await sockets.admit("user:1", Leaving())
    sockets.close_all(1001, "bye")
    assert len(sockets) == 0
