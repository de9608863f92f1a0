"""Compression of large frames: negotiation, and compressing once for all receivers."""

import zlib

import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from api.limits import SocketLimits
from api.ws.compression import agreed, deflated
from api.ws.outbox import text_frame
from tests.api.cinema import Cinema, Picture, receive

SMALL, LARGE = b"[1]", b'{"seat_id":1234567},' * 200
LARGE_ENOUGH = 100


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        'permessage-deflate; client_max_window_bits="10"; server_max_window_bits=15',
        "permessage-deflate; server_no_context_takeover ;client_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    ],
)
def test_supported_offers_are_accepted(offer):
    assert agreed(offer)


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; level=9",
        "permessage-deflate" + ", x" * 1000,
    ],
)
def test_unsupported_offers_are_rejected(offer):
    assert not agreed(offer)


def test_only_large_frames_are_compressed_and_the_order_is_kept():
    wire = text_frame(SMALL) + text_frame(LARGE) + text_frame(SMALL)
    packed = deflated(wire, LARGE_ENOUGH)
    before, small, after = packed[: len(SMALL) + 2], packed[len(SMALL) + 2 : -len(SMALL) - 2], packed[-5:]
    assert before == after == text_frame(SMALL)
    assert small[0] == 0xC1
    header_bytes = 4 if small[1] == 126 else 2
    inflated = zlib.decompressobj(-15).decompress(small[header_bytes:] + b"\x00\x00\xff\xff")
    assert inflated == LARGE


def test_incompressible_frames_are_sent_unchanged():
    random = bytes(range(256))
    assert deflated(text_frame(random), LARGE_ENOUGH) == text_frame(random)


@pytest.mark.gen_test
async def test_clients_with_and_without_compression_see_the_same_seats(open_cinema):
    cinema: Cinema = open_cinema(seats=300, limits=SocketLimits(socket_deflate_from_bytes=LARGE_ENOUGH))
    sockets = [await cinema.join(compression=compression) for compression in ("deflate", "deflate", None)]
    assert [bool(socket.protocol.extensions) for socket in sockets] == [True, True, False]
    await cinema.hold(8, *range(1, 301))
    pictures = [Picture() for _ in sockets]
    for socket, picture in zip(sockets, pictures, strict=True):
        while picture.seq == 0:
            picture.apply(await receive(socket))
    assert pictures[0].seats == pictures[1].seats == pictures[2].seats == await cinema.truth()


@pytest.mark.gen_test
async def test_compression_works_in_both_directions(open_cinema):
    cinema: Cinema = open_cinema(seats=300, limits=SocketLimits(socket_deflate_from_bytes=LARGE_ENOUGH))
    socket = await cinema.connect(since=0, compression="deflate")
    assert (await receive(socket))["type"] == "connection_confirmed"
    assert len((await receive(socket))["updates"]) == 300
    await socket.send('{"type": "ping", "filling": "' + "x" * 500 + '"}')
    assert (await receive(socket))["type"] == "pong"


@pytest.mark.gen_test
async def test_pings_may_interleave_with_compressed_fragments(cinema):
    socket = await cinema.connect(compression="deflate")
    await receive(socket)

    async def fragments():
        for fragment in ('{"type":', '"ping"', "}"):
            yield fragment
            await (await socket.ping())

    await socket.send(fragments())
    assert (await receive(socket))["type"] == "pong"


@pytest.mark.gen_test
async def test_a_client_that_requires_a_small_window_is_served_uncompressed(cinema):
    insistent = ClientPerMessageDeflateFactory(server_max_window_bits=9)
    async with connect(cinema.url(), proxy=None, extensions=[insistent], compression=None) as socket:
        assert socket.protocol.extensions == []
        assert (await receive(socket))["type"] == "connection_confirmed"
