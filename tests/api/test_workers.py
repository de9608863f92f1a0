"""Work in threads begins in time or not at all."""

import asyncio
import threading

import pytest

from api.workers import Workers, WorkersBusy

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


async def test_what_has_waited_too_long_is_not_done() -> None:
    workers = Workers(patience_seconds=0.05, threads=1)
    released = threading.Event()
    done: list[int] = []
    first = asyncio.ensure_future(workers.run(released.wait))
    second = asyncio.ensure_future(workers.run(done.append, 2))
    await asyncio.sleep(0.1)
    released.set()
    assert await first
    with pytest.raises(WorkersBusy):
        await second
    assert done == []
    workers.close()


async def test_what_would_wait_too_long_is_refused_at_once() -> None:
    workers = Workers(patience_seconds=0.01, threads=1)
    released = threading.Event()
    timer = threading.Timer(0.5, released.set)
    timer.start()
    await workers.run(released.wait)  # now a call is known to take long
    released.clear()
    first = asyncio.ensure_future(workers.run(released.wait))
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy) as refusal:
        await workers.run(released.wait)
    assert refusal.value.retry_after_seconds == 1
    released.set()
    assert await first
    workers.close()
