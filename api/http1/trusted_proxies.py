"""The client's address and scheme when requests come through proxies.

A proxy appends its client's address to a header field that the client may have sent already. So the field is
read from the right, and an entry counts only if a trusted proxy wrote it: the connection's peer must be one,
and so must every address skipped on the way. The first address that is not a trusted proxy's is the client's;
entries left of it are ignored.

Only the field that the operator configured is read. A proxy that appends to `X-Forwarded-For` usually
forwards a client's `Forwarded` unchanged, and vice versa, so reading either would mean trusting clients.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice
from typing import NamedTuple

from api.http1.forwarded import elements_from_the_right
from api.http1.peer import UNKNOWN_ADDRESS, Peer, plain_address

X_FORWARDED_FOR, FORWARDED = "X-Forwarded-For", "Forwarded"

Network = IPv4Network | IPv6Network

# Proxies in a row; far more than any real installation has.
_HOPS_LIMIT = 16
_NODE_CHARACTERS = 128
_ADDRESSES_KEPT = 4096
# An address as proxies write it, with or without a port (RFC 7239, section 6).
_NODE = re.compile(
    r"(?:\[(?P<bracketed>[0-9a-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?:[0-9]{1,5}|_[\w.-]+))?|(?P<v6>[0-9a-f:.]+)",
    re.IGNORECASE | re.ASCII,
)
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class _Hop(NamedTuple):
    """One entry of a header field: the address and scheme from which a proxy received the request."""

    node: str
    scheme: str | None


class _Address(NamedTuple):
    """An entry's address, or None if it has none, and whether it belongs to a trusted proxy."""

    address: str | None
    trusted: bool


class TrustedProxies:
    """Proxies that are trusted to report the client's address.

    Args:
        networks: their addresses.
        header: the field that they append to: X_FORWARDED_FOR (with X-Forwarded-Proto), or FORWARDED
            (RFC 7239).
    """

    def __init__(self, networks: Sequence[Network] = (), header: str = X_FORWARDED_FOR) -> None:
        self._networks = tuple(networks)
        self._hops = _forwarded if header == FORWARDED else _x_forwarded
        # The same clients and proxies appear again and again.
        self._address_of = lru_cache(_ADDRESSES_KEPT)(self._parsed)

    def peer(self, address: Sequence[object] | None) -> Peer:
        """The peer of a new connection.

        Args:
            address: of its socket; None if the client has disconnected already.
        """
        # The address of a UNIX socket is a path.
        text = str(address[0]) if isinstance(address, tuple) and address else UNKNOWN_ADDRESS
        if ":" in text:
            text = plain_address(text)
        return Peer(text, relays=self.trusts(text))

    def trusts(self, address: str) -> bool:
        """Return whether the address belongs to a trusted proxy."""
        if not self._networks:
            return False
        known = ip_address(address)
        return any(known in network for network in self._networks)

    def announced(self, proxy: Peer, source: str | None) -> Peer:
        """The peer of a connection on which a proxy sent a PROXY protocol header.

        Args:
            proxy: the sender.
            source: the client's address; None if the header has none. Then the proxy's address is used, and
                header fields of its requests are not trusted.
        """
        return Peer(proxy.remote_ip) if source is None else Peer(source, relays=self.trusts(source))

    def client(self, proxy: Peer, headers: Mapping[str, str]) -> Peer:
        """The client of a request that a trusted proxy forwarded.

        An entry without an address ends the search; the last address found before it is the client's.

        Args:
            proxy: the connection's peer, with `relays` set.
            headers: of the request.
        """
        address, scheme = proxy.remote_ip, None
        for hop in islice(self._hops(headers), _HOPS_LIMIT):
            scheme = hop.scheme
            found = self._address_of(hop.node) if len(hop.node) <= _NODE_CHARACTERS else _NO_ADDRESS
            if found.address is None:
                break
            address = found.address
            if not found.trusted:
                break
        return Peer(address, scheme=scheme)

    def _parsed(self, node: str) -> _Address:
        match = _NODE.fullmatch(node)
        if match is None:
            return _NO_ADDRESS
        try:
            address = plain_address(match["bracketed"] or match["v4"] or match["v6"])
        except ValueError:
            return _NO_ADDRESS
        return _Address(address, self.trusts(address))


_NO_ADDRESS = _Address(None, trusted=False)


def _x_forwarded(headers: Mapping[str, str]) -> Iterator[_Hop]:
    """The entries of X-Forwarded-For from the right.

    X-Forwarded-Proto may be a list of the same length, or one value for all entries.
    """
    schemes = headers.get("X-Forwarded-Proto", "").split(",")
    schemes.reverse()
    nodes = headers.get("X-Forwarded-For", "").split(",")
    for number, node in enumerate(reversed(nodes)):
        scheme = schemes[min(number, len(schemes) - 1)].strip().lower()
        yield _Hop(node.strip(), _SCHEMES.get(scheme))


def _forwarded(headers: Mapping[str, str]) -> Iterator[_Hop]:
    """The elements of Forwarded from the right."""
    for pairs in elements_from_the_right(headers.get("Forwarded", "")):
        yield _Hop(pairs.get("for", ""), _SCHEMES.get(pairs.get("proto", "").lower()))


NO_PROXIES = TrustedProxies()
"""Trusts no proxy."""
