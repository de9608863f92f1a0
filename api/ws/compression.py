"""Compression of large frames (permessage-deflate, RFC 7692), once per frame for all its receivers.

A frame is sent to many sockets, so its compressed form must not depend on what a socket got before: neither
side takes its context over to the next message, and the window has its full size. Clients that require other
parameters are served uncompressed. Small frames are sent uncompressed, which is cheaper.
"""

import re
import zlib
from collections.abc import Iterator

from api.ws.frames import COMPRESSED, DEFLATE_TAIL, frame

ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
"""Response to an accepted offer."""

_EXTENSION = "permessage-deflate"
_LEVEL = 1
_MEMORY_LEVEL = 9
_FULL_WINDOW_BITS = str(zlib.MAX_WBITS)
_WINDOW_BITS = re.compile(r"8|9|1[0-5]")
_OFFER_LIMIT_BYTES = 1024


def agreed(offers: str) -> bool:
    """Return whether one of the offers in a `Sec-WebSocket-Extensions` header is acceptable.

    Args:
        offers: the header; a header longer than `_OFFER_LIMIT_BYTES` is rejected.
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
    """Compress large frames, unless that would make them larger.

    Args:
        frames: whole unmasked text frames, as made by `api.ws.outbox.text_frame`.
        from_bytes: smallest payload to compress, in bytes.
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
    """Yield each frame, and its payload."""
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
