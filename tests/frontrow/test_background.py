"""Recurring tasks and shutdown steps: an exception in one does not stop the others."""

import asyncio
import logging

import pytest

from engine.errors import StoreUnavailable
from frontrow.background import Recurring, StoppedEarly, run_steps, unless_stopped

pytestmark = pytest.mark.gen_test


@pytest.mark.parametrize("failure", [ZeroDivisionError(), asyncio.CancelledError("from within")])
async def test_failed_work_is_retried_and_other_work_continues(failure: BaseException) -> None:
    done = {"broken": 0, "sound": 0}

    async def broken() -> None:
        done["broken"] += 1
        raise failure

    async def sound() -> None:
        done["sound"] += 1

    recurring = Recurring()
    recurring.every(0, "broken work", broken)
    recurring.every(0, "sound work", sound)
    for _ in range(20):
        await asyncio.sleep(0)
    await recurring.stop()
    assert min(done.values()) >= 2


async def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = [StoreUnavailable("away"), StoreUnavailable("away"), ZeroDivisionError("a bug"), None, None]
    outcomes += [StoreUnavailable("away"), None]
    over = asyncio.Event()

    async def work() -> None:
        if not outcomes:
            over.set()
        elif (failure := outcomes.pop(0)) is not None:
            raise failure

    recurring = Recurring()
    with caplog.at_level(logging.INFO):
        recurring.every(0, "refresh", work)
        await over.wait()
    await recurring.stop()
    failed = "refresh failed, and is repeated until it succeeds: "
    logged = [(record.getMessage().partition(" in ")[0], record.exc_info) for record in caplog.records]
    assert [text for text, _ in logged] == [
        f"{failed}away",
        f"{failed}a bug",
        "refresh succeeds again, after 3 failures",
        f"{failed}away",
        "refresh succeeds again, after 1 failures",
    ]
    assert [bool(traceback) for _, traceback in logged] == [False, True, False, False, False]


async def test_a_failing_step_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    taken = []

    def first() -> None:
        taken.append("first")

    async def broken() -> None:
        raise ZeroDivisionError

    def also_broken() -> None:
        raise ZeroDivisionError

    async def last() -> None:
        taken.append("last")

    await run_steps(first, broken, also_broken, last, seconds=60)

    assert taken == ["first", "last"]
    assert len(caplog.records) == 2


async def test_a_step_that_takes_too_long_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    taken = []

    async def endless() -> None:
        await asyncio.Event().wait()

    async def last() -> None:
        taken.append("last")

    await run_steps(endless, endless, last, seconds=0.01)

    assert taken == ["last"]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "a shutdown step took too long and was left"
    ] * 2


async def test_a_start_is_cancelled_when_the_process_is_told_to_stop() -> None:
    stopped = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def part() -> str:
        return "done"

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    assert await unless_stopped(part(), stopped) == "done"
    starting = asyncio.create_task(unless_stopped(endless(), stopped))
    await asyncio.sleep(0)
    stopped.set_result("SIGTERM")
    with pytest.raises(StoppedEarly):
        await starting
    assert ended.is_set()
