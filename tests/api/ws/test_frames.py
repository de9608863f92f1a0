"""The frame parser: the same messages come out, however the bytes are split."""

import random

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.frames import Opcode as Kind

from api.limiter import TokenBucket
from api.ws.frames import Fault, FrameReader, Opcode, text_of

LIMIT_BYTES = 1000


def reader(frames=10**9, *, inflates=True):
    return FrameReader(TokenBucket(0, frames, lambda: 0.0), LIMIT_BYTES, inflates=inflates)


def wire(opcode, payload, *, fin=True, packed=False):
    extensions = [PerMessageDeflate(True, True, 15, 15)] if packed else []
    return Frame(opcode, payload, fin).serialize(mask=True, extensions=extensions)


CONVERSATION = (
    wire(Kind.TEXT, "héllo".encode())
    + wire(Kind.BINARY, b"", fin=False)
    + wire(Kind.PING, b"in between")
    + wire(Kind.CONT, b"\x00" * 200, fin=False)
    + wire(Kind.CONT, b"\x01")
    + wire(Kind.TEXT, b"x" * 500, packed=True)
    + wire(Kind.PONG, b"")
    + wire(Kind.CLOSE, b"\x03\xe8bye")
)
MESSAGES = [
    (Opcode.TEXT, "héllo".encode()),
    (Opcode.PING, b"in between"),
    (Opcode.BINARY, b"\x00" * 200 + b"\x01"),
    (Opcode.TEXT, b"x" * 500),
    (Opcode.PONG, b""),
    (Opcode.CLOSE, b"\x03\xe8bye"),
]


def messages_from(pieces):
    frame_reader, messages = reader(), []
    for piece in pieces:
        frame_reader.feed(piece)
        while (message := frame_reader.message()) is not None:
            messages.append(message)
    return messages


def test_messages_are_the_same_from_one_piece_and_from_single_bytes():
    assert messages_from([CONVERSATION]) == MESSAGES
    assert messages_from([CONVERSATION[n : n + 1] for n in range(len(CONVERSATION))]) == MESSAGES


def test_messages_are_the_same_for_every_split():
    for cut in range(len(CONVERSATION)):
        assert messages_from([CONVERSATION[:cut], CONVERSATION[cut:]]) == MESSAGES


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (wire(Kind.TEXT, b"x" * (LIMIT_BYTES + 1)), 1009),
        (wire(Kind.TEXT, b"x" * 600, fin=False) + wire(Kind.CONT, b"x" * 600), 1009),
        (wire(Kind.TEXT, b"x" * (LIMIT_BYTES + 1), packed=True), 1009),
        (b"\xc1\x83\x00\x00\x00\x00\xff\xff\xff", 1007),
        (wire(Kind.CONT, b""), 1002),
        (b"\x91\x80\x00\x00\x00\x00", 1002),
        (b"\xc9\x80\x00\x00\x00\x00", 1002),
        (wire(Kind.CLOSE, b"\x03"), 1002),
        (wire(Kind.CLOSE, b"\x03\xee"), 1002),
        (wire(Kind.CLOSE, b"\x0b\xb8\xff"), 1007),
    ],
    # Masks are random, but pytest-xdist needs the same test ids in each process.
    ids=[
        *("too long", "too long in pieces", "too long once unpacked", "no deflated data"),
        *("nothing to continue", "reserved bit", "compressed control frame"),
        *("half a close code", "reserved close code", "reason that is no text"),
    ],
)
def test_illegal_frames_are_faults(frames, code):
    frame_reader = reader()
    frame_reader.feed(frames)
    with pytest.raises(Fault) as fault:
        while frame_reader.message() is not None:
            pass
    assert fault.value.code == code


def test_a_message_of_exactly_the_limit_is_read():
    (plain,) = messages_from([wire(Kind.TEXT, b"x" * LIMIT_BYTES)])
    (packed,) = messages_from([wire(Kind.TEXT, b"x" * LIMIT_BYTES, packed=True)])
    assert plain == packed == (Opcode.TEXT, b"x" * LIMIT_BYTES)


def test_compression_that_was_not_negotiated_is_a_fault():
    frame_reader = reader(inflates=False)
    frame_reader.feed(wire(Kind.TEXT, b"x" * 500, packed=True))
    with pytest.raises(Fault):
        frame_reader.message()


def test_fragments_count_as_frames():
    frame_reader = reader(frames=3)
    frame_reader.feed(wire(Kind.TEXT, b"", fin=False) + wire(Kind.CONT, b"", fin=False) * 3)
    with pytest.raises(Fault) as fault:
        frame_reader.message()
    assert fault.value.code == 1008


def test_text_that_is_not_utf8_is_a_fault():
    with pytest.raises(Fault) as fault:
        text_of(b"\xc3\x28")
    assert fault.value.code == 1007


def test_random_bytes_give_messages_or_a_fault():
    chance = random.Random(7)
    for _ in range(3000):
        frame_reader = reader()
        noise = bytearray(CONVERSATION[: chance.randrange(len(CONVERSATION))])
        for _ in range(chance.randrange(4)):
            noise[chance.randrange(len(noise)) if noise else 0 : 0] = chance.randbytes(1)
        frame_reader.feed(bytes(noise))
        try:
            while frame_reader.message() is not None:
                pass
        except Fault as fault:
            assert fault.code in (1002, 1007, 1009)
