"""Opens the listening sockets of a server on all the ports of its settings."""

import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from api.http1.server import BACKLOG
from frontrow.permissions import user_name
from frontrow.settings import Settings

GUIDES_PORTS = (8001, 3000)
"""Ports that the guides' sample clients expect. They are opened only if the settings name them."""

_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class AddressUnusable(Exception):
    """The server cannot listen on the configured address."""


def authority(host: str, port: int) -> str:
    """Return host and port as they appear in a URL; an IPv6 address gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Listening(NamedTuple):
    """The listening sockets of one server.

    Attributes:
        public: sockets of the port and the extra ports.
        proxied: sockets on which trusted proxies speak the PROXY protocol.
        metrics: sockets that serve the metrics only.
    """

    public: list[socket.socket]
    proxied: list[socket.socket]
    metrics: list[socket.socket]


def listen(settings: Settings) -> Listening:
    """Open all listening sockets, or none if one fails.

    Args:
        settings: hosts and ports. Each address of a host gets a socket per port; port 0 picks a free one.

    Raises:
        AddressUnusable: an address is in use, or this process may not use it.
    """
    with ExitStack() as opened:
        listening = Listening(
            _opened(opened, settings.host, (settings.port, *settings.extra_ports)),
            _opened(opened, settings.host, settings.proxy_protocol_ports),
            _opened(opened, settings.metrics_host, (settings.metrics_port,) if settings.metrics_port else ()),
        )
        opened.pop_all()
    return listening


def port_numbers(sockets: Iterable[socket.socket]) -> tuple[int, ...]:
    """Return the ports of listening sockets, each once, in their order."""
    return tuple(dict.fromkeys(listening.getsockname()[1] for listening in sockets))


def _opened(opened: ExitStack, host: str, ports: Sequence[int]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for port in ports:
        try:
            sockets.extend(opened.enter_context(listening) for listening in _bound(host, port))
        except OSError as exc:
            # The standard library appends the address in parentheses, which our message already contains.
            reason = (exc.strerror or str(exc)).partition(" (while attempting")[0]
            if isinstance(exc, PermissionError):
                reason += f" to the user {user_name()}"
            raise AddressUnusable(
                f"Cannot listen on {authority(host, port)}: {reason}; choose another host or port"
            ) from exc
    return sockets


def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket per address of a host. Tornado's `bind_sockets` leaks a socket if it fails halfway."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = dict.fromkeys((family, address[0]) for family, *_, address in found)
    for family, address in addresses:
        try:
            listening = socket.create_server((str(address), port), family=family, backlog=BACKLOG)
        except OSError as exc:
            # "localhost" resolves to ::1 even on machines without IPv6.
            if exc.errno in _NO_SUCH_ADDRESS and len(addresses) > 1:
                continue
            raise
        listening.setblocking(False)
        # Once one address has picked a free port, the other addresses use the same one.
        port = listening.getsockname()[1]
        yield listening
