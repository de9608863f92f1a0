"""The port for the PROXY protocol, on both layers and both event loops."""

import asyncio
from contextlib import AsyncExitStack
from ipaddress import ip_address, ip_network

import pytest
from websockets.frames import Frame, Opcode

from api.http1.proxy_protocol import HEADER_LIMIT_BYTES
from api.http1.trusted_proxies import TrustedProxies
from api.limits import Limits
from tests.http.conftest import OpenStage
from tests.http.conversation import GET
from tests.http.stage import Connection, Stage, on_both_loops
from tests.http.test_websockets import UPGRADE, client_frame, server_frame

pytestmark = [pytest.mark.gen_test, on_both_loops]

LOCALHOST = TrustedProxies([ip_network("127.0.0.0/8")])
ELSEWHERE = TrustedProxies([ip_network("192.0.2.0/24")])
LINE = b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def binary(command: int, family: int, rest: bytes, *, version: int = 2, length: int | None = None) -> bytes:
    """Return a header of version 2."""
    announced = len(rest) if length is None else length
    return SIGNATURE + bytes([version << 4 | command, family << 4 | 1]) + announced.to_bytes(2, "big") + rest


def addresses(source: str, destination: str = "192.0.2.1") -> bytes:
    """Return the addresses and ports of both ends."""
    if ":" in source:
        destination = "2001:db8::1"
    ports = (51_234).to_bytes(2, "big") + (443).to_bytes(2, "big")
    return ip_address(source).packed + ip_address(destination).packed + ports


UNIX = b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")
EXTENSIONS = (
    b"\x02\x00\x0bexample.com" + b"\x20\x00\x08\x01\x00\x00\x00\x00\x21\x00\x00" + b"\x04\x00\x02\0\0"
)
V4, V6 = addresses("203.0.113.7"), addresses("2001:db8::7")

HEADERS = {
    "a line": (LINE, "203.0.113.7"),
    "a line with IPv6": (b"PROXY TCP6 2001:DB8::7 2001:db8::1 51234 443\r\n", "2001:db8::7"),
    "an address mapped into IPv6": (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 51234 443\r\n", "203.0.113.7"),
    "an unknown client": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "an unknown client with addresses": (b"PROXY UNKNOWN 6.6.6.6 6.6.6.6 1 2\r\n", "127.0.0.1"),
    "binary": (binary(1, 1, V4), "203.0.113.7"),
    "binary, IPv6": (binary(1, 2, V6), "2001:db8::7"),
    "binary, mapped into IPv6": (binary(1, 2, addresses("::ffff:203.0.113.7")), "203.0.113.7"),
    "binary, extensions": (binary(1, 1, V4 + EXTENSIONS), "203.0.113.7"),
    "binary, longest allowed": (binary(1, 1, V4.ljust(HEADER_LIMIT_BYTES - 16, b"\0")), "203.0.113.7"),
    "binary, UNIX": (binary(1, 3, UNIX), "127.0.0.1"),
    "binary, unspecified": (binary(1, 0, b""), "127.0.0.1"),
    "binary, local": (binary(0, 0, b""), "127.0.0.1"),
    "binary, local with addresses": (binary(0, 1, addresses("6.6.6.6")), "127.0.0.1"),
}

MALFORMED_HEADERS = {
    "none": b"",
    "another line": b"PROXX TCP4 203.0.113.7 192.0.2.1 51234 443\r\n",
    "another protocol": b"PROXY UDP4 203.0.113.7 192.0.2.1 51234 443\r\n",
    "no address": b"PROXY TCP4 203.0.113.777 192.0.2.1 51234 443\r\n",
    "the other family": b"PROXY TCP4 2001:db8::7 2001:db8::1 51234 443\r\n",
    "no ports": b"PROXY TCP4 203.0.113.7 192.0.2.1\r\n",
    "two spaces": b"PROXY  TCP4 203.0.113.7 192.0.2.1 51234 443\r\n",
    "a bare line feed": b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 443\n",
    "a carriage return within": b"PROXY UNKNOWN \r \r\n",
    "a long line": b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    "a line without end": b"PROXY UNKNOWN " + b"x" * 1000,
    "version 3": binary(1, 1, V4, version=3),
    "another command": binary(2, 1, V4),
    "another family": binary(1, 4, V4),
    "too short": binary(1, 1, V4[:-1]),
    "too short, IPv6": binary(1, 2, V4),
    "too short, UNIX": binary(1, 3, UNIX[:-1]),
    "too long": binary(1, 1, V4, length=HEADER_LIMIT_BYTES),
    "another signature": b"\r\n\r\n\x00\r\nQUIX\n" + binary(1, 1, V4)[12:],
}


async def seen_from(connection: Connection) -> str:
    """Return the client's address as a handler sees it."""
    answer = await connection.answer()
    assert answer is not None and answer.status == 200
    return answer.json["address"]


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_sets_the_clients_address(open_stage: OpenStage, layer: str, name: str) -> None:
    header, address = HEADERS[name]
    stage: Stage = open_stage(layer, proxies=LOCALHOST)
    async with stage.connected(proxied=True) as connection:
        # For every request of the connection, including the one that arrived with the header.
        await connection.send(header + GET)
        assert await seen_from(connection) == address
        await connection.send(GET)
        assert await seen_from(connection) == address


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_may_arrive_in_pieces(open_stage: OpenStage, layer: str, name: str) -> None:
    header, address = HEADERS[name]
    if len(header) > 300:
        header, pieces = b"", [header[:1], header[1:20], header[20:2000], header[2000:]]
    else:
        pieces = [header[at : at + 1] for at in range(len(header))]
    async with open_stage(layer, proxies=LOCALHOST).connected(proxied=True) as connection:
        await connection.send_in_pieces(*pieces, GET)
        assert await seen_from(connection) == address


@pytest.mark.parametrize("name", MALFORMED_HEADERS)
async def test_a_connection_without_a_header_is_closed(open_stage: OpenStage, layer: str, name: str) -> None:
    stage = open_stage(layer, proxies=LOCALHOST)
    async with stage.connected(proxied=True) as connection:
        await connection.send(MALFORMED_HEADERS[name] + GET)
        assert await connection.ended()
    async with stage.connected(proxied=True) as connection:
        await connection.send(LINE + GET)
        assert await seen_from(connection) == "203.0.113.7"


@pytest.mark.parametrize("begun", [b"", LINE[:10], SIGNATURE, binary(1, 1, V4)[:-1]])
async def test_a_header_must_come_in_time(open_stage: OpenStage, layer: str, begun: bytes) -> None:
    stage = open_stage(layer, Limits(header_timeout_seconds=0.05), LOCALHOST)
    async with stage.connected(proxied=True) as connection:
        await connection.send(begun)
        assert await connection.ended()


async def test_untrusted_peers_cannot_send_a_header(open_stage: OpenStage, layer: str) -> None:
    stage = open_stage(layer, proxies=ELSEWHERE)
    async with stage.connected(proxied=True) as connection:
        await connection.send(LINE + GET)
        assert await connection.ended()


async def test_a_proxy_header_is_malformed_on_a_plain_port(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer, proxies=LOCALHOST).connected() as connection:
        await connection.send(LINE + GET)
        answer = await connection.answer()
        assert answer is None or answer.status == 400


async def test_websockets_work_behind_a_proxy(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer, proxies=LOCALHOST).connected(proxied=True) as connection:
        await connection.send(binary(1, 1, V4 + EXTENSIONS) + UPGRADE + client_frame(b"early"))
        assert (await connection.answer()).status == 101
        await connection.send(client_frame(b"late"))
        expected = server_frame(b"early") + server_frame(b"late")
        async with asyncio.timeout(60):
            assert await connection.reader.readexactly(len(expected)) == expected
        await connection.send(Frame(Opcode.CLOSE, b"").serialize(mask=True, extensions=[]))


async def test_connections_without_a_header_do_not_delay_shutdown(open_stage: OpenStage) -> None:
    stage = open_stage("httptools", proxies=LOCALHOST)
    async with stage.connected(proxied=True) as connection:
        await connection.send(LINE[:5])
        await asyncio.sleep(0)
        stage.server.stop()
        await stage.server.close_all_connections()
        assert await connection.ended()


async def test_connections_are_counted_by_the_network_of_the_client(open_stage: OpenStage) -> None:
    stage = open_stage("httptools", Limits(connections_per_address_limit=1), LOCALHOST)
    statuses = []
    async with AsyncExitStack() as opened:
        for source in ("2001:db8::7", "2001:db8::8", "2001:db8:0:1::7"):
            connection = await opened.enter_async_context(stage.connected(proxied=True))
            await connection.send(binary(1, 2, addresses(source)) + GET)
            answer = await connection.answer()
            statuses.append(answer and answer.status)
    assert statuses == [200, 503, 200]
