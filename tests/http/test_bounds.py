"""The limits on connections, in total and per address: connections over them get 503, others are served."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from api.http1.http_server import HTTPTOOLS
from api.limits import Limits
from tests.http.conftest import OpenStage
from tests.http.conversation import get
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, on_both_loops]

KERNELS_BACKLOG = int(Path("/proc/sys/net/core/somaxconn").read_text())


@pytest.mark.parametrize("limits", [Limits(connections_limit=3), Limits(connections_per_address_limit=3)])
async def test_a_connection_over_the_limit_gets_503_and_is_closed(
    open_stage: OpenStage, limits: Limits
) -> None:
    stage = open_stage(HTTPTOOLS, limits)
    async with stage.connected() as first, stage.connected() as second, stage.connected() as third:
        for connection in (first, second, third):
            await connection.send(get())
            assert (await connection.answer()).status == 200
        async with stage.connected() as fourth:
            refused = await fourth.answer()
            assert (refused.status, refused.json["code"]) == (503, "too_many_connections")
            assert (refused.json["retryable"], refused.fields["retry-after"]) == (True, "1")
            fourth.end()
            assert await fourth.ended()
        await first.send(get())
        assert (await first.answer()).status == 200
        await third.close()
        async with asyncio.timeout(60):
            while True:
                async with stage.connected() as again:
                    await again.send(get())
                    if (await again.answer()).status == 200:
                        break
                await asyncio.sleep(0.01)
    assert {refusal.status for refusal in stage.refusals} == {503}


async def test_refused_connections_do_not_count(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS, Limits(connections_limit=2))
    async with stage.connected() as first:
        await first.send(get())
        assert (await first.answer()).status == 200
        async with stage.connected() as second:
            await second.send(get())
            assert (await second.answer()).status == 200
            crowd = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(300)]
            received = [await reader.read() for reader, writer in crowd if not writer.write_eof()]
            assert sum(b"too_many_connections" in answer for answer in received) >= 200
            for _, writer in crowd:
                writer.close()
            await second.send(get())
            assert (await second.answer()).status == 200


async def test_slow_heads_make_room_for_others_and_not_the_other_way_round(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS, Limits(connections_limit=3, header_timeout_seconds=300))
    async with stage.connected() as served, stage.connected() as first, stage.connected() as second:
        await served.send(get())
        assert (await served.answer()).status == 200
        for slow in (first, second):
            await slow.send(b"GET / HTTP/1.1\r\nHo")
        async with asyncio.timeout(60):
            while True:
                async with stage.connected() as newcomer:
                    await newcomer.send(get())
                    answer = await newcomer.answer()
                    if answer.status == 200:
                        break
                    assert answer.status == 503
                await asyncio.sleep(0.05)
        assert await first.ended(), "the oldest one is closed"
        await second.send(b"st: localhost\r\n\r\n")
        assert (await second.answer()).status == 200
        await served.send(get())
        assert (await served.answer()).status == 200


async def test_a_crowd_is_let_in_by_the_kernel_while_the_server_is_busy(open_stage: OpenStage) -> None:
    stage = open_stage(HTTPTOOLS)
    async with stage.connected() as first:
        await first.send(get())
        assert (await first.answer()).status == 200
    # Nothing is accepted meanwhile: the event loop waits here.
    with ExitStack() as crowd:
        for _ in range(min(600, KERNELS_BACKLOG // 2)):
            crowd.enter_context(socket.create_connection(("127.0.0.1", stage.port), timeout=0.9))
