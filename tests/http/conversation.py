"""Test cases for HTTP: bytes sent and the expected reaction.

Each case sends its bytes on a new connection. It lists the statuses that come back, in order, and whether the
connection stays open; if it does, it must answer one more request. A case can also check what the application
saw of the last request. Section numbers are those of RFC 9112 unless RFC 9110 is named.
"""

from dataclasses import dataclass, field
from typing import Any

HOST = b"Host: cinema\r\n"
KEPT, CLOSED = True, False


@dataclass(frozen=True)
class Case:
    """One conversation.

    Attributes:
        sent: the bytes that the client sends.
        statuses: of the responses, including interim ones.
        kept: whether the connection stays usable.
        seen: relevant parts of the last request as the application saw it.
        response_fields: header fields of the last response; None for fields that must be absent.
        ends: whether the client closes its sending side.
    """

    name: str
    sent: bytes
    statuses: tuple[int, ...]
    kept: bool
    seen: dict[str, Any] = field(default_factory=dict)
    response_fields: dict[str, str | None] = field(default_factory=dict)
    ends: bool = False


def get(*fields: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    """Return a GET with additional header fields."""
    return b"GET %b %b\r\n%b%b\r\n" % (target, version, host, b"".join(field + b"\r\n" for field in fields))


def post(body: bytes, *fields: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a POST with exactly these bytes after its head."""
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST %b %b\r\n%b%b\r\n%b" % (target, version, HOST, lines, body)


def chunked(body: bytes) -> bytes:
    """Return a POST whose chunked body has exactly these bytes."""
    return post(body, b"Transfer-Encoding: chunked")


def refused(name: str, sent: bytes, status: int = 400) -> Case:
    """A case whose request gets this status, after which the server closes the connection."""
    return Case(name, sent, (status,), CLOSED)


GET, LAST = get(), get(b"Connection: close")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
