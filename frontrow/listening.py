"""Where a server listens: its own port and the extra ones that its settings name."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from frontrow.permissions import user_name

GUIDES_PORTS = (8001, 3000)
"""Ports that are written into the guides' own clients. They are used only where the settings name them."""

_BACKLOG = 128
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class AddressUnusable(Exception):
    """The server cannot listen where it was told to."""


def authority(host: str, port: int) -> str:
    """A host and a port as they stand in a URL, where an IPv6 address needs brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening_sockets(host: str, ports: Sequence[int]) -> list[socket.socket]:
    """Sockets that listen at some ports; at all of them, or at none.

    Args:
        host: a name or an address; each of its addresses gets a socket for each port.
        ports: the ports; 0 takes a free one.

    Raises:
        AddressUnusable: one is taken, or not ours.
    """
    with ExitStack() as opened:
        sockets = []
        for port in ports:
            try:
                for listening in _bound(host, port):
                    sockets.append(opened.enter_context(listening))
            except OSError as exc:
                # The standard library adds the address once more, in parentheses.
                reason = (exc.strerror or str(exc)).partition(" (while attempting")[0]
                if isinstance(exc, PermissionError):
                    reason += f" to the user {user_name()}"
                raise AddressUnusable(
                    f"Cannot listen on {authority(host, port)}: {reason}; choose another host or port"
                ) from exc
        opened.pop_all()
    return sockets


def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket for each address of a host. Tornado's `bind_sockets` leaves one open where it fails."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = dict.fromkeys((family, address[0]) for family, *_, address in found)
    for family, address in addresses:
        try:
            listening = socket.create_server((str(address), port), family=family, backlog=_BACKLOG)
        except OSError as exc:
            # "localhost" has an address of IPv6 also on machines that have no IPv6.
            if exc.errno in _NO_SUCH_ADDRESS and len(addresses) > 1:
                continue
            raise
        listening.setblocking(False)
        # A free port is one port, whatever the address.
        port = listening.getsockname()[1]
        yield listening
