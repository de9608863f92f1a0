"""Messages between the supervisor and a worker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest

from frontrow.channel import BACKLOG_LIMIT_BYTES, MESSAGE_LIMIT_BYTES, Channel, StartMessage

pytestmark = pytest.mark.gen_test

START = StartMessage(1, "127.0.0.1", 0, "/srv", False, "postgresql://", [4], [], [])


@asynccontextmanager
async def channels() -> AsyncIterator[tuple[Channel, Channel]]:
    one, other = [await Channel.over(end) for end in socket.socketpair()]
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


async def test_messages_arrive_in_order_and_end_with_the_sender() -> None:
    async with channels() as (one, other):
        sent = [("ready", None), ("metrics", [["name", inf]]), ("page", [1, "text/plain", b"x" * 300_000])]
        for kind, value in sent:
            one.send(kind, value)
        await one.close()
        assert [message async for message in other.messages()] == sent
        one.send("ready")  # the channel is closed


async def test_a_message_that_is_too_long_is_refused() -> None:
    end, other = socket.socketpair()
    with end:
        channel = await Channel.over(other)
        end.sendall((MESSAGE_LIMIT_BYTES + 1).to_bytes(4))
        with pytest.raises(ValueError, match="longer than the limit"):
            await anext(channel.messages())
        await channel.close()


async def test_what_a_frozen_process_does_not_read_is_bounded() -> None:
    frozen, other = socket.socketpair()
    with frozen:
        channel = await Channel.over(other)
        message = b"x" * 1024 * 1024
        for _ in range(3 * BACKLOG_LIMIT_BYTES // len(message)):
            channel.send("page", message)
        assert channel._writer.transport.get_write_buffer_size() < BACKLOG_LIMIT_BYTES + 2 * len(message)
        channel._writer.transport.abort()
        await asyncio.sleep(0)


def test_a_worker_ignores_fields_of_another_release() -> None:
    assert StartMessage.received({**START._asdict(), "later": 1}) == START
