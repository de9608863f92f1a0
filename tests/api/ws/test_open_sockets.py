"""The registry of open sockets: its limits, and closing all sockets."""

import pytest

from api.limits import SocketLimits
from api.ws.open_sockets import OpenSockets, TooManySockets, TooManySocketsOfHolder


def keep(closed):
    return lambda code, reason: closed.append((code, reason))


def test_limits_count_open_sockets():
    sockets = OpenSockets(SocketLimits(sockets_limit=3, sockets_per_user_limit=2))
    first = sockets.admit("user:1", keep([]))
    sockets.admit("user:1", keep([]))
    with pytest.raises(TooManySocketsOfHolder):
        sockets.admit("user:1", keep([]))
    sockets.admit("user:2", keep([]))
    with pytest.raises(TooManySockets):
        sockets.admit("user:3", keep([]))
    sockets.leave(first)
    sockets.leave(first)
    sockets.admit("user:3", keep([]))
    assert len(sockets) == 3


def test_close_all_closes_open_and_new_sockets():
    sockets, closed, closed_later = OpenSockets(SocketLimits()), [], []
    sockets.admit("user:1", keep(closed))
    sockets.close_all(1001, "bye")
    sockets.admit("user:1", keep(closed_later))
    assert closed == closed_later == [(1001, "bye")]


def test_a_socket_may_leave_during_close_all():
    sockets, places = OpenSockets(SocketLimits()), []
    for _ in range(3):
        places.append(sockets.admit("user:1", lambda code, reason: sockets.leave(places.pop())))
    sockets.close_all(1001, "bye")
    assert len(sockets) == 0
