"""The schedule of the garbage collector: when it runs, and that all garbage is collected in the end."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from frontrow.collector import collect_when_idle, freeze_startup_objects, is_due


@pytest.mark.parametrize(
    ("rounds", "past_seconds", "idle", "due"),
    [
        (0, 30.0, True, False),  # no objects were added
        (99, 30.0, True, False),
        (100, 30.0, True, True),  # many were
        (100, 30.0, False, False),
        (1, 299.0, True, False),
        (1, 301.0, True, True),  # a few were, long ago
        (0, 301.0, True, False),
        (1000, 599.0, False, False),
        (0, 601.0, False, True),  # the limit, even if busy
    ],
)
def test_full_collections_run_when_idle_or_overdue(
    rounds: int, past_seconds: float, idle: bool, due: bool
) -> None:
    assert is_due(rounds, past_seconds, idle=idle) is due


@pytest.fixture
def spared() -> Iterator[None]:
    """The collector configured as in a server."""
    thresholds = gc.get_threshold()
    freeze_startup_objects()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("spared")
def test_garbage_of_a_busy_time_is_collected_automatically() -> None:
    gone = weakref.ref(Ring())
    kept: list[list[int]] = []
    for _ in range(50_000):
        kept.append([])
    assert gone() is None


@pytest.mark.gen_test
@pytest.mark.usefixtures("spared")
async def test_old_garbage_is_collected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontrow.collector._LIMIT_SECONDS", 0.0)
    ring = Ring()
    gone = weakref.ref(ring)
    tidying = asyncio.create_task(collect_when_idle(0.0))
    gc.collect(1)
    gc.collect(1)  # now it is among the oldest
    await asyncio.sleep(0.3)
    del ring
    async with asyncio.timeout(60):
        while gone() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    tidying.cancel()
