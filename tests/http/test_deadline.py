"""Deadlines of connections, on both event loops."""

import asyncio
import socket
import time

import pytest

from api.http1.deadline import Deadline
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]

SECONDS = 0.05


async def test_what_arrived_during_a_stall_is_read_before_the_deadline_counts() -> None:
    loop, missed, read = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    deadline = Deadline(loop, missed.set)
    here, there = socket.socketpair()
    other_here, other_there = socket.socketpair()

    def stall() -> None:
        loop.remove_reader(other_here)
        deadline.set(SECONDS)
        there.send(b"GET")
        time.sleep(2 * SECONDS)

    def arrived() -> None:
        loop.remove_reader(here)
        deadline.clear()
        read.set()

    with here, there, other_here, other_there:
        # uvloop runs overdue timers after the callbacks of one round of reading, and before the next round.
        loop.add_reader(here, arrived)
        loop.add_reader(other_here, stall)
        other_there.send(b"GET")
        async with asyncio.timeout(60):
            await read.wait()
    await asyncio.sleep(SECONDS)
    assert not missed.is_set()
    deadline.cancel()


async def test_a_deadline_that_is_moved_counts_from_then_on() -> None:
    loop, missed = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, missed.set)
    began = loop.time()
    deadline.set(SECONDS)
    await asyncio.sleep(SECONDS / 2)
    deadline.set(SECONDS)
    async with asyncio.timeout(60):
        await missed.wait()
    assert loop.time() - began >= SECONDS * 1.5


async def test_a_deadline_that_is_cleared_is_not_missed() -> None:
    missed = asyncio.Event()
    deadline = Deadline(asyncio.get_running_loop(), missed.set)
    deadline.set(SECONDS)
    deadline.clear()
    await asyncio.sleep(2 * SECONDS)
    assert not missed.is_set()
