"""A minimal HTTP/1.1 client: requests are finished bytes, responses are cut from the stream and counted.

A client library would cost more per request than the servers that are measured. This one understands one
framing, Content-Length (RFC 9112 section 6.2), and keeps the status and, for the ETag, the head.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from bench.load import MeasurementFailed

OK, CREATED, NO_CONTENT, NOT_MODIFIED, CONFLICT = 200, 201, 204, 304, 409

_BODILESS = frozenset({NO_CONTENT, NOT_MODIFIED})
_LENGTH = b"\r\ncontent-length:"
_ENTITY_TAG = re.compile(rb"\r\netag:[ \t]*([^\r]+)", re.IGNORECASE)


class Address(NamedTuple):
    """The address at which a server listens."""

    host: str
    port: int


class BadResponse(MeasurementFailed):
    """A response without Content-Length, without a status, or without a request."""


class Requests(Protocol):
    """The requests of a load. Sent to the load process by pickle, so it has to be plain data."""

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection, in order. The connection is idle when they end."""


def head(method: str, path: str, token: str = "") -> bytes:
    """Return the head of a request, to be continued by `framed`; the token is a bearer token."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}".encode()


def framed(body: bytes = b"") -> bytes:
    """Return the end of a request's head, and its JSON body."""
    if not body:
        return b"\r\n"
    return b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def entity_tag(response_head: bytes) -> bytes:
    """Return the ETag of a response, empty if there is none."""
    match = _ENTITY_TAG.search(response_head)
    return match[1] if match else b""


class Responses:
    """Cuts the bytes that a connection receives into responses."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """Return status and head of the responses that are now complete.

        Raises:
            BadResponse: the end of a response cannot be found.
        """
        stream = self._rest + received if self._rest else received
        complete: list[tuple[int, bytes]] = []
        start = 0
        while (end := stream.find(b"\r\n\r\n", start)) >= 0:
            response_head = stream[start : end + 2]
            try:
                status = int(response_head[9:12])
            except ValueError as exc:
                raise BadResponse(f"no status in {response_head[:80]!r}") from exc
            stop = end + 4
            if status not in _BODILESS:
                # Much faster than a regular expression that ignores the case.
                _, found, after = response_head.lower().partition(_LENGTH)
                if not found:
                    raise BadResponse(f"no Content-Length in {response_head[:200]!r}")
                stop += int(after[: after.find(b"\r")])
            if stop > len(stream):
                break
            complete.append((status, response_head))
            start = stop
        self._rest = stream[start:]
        return complete
