"""Bytes to send, compressed at most once however often they are sent."""

import gzip

MEDIA_TYPE = "application/json"
COMPRESSED_FROM_BYTES = 1024
# On seat maps level 1 takes half the time of level 6 and its output is a tenth larger.
_LEVEL = 1


def compact(encoded: bytes) -> bytes:
    """Copy what `orjson` has encoded, to keep it: its bytes hold their whole output buffer, some 4 KB."""
    return bytes(memoryview(encoded))


class Body:
    """The content of an answer.

    Args:
        plain: the bytes as they are.
        compressible: whether compressing them may save anything.
    """

    __slots__ = ("_compressed", "_compressible", "plain")

    def __init__(self, plain: bytes, *, compressible: bool = True) -> None:
        self.plain = plain
        self._compressible = compressible
        self._compressed: bytes | None = None

    @property
    def worth_compressing(self) -> bool:
        """True if compression is likely to save anything."""
        return self._compressible and len(self.plain) >= COMPRESSED_FROM_BYTES

    @property
    def compressed(self) -> bytes:
        """The bytes as a gzip member."""
        if self._compressed is None:
            self._compressed = gzip.compress(self.plain, _LEVEL, mtime=0)
        return self._compressed


EMPTY = Body(b"")
