"""The open sockets of all endpoints: enforces the limits, in total and per holder, and closes them all."""

from collections.abc import Callable
from dataclasses import dataclass

from api.limits import SocketLimits
from engine.guards import attempt


class TooManySockets(Exception):
    """The limit of open sockets on this server is reached."""


class TooManySocketsOfHolder(Exception):
    """The limit of open sockets per holder is reached."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenSocket:
    """One registered socket; `close` closes it with a close code and a reason."""

    holder: str
    close: Callable[[int, str], None]


class OpenSockets:
    """Registers open sockets.

    Args:
        limits: the limits to enforce.
    """

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._open: set[OpenSocket] = set()
        self._number_of: dict[str, int] = {}
        self._closing: tuple[int, str] | None = None

    def admit(self, holder: str, close: Callable[[int, str], None], *, guest: bool = False) -> OpenSocket:
        """Register a socket.

        Args:
            holder: holder of the socket.
            close: closes it with a close code and a reason.
            guest: whether the holder is an IP address, with the limit of guests.

        Raises:
            TooManySockets, TooManySocketsOfHolder: a limit is reached.
        """
        limits = self._limits
        if len(self._open) >= limits.sockets_limit:
            raise TooManySockets
        mine = self._number_of.get(holder, 0)
        if mine >= (limits.sockets_per_address_limit if guest else limits.sockets_per_user_limit):
            raise TooManySocketsOfHolder
        socket = OpenSocket(holder, close)
        self._open.add(socket)
        self._number_of[holder] = mine + 1
        if self._closing is not None:
            close(*self._closing)
        return socket

    def leave(self, socket: OpenSocket) -> None:
        """Unregister a socket. Idempotent."""
        if socket not in self._open:
            return
        self._open.remove(socket)
        self._number_of[socket.holder] -= 1
        if not self._number_of[socket.holder]:
            del self._number_of[socket.holder]

    def __len__(self) -> int:
        return len(self._open)

    def close_all(self, code: int, reason: str) -> None:
        """Close all sockets, and from now on every new one.

        Args:
            code: close code (RFC 6455, section 7.4).
            reason: at most 123 bytes.
        """
        self._closing = (code, reason)
        for socket in tuple(self._open):
            attempt(socket.close, code, reason)
