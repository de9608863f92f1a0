"""Request bodies that are long or come in pieces."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders, RequestStartLine

from api.rest.exchange import Exchange
from tests.api.caller import TICKETS
from tests.api.venue import Venue, raw_exchange

pytestmark = pytest.mark.gen_test


def collected_in(venue: Venue, pieces: int) -> float:
    """Return the processor time to collect a body of two-byte pieces, in seconds; the best of three runs."""
    line = RequestStartLine("PUT", "/api/v1/users/me/profile-picture", "HTTP/1.1")
    headers = HTTPHeaders({"Host": "localhost", "Transfer-Encoding": "chunked"})
    router = venue.application.rest
    plan = router.plan(line, headers, None)
    seconds = []
    for _ in range(3):
        connection = SimpleNamespace(context=SimpleNamespace(remote_ip="127.0.0.1"))
        exchange = Exchange(router, plan, connection)
        began = time.process_time()
        for _ in range(pieces):
            exchange.data_received(b"xy")
        seconds.append(time.process_time() - began)
        assert len(exchange._body) == 2 * pieces
    return min(seconds)


async def test_receiving_a_body_in_pieces_takes_linear_time(venue: Venue) -> None:
    # 16 times the pieces take 16 times as long; if every piece copied the body, they would take 256 times.
    assert collected_in(venue, 800_000) < 80 * collected_in(venue, 50_000)


@pytest.mark.parametrize("encoding", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("authorization", ["", "Authorization: Bearer not.a.token\r\n"])
async def test_a_long_body_without_a_token_is_not_read(
    venue: Venue, encoding: str, authorization: str
) -> None:
    head = f"POST {TICKETS}/book HTTP/1.1\r\nHost: localhost\r\n{authorization}{encoding}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(head.encode())  # without the body
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()
    writer.close()


async def test_the_connection_is_kept_after_a_short_body_without_a_token(venue: Venue) -> None:
    request = f"POST {TICKETS}/book HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}"
    last = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answers = await raw_exchange(venue, (request + last).encode())
    assert answers.startswith(b"HTTP/1.1 401 ") and b"HTTP/1.1 200 OK" in answers
