"""Checks the addresses and URLs that webhooks are sent to.

Administrators choose the URLs, but nobody must be able to reach the operator's own machines through them. So
each address that a connection is made to is checked at that time (`api.webhooks.client`), whatever the name
resolved to before.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

URL_LIMIT = 2000
SEND_SECONDS = 10.0
"""Time limit of a request to a webhook, including the resolution of the name."""

_UNUSABLE_CHARACTER = re.compile(r"[\x00-\x20\x7f\\]")
WEB_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024
"""Lowest port that belongs to no system service, such as mail (25) or a name server (53)."""

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ip_network("::/96")
_GLOBAL_IPV6 = ip_network("2000::/3")
# Special networks that `ipaddress` calls global, at least in some versions.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24")))
_SPECIAL_IPV6 = tuple(map(ip_network, ("2001::/23", "3fff::/20")))
_PRIVATE = tuple(
    map(ip_network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)
_PRIVATE_IPV6 = tuple(map(ip_network, ("::1/128", "fc00::/7")))


class UnusableUrl(ValueError):
    """A URL that webhooks cannot have. The text says why, for administrators."""


def checked_url(url: str, *, private: bool) -> SplitResult:
    """Return the parts of a URL that a webhook may have.

    Args:
        url: an absolute URL.
        private: whether private addresses are allowed.

    Raises:
        UnusableUrl: it is malformed, or names an address or port that is not allowed.
    """
    if _UNUSABLE_CHARACTER.search(url):
        raise UnusableUrl("Must not contain spaces, control characters or backslashes; percent-encode them.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnusableUrl("Must be a URL such as https://shop.example/hooks.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or len(url) > URL_LIMIT:
        raise UnusableUrl("Must be an https or http URL of at most 2000 characters.")
    if parts.username is not None or parts.password is not None:
        raise UnusableUrl("Must not contain a user or password; the signature identifies the sender.")
    if parts.fragment:
        raise UnusableUrl("Must not have a fragment (#…), since it is not sent.")
    if port is not None and port not in WEB_PORTS and port < FIRST_FREE_PORT:
        raise UnusableUrl("The port must be 80, 443, or 1024 and higher.")
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return parts
    if not is_allowed(address, private=private):
        raise UnusableUrl("Must not be a private, local or reserved address.")
    return parts


def is_allowed(address: IPv4Address | IPv6Address, *, private: bool) -> bool:
    """Return whether webhooks may connect to an address.

    Addresses that embed an IPv4 address, which a gateway may translate, are judged by that.

    Args:
        address: the address.
        private: whether loopback and private networks are allowed; link-local and reserved ones never are.
    """
    embedded = _embedded(address)
    if embedded is not None:
        return is_allowed(embedded, private=private)
    if isinstance(address, IPv4Address):
        if private and any(address in network for network in _PRIVATE):
            return True
        special = address.is_multicast or any(address in network for network in _SPECIAL)
        return address.is_global and not special
    if private and any(address in network for network in _PRIVATE_IPV6):
        return True
    special = any(address in network for network in _SPECIAL_IPV6)
    return address.is_global and address in _GLOBAL_IPV6 and not special


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _IPV4_COMPATIBLE and int(address) > 1:
        return IPv4Address(int(address))
    return None
