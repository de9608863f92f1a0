"""Compression of large frames (RFC 7692): once per frame, whoever gets it.

A frame goes to many sockets, so what it becomes must not depend on what a socket got before: neither side
carries a context over from one message to the next, and the window has its full size. A client that insists
on something else is served uncompressed. Small frames are cheaper as they are.
"""

import re
import zlib
from collections.abc import Iterator

from api.ws.frames import COMPRESSED, DEFLATE_TAIL, frame

ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
"""What a client is answered whose offer is taken."""

_EXTENSION = "permessage-deflate"
_LEVEL = 1
_MEMORY_LEVEL = 9
_FULL_WINDOW_BITS = str(zlib.MAX_WBITS)
_WINDOW_BITS = re.compile(r"8|9|1[0-5]")
_OFFER_LIMIT_BYTES = 1024


def agreed(offers: str) -> bool:
    """Whether one of the offers in a `Sec-WebSocket-Extensions` header can be taken.

    Args:
        offers: the header; absurdly long ones are not looked at.
    """
    return len(offers) <= _OFFER_LIMIT_BYTES and any(map(_is_acceptable, offers.split(",")))


def _is_acceptable(offer: str) -> bool:
    name, *parameters = (part.strip() for part in offer.split(";"))
    if name != _EXTENSION:
        return False
    seen: set[str] = set()
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        value = value.strip().strip('"')
        match key.strip():
            case "server_no_context_takeover" | "client_no_context_takeover" as key:
                acceptable = not equals
            case "client_max_window_bits" as key:
                acceptable = not equals or _WINDOW_BITS.fullmatch(value) is not None
            case "server_max_window_bits" as key:
                acceptable = value == _FULL_WINDOW_BITS
            case _:
                acceptable = False
        if not acceptable or key in seen:
            return False
        seen.add(key)
    return True


def deflated(frames: bytes, from_bytes: int) -> bytes:
    """The same frames, with the large ones compressed where that makes them smaller.

    Args:
        frames: whole unmasked text frames, as `api.ws.outbox.text_frame` makes them.
        from_bytes: payloads from this length on are compressed.
    """
    if len(frames) < from_bytes:
        return frames
    return b"".join(_deflated_frame(whole, payload, from_bytes) for whole, payload in _cut(frames))


def _deflated_frame(whole: memoryview, payload: memoryview, from_bytes: int) -> bytes | memoryview:
    if len(payload) < from_bytes:
        return whole
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, _MEMORY_LEVEL)
    small = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
    small = small.removesuffix(DEFLATE_TAIL)
    return frame(whole[0] | COMPRESSED, small) if len(small) < len(payload) else whole


def _cut(frames: bytes) -> Iterator[tuple[memoryview, memoryview]]:
    """Each frame, and its payload."""
    rest = memoryview(frames)
    while rest:
        size, header_bytes = rest[1], 2
        if size == 126:
            size, header_bytes = int.from_bytes(rest[2:4], "big"), 4
        elif size == 127:
            size, header_bytes = int.from_bytes(rest[2:10], "big"), 10
        end = header_bytes + size
        yield rest[:end], rest[header_bytes:end]
        rest = rest[end:]
