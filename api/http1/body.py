"""Reads request bodies: with a declared length, or chunked (RFC 9112, sections 6 and 7)."""

import re
from typing import Protocol

from api.http1.errors import BodyTooLarge, MalformedRequest

# Chunk extensions are allowed and ignored (section 7.1.1).
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~]*)?\r\n")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n")
_SIZE_LINE_BYTES = 256
_END_OF_CHUNK = b"\r\n"


class BodyReader(Protocol):
    """A body that is being received."""

    complete: bool

    def take(self, data: bytes, start: int, end: int) -> tuple[bytes, int]:
        """Read `data[start:end]`.

        Returns:
            The content, and the position up to which `data` was consumed.

        Raises:
            MalformedRequest: the framing is invalid, so the end of the body is unknown.
            BodyTooLarge: the body is longer than its limit.
        """


class ContentLengthReader:
    """A body with a Content-Length.

    Args:
        content_bytes: the declared length, at least 1.
        limit_bytes: largest length allowed.

    Raises:
        BodyTooLarge: the declared length exceeds the limit.
    """

    def __init__(self, content_bytes: int, limit_bytes: int) -> None:
        if content_bytes > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        self._left = content_bytes
        self.complete = False

    def take(self, data: bytes, start: int, end: int) -> tuple[bytes, int]:
        content = data[start : min(end, start + self._left)]
        self._left -= len(content)
        self.complete = self._left == 0
        return content, start + len(content)


class ChunkedReader:
    """A chunked body. Trailer fields are validated and dropped.

    Args:
        limit_bytes: largest content allowed.
        trailer_limit_bytes: largest total size of the trailer fields.
    """

    def __init__(self, limit_bytes: int, trailer_limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._room = limit_bytes
        self._trailer_room = trailer_limit_bytes
        self._left = 0
        self._read_line = self._read_size
        self.complete = False

    def take(self, data: bytes, start: int, end: int) -> tuple[bytes, int]:
        pieces = []
        at = start
        while at < end and not self.complete:
            if self._left:
                piece = data[at : min(end, at + self._left)]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
            else:
                after = self._read_line(data, at, end)
                if after == at:
                    break
                at = after
        return b"".join(pieces), at

    # The parts between the pieces of content. Each consumes one line, or nothing if the line is incomplete.

    def _read_size(self, data: bytes, at: int, end: int) -> int:
        after = _end_of_line(data, at, end, _SIZE_LINE_BYTES)
        if after == at:
            return at
        match = _SIZE_LINE.fullmatch(data, at, after)
        if match is None:
            raise MalformedRequest("the size of a chunk is not valid")
        self._left = int(match[1], 16)
        self._room -= self._left
        if self._room < 0:
            raise BodyTooLarge(self._limit_bytes)
        self._read_line = self._read_end_of_chunk if self._left else self._read_trailer
        return after

    def _read_end_of_chunk(self, data: bytes, at: int, end: int) -> int:
        if not _END_OF_CHUNK.startswith(data[at : min(end, at + 2)]):
            raise MalformedRequest("a chunk is longer than its size")
        if end - at < 2:
            return at
        self._read_line = self._read_size
        return at + 2

    def _read_trailer(self, data: bytes, at: int, end: int) -> int:
        after = _end_of_line(data, at, end, self._trailer_room)
        if after == at:
            return at
        self._trailer_room -= after - at
        if data[at:after] == b"\r\n":
            self.complete = True
        elif not _TRAILER_LINE.fullmatch(data, at, after):
            raise MalformedRequest("a trailer field is not valid")
        return after


def _end_of_line(data: bytes, at: int, end: int, limit_bytes: int) -> int:
    """The position after a line, or `at` if the line is incomplete."""
    after = data.find(b"\n", at, min(end, at + limit_bytes)) + 1
    if after == 0:
        if end - at >= limit_bytes:
            raise MalformedRequest("a line within the body is too long")
        return at
    return after
