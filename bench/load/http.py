"""Just enough HTTP/1.1 to load a server: requests as finished bytes, answers cut out of the stream.

A client library would cost more per request than the servers that are measured. What is here knows one
framing, Content-Length (RFC 9112 section 6.2), and keeps nothing of an answer but its status and, for
whoever asks, its head. Every server is sent the same bytes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

CREATED, NO_CONTENT, NOT_MODIFIED, CONFLICT = 201, 204, 304, 409
OK = 200

_BODILESS = frozenset({NO_CONTENT, NOT_MODIFIED})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_ENTITY_TAG = re.compile(rb"\r\netag:[ \t]*([^\r]+)", re.IGNORECASE)
_STATUS = slice(9, 12)


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


class BadAnswer(Exception):
    """A server answered something that is not counted here: no Content-Length, or no HTTP at all."""


class Requests(Protocol):
    """What the connections of a load send. Crosses a process border, hence is plain data."""

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """The requests of one connection, in order; it falls silent when they end.

        Args:
            connection: its number, from 0.
            connections: how many there are.
        """


def request(
    method: str, path: str, *, token: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole request.

    Args:
        token: sent as a bearer token, if given.
        body: JSON.
        headers: more of them.
    """
    return head(method, path, token=token, headers=headers) + framed(body)


def head(method: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> bytes:
    """A request up to where `framed` goes on."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "".join(f"{line}\r\n" for line in lines).encode()


def framed(body: bytes) -> bytes:
    """The end of a request's head, and its body."""
    if not body:
        return b"\r\n"
    return b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Answer(NamedTuple):
    """One answer.

    Attributes:
        status: of HTTP.
        head: status line and headers.
    """

    status: int
    head: bytes

    @property
    def entity_tag(self) -> bytes:
        """The ETag, or nothing."""
        match = _ENTITY_TAG.search(self.head)
        return match[1] if match else b""


class Answers:
    """Cuts what a connection receives into answers."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[Answer]:
        """The answers that are complete now.

        Raises:
            BadAnswer: the stream cannot be followed any more.
        """
        stream = self._rest + received if self._rest else received
        complete: list[Answer] = []
        start = 0
        while (end := stream.find(b"\r\n\r\n", start)) >= 0:
            answer_head = stream[start : end + 2]
            try:
                status = int(answer_head[_STATUS])
            except ValueError as exc:
                raise BadAnswer(f"no status in {answer_head[:80]!r}") from exc
            stop = end + 4
            if status not in _BODILESS:
                length = _LENGTH.search(answer_head)
                if length is None:
                    raise BadAnswer(f"no Content-Length in {answer_head!r}")
                stop += int(length[1])
            if stop > len(stream):
                break
            complete.append(Answer(status, answer_head))
            start = stop
        self._rest = stream[start:]
        return complete
