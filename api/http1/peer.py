"""The other end of a connection, with the attributes that Tornado's requests read."""

from ipaddress import IPv6Address, ip_address

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - how Tornado writes an unknown address


class Peer:
    """The client of a connection, or of one request that a proxy has forwarded.

    Args:
        remote_ip: IP address.
        scheme: "http" or "https", as a trusted proxy reports it; None if unknown.
        relays: whether it is a trusted proxy, whose header fields report the client's address.
    """

    __slots__ = ("protocol", "relays", "remote_ip", "scheme")

    def __init__(self, remote_ip: str, *, scheme: str | None = None, relays: bool = False) -> None:
        self.remote_ip = remote_ip
        self.scheme = scheme
        self.protocol = scheme or "http"
        self.relays = relays

    def __str__(self) -> str:
        return self.remote_ip


def plain_address(text: str) -> str:
    """An IP address in its usual spelling, with IPv4 addresses that are mapped into IPv6 as IPv4.

    Raises:
        ValueError: it is not an IP address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)
