"""The registry of open sockets: its limits, and closing all sockets."""

import pytest

from api.limits import SocketLimits
from api.ws.open_sockets import OpenSockets, SocketsOfHolders, TooManySockets, TooManySocketsOfHolder

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


def open_sockets(limits):
    return OpenSockets(limits.sockets_limit, SocketsOfHolders(limits))


def keep(closed):
    return lambda code, reason: closed.append((code, reason))


async def test_limits_count_open_sockets():
    sockets = open_sockets(SocketLimits(sockets_limit=3, sockets_per_user_limit=2))
    first = await sockets.admit("user:1", keep([]))
    await sockets.admit("user:1", keep([]))
    with pytest.raises(TooManySocketsOfHolder):
        await sockets.admit("user:1", keep([]))
    await sockets.admit("user:2", keep([]))
    with pytest.raises(TooManySockets):
        await sockets.admit("user:3", keep([]))
    sockets.leave(first)
    sockets.leave(first)
    await sockets.admit("user:3", keep([]))
    assert len(sockets) == 3


async def test_close_all_closes_open_and_new_sockets():
    sockets, closed, closed_later = open_sockets(SocketLimits()), [], []
    await sockets.admit("user:1", keep(closed))
    sockets.close_all(1001, "bye")
    await sockets.admit("user:1", keep(closed_later))
    assert closed == closed_later == [(1001, "bye")]


async def test_a_socket_may_leave_during_close_all():
    sockets, places = open_sockets(SocketLimits()), []
    for _ in range(3):
        places.append(await sockets.admit("user:1", lambda code, reason: sockets.leave(places.pop())))
    sockets.close_all(1001, "bye")
    assert len(sockets) == 0
