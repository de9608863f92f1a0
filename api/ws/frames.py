"""WebSocket frames (RFC 6455, section 5): an encoder, and an incremental parser of messages.

No I/O: bytes go in, messages come out. Anything a client must not send raises a `Fault` with the close code
to send; after a fault parsing cannot continue, because the start of the next frame is unknown. Messages may
be compressed (RFC 7692) if negotiated. They are inflated only up to the size limit, so a compression bomb
costs no more than any other message that is too big.
"""

import zlib
from enum import IntEnum

from tornado.util import _websocket_mask as unmasked

from api.limiter import TokenBucket

FINAL, COMPRESSED, RESERVED = 0x80, 0x40, 0x30
_MASKED = 0x80
_LENGTH_16_BITS, _LENGTH_64_BITS = 126, 127
_CONTROL_LIMIT_BYTES = 125
_RAW_DEFLATE = -zlib.MAX_WBITS
DEFLATE_TAIL = b"\x00\x00\xff\xff"
"""The end of every compressed message, omitted on the wire (RFC 7692, section 7.2.1)."""

POLICY_VIOLATION, PROTOCOL_ERROR, BAD_PAYLOAD, TOO_BIG = 1008, 1002, 1007, 1009


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_WHOLE_TEXT = FINAL | int(Opcode.TEXT)
_TEXT, _CLOSE = int(Opcode.TEXT), int(Opcode.CLOSE)
_DATA = frozenset({Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY})
_CONTROL = frozenset({Opcode.CLOSE, Opcode.PING, Opcode.PONG})


def frame(first: int, payload: bytes) -> bytes:
    """Encode an unmasked frame, as servers send it.

    Args:
        first: first byte: the flags `FINAL` and `COMPRESSED`, and the opcode.
        payload: sent unchanged.
    """
    size = len(payload)
    if size < _LENGTH_16_BITS:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, _LENGTH_16_BITS)) + size.to_bytes(2, "big") + payload
    return bytes((first, _LENGTH_64_BITS)) + size.to_bytes(8, "big") + payload


class Fault(Exception):
    """A client has violated the protocol or a limit.

    Attributes:
        code: close code to send (RFC 6455, section 7.4.1).
        reason: reason to send.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """An incremental parser of a client's messages.

    Args:
        rate: limits the rate of frames, of every kind.
        message_bytes: largest message, inflated and with all its fragments.
        inflates: whether messages may be compressed.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_compressed",
        "_fragments",
        "_inflates",
        "_limit_bytes",
        "_opcode",
        "_rate",
        "_unfinished",
    )

    def __init__(self, rate: TokenBucket, message_bytes: int, *, inflates: bool) -> None:
        self._rate = rate
        self._limit_bytes = message_bytes
        self._inflates = inflates
        # Unparsed bytes start at `_at`.
        self._buffer = b""
        self._at = 0
        # A bytearray while there are some: most sockets never get any, and an empty one takes 56 bytes.
        self._fragments: bytes | bytearray = b""
        self._unfinished = False
        self._opcode = 0
        self._compressed = False

    @property
    def unread_bytes(self) -> int:
        """Number of bytes received and not parsed yet."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        rest = self._buffer[self._at :]
        self._buffer, self._at = rest + data if rest else data, 0

    def message(self) -> tuple[int, bytes] | None:
        """Return the next message or control frame; None until more bytes are fed.

        Returns:
            The opcode (of a message in fragments that of the first one), and the payload, unmasked and
            inflated.

        Raises:
            Fault: the connection must be closed.
        """
        while True:
            buffer, at = self._buffer, self._at
            received = len(buffer)
            if received - at < 2:
                break
            first, second = buffer[at], buffer[at + 1]
            size, mask_at = second & 0x7F, at + 2
            # The usual frame is a whole masked text message, which needs few checks.
            whole_text = first == _WHOLE_TEXT and not self._unfinished
            if not whole_text or not second & _MASKED:
                self._check_header(first, second, size)
            if size >= _LENGTH_16_BITS:
                mask_at += 2 if size == _LENGTH_16_BITS else 8
                size = int.from_bytes(buffer[at + 2 : mask_at], "big")
            if received < mask_at:
                break
            opcode = first & 0x0F
            gathered = 0 if whole_text or opcode in _CONTROL else len(self._fragments)
            if gathered + size > self._limit_bytes:
                raise Fault(TOO_BIG, "Message too big")
            payload_at = mask_at + 4
            end = payload_at + size
            if received < end:
                break
            if not self._rate.admits():
                raise Fault(POLICY_VIOLATION, "Too many messages")
            payload = unmasked(buffer[mask_at:payload_at], buffer[payload_at:end])
            if end < received:
                self._at = end
            else:
                self._buffer, self._at = b"", 0
            if whole_text:
                return _TEXT, payload
            if opcode in _CONTROL:
                if opcode == _CLOSE:
                    _check_close_payload(payload)
                return opcode, payload
            if opcode:
                self._opcode = opcode
                self._compressed = bool(first & COMPRESSED)
            self._unfinished = not first & FINAL
            if self._fragments:
                self._fragments += payload
            else:
                self._fragments = bytearray(payload)
            if not self._unfinished:
                whole = bytes(self._fragments)
                self._fragments = b""
                return self._opcode, self._inflated(whole) if self._compressed else whole
        # Free the bytes that have been parsed while waiting for more.
        self._buffer, self._at = buffer[at:], 0
        return None

    def _check_header(self, first: int, second: int, size: int) -> None:
        """Raise Fault if a frame's header is illegal."""
        opcode, reserved = first & 0x0F, first & (COMPRESSED | RESERVED)
        if opcode in _CONTROL:
            legal = first & FINAL and not reserved and size <= _CONTROL_LIMIT_BYTES
        else:
            continues = opcode == Opcode.CONTINUATION
            legal = opcode in _DATA and continues == self._unfinished
            if reserved and (reserved != COMPRESSED or continues or not self._inflates):
                legal = False
        if not legal or not second & _MASKED:
            raise Fault(PROTOCOL_ERROR, "Protocol error")

    def _inflated(self, payload: bytes) -> bytes:
        inflater = zlib.decompressobj(_RAW_DEFLATE)
        try:
            whole = inflater.decompress(payload + DEFLATE_TAIL, self._limit_bytes + 1)
        except zlib.error as error:
            raise Fault(BAD_PAYLOAD, "Invalid compressed data") from error
        if len(whole) > self._limit_bytes:
            raise Fault(TOO_BIG, "Message too big")
        return whole


def text_of(payload: bytes) -> str:
    """Decode a text message.

    Raises:
        Fault: it is not UTF-8.
    """
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Fault(BAD_PAYLOAD, "Invalid UTF-8") from error


def _check_close_payload(payload: bytes) -> None:
    """Raise Fault if a close frame has an illegal code, or a reason that is not UTF-8 (section 7.4)."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    registered = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if len(payload) == 1 or not (registered or 3000 <= code <= 4999):
        raise Fault(PROTOCOL_ERROR, "Invalid close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError as error:
        raise Fault(BAD_PAYLOAD, "Invalid UTF-8") from error
