"""Opens the listening sockets: the server's port and the extra ports of its settings."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from frontrow.permissions import user_name

GUIDES_PORTS = (8001, 3000)
"""Ports that the guides' sample clients expect. They are opened only if the settings name them."""

_BACKLOG = 128
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class AddressUnusable(Exception):
    """The server cannot listen on the configured address."""


def authority(host: str, port: int) -> str:
    """Return host and port as they appear in a URL; an IPv6 address gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening_sockets(host: str, ports: Sequence[int]) -> list[socket.socket]:
    """Open listening sockets for all ports, or for none if one fails.

    Args:
        host: a name or an address; each of its addresses gets a socket per port.
        ports: the ports; 0 picks a free one.

    Raises:
        AddressUnusable: an address is in use, or this process may not use it.
    """
    with ExitStack() as opened:
        sockets = []
        for port in ports:
            try:
                for listening in _bound(host, port):
                    sockets.append(opened.enter_context(listening))
            except OSError as exc:
                # The standard library appends the address in parentheses, which our message already contains.
                reason = (exc.strerror or str(exc)).partition(" (while attempting")[0]
                if isinstance(exc, PermissionError):
                    reason += f" to the user {user_name()}"
                raise AddressUnusable(
                    f"Cannot listen on {authority(host, port)}: {reason}; choose another host or port"
                ) from exc
        opened.pop_all()
    return sockets


def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket per address of a host. Tornado's `bind_sockets` leaks a socket if it fails halfway."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = dict.fromkeys((family, address[0]) for family, *_, address in found)
    for family, address in addresses:
        try:
            listening = socket.create_server((str(address), port), family=family, backlog=_BACKLOG)
        except OSError as exc:
            # "localhost" resolves to ::1 even on machines without IPv6.
            if exc.errno in _NO_SUCH_ADDRESS and len(addresses) > 1:
                continue
            raise
        listening.setblocking(False)
        # Once one address has picked a free port, the other addresses use the same one.
        port = listening.getsockname()[1]
        yield listening
