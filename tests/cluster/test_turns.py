"""Things that are handed on some turns of the event loop later, and work that many callers share."""

import asyncio

import pytest

from cluster.rounds import Rounds
from cluster.turns import TURNS, TurnsLater

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


async def test_items_are_handed_on_in_order_after_some_turns() -> None:
    turn = 0
    handed: list[tuple[int, list[int]]] = []
    later: TurnsLater[int] = TurnsLater(lambda items: handed.append((turn, items)))
    assert not later
    for turn in range(9):
        if turn < 3:
            later.add(10 * turn)
            later.add(10 * turn + 1)
        assert bool(later) is (turn < 2 + TURNS)
        await asyncio.sleep(0)
    assert handed == [(first + TURNS - 1, [10 * first, 10 * first + 1]) for first in range(3)]


async def test_items_of_one_turn_stay_together_until_they_are_flushed() -> None:
    handed: list[list[int]] = []
    later: TurnsLater[int] = TurnsLater(handed.append)
    later.flush()
    later.add(1)
    await asyncio.sleep(0)
    later.add(2)
    later.add(3)
    later.flush()
    assert (handed, bool(later)) == ([[1], [2, 3]], False)
    later.add(4)
    later.flush()
    later.add(5)
    assert handed[2:] == [[4]]
    for _ in range(TURNS):
        assert handed[3:] == []
        await asyncio.sleep(0)
    later.add(6)
    await asyncio.sleep(0)
    assert handed[3:] == [[5]]
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert handed[4:] == [[6]]


async def test_what_is_flushed_is_not_handed_on_by_the_timers_of_earlier_items() -> None:
    handed: list[list[int]] = []
    later: TurnsLater[int] = TurnsLater(handed.append)
    later.add(1)
    await asyncio.sleep(0)
    later.flush()
    later.add(2)
    await asyncio.sleep(0)
    later.add(3)
    for _ in range(TURNS - 2):
        await asyncio.sleep(0)
        assert handed == [[1]]
    await asyncio.sleep(0)
    assert handed == [[1], [2]]
    await asyncio.sleep(0)
    assert handed == [[1], [2], [3]]


async def test_the_timer_of_a_flushed_batch_does_not_close_the_next_one() -> None:
    handed: list[list[int]] = []
    later: TurnsLater[int] = TurnsLater(handed.append)
    later.add(1)
    later.flush()
    asyncio.get_running_loop().call_soon(later.add, 3)  # after the timer of 1, before that of 2
    later.add(2)
    await asyncio.sleep(0)
    later.flush()
    assert handed == [[1], [2, 3]]


async def test_callers_share_a_round_that_begins_after_their_call() -> None:
    began = 0
    go_on = asyncio.Semaphore(0)

    async def work() -> int:
        nonlocal began
        began += 1
        number = began
        await go_on.acquire()
        if number == 2:
            raise ValueError("the second fails")
        return number

    async def turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    rounds = Rounds(work)
    first = asyncio.create_task(rounds.next())
    await turns()
    waiting = [asyncio.create_task(rounds.next()) for _ in range(3)]
    await turns()
    assert began == 1, "one round at a time"
    waiting[0].cancel()
    go_on.release()
    assert await first == 1
    await turns()
    assert began == 2
    third = asyncio.create_task(rounds.next())
    go_on.release()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, ValueError, ValueError]
    go_on.release()
    assert await third == 3
