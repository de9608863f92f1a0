"""Fuzzing with seeded random frames: valid, broken and nonsensical ones.

`FRONTROW_TEST_SOCKET_FUZZ_FRAMES` sets their number.
"""

import logging
import os
import random

import pytest
from websockets.frames import Frame, Opcode

from api.limits import SocketLimits
from tests.api.cinema import Cinema, eventually, receive, receive_close

FRAMES = int(os.environ.get("FRONTROW_TEST_SOCKET_FUZZ_FRAMES", "10000"))
BODIES = (
    b'{"type":"ping"}',
    b'{"type":"ping","type":1}',
    b'{"type":"\\u0000"}',
    b'{"type":"\\ud800"}',
    b'{"type":NaN}',
    b"[" * 120,
    b"1" * 120,
    b"\xff\xfe",
    b"",
)
UNBOUNDED = SocketLimits(socket_frames_per_second=1e9, socket_frames_at_once=10**9, bad_messages=10**9)


def random_frame(rng: random.Random) -> bytes:
    """Return a random frame: mostly messages, some control frames, and a few that end the connection."""
    kind = rng.random()
    if kind < 0.005:
        return rng.randbytes(rng.randrange(1, 60))
    if kind < 0.010:
        opcode, whole = Opcode.CONT, True
    elif kind < 0.100:
        opcode, whole = rng.choice((Opcode.PING, Opcode.PONG)), True
    else:
        opcode, whole = rng.choice((Opcode.TEXT, Opcode.BINARY)), kind < 0.995
    return Frame(opcode, rng.choice(BODIES), whole).serialize(mask=True, extensions=[])


@pytest.mark.gen_test
async def test_random_frames_never_raise_and_never_affect_others(open_cinema, caplog):
    cinema: Cinema = open_cinema(limits=UNBOUNDED)
    watching = await cinema.join(user=1)
    rng = random.Random(20_260_126)
    sent = 0
    while sent < FRAMES:
        socket = await cinema.connect(user=rng.randrange(2, 50))
        for _ in range(rng.randrange(1, 40)):
            socket.transport.write(random_frame(rng))
            sent += 1
        socket.transport.write_eof()
        await receive_close(socket)
    await eventually(lambda: len(cinema.open_sockets) == 1)
    # Most frames were answered, so the connections were not closed early.
    assert cinema.observer.frames > FRAMES / 5
    await cinema.hold(9, 1)
    assert (await receive(watching))["seat_id"] == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
