"""A conversation: octets, and what comes of them.

Each case sends its octets on a connection of its own. It names the statuses that come back, in order, and
whether the connection is kept; a kept one must answer one more request. What the application saw of the last
request can be named too. Sections are those of RFC 9112, and of RFC 9110 where that is said.
"""

from dataclasses import dataclass, field
from typing import Any

HOST = b"Host: cinema\r\n"
KEPT, CLOSED = True, False


@dataclass(frozen=True)
class Case:
    """One conversation.

    Attributes:
        sent: what the client sends.
        statuses: of the answers, interim ones included.
        kept: whether the connection can be used on.
        seen: what the application was asked last, as far as it matters.
        said: header fields of the last answer; None where there must be none.
        ends: whether the client says that it sends no more.
    """

    name: str
    sent: bytes
    statuses: tuple[int, ...]
    kept: bool
    seen: dict[str, Any] = field(default_factory=dict)
    said: dict[str, str | None] = field(default_factory=dict)
    ends: bool = False


def get(*fields: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    """A GET with more header fields."""
    return b"GET %b %b\r\n%b%b\r\n" % (target, version, host, b"".join(field + b"\r\n" for field in fields))


def post(body: bytes, *fields: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1") -> bytes:
    """A POST with exactly this after its head."""
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST %b %b\r\n%b%b\r\n%b" % (target, version, HOST, lines, body)


def chunked(body: bytes) -> bytes:
    """A POST in chunks, of which the body consists as given."""
    return post(body, b"Transfer-Encoding: chunked")


def refused(name: str, sent: bytes, status: int = 400) -> Case:
    """A request that gets this status and the end of its connection, whatever follows."""
    return Case(name, sent, (status,), CLOSED)


GET, LAST = get(), get(b"Connection: close")
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
