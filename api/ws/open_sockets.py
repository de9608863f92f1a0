"""The open sockets of all endpoints: enforces the limits, in total and per holder, and closes them all."""

from collections.abc import Awaitable
from typing import Protocol

from api.limits import SocketLimits
from engine.guards import attempt


class TooManySockets(Exception):
    """The limit of open sockets on this server is reached."""


class TooManySocketsOfHolder(Exception):
    """The limit of open sockets per holder is reached."""


class OpenSocket(Protocol):
    """A socket that can be registered."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection with a close code and a reason."""


class HolderLimit(Protocol):
    """Limits the sockets per holder, as `SocketsOfHolders` does; in a cluster another node may count them."""

    def add(self, holder: str, *, guest: bool) -> Awaitable[None] | None:
        """Count a socket; an awaitable result has to be awaited. Raises TooManySocketsOfHolder."""

    def remove(self, holder: str) -> None:
        """Uncount a socket."""


class SocketsOfHolders:
    """Counts the open sockets of each holder, up to its limit.

    Args:
        limits: the limits to enforce.
    """

    def __init__(self, limits: SocketLimits) -> None:
        self._of_user = limits.sockets_per_user_limit
        self._of_guest = limits.sockets_per_address_limit
        self._number_of: dict[str, int] = {}

    def limit_of(self, *, guest: bool) -> int:
        """Return the most sockets that a holder may have.

        Args:
            guest: whether the holder is an IP address.
        """
        return self._of_guest if guest else self._of_user

    def add(self, holder: str, *, guest: bool) -> None:
        """Count a socket.

        Args:
            holder: its holder.
            guest: whether the holder is an IP address, with the limit of guests.

        Raises:
            TooManySocketsOfHolder: the limit is reached.
        """
        if self._number_of.get(holder, 0) >= self.limit_of(guest=guest):
            raise TooManySocketsOfHolder
        self.add_open(holder)

    def add_open(self, holder: str) -> None:
        """Count a socket that is open already, even beyond the limit."""
        self._number_of[holder] = self._number_of.get(holder, 0) + 1

    def remove(self, holder: str) -> None:
        """Uncount a socket."""
        self._number_of[holder] -= 1
        if not self._number_of[holder]:
            del self._number_of[holder]


class OpenSockets:
    """Registers open sockets.

    Args:
        sockets_limit: most open sockets.
        of_holders: limits the sockets per holder.
    """

    def __init__(self, sockets_limit: int, of_holders: HolderLimit) -> None:
        self._limit = sockets_limit
        self._of_holders = of_holders
        # With their holders; in a dictionary, because it takes less memory than a set.
        self._open: dict[OpenSocket, str] = {}
        self._closing: tuple[int, str] | None = None

    async def admit(self, holder: str, socket: OpenSocket, *, guest: bool = False) -> None:
        """Register a socket.

        Args:
            holder: holder of the socket.
            socket: the socket.
            guest: whether the holder is an IP address, with the limit of guests.

        Raises:
            TooManySockets, TooManySocketsOfHolder: a limit is reached.
        """
        if len(self._open) >= self._limit:
            raise TooManySockets
        self._open[socket] = holder
        try:
            counted = self._of_holders.add(holder, guest=guest)
            if counted is not None:
                await counted
        except BaseException:
            del self._open[socket]
            raise
        if self._closing is not None:
            socket.close(*self._closing)

    def leave(self, socket: OpenSocket) -> None:
        """Unregister a socket. Idempotent."""
        holder = self._open.pop(socket, None)
        if holder is not None:
            self._of_holders.remove(holder)

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
