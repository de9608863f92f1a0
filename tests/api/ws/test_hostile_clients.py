"""Hostile clients, which do not read or send garbage, are disconnected without affecting others."""

import asyncio
import gc
import socket as sockets
import time

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from api.limits import SocketLimits
from api.ws.connection import SocketConnection
from api.ws.socket import ClientSocket
from tests.api.cinema import Cinema, eventually, receive, receive_close

pytestmark = pytest.mark.gen_test

PING = b'{"type":"ping"}'
DEFLATE = PerMessageDeflate(True, True, 15, 15)


def send_frame(socket, opcode, payload, *, fin=True, extensions=()):
    """Write a masked frame, bypassing the checks of the client library."""
    frame = Frame(opcode, payload, fin)
    socket.transport.write(frame.serialize(mask=True, extensions=extensions))


async def require_alive(cinema: Cinema) -> None:
    """Check that another client is still served."""
    socket = await cinema.join(user=99)
    await socket.send(PING.decode())
    assert (await receive(socket))["type"] == "pong"
    await socket.close()


async def stalled_client(cinema: Cinema, user: int) -> sockets.socket:
    """Connect a client with a small receive buffer that reads nothing after the handshake."""
    raw, _ = await cinema.connect_raw(user, receive_buffer_bytes=4096)
    return raw


async def test_slow_readers_are_disconnected_while_others_miss_nothing(open_cinema):
    cinema = open_cinema(seats=200, tick_seconds=0.0, limits=SocketLimits(socket_outbox_limit_bytes=16_384))
    fast = await cinema.join(user=8, updates="bulk")
    slow = [await stalled_client(cinema, user) for user in (101, 102, 103)]
    hall = tuple(range(1, 201))
    seen = []
    while cinema.observer.dropped < 3:
        await cinema.hold(8, *hall)
        await cinema.release(8, *hall)
        seen += [(await receive(fast))["seq"] for _ in range(2)]
        assert len(seen) < 200, "the outboxes of the slow readers must be full by now"
    assert seen == list(range(1, len(seen) + 1))
    await eventually(lambda: len(cinema.open_sockets) == 1)
    for raw in slow:
        raw.close()


async def test_a_slow_reader_gets_the_close_reason_when_it_reads_again(open_cinema):
    cinema = open_cinema(seats=200, tick_seconds=0.0, limits=SocketLimits(socket_outbox_limit_bytes=16_384))
    slow = await cinema.join(user=7)
    slow.transport.pause_reading()
    seats = tuple(range(1, 201))
    while cinema.observer.dropped == 0:
        await cinema.hold(8, *seats)
        await cinema.release(8, *seats)
        await asyncio.sleep(0.001)
    slow.transport.resume_reading()
    assert await receive_close(slow) == (1013, "Reading too slowly")


async def test_a_snapshot_is_sent_at_the_pace_of_its_reader(open_cinema):
    cinema = open_cinema(seats=20_000)
    socket = await cinema.connect(user=7, since=0)
    socket.transport.pause_reading()
    await asyncio.sleep(0.2)
    assert cinema.observer.dropped == 0
    await require_alive(cinema)
    socket.transport.resume_reading()
    seen = 0
    while seen < 20_000:
        seen += len((await receive(socket)).get("updates", ()))
    assert seen == 20_000


async def test_a_client_that_does_not_read_its_snapshot_is_closed(open_cinema):
    limits = SocketLimits(socket_outbox_limit_bytes=16_384, catch_up_seconds=0.3)
    cinema = open_cinema(seats=50_000, limits=limits)
    socket = await cinema.connect(user=7, since=0)
    socket.transport.pause_reading()
    await eventually(lambda: cinema.observer.closed == 1)
    assert cinema.feed.connections == {}
    socket.transport.abort()


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG, Opcode.TEXT])
async def test_a_flood_of_frames_closes_the_socket(open_cinema, opcode):
    cinema = open_cinema(limits=SocketLimits(socket_frames_per_second=10, socket_frames_at_once=50))
    socket = await cinema.join()
    for _ in range(2000):
        send_frame(socket, opcode, PING)
    assert await receive_close(socket) == (1008, "Too many messages")
    await require_alive(cinema)


async def test_a_flood_of_empty_fragments_closes_the_socket(open_cinema):
    cinema = open_cinema(limits=SocketLimits(socket_frames_per_second=10, socket_frames_at_once=50))
    socket = await cinema.join()
    send_frame(socket, Opcode.TEXT, b"", fin=False)
    for _ in range(2000):
        send_frame(socket, Opcode.CONT, b"", fin=False)
    assert await receive_close(socket) == (1008, "Too many messages")


async def test_a_flood_does_not_stall_the_event_loop(open_cinema):
    cinema = open_cinema()
    flooders = [await cinema.join(user=user) for user in range(1, 6)]
    for socket in flooders:
        for _ in range(5000):
            send_frame(socket, Opcode.PING, b"x" * 100)
    await asyncio.sleep(0.01)
    turns = []
    while len(cinema.open_sockets):
        before = time.process_time()  # CPU time, so that other processes do not count
        await asyncio.sleep(0)
        turns.append(time.process_time() - before)
    assert max(turns) < sum(turns) / 10, "one turn of the loop took too much of the work"


async def test_too_many_invalid_messages_close_the_socket(open_cinema):
    cinema = open_cinema(limits=SocketLimits(bad_messages=3))
    socket = await cinema.join()
    for _ in range(3):
        await socket.send("nonsense")
    assert [(await receive(socket))["type"] for _ in range(3)] == ["error"] * 3
    assert await receive_close(socket) == (1008, "Too many invalid messages")


async def test_a_fragmented_ping_is_answered(cinema):
    socket = await cinema.join()
    await socket.send(['{"type":', '"ping"', "}"])
    assert (await receive(socket))["type"] == "pong"


@pytest.mark.parametrize("filling", ["x", "é", "座"])
async def test_a_message_over_the_limit_closes_the_socket_with_1009(cinema, filling):
    socket = await cinema.join()
    size = 16_384 // len(filling.encode())
    await socket.send(filling * (size - 2))
    assert (await receive(socket))["code"] == "malformed_json"
    await socket.send(filling * (size + 1))
    assert await receive_close(socket) == (1009, "Message too big")


async def test_a_message_far_over_the_limit_is_refused_without_reading_it(cinema):
    socket = await cinema.join()
    send_frame(socket, Opcode.TEXT, b"x" * 1_000_000)
    assert await receive_close(socket) == (1009, "Message too big")
    await require_alive(cinema)


async def test_the_limit_applies_to_all_fragments_of_a_message_together(cinema):
    socket = await cinema.join()
    send_frame(socket, Opcode.TEXT, b"x" * 10_000, fin=False)
    send_frame(socket, Opcode.CONT, b"x" * 10_000, fin=True)
    assert await receive_close(socket) == (1009, "Message too big")


async def test_a_compressed_frame_without_negotiation_is_a_protocol_error(cinema):
    socket = await cinema.join()
    send_frame(socket, Opcode.TEXT, PING, extensions=[DEFLATE])
    assert await receive_close(socket) == (1002, "Protocol error")
    await require_alive(cinema)


@pytest.mark.parametrize("size", [16_385, 10_000_000])
async def test_a_compression_bomb_closes_the_socket_with_1009(cinema, size):
    socket = await cinema.connect(compression="deflate")
    await receive(socket)
    send_frame(socket, Opcode.TEXT, b"0" * size, extensions=[DEFLATE])
    assert await receive_close(socket) == (1009, "Message too big")
    await require_alive(cinema)


async def test_invalid_compressed_data_closes_the_socket_with_1007(cinema):
    socket = await cinema.connect(compression="deflate")
    await receive(socket)
    socket.transport.write(b"\xc1\x83\x00\x00\x00\x00\xff\xff\xff")
    assert await receive_close(socket) == (1007, "Invalid compressed data")
    await require_alive(cinema)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\xff" * 100, 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\x89\xfe\x01\x00", 1002),
        (b"\x09\x80\x00\x00\x00\x00", 1002),
        (b"\x80\x80\x00\x00\x00\x00", 1002),
        (b"\x01\x80\x00\x00\x00\x00" * 2, 1002),
        (b"\x81\x01x", 1002),
        (b"\x81\xff" + b"\xff" * 12, 1009),
        (b"\x81\x82\x00\x00\x00\x00\xc3\x28", 1007),
        (b"\x88\x82\x00\x00\x00\x00\x03\xed", 1002),
        (b"\x88\x84\x00\x00\x00\x00\x03\xe8\xc3\x28", 1007),
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
    ],
    ids=[
        "noise",
        "opcode 3",
        "long ping",
        "fragmented ping",
        "lone continuation",
        "two beginnings",
        "not masked",
        "2^64 bytes",
        "no UTF-8",
        "close code 1005",
        "close reason",
        "HTTP",
    ],
)
async def test_garbage_only_ends_its_own_connection(cinema, garbage, code):
    other = await cinema.join(user=8)
    socket = await cinema.join()
    socket.transport.write(garbage)
    assert (await receive_close(socket))[0] == code
    await cinema.hold(8, 1)
    assert (await receive(other))["seat_id"] == 1


async def test_pings_detect_dead_peers_on_every_endpoint(open_cinema):
    cinema = open_cinema(limits=SocketLimits(socket_ping_seconds=0.4))
    alive = [await cinema.connect(user=7), await cinema.follow(7), await cinema.enter("alive")]
    dead = [await cinema.connect(user=8), await cinema.follow(8), await cinema.enter("dead")]
    await eventually(lambda: len(cinema.open_sockets) == 6)
    for socket in dead:
        socket.transport.pause_reading()
    await eventually(lambda: len(cinema.open_sockets) == 3)
    for socket in alive:
        await socket.send(PING.decode())
        while (await receive(socket))["type"] != "pong":
            pass


async def test_a_client_that_disconnects_within_a_frame_leaves_nothing_behind(cinema):
    socket = await cinema.join()
    socket.transport.write(b"\x81\xfe")
    await asyncio.sleep(0)
    socket.transport.abort()
    await eventually(lambda: len(cinema.open_sockets) == 0)


async def test_closed_sockets_leave_no_reference_cycles(open_cinema):
    cinema = open_cinema(limits=SocketLimits(socket_message_limit_bytes=100))

    def kept() -> set[int]:
        return {id(one) for one in gc.get_objects() if issubclass(type(one), ClientSocket | SocketConnection)}

    gc.collect()
    others = kept()  # what earlier tests of this process have left
    gc.disable()
    try:
        gone = [await cinema.connect(), await cinema.follow(), await cinema.enter("gone")]
        refused = [await cinema.connect(user=None), await cinema.follow(None), await cinema.enter("~")]
        faulty = [await cinema.connect(), await cinema.follow(), await cinema.enter("faulty")]
        for socket in faulty:
            await socket.send("x" * 101)
        for socket in (*gone, *refused, *faulty):
            await socket.close()
        await cinema.hold(8, 1)
        await eventually(lambda: kept() <= others)
    finally:
        gc.enable()
