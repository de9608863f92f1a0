"""Requests are repeated where that is safe, and nothing is done twice."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.abc import MetaPathFinder

import pytest

from frontrow_client import (
    AsyncFrontrow,
    ConnectionFailed,
    Frontrow,
    FrontrowError,
    Retries,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
)
from frontrow_client.retries import Backoff, is_worth_repeating
from tests.clients.conftest import Box
from tests.database import execute
from tests.web.demo_house import LastingAddress
from tests.web.network import Network

pytestmark = pytest.mark.gen_test

QUICK = Retries(attempts=40, first_pause_seconds=0.02, longest_pause_seconds=0.5)
ONCE = Retries(attempts=1)


@asynccontextmanager
async def behind_network(box: Box, retries: Retries) -> AsyncIterator[tuple[Network, AsyncFrontrow]]:
    """A client whose connections can be cut."""
    async with (
        Network(box.server.port) as network,
        AsyncFrontrow(network.url, box.token(7), retries=retries) as frontrow,
    ):
        yield network, frontrow


def test_pauses_are_random_within_bounds_that_double() -> None:
    retries = Retries(attempts=6, first_pause_seconds=1, longest_pause_seconds=5)
    for attempt, bound in enumerate((1, 2, 4, 5, 5), start=1):
        pauses = {retries.pause_seconds(attempt) for _ in range(50)}
        assert len(pauses) > 1 and all(pause is not None and 0 <= pause <= bound for pause in pauses)
    assert retries.pause_seconds(6) is None
    asked = retries.pause_seconds(1, retry_after_seconds=3)
    assert asked is not None and 3 <= asked <= 6
    assert retries.pause_seconds(1, retry_after_seconds=5.5) is None
    assert Retries(attempts=5000).pause_seconds(4000) is not None
    assert ONCE.pause_seconds(1) is None
    for bounds in ({"attempts": 0}, {"first_pause_seconds": 0}, {"longest_pause_seconds": -1}):
        with pytest.raises(ValueError, match="must be positive"):
            Retries(**bounds)


def test_pauses_between_connections_grow_without_end() -> None:
    backoff = Backoff(1, 4)
    bounds = (1, 2, 4, 4, 4)
    assert all(pause <= bound for bound in bounds for pause in [backoff.pause_seconds()])
    backoff.reset()
    pause = backoff.pause_seconds()
    assert pause <= 1
    backoff.reset()
    refused = [backoff.pause_seconds(retry_after_seconds=3) for _ in range(50)]
    assert all(3 <= pause <= 3 + 4 for pause in refused)
    assert max(refused) - min(refused) > 1, "clients that were refused together come back together"
    pause = backoff.pause_seconds(retry_after_seconds=10_000)
    assert 30 <= pause <= 60


@pytest.mark.parametrize(
    ("status", "retryable", "is_safe", "repeated"),
    [
        (429, True, False, True),
        (408, True, False, True),
        (503, True, False, False),
        *((status, False, True, True) for status in (429, 502, 503, 504)),
        (409, True, True, True),
        (409, True, False, False),
        (409, False, True, False),
        (500, False, True, False),
    ],
)
def test_what_is_repeated(status: int, retryable: bool, is_safe: bool, repeated: bool) -> None:
    assert is_worth_repeating(status, retryable=retryable, is_safe=is_safe) is repeated


async def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(box: Box) -> None:
    async with behind_network(box, QUICK) as (network, frontrow), box.client(1, admin=True) as admin:
        free = [seat.seat.id for seat in await frontrow.seats(1) if seat.is_available]
        network.cut_after(1)
        toggled = await frontrow.toggle(1, free[:2])
        assert [hold.seat_id for hold in toggled.reserved] == free[:2], "it was not toggled back"
        network.cut_after(1)
        tickets = await frontrow.book(1, free[:2])
        assert [ticket.id async for ticket in frontrow.my_tickets()] == [t.id for t in reversed(tickets)]
        async with AsyncFrontrow(network.url, admin.token, retries=QUICK) as careful:
            network.cut_after(1)
            cinema = await careful.create_cinema("Once Only")
        assert [found.id async for found in admin.cinemas() if found.name == "Once Only"] == [cinema.id]


async def test_no_request_searches_for_modules(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed import is not remembered, and takes longer than the rest of a request."""
    searched: list[str] = []
    caller = asyncio.current_task()

    class Finder(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            # The server is in this process, and its threads have no loop.
            if asyncio._get_running_loop() and asyncio.current_task() is caller:
                searched.append(name)

    async with AsyncFrontrow(box.base_url, box.token(7)) as frontrow:
        await frontrow.reserve_best(1, 1)
        monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
        await frontrow.reserve_best(1, 1)
    assert searched == []


async def test_the_same_key_gets_the_same_answer(box: Box) -> None:
    async with box.client() as frontrow:
        first = await frontrow.reserve_best(1, 2, key="order-1")
        assert await frontrow.reserve_best(1, 2, key="order-1") == first
        assert await frontrow.reserve_best(1, 2) != first


async def test_what_has_no_key_is_not_repeated_after_a_lost_answer(box: Box) -> None:
    async with behind_network(box, QUICK) as (network, frontrow):
        network.cut_after(1)
        with pytest.raises(ConnectionFailed) as lost:
            await frontrow.register("once@home.example", "correct horse battery")
        assert lost.value.may_have_been_executed
        rows = execute(box.database_url, "SELECT count(*) FROM users WHERE email = 'once@home.example'")
        assert rows == [(1,)]


async def test_a_server_that_restarts_is_waited_for(box: Box) -> None:
    async with LastingAddress(box) as address:
        patient = Retries(attempts=40, first_pause_seconds=0.02, longest_pause_seconds=2)
        async with AsyncFrontrow(address.url, box.token(7), retries=patient) as frontrow:
            free = [seat.seat.id for seat in await frontrow.seats(1) if seat.is_available]
            restart = asyncio.ensure_future(box.restart())
            tickets = await frontrow.book(1, free[:1], payment_id="p-1")
            await restart
            assert (await frontrow.ticket(tickets[0].id)).seat_id == free[0]


async def test_a_server_that_is_away_is_given_up(box: Box) -> None:
    async with LastingAddress(box) as address:
        address.take_away()
        few = Retries(attempts=2, first_pause_seconds=0.01)
        async with AsyncFrontrow(address.url, box.token(7), retries=few) as frontrow:
            with pytest.raises(ConnectionFailed) as reading:
                await frontrow.seats(1)
            assert not reading.value.may_have_been_executed
            with pytest.raises(ConnectionFailed) as writing:
                await frontrow.reserve(1, [1])
            assert writing.value.may_have_been_executed


async def test_a_long_pause_is_left_to_the_caller(box: Box) -> None:
    await box.restart(guest_creations_per_address=2)
    async with AsyncFrontrow(box.base_url) as guest:
        await guest.new_session()
        await guest.new_session()
        with pytest.raises(TooManyRequests) as refused:
            await guest.new_session()
        wait = refused.value.retry_after_seconds
        assert wait is not None and wait > Retries().longest_pause_seconds


async def _peer(answers: list[bytes]) -> tuple[asyncio.Server, str]:
    """A server of HTTP that gives prepared answers, one for each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = answers.pop(0)
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _answer(status: bytes, body: bytes = b"", *head: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *head]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


LOST = b""
"""The connection ends without an answer."""


async def test_refusals_that_pass_are_repeated_after_the_time_that_the_server_asks_for() -> None:
    late = _answer(b"408 Request Timeout", b'{"code": "request_timeout", "retryable": true}')
    busy = _answer(b"503 Service Unavailable", b'{"code": "overloaded"}', b"Retry-After: 0")
    many = _answer(b"429 Too Many Requests", b'{"code": "rate_limited"}', b"Retry-After: 0")
    answers = [busy, many, _answer(b"502 Bad Gateway", b"<html>"), _answer(b"200 OK", b"[]")]
    server, url = await _peer(answers)
    async with server, AsyncFrontrow(url, retries=QUICK) as frontrow:
        assert await frontrow.prices(1) == []
    assert answers == []
    server, url = await _peer([busy, many])
    async with server, AsyncFrontrow(url, retries=Retries(2, 0.01, 0.01)) as frontrow:
        with pytest.raises(TooManyRequests):
            await frontrow.prices(1)
    server, url = await _peer([late, busy])
    async with server, AsyncFrontrow(url, retries=QUICK) as frontrow:
        with pytest.raises(Unavailable, match="overloaded"):  # a session has no key
            await frontrow.new_session()


@pytest.mark.parametrize(
    ("answers", "may_have_been_executed"),
    [
        ([LOST], True),
        ([_answer(b"503 Service Unavailable", b'{"code": "overloaded"}')], False),
        ([_answer(b"503 Service Unavailable", b'{"code": "outcome_unknown"}')], True),
        ([_answer(b"503 Service Unavailable", b"<html>")], True),
        ([_answer(b"502 Bad Gateway", b"<html>")], True),
        ([_answer(b"500 Internal Server Error", b'{"code": "internal_error"}')], True),
        ([_answer(b"409 Conflict", b'{"code": "not_held"}')], False),
        ([_answer(b"200 OK", b"<html>")], True),
        ([LOST, _answer(b"503 Service Unavailable", b'{"code": "overloaded"}')], True),
        ([LOST, _answer(b"401 Unauthorized", b'{"code": "token_invalid"}')], True),
        ([LOST, _answer(b"409 Conflict", b'{"code": "not_held"}')], False),
    ],
)
async def test_errors_tell_whether_anything_may_have_been_done(
    answers: list[bytes], may_have_been_executed: bool
) -> None:
    retries = Retries(len(answers), 0.01, 0.01)
    server, url = await _peer([*answers])
    async with server, AsyncFrontrow(url, "token", retries=retries) as frontrow:
        with pytest.raises(FrontrowError) as failed:
            await frontrow.release(1)
        assert failed.value.may_have_been_executed is may_have_been_executed


async def test_what_is_no_answer_of_the_server_is_said() -> None:
    for answer, words in (
        (_answer(b"200 OK", b"<html>welcome</html>"), "cannot be read"),
        (_answer(b"200 OK", b'{"price": 1}'), "cannot be read"),
        (_answer(b"301 Moved", b"", b"Location: https://tickets.example/"), "https://tickets.example/"),
    ):
        server, url = await _peer([answer])
        async with server, AsyncFrontrow(url) as frontrow:
            with pytest.raises(UnexpectedAnswer, match=words):
                await frontrow.prices(1)
    for wrong in ("tickets.example", "ws://tickets.example", ""):
        with pytest.raises(ValueError, match="http"):
            Frontrow(wrong)
