"""Behaviour over time: pipelines, long responses and bodies, slow and silent clients, shutdown."""

import asyncio
import json
import logging
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from api.http1.http_server import HTTPTOOLS
from api.limits import Limits
from tests.http.conftest import OpenStage
from tests.http.conversation import GET, HOST, LAST, chunked, get, post
from tests.http.stage import LONG_RESPONSE_BYTES, Later, Long, on_both_loops

pytestmark = [pytest.mark.gen_test, on_both_loops]

QUICK = Limits(
    header_timeout_seconds=0.1, body_timeout_seconds=0.1, keep_alive_seconds=0.1, write_timeout_seconds=0.1
)
EXPECTING = post(b"", b"Expect: 100-continue", b"Content-Length: 5")


# Pipelines


async def test_a_thousand_requests_at_once_are_answered_in_order(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        connection.writer.write(b"".join(get(target=b"/%d" % number) for number in range(1000)) + LAST)
        answers = await connection.answers()
    assert [answer.json["target"] for answer in answers] == [*[f"/{number}" for number in range(1000)], "/"]


async def test_responses_keep_their_order(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(get(target=b"/later") + LAST)
        await Later.begun.wait()
        Later.go_on.set()
        first, second = await connection.answers()
    assert (first.body, second.json["target"]) == (b"at last", "/")


async def test_reading_pauses_while_many_requests_wait(open_stage: OpenStage) -> None:
    filler, count = get(b"X-Filler: " + b"x" * 8000), 1000
    async with open_stage(HTTPTOOLS).connected() as connection:
        connection.writer.write(get(target=b"/later") + filler * count)
        await Later.begun.wait()
        before = len(filler) * count
        while (left := connection.writer.transport.get_write_buffer_size()) < before:
            before = left
            await asyncio.sleep(0.05)
        assert left > len(filler) * count * 3 / 4
        Later.go_on.set()
        assert (await connection.answer()).body == b"at last"
        for _ in range(count):
            assert (await connection.answer()).status == 200


# Long responses


async def test_a_long_response_is_sent_at_the_clients_speed(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(get(target=b"/long") + LAST)
        sent_bytes = -1
        while sent_bytes < Long.sent_bytes:
            sent_bytes = Long.sent_bytes
            await asyncio.sleep(0.05)
        # About as much as the kernel's buffers hold.
        assert sent_bytes < LONG_RESPONSE_BYTES / 2
        long, other = await connection.answers()
    assert (len(long.body), other.status) == (LONG_RESPONSE_BYTES, 200)


@pytest.mark.parametrize("ending", [b"", b"Connection: close\r\n"])
async def test_a_client_that_does_not_read_is_dropped(open_stage: OpenStage, ending: bytes) -> None:
    async with open_stage(HTTPTOOLS, QUICK).connected(buffer_bytes=4096) as connection:
        await connection.send(b"GET /long HTTP/1.1\r\n" + HOST + ending + b"\r\n")
        async with asyncio.timeout(60):
            await Long.cut_off.wait()


async def test_a_client_that_reads_slowly_is_not_dropped(open_stage: OpenStage) -> None:
    async with open_stage(HTTPTOOLS, QUICK).connected() as connection:
        await connection.send(get(b"Connection: close", target=b"/long"))
        read_bytes = 0
        while part := await connection.reader.read(LONG_RESPONSE_BYTES // 16):
            read_bytes += len(part)
            await asyncio.sleep(0.001)
    assert read_bytes > LONG_RESPONSE_BYTES


async def test_a_handler_is_notified_when_its_client_disconnects(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(get(target=b"/later"))
        await Later.begun.wait()
        connection.writer.transport.abort()
        async with asyncio.timeout(60):
            await Later.client_left.wait()
    Later.go_on.set()


async def test_a_truncated_response_is_recognisable(
    open_stage: OpenStage, layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tornado")
    async with open_stage(layer).connected() as connection:
        await connection.send(get(target=b"/defect"))
        sent = await connection.reader.read()
    assert b"Content-Length: 10\r\n" in sent
    assert sent.endswith(b"short")


async def test_a_response_with_a_line_break_in_a_field_is_not_sent(
    open_stage: OpenStage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tornado")
    async with open_stage(HTTPTOOLS).connected() as connection:
        await connection.send(get(target=b"/torn"))
        assert await connection.ended()


# Long bodies


@pytest.mark.parametrize("size", [1, 70_000, 5_000_000])
async def test_a_handler_can_stream_a_body(open_stage: OpenStage, layer: str, size: int) -> None:
    body = b"x" * size
    with_length = post(body, b"Content-Length: %d" % size, target=b"/upload")
    in_chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    streamed = post(in_chunks, b"Transfer-Encoding: chunked", target=b"/upload")
    async with open_stage(layer).connected() as connection:
        for request in (with_length, streamed):
            connection.writer.write(request)
            assert (await connection.answer()).json["bytes"] == size


async def test_chunks_of_one_byte_do_not_block_other_clients(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected(buffer_bytes=1_000_000) as busy, stage.connected() as other:
        busy.writer.write(chunked(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"))
        answering = asyncio.create_task(busy.answer())
        served = 0
        while not answering.done():
            await other.send(GET)
            assert (await other.answer()).status == 200
            served += 1
        assert served > 2, "no other client was served while the body was read"
        assert len((await answering).json["body"]) == 100_000


async def test_100_continue_asks_for_the_body(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(EXPECTING)
        assert (await connection.answer()).status == 100
        await connection.send(b"hello" + LAST)
        first, _ = await connection.answers()
    assert first.json["body"] == "hello"


async def test_a_client_that_sends_too_much_receives_the_refusal(open_stage: OpenStage) -> None:
    async with open_stage(HTTPTOOLS).connected() as connection:
        connection.writer.write(post(b"x" * 4_000_000, b"Content-Length: 4000000"))
        answer = await connection.answer()
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
        assert await connection.ended()


# Timeouts


async def test_an_idle_connection_is_closed_without_a_response(open_stage: OpenStage, layer: str) -> None:
    # Time enough to send a request on a busy machine.
    stage = open_stage(layer, replace(QUICK, header_timeout_seconds=1.0))
    async with stage.connected() as silent, stage.connected() as idle:
        await idle.send(GET)
        assert (await idle.answer()).status == 200
        assert await idle.ended()
        assert await silent.ended()


@pytest.mark.parametrize(
    "begun", [b"G", GET[:-2], post(b"hell", b"Content-Length: 5"), chunked(b"5\r\nhell")]
)
async def test_incomplete_requests_time_out(open_stage: OpenStage, begun: bytes) -> None:
    async with open_stage(HTTPTOOLS, QUICK).connected() as connection:
        await connection.send(begun)
        answer = await connection.answer()
        assert (answer.status, answer.json["code"], answer.json["retryable"]) == (
            408,
            "request_timeout",
            True,
        )
        assert await connection.ended()


async def test_slow_sending_does_not_extend_the_deadline(open_stage: OpenStage) -> None:
    async with open_stage(HTTPTOOLS, QUICK).connected() as connection:
        connection.writer.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(60):
            while not connection.reader._buffer:
                connection.writer.write(b"X-A: b\r\n")
                await asyncio.sleep(0.01)
        assert (await connection.answer()).status == 408


async def test_handlers_have_no_time_limit(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer, QUICK).connected() as connection:
        await connection.send(get(target=b"/later"))
        await Later.begun.wait()
        await asyncio.sleep(0.25)
        Later.go_on.set()
        assert (await connection.answer()).body == b"at last"


# Refusals


async def test_a_refusal_has_the_usual_format_and_is_reported(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected() as connection:
        await connection.send(get(b"X-A : b"))
        answer = await connection.answer()
    assert json.loads(answer.body).keys() == {"detail", "code", "retryable"}
    assert answer.json["code"] == "malformed_request"
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["x-content-type-options"] == "nosniff"
    assert answer.fields["connection"] == "close"
    assert "date" in answer.fields
    (refusal,) = stage.refusals
    assert refusal == (400, "127.0.0.1", answer.fields["x-request-id"])


# Shutdown


async def test_shutdown_waits_for_requests_in_progress(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected() as working, stage.connected() as idle, stage.connected() as silent:
        await working.send(get(target=b"/later"))
        await Later.begun.wait()
        stage.server.stop()
        with pytest.raises(ConnectionRefusedError):
            async with stage.connected():
                pass
        await idle.send(GET)
        last = await idle.answer()
        assert last.status == 200, "open connections are still served"
        assert last.fields["connection"] == "close" and await idle.ended()
        closing = asyncio.create_task(stage.server.close_all_connections())
        assert await silent.ended()
        Later.go_on.set()
        answer = await working.answer()
        assert (answer.body, answer.fields["connection"]) == (b"at last", "close")
        assert await working.ended()
        await closing


async def test_shutdown_serves_clients_that_were_not_accepted_yet(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected() as first:  # the server listens
        await first.send(GET)
        await first.answer()
        with ExitStack() as waiting:
            # While this loop is blocked the kernel accepts clients for the server.
            address = ("127.0.0.1", stage.port)
            clients = [waiting.enter_context(socket.create_connection(address, 60)) for _ in range(20)]
            for client in clients:
                client.sendall(GET)
            stage.server.stop()
            responses = [await asyncio.to_thread(client.recv, 65_536) for client in clients]
    assert all(response.startswith(b"HTTP/1.1 200 ") for response in responses)


async def test_shutdown_does_not_wait_forever(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected() as connection:
        await connection.send(get(target=b"/later"))
        await Later.begun.wait()
        stage.server.stop()
        async with asyncio.timeout(60):
            await stage.server.close_all_connections()
        assert await connection.ended()
    Later.go_on.set()
