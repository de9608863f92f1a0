"""Work in threads begins in time or not at all."""

import asyncio
import threading

import pytest

from api.workers import Workers, WorkersBusy

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


class ManualSeconds:
    """The monotonic clock of the workers, which tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualSeconds:
    clock = ManualSeconds()
    monkeypatch.setattr("api.workers.monotonic", clock)
    return clock


async def test_what_has_waited_too_long_is_not_done(clock: ManualSeconds) -> None:
    workers = Workers(patience_seconds=1.0, threads=1)
    begun, released = threading.Event(), threading.Event()
    done: list[int] = []

    def wait() -> bool:
        begun.set()
        return released.wait()

    first = asyncio.ensure_future(workers.run(wait))
    second = asyncio.ensure_future(workers.run(done.append, 2))
    await asyncio.to_thread(begun.wait)
    clock.now = 2.0
    released.set()
    assert await first
    with pytest.raises(WorkersBusy):
        await second
    assert done == []
    workers.close()


async def test_what_would_wait_too_long_is_refused_at_once(clock: ManualSeconds) -> None:
    workers = Workers(patience_seconds=0.01, threads=1)
    released = threading.Event()

    def take_long() -> None:
        clock.now += 0.5

    await workers.run(take_long)
    first = asyncio.ensure_future(workers.run(released.wait))
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy) as refusal:
        await workers.run(released.wait)
    assert refusal.value.retry_after_seconds == 1
    released.set()
    assert await first
    workers.close()
