"""Just enough of RFC 6455 to load a server: client frames made beforehand, server frames cut and counted."""

from typing import NamedTuple

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

_FINAL, _MASKED = 0x80, 0x80
_KEY = bytes(4)
"""Masking by zeros leaves the text as it is; a server unmasks it all the same (section 5.3)."""


class Frame(NamedTuple):
    """A frame of a server."""

    opcode: int
    payload: bytes


# Half as dear as the constructor, and there are a million of them a second.
_made = tuple.__new__


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A whole masked frame.

    Args:
        payload: at most 65,535 bytes.
        opcode: of the frame.
    """
    size = len(payload)
    if size < 126:
        length = bytes([_MASKED | size])
    else:
        length = bytes([_MASKED | 126]) + size.to_bytes(2, "big")
    return bytes([_FINAL | opcode]) + length + _KEY + payload


def handshake(path: str) -> bytes:
    """The request that opens a WebSocket. The key may be any; nobody checks the answer to it here."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: ZnJvbnRyb3ctYmVuY2gtLQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class Frames:
    """Cuts what a connection receives into frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[Frame]:
        """The frames that are complete now. Servers do not mask and ours do not fragment."""
        stream = self._rest + received if self._rest else received
        complete: list[Frame] = []
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
            complete.append(_made(Frame, (stream[start] & 0x0F, stream[payload_at:stop])))
            start = stop
        self._rest = stream[start:]
        return complete
