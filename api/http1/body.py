"""From the octets of a body to its content, for both ways in which its end is told (RFC 9112, section 6)."""

import re
from typing import Protocol

from api.http1.errors import BodyTooLarge, MalformedRequest

# Extensions are allowed and mean nothing to us (section 7.1.1).
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~]*)?\r\n")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n")
_SIZE_LINE_BYTES = 256
_END_OF_CHUNK = b"\r\n"


class Body(Protocol):
    """A body that is being read."""

    complete: bool

    def take(self, octets: bytes, start: int, end: int) -> tuple[bytes, int]:
        """The content between two positions, and the position up to which the octets have been used.

        Raises:
            MalformedRequest: its end cannot be told.
            BodyTooLarge: it is longer than it may be.
        """


class MeasuredBody:
    """A body whose length was declared.

    Args:
        content_bytes: its length, at least 1.
        limit_bytes: what it may not exceed.

    Raises:
        BodyTooLarge: it does.
    """

    def __init__(self, content_bytes: int, limit_bytes: int) -> None:
        if content_bytes > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        self._left = content_bytes
        self.complete = False

    def take(self, octets: bytes, start: int, end: int) -> tuple[bytes, int]:
        content = octets[start : min(end, start + self._left)]
        self._left -= len(content)
        self.complete = self._left == 0
        return content, start + len(content)


class ChunkedBody:
    """A body in chunks. Trailer fields are checked and dropped, as nothing here has a use for them.

    Args:
        limit_bytes: what its content may not exceed.
        trailer_limit_bytes: what its trailer fields may not exceed, together.
    """

    def __init__(self, limit_bytes: int, trailer_limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._room = limit_bytes
        self._trailer_room = trailer_limit_bytes
        self._left = 0
        self._read_line = self._read_size
        self.complete = False

    def take(self, octets: bytes, start: int, end: int) -> tuple[bytes, int]:
        pieces = []
        at = start
        while at < end and not self.complete:
            if self._left:
                piece = octets[at : min(end, at + self._left)]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
            else:
                after = self._read_line(octets, at, end)
                if after == at:
                    break
                at = after
        return b"".join(pieces), at

    # What stands between pieces of content. Each reads its line, or nothing if it has not come whole.

    def _read_size(self, octets: bytes, at: int, end: int) -> int:
        after = _end_of_line(octets, at, end, _SIZE_LINE_BYTES)
        if after == at:
            return at
        match = _SIZE_LINE.fullmatch(octets, at, after)
        if match is None:
            raise MalformedRequest("the size of a chunk is not valid")
        self._left = int(match[1], 16)
        self._room -= self._left
        if self._room < 0:
            raise BodyTooLarge(self._limit_bytes)
        self._read_line = self._read_end_of_chunk if self._left else self._read_trailer
        return after

    def _read_end_of_chunk(self, octets: bytes, at: int, end: int) -> int:
        if not _END_OF_CHUNK.startswith(octets[at : min(end, at + 2)]):
            raise MalformedRequest("a chunk is longer than its size")
        if end - at < 2:
            return at
        self._read_line = self._read_size
        return at + 2

    def _read_trailer(self, octets: bytes, at: int, end: int) -> int:
        after = _end_of_line(octets, at, end, self._trailer_room)
        if after == at:
            return at
        self._trailer_room -= after - at
        if octets[at:after] == b"\r\n":
            self.complete = True
        elif not _TRAILER_LINE.fullmatch(octets, at, after):
            raise MalformedRequest("a trailer field is not valid")
        return after


def _end_of_line(octets: bytes, at: int, end: int, limit_bytes: int) -> int:
    """The position behind a line, or where it begins if it has not come whole."""
    after = octets.find(b"\n", at, min(end, at + limit_bytes)) + 1
    if after == 0:
        if end - at >= limit_bytes:
            raise MalformedRequest("a line within the body is too long")
        return at
    return after
