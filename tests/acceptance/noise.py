"""Random WebSocket bytes that no honest client sends, reproducible from a seed."""

import json
import random
from typing import NamedTuple

from websockets.frames import Opcode

from tests.acceptance.raw_socket import masked

_TYPES = (
    "ping", "join_room", "leave_room", "select_seat", "release_seat",
    "subscribe_event", "unsubscribe_event", "get_stats", "seat_update", "PING", "", "\0", "constructor",
)  # fmt: skip
_FIELDS = ("room_id", "seat_id", "eventId", "user_info", "client_id", "token", "since", "type")
_VALUES = (
    None, True, 0, -1, 1.5, 2**63, 10**400, "", "A1", "test_room", "funcion_1", "funcion_" + "9" * 40, "\0",
    "<script>", "\ud800", "é" * 100, [], {}, {"name": "<b>x"}, {"a": {"b": 1}}, ["A1"],
)  # fmt: skip
_LITERALS = (
    b"NaN", b"-Infinity", b'{"type":NaN}', b'{"type":"ping","type":1}', b'{"type":1,"type":"ping"}',
    b'{"type":"\\ud800"}', b'{"type":"ping"', b"'ping'", b"{type:ping}", b"null", b"[]", b'"ping"', b"1e999",
    b'\xef\xbb\xbf{"type":"ping"}', b"", b" " * 500,
)  # fmt: skip
_LONGEST_BYTES = 40_000
_DEEPEST = 2000


class Noise(NamedTuple):
    """Bytes to send.

    Attributes:
        wire: the bytes.
        answered: whether a message or a close frame must follow, since it is a complete message or illegal.
        farewell: the close code, if it contains a legal close frame.
    """

    wire: bytes
    answered: bool
    farewell: int | None = None


class NoiseMaker:
    """Generates noise.

    Args:
        seed: the same seed generates the same noise.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._kinds = (
            *(self._message,) * 20,
            *(self._fragments,) * 4,
            self._binary,
            self._control,
            self._control,
            self._broken,
            self._farewell,
        )

    def next(self) -> Noise:
        return self._draw.choice(self._kinds)()

    def _payload(self) -> bytes:
        common = (self._document, self._document, self._document, self._literal, self._literal)
        rare = (self._nesting, self._garbage, self._huge)
        return self._draw.choice(common if self._draw.random() < 0.8 else rare)()

    def _message(self) -> Noise:
        return Noise(masked(Opcode.TEXT, self._payload()), answered=True)

    def _fragments(self) -> Noise:
        """A complete message in fragments, with pings in between."""
        payload, wire, opcode = self._payload(), b"", Opcode.TEXT
        for _ in range(self._draw.randint(1, 5)):
            cut = self._draw.randint(0, len(payload))
            wire += masked(opcode, payload[:cut], fin=False)
            payload, opcode = payload[cut:], Opcode.CONT
            if self._draw.random() < 0.3:
                wire += masked(Opcode.PING, b"between")
        return Noise(wire + masked(Opcode.CONT, payload), answered=True)

    def _binary(self) -> Noise:
        return Noise(masked(Opcode.BINARY, self._payload()), answered=True)

    def _control(self) -> Noise:
        payload = self._draw.randbytes(self._draw.randint(0, 125))
        return Noise(masked(self._draw.choice((Opcode.PING, Opcode.PONG)), payload), answered=False)

    def _broken(self) -> Noise:
        """Frames that the protocol forbids."""
        payload = self._draw.randbytes(self._draw.randint(0, 40))
        whole = bytearray(masked(Opcode.TEXT, payload))
        match self._draw.randrange(7):
            case 0:
                whole[0] |= self._draw.choice((0x10, 0x20, 0x40))
            case 1:
                whole[0] = 0x80 | self._draw.choice((3, 7, 11, 15))
            case 2:
                whole[1] &= 0x7F
            case 3:
                whole = bytearray(masked(Opcode.CONT, payload))
            case 4:
                whole = bytearray(b"\x89\xfe\x00\x80" + bytes(4 + 128))
            case 5:
                whole = bytearray(masked(Opcode.TEXT, b"", fin=False) * 2)
            case _:
                whole = bytearray(b"\x81\xff" + b"\xff" * 8 + bytes(4))
        return Noise(bytes(whole), answered=True)

    def _farewell(self) -> Noise:
        code = self._draw.choice((1000, 1001, 1005, 1006, 999, 3000, 4999, 65_535))
        payload = code.to_bytes(2, "big") + self._draw.choice((b"", b"bye", b"\xff"))
        return Noise(masked(Opcode.CLOSE, payload), answered=True, farewell=code)

    def _document(self) -> bytes:
        document = {"type": self._draw.choice((*_TYPES, *_VALUES))}
        for field in self._draw.sample(_FIELDS, self._draw.randint(0, 4)):
            document.setdefault(field, self._draw.choice(_VALUES))
        text = json.dumps(document, ensure_ascii=self._draw.random() < 0.5)
        return text.encode("utf-8", "surrogatepass")

    def _literal(self) -> bytes:
        return self._draw.choice(_LITERALS)

    def _nesting(self) -> bytes:
        return self._draw.choice((b"[", b'{"type":', b'{"user_info":')) * self._draw.randint(1, _DEEPEST)

    def _garbage(self) -> bytes:
        return self._draw.randbytes(self._draw.randint(0, 300))

    def _huge(self) -> bytes:
        filling = self._draw.choice(("x", "é", "\\u0000")) * self._draw.randint(1, _LONGEST_BYTES // 6)
        return f'{{"type":"select_seat","room_id":"{filling}","seat_id":"A1"}}'.encode()
