"""Counts of the load generator, and when its clock starts."""

import asyncio
import os
from contextlib import closing, suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from bench.load.closed_loop import ClosedLoop
from bench.load.frames import TEXT
from bench.load.http import Address, BadResponse, Requests, Responses, entity_tag, framed, head
from bench.load.open_loop import OpenLoop
from bench.load.process import LoadProcess
from bench.load.sockets import REFUSED, Commands, FanOut, SocketRefused
from bench.load.tally import Tally, TooManyFailures
from bench.seats import Each, Repeated
from tests.bench.scripted_server import CREATED, OWN_PID, Script, serving

pytestmark = pytest.mark.gen_test

REQUEST = head("GET", "/") + framed()
ASKING = Repeated([REQUEST])
RATE, ROUND_SECONDS = 400.0, 0.6
STALL_AT_REQUEST, STALL_SECONDS = 80, 0.25


def closed(address: Address, requests: Requests = ASKING, connections: int = 1, **more: Any) -> ClosedLoop:
    return ClosedLoop(address, OWN_PID, requests, connections, **{"seconds": ROUND_SECONDS, **more})


def some(count: int) -> Each:
    """So many requests and no more, however long they take."""
    return Each([REQUEST] * count)


def opened(address: Address, rate: float = RATE, connections: int = 8) -> OpenLoop:
    return OpenLoop(address, OWN_PID, ASKING, connections, rate, ROUND_SECONDS)


# Open loop


async def test_requests_arrive_at_their_rate() -> None:
    async with serving(Script()) as address:
        tally = await opened(address).run()
    assert tally.answered == RATE * ROUND_SECONDS
    assert tally.seconds > 0.9 * ROUND_SECONDS
    assert tally.require(201) == 1


async def test_a_stall_is_charged_to_everything_that_should_have_begun_in_it() -> None:
    script = Script()
    async with serving(script) as address:
        script.stall(STALL_AT_REQUEST, STALL_SECONDS)
        tally = await opened(address).run()
    assert tally.answered == RATE * ROUND_SECONDS
    # Requests were due all through the stall, so how long they waited is spread evenly over it.
    share_stalled = STALL_SECONDS / ROUND_SECONDS
    halfway, longest = tally.percentiles_ms(100 * (1 - share_stalled / 2), 99)
    assert STALL_SECONDS * 1e3 * 0.4 < halfway < longest
    assert longest > STALL_SECONDS * 1e3 * 0.9


async def test_a_closed_loop_hardly_notices_the_same_stall() -> None:
    script = Script()
    async with serving(script) as address:
        script.stall(STALL_AT_REQUEST, STALL_SECONDS)
        tally = await closed(address).run()
    usual, longest = tally.percentiles_ms(50, 100)
    assert longest > STALL_SECONDS * 1e3 * 0.9
    assert usual < longest / 2


async def test_a_closed_loop_can_keep_below_a_rate() -> None:
    async with serving(Script()) as address:
        tally = await closed(address, connections=4, rate=RATE).run()
    assert 0 < tally.answered <= RATE * ROUND_SECONDS + 4


async def test_waiting_for_a_free_connection_counts() -> None:
    script = Script()
    async with serving(script) as address:
        script.stall(1, ROUND_SECONDS)
        tally = await opened(address, rate=100, connections=1).run()
    median, longest = tally.percentiles_ms(50, 100)
    assert ROUND_SECONDS * 1e3 * 0.4 < median < longest


async def test_the_latency_of_an_unanswered_request_is_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.load.open_loop.DRAIN_SECONDS", 0.1)
    script = Script()
    async with serving(script) as address:
        script.stall(1, 60)
        tally = await opened(address, rate=100).run()
    assert (tally.answered, tally.unanswered) == (0, 100 * ROUND_SECONDS)
    (longest,) = tally.percentiles_ms(100)
    assert longest >= (ROUND_SECONDS + 0.1) * 1e3 * 0.95
    with pytest.raises(TooManyFailures, match="60 were not answered"):
        tally.require(201)


async def test_a_server_that_hangs_up_has_not_answered() -> None:
    script = Script()
    script.hangs_up_after = 1
    async with serving(script) as address:
        tally = await opened(address, rate=50, connections=1).run()
    assert (tally.answered, tally.unanswered) == (0, 50 * ROUND_SECONDS)


# Closed loop


async def test_finite_requests_end_the_run() -> None:
    script = Script()
    requests = [head("GET", f"/{number}") + framed() for number in range(10)]
    async with serving(script) as address:
        tally = await closed(address, requests=Each(requests), connections=3, seconds=60).run()
    assert sorted(script.requests) == requests
    assert (tally.answered, tally.sent) == (10, (4, 3, 3))


async def test_everything_that_is_received_is_counted() -> None:
    script = Script()
    async with serving(script) as address:
        tally = await closed(address, some(100), connections=2, seconds=60).run()
    assert tally.answered == sum(tally.sent) == len(script.requests) == 100
    assert tally.received_bytes == tally.answered * len(CREATED)
    assert tally.require(201) == 1


async def test_refusals_are_recognised_by_their_status() -> None:
    script = Script(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
    async with serving(script) as address:
        tally = await closed(address, some(5), seconds=60).run()
    with pytest.raises(TooManyFailures, match=r"0\.0% of .* x 503"):
        tally.figures(201)


async def test_connections_that_revalidate_send_what_they_were_given() -> None:
    script = Script(b'HTTP/1.1 200 OK\r\nETag: W/"3-7"\r\nContent-Length: 2\r\n\r\n[]')
    async with serving(script) as address:
        await closed(address, some(3), revalidates=True, seconds=60).run()
    first, *others = script.requests
    assert b"If-None-Match" not in first
    assert len(others) == 2
    assert all(b'\r\nIf-None-Match: W/"3-7"\r\n\r\n' in other for other in others)


async def test_an_unreachable_server_is_an_error() -> None:
    async with serving(Script()) as address:
        pass
    with pytest.raises(OSError):
        await closed(address).run()


# Cutting answers


ANSWERS = b"".join(
    (
        b"HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{}\r\n\r\nHTTP/1.1",
        b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "a"\r\n\r\n',
        b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n",
    )
)


async def test_answers_are_the_same_wherever_the_stream_is_cut() -> None:
    for place in range(len(ANSWERS)):
        responses = Responses()
        found = [*responses.feed(ANSWERS[:place]), *responses.feed(ANSWERS[place:])]
        assert [status for status, _ in found] == [201, 204, 304, 200]
        assert entity_tag(found[2][1]) == b'"a"'


@pytest.mark.parametrize(
    "stream", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"220 mail.example ESMTP\r\n\r\n"]
)
async def test_what_cannot_be_followed_is_told(stream: bytes) -> None:
    with pytest.raises(BadResponse):
        Responses().feed(stream)


# Sockets


class Talk:
    """A WebSocket server by somebody else's library."""

    def __init__(self) -> None:
        self.connections: set[ServerConnection] = set()

    async def everybody(self, connection: ServerConnection) -> None:
        """Greet, and tell everybody what anybody says."""
        self.connections.add(connection)
        if connection.request.path == "/watch":
            await connection.send('{"type":"welcome"}')
        with suppress(ConnectionClosed):
            async for message in connection:
                broadcast(self.connections, message)

    async def reply(self, connection: ServerConnection) -> None:
        """Answer pings, do what is asked, and refuse every third command."""
        number = 0
        with suppress(ConnectionClosed):
            async for message in connection:
                if "ping" in message:
                    await connection.send('{"type":"pong"}')
                    continue
                number += 1
                await connection.send('{"type":"error"}' if number % 3 == 0 else message)


async def test_every_delivery_is_counted() -> None:
    async with serve(Talk().everybody, "127.0.0.1", 0) as server:
        address = Address(*server.sockets[0].getsockname())
        load = FanOut(address, OWN_PID, ["/watch"] * 5, b"welcome", b"x" * 300, 2, 0.5)
        tally = await load.run()
    assert tally.outcomes[TEXT] >= 5
    assert tally.received_bytes == 300 * tally.outcomes[TEXT]
    assert tally.unanswered == 0


async def test_commands_are_counted_by_their_replies() -> None:
    async with serve(Talk().reply, "127.0.0.1", 0) as server:
        address = Address(*server.sockets[0].getsockname())
        messages = [[b'{"type":"select"}'], [b'{"type":"release"}']]
        load = Commands(address, OWN_PID, ["/a", "/b"], [[], []], messages, depth=4, seconds=0.5)
        tally = await load.run()
    assert tally.answered > 3
    assert tally.outcomes[REFUSED] == pytest.approx(tally.answered / 3, abs=2)
    assert tally.unanswered == 0


async def test_a_refused_handshake_is_an_error() -> None:
    async with serving(Script()) as address:
        load = FanOut(address, OWN_PID, ["/ws?token=abc"], None, b"", 2, 0.1)
        with pytest.raises(SocketRefused, match=r"^/ws: .*201 Created"):
            await load.run()


async def test_a_tally_without_anything_is_a_failure() -> None:
    with pytest.raises(TooManyFailures, match="of 0 requests"):
        Tally().figures(200)


# The process


ALL_CORES = frozenset(os.sched_getaffinity(0))


async def test_an_abandoned_load_does_not_answer_for_the_next() -> None:
    short = Script()
    async with serving(Script()) as endless, serving(short) as other:
        with closing(LoadProcess(ALL_CORES)) as process:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await process.run(closed(endless, seconds=3600))
            tally = await process.run(closed(other, some(3), seconds=60))
    assert (tally.answered, len(short.requests)) == (3, 3)


async def test_errors_in_the_process_are_raised_here() -> None:
    async with serving(Script(b"HTTP/1.1 200 OK\r\n\r\n")) as address:
        with (
            closing(LoadProcess(ALL_CORES)) as process,
            pytest.raises(BadResponse, match="no Content-Length"),
        ):
            await process.run(closed(address))
