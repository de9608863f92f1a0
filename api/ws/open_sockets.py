"""The sockets that are open, of all doors: bounded in all and for each holder, and closed together."""

from collections.abc import Callable

from api.limits import SocketLimits
from engine.guards import attempt


class TooManySockets(Exception):
    """The server's bound on sockets is reached."""


class TooManyOfHolder(Exception):
    """The holder's bound on sockets is reached."""


class OpenSocket:
    """One socket's place among those that are open.

    Args:
        holder: whose socket it is.
        close: ends it with a close code and a reason.
    """

    __slots__ = ("close", "holder")

    def __init__(self, holder: str, close: Callable[[int, str], None]) -> None:
        self.holder = holder
        self.close = close


class OpenSockets:
    """Admits sockets and lets them go.

    Args:
        limits: how many there may be.
    """

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._open: set[OpenSocket] = set()
        self._number_of: dict[str, int] = {}
        self._closing: tuple[int, str] | None = None

    def admit(self, holder: str, close: Callable[[int, str], None], *, guest: bool = False) -> OpenSocket:
        """Give a socket its place.

        Args:
            holder: whose socket it is.
            close: ends it with a close code and a reason.
            guest: whether that is nobody known, but whoever comes from an address.

        Raises:
            TooManySockets, TooManyOfHolder: the bound is reached.
        """
        limits = self._limits
        if len(self._open) >= limits.sockets_limit:
            raise TooManySockets
        mine = self._number_of.get(holder, 0)
        if mine >= (limits.sockets_per_address_limit if guest else limits.sockets_per_user_limit):
            raise TooManyOfHolder
        socket = OpenSocket(holder, close)
        self._open.add(socket)
        self._number_of[holder] = mine + 1
        if self._closing is not None:
            close(*self._closing)
        return socket

    def leave(self, socket: OpenSocket) -> None:
        """Let a socket go. Does nothing for one that has gone."""
        if socket not in self._open:
            return
        self._open.remove(socket)
        self._number_of[socket.holder] -= 1
        if not self._number_of[socket.holder]:
            del self._number_of[socket.holder]

    def __len__(self) -> int:
        return len(self._open)

    def close_all(self, code: int, reason: str) -> None:
        """Close every socket, and from now on every one that comes.

        Args:
            code: WebSocket close code (RFC 6455 section 7.4).
            reason: for people, at most 123 bytes.
        """
        self._closing = (code, reason)
        for socket in tuple(self._open):
            attempt(socket.close, code, reason)
