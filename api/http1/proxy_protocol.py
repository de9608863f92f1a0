"""The header of the PROXY protocol, by which a proxy that forwards bytes reports the client's address.

Both versions of https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt are read. Version 1 is a line of
text:

    PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\\r\\n

Version 2 is binary: a signature, command and address family, the length of what follows, the addresses, and
extensions that are skipped here. A header is read in two steps, so that no byte after it is consumed: first
`HEAD`, which gives the length of the whole, then the rest.
"""

import re
import struct
from ipaddress import ip_address

from api.http1.peer import plain_address

HEAD_LIMIT_BYTES = 107
"""The longest header of version 1."""

HEADER_LIMIT_BYTES = 4096
"""The longest header of version 2 that is accepted, including extensions such as client certificates."""

_NAME = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def _straying(beginning: bytes) -> bytes:
    """A pattern of bytes that start like `beginning` and then differ from it."""
    pieces = [
        re.escape(beginning[:at]) + b"[^%s]" % beginning[at : at + 1] for at in range(1, len(beginning))
    ]
    return b"|".join(pieces)


HEAD = re.compile(
    # A line, or the fixed part of version 2. Bytes that start neither match too, so that a connection
    # without a header is refused immediately.
    rb"\A(?:%s[^\n]*\n|%s.{4}|[^P\r]|%s|%s)"
    % (_NAME, re.escape(_SIGNATURE), _straying(_NAME), _straying(_SIGNATURE)),
    re.DOTALL,
)
"""Matches the bytes that determine the length of a header."""

_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP(?P<version>[46]) (?P<source>[0-9a-fA-F:.]{2,45})"
    rb" [0-9a-fA-F:.]{2,45} [0-9]{1,5} [0-9]{1,5})\r\n"
)
_FIXED = struct.Struct("!12sBBH")
_VERSION_2, _LOCAL, _PROXY = 0x20, 0, 1
_UNSPECIFIED, _IPV4, _IPV6, _UNIX = range(4)
# Bytes of both addresses and ports, and of the first address alone.
_ADDRESS_BYTES = {_UNSPECIFIED: (0, 0), _IPV4: (12, 4), _IPV6: (36, 16), _UNIX: (216, 0)}
_LAST_TRANSPORT = 2


class MalformedProxyHeader(Exception):
    """A connection did not begin with a valid PROXY header."""


def header_bytes(head: bytes) -> int:
    """The length of the whole header.

    Args:
        head: the bytes that `HEAD` matched.

    Raises:
        MalformedProxyHeader: they start no header, or one that is too long.
    """
    if head.startswith(_NAME):
        if len(head) <= HEAD_LIMIT_BYTES:
            return len(head)
        raise MalformedProxyHeader("its PROXY line is too long")
    if head.startswith(_SIGNATURE):
        length = _FIXED.size + int.from_bytes(head[-2:], "big")
        if length <= HEADER_LIMIT_BYTES:
            return length
        raise MalformedProxyHeader(f"its PROXY header has {length} bytes, {HEADER_LIMIT_BYTES} are allowed")
    raise MalformedProxyHeader("it did not begin with a PROXY header")


def source_of(header: bytes) -> str | None:
    """The client's address.

    Args:
        header: a complete header.

    Returns:
        None if the proxy connects on its own behalf (a health check), does not know the client, or has a
        client on a UNIX socket.

    Raises:
        MalformedProxyHeader: the header is invalid.
    """
    return _source_in_binary(header) if header.startswith(_SIGNATURE) else _source_in_line(header)


def _source_in_line(header: bytes) -> str | None:
    match = _LINE.fullmatch(header)
    if match is None:
        raise MalformedProxyHeader("its PROXY line is malformed")
    if match["source"] is None:
        return None
    try:
        address = ip_address(match["source"].decode("ascii"))
    except ValueError as error:
        raise MalformedProxyHeader("its PROXY line holds no valid address") from error
    if address.version != int(match["version"]):
        raise MalformedProxyHeader("its PROXY line holds an address of the other family")
    return plain_address(str(address))


def _source_in_binary(header: bytes) -> str | None:
    _, version_and_command, family_and_transport, length = _FIXED.unpack_from(header)
    command, family = version_and_command & 0x0F, family_and_transport >> 4
    if version_and_command & 0xF0 != _VERSION_2 or command > _PROXY:
        raise MalformedProxyHeader("its PROXY header has an unknown version or command")
    if command == _LOCAL:
        return None
    if family not in _ADDRESS_BYTES or family_and_transport & 0x0F > _LAST_TRANSPORT:
        raise MalformedProxyHeader("its PROXY header has an unknown address family")
    needed, source = _ADDRESS_BYTES[family]
    if length < needed:
        raise MalformedProxyHeader("its PROXY header is too short for its addresses")
    if not source:
        return None
    return plain_address(str(ip_address(header[_FIXED.size : _FIXED.size + source])))
