"""Where a server listens: its port, extra ones, and in a demo those that the guides' own clients look for."""

import errno
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack

GUIDES_PORTS = (8001, 3000)
"""Ports that are written into the guides' own clients."""

_BACKLOG = 128
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class AddressUnusable(Exception):
    """The server cannot listen where it was told to."""


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
                reason = exc.strerror or str(exc)
                raise AddressUnusable(
                    f"Cannot listen on {host}:{port}: {reason}; choose another host or port"
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


def listen_where_free(listen: Callable[[int], None], ports: Iterable[int]) -> Iterator[str]:
    """Listen at more ports, if nobody else does. Yields a line for people about each.

    Args:
        listen: listens at a port, or raises AddressUnusable.
        ports: the ports.
    """
    for port in ports:
        try:
            listen(port)
            yield f"also listening on port {port}, where the guides' own clients look"
        except AddressUnusable:
            yield f"port {port} is taken: the guides' clients that look there will not find this server"
