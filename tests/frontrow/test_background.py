"""Recurring work: whatever it raises, it is done again."""

import asyncio

import pytest

from frontrow.background import Recurring

pytestmark = pytest.mark.gen_test


@pytest.mark.parametrize("failure", [ZeroDivisionError(), asyncio.CancelledError("from within")])
async def test_work_that_fails_is_done_again_and_the_other_work_goes_on(failure: BaseException) -> None:
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
