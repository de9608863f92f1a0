"""A minimal WebSocket client (RFC 6455): makes frames beforehand, cuts and counts those from servers."""

TEXT, PING, PONG = 0x1, 0x9, 0xA

_FINAL, _MASKED = 0x80, 0x80
_KEY = bytes(4)
"""Masking with zeros does not change the text; a server unmasks it all the same (section 5.3)."""


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a whole masked frame with a payload of at most 65,535 bytes."""
    size = len(payload)
    if size < 126:
        length = bytes([_MASKED | size])
    else:
        length = bytes([_MASKED | 126]) + size.to_bytes(2, "big")
    return bytes([_FINAL | opcode]) + length + _KEY + payload


def handshake(path: str) -> bytes:
    """Return the request that opens a WebSocket, always with the same key."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: ZnJvbnRyb3ctYmVuY2gtLQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def count_texts(stream: bytes) -> tuple[int, int, int]:
    """Count the whole text frames at the start of some bytes.

    Returns:
        Their number, the bytes of their payloads, and where they end.
    """
    number = total = start = 0
    available = len(stream)
    while available - start > 3 and stream[start] == _FINAL | TEXT and (size := stream[start + 1]) < 127:
        payload_at = start + 2
        if size == 126:
            size, payload_at = (stream[start + 2] << 8) + stream[start + 3], start + 4
        if payload_at + size > available:
            break
        start = payload_at + size
        number += 1
        total += size
    return number, total, start


class Frames:
    """Cuts the bytes that a connection receives into frames, which are neither masked nor fragmented.

    Attributes:
        rest: the beginning of a frame that is not complete.
    """

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """Return opcode and payload of the frames that are now complete."""
        stream = self.rest + received if self.rest else received
        complete: list[tuple[int, bytes]] = []
        start, available = 0, len(stream)
        while available - start >= 2:
            size, payload_at = stream[start + 1], start + 2
            if size == 126:
                size, payload_at = int.from_bytes(stream[start + 2 : start + 4], "big"), start + 4
            elif size == 127:
                size, payload_at = int.from_bytes(stream[start + 2 : start + 10], "big"), start + 10
            stop = payload_at + size
            if stop > available:
                break
            complete.append((stream[start] & 0x0F, stream[payload_at:stop]))
            start = stop
        self.rest = stream[start:]
        return complete
