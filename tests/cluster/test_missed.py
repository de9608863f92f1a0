"""The owner of a screening is asked for missed changes after a gap: questions and times, in virtual time."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from cluster.missed import (
    ANSWER_SECONDS,
    ASKED_AT_ONCE,
    NOT_FOUND_SECONDS,
    PAUSES_SECONDS,
    READ_ATTEMPTS,
    Missed,
    MissedChanges,
    Watched,
    read_missed,
)
from cluster.publishing import NOWHERE, Position
from engine.commands import Command, ReadChanges, ReadSeats, ReadStock
from engine.errors import OwnershipLost, StoreUnavailable
from engine.memory import ManualClock
from engine.replies import Changes, Stock
from engine.selling_errors import ScreeningNotFound
from engine.views import SeatMap, SeatsShown, SeatView
from tests.cluster.virtual import in_virtual_time
from tests.engine.conftest import make_layout

NOW = 1_000.0


def change(seq: int, epoch: int = 1) -> SeatsShown:
    return SeatsShown(1, epoch, seq, NOW, "seats_held", ())


class Owner:
    """The owner of all screenings.

    Attributes:
        asked: the commands that have come.
        answers: to the next commands; an error is raised, a function called.
    """

    def __init__(self, *answers: Any) -> None:
        self.asked: list[Command] = []
        self.answers = list(answers)

    async def ask(self, command: Command) -> Any:
        self.asked.append(command)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def read(owner: Owner, *known: Position | None) -> Missed:
    """Read what was missed while these positions are known, one after the other; the last one stays."""
    positions = list(known)
    return await read_missed(
        owner.ask, 1, lambda: positions.pop(0) if len(positions) > 1 else positions[0], NOW
    )


@in_virtual_time
async def test_the_changes_after_the_last_known_one_are_asked_for() -> None:
    owner = Owner(Changes(1, 6, (change(6),)))
    assert await read(owner, Position(1, 5)) == Missed(Position(1, 6), (change(6),), Position(1, 5))
    assert owner.asked == [ReadChanges(1, 1, 5)]
    nothing = Owner(Changes(1, 5, ()))
    assert await read(nothing, Position(1, 5)) == Missed(Position(1, 5), (), Position(1, 5))


@in_virtual_time
async def test_all_changes_of_the_epoch_are_asked_for_if_no_position_is_known() -> None:
    owner = Owner(Changes(3, 2, None), Changes(3, 2, (change(1, 3), change(2, 3))))
    assert await read(owner, None) == Missed(Position(3, 2), (change(1, 3), change(2, 3)), None)
    assert owner.asked == [ReadChanges(1, *NOWHERE), ReadChanges(1, 3, 0)]


@in_virtual_time
async def test_it_is_asked_again_if_a_former_owners_changes_have_come_meanwhile() -> None:
    owner = Owner(Changes(2, 1, None), Changes(2, 1, (change(1, 2),)))
    found = await read(owner, Position(1, 5), Position(1, 7))
    assert found == Missed(Position(2, 1), (change(1, 2),), Position(1, 7))
    assert owner.asked == [ReadChanges(1, 1, 5), ReadChanges(1, 1, 7)]


LAYOUT = make_layout(3)
HELD = SeatView(2, "reserved", "user:1")


def stock(seq: int, epoch: int = 2) -> Stock:
    return Stock(1, epoch, seq, 2, 3, {})


def seats(seq: int, epoch: int = 2) -> SeatMap:
    return SeatMap(1, epoch, seq, LAYOUT, {2: HELD})


@in_virtual_time
async def test_all_seats_are_read_if_the_changes_are_no_longer_kept() -> None:
    owner = Owner(Changes(2, 1, None), stock(1), seats(2), stock(3), seats(3, 3), stock(4), seats(4))
    missed = await read(owner, Position(1, 5))
    assert (missed.position, missed.since, missed.reloaded) == (Position(2, 4), None, True)
    (shown,) = missed.changes
    assert (shown.screening_id, shown.epoch, shown.seq, shown.at) == (1, 2, 4, NOW)
    assert (shown.cause, shown.available, shown.capacity) == ("all_seats_shown", 2, 3)
    assert isinstance(shown, SeatsShown)
    assert shown.seats == (HELD, SeatView(1, "available"), SeatView(3, "available"))
    assert owner.asked[1:] == [ReadStock(1), ReadSeats(1)] * 3


@in_virtual_time
async def test_seats_that_never_stand_still_are_read_later() -> None:
    owner = Owner(Changes(2, 1, None), *(answer for n in range(99) for answer in (stock(n), seats(n + 1))))
    with pytest.raises(OwnershipLost):
        await read(owner, Position(1, 5))
    assert len(owner.asked) == 1 + 2 * READ_ATTEMPTS


@in_virtual_time
async def test_an_event_without_seats_has_counts() -> None:
    owner = Owner(ScreeningNotFound(1), stock(4))
    missed = await read(owner, Position(1, 5))
    assert (missed.position, missed.reloaded) == (Position(2, 4), True)
    assert [(shown.available, shown.views) for shown in missed.changes] == [(2, ())]


def with_gap(screening_id: int = 1) -> Watched:
    watched = Watched(screening_id, "a", Position(1, 5))
    watched.gap = True
    return watched


class Desk:
    """Missed changes of screenings; the owner's answer to all is `answer`.

    Attributes:
        asked: when each screening was asked for.
        taken: what was passed on.
        whole: whether nothing is missing then.
    """

    def __init__(self) -> None:
        self.asked: defaultdict[int, list[float]] = defaultdict(list)
        self.taken: list[tuple[int, Missed]] = []
        self.answer: Callable[[], Any] = lambda: Changes(1, 6, (change(6),))
        self.whole = True
        self.on_take: Callable[[Watched], None] = lambda watched: None
        self.missed = MissedChanges(self._ask, lambda watched: watched.position, self._take, ManualClock(NOW))

    async def _ask(self, command: Command) -> Any:
        self.asked[command.screening_id].append(asyncio.get_running_loop().time())
        answer = self.answer()
        if isinstance(answer, Exception):
            raise answer
        return await answer if isinstance(answer, asyncio.Future) else answer

    def _take(self, watched: Watched, missed: Missed) -> bool:
        self.taken.append((watched.screening_id, missed))
        self.on_take(watched)
        return self.whole

    def pauses(self, screening_id: int = 1) -> list[float]:
        """The seconds from the first question to each of the others."""
        first, *others = self.asked[screening_id]
        return [round(at - first, 3) for at in others]


@in_virtual_time
async def test_a_gap_is_filled_once() -> None:
    desk, watched = Desk(), Watched(1, "a", Position(1, 5))
    assert (watched.owner, watched.kept, watched.asked, watched.gap, watched.left) == (
        "a",
        None,
        *[False] * 3,
    )
    watched.gap = True
    for _ in range(2):
        desk.missed.want(watched)
    await asyncio.sleep(1.0)
    assert desk.taken == [(1, Missed(Position(1, 6), (change(6),), Position(1, 5)))]
    assert (watched.asked, watched.gap, watched.failures) == (False, False, 0)
    desk.missed.want(watched)
    await asyncio.sleep(1.0)
    assert len(desk.asked[1]) == 2
    desk.missed.stop()


@in_virtual_time
async def test_an_owner_that_fails_is_asked_again_after_longer_and_longer_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, watched = Desk(), with_gap()
    desk.answer = StoreUnavailable
    desk.missed.want(watched)
    await asyncio.sleep(18.0)
    assert desk.pauses() == [0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 16.3]
    assert watched.failures == 9 and watched.asked
    desk.answer = lambda: Changes(1, 6, (change(6),))
    desk.missed.hurry()
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert len(desk.asked[1]) == 10 and watched.failures == 0
    desk.missed.hurry()
    await asyncio.sleep(10.0)
    assert len(desk.asked[1]) == 10, "it has been asked"
    desk.answer = StoreUnavailable
    desk.missed.want(watched)
    await asyncio.sleep(0.2)
    assert len(desk.asked[1]) == 12, "the pauses begin anew"
    desk.missed.stop()
    desk.missed.hurry()
    await asyncio.sleep(60.0)
    assert len(desk.asked[1]) == 12
    assert not caplog.records, "it is no defect"


@in_virtual_time
async def test_a_defect_is_logged_and_the_owner_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.answer = lambda: RuntimeError("a defect")
    desk.missed.want(with_gap())
    await asyncio.sleep(PAUSES_SECONDS[0] + 0.05)
    assert len(desk.asked[1]) == 2
    assert "a defect" in caplog.text
    desk.missed.stop()


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (lambda: ScreeningNotFound(1), NOT_FOUND_SECONDS),
        (lambda: asyncio.get_running_loop().create_future(), ANSWER_SECONDS + PAUSES_SECONDS[0]),
    ],
)
def test_a_screening_that_does_not_exist_and_a_silent_owner_are_asked_more_rarely(
    answer: Callable[[], Any], pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    @in_virtual_time
    async def ask() -> None:
        desk = Desk()
        desk.answer = answer
        desk.missed.want(with_gap())
        await asyncio.sleep(pause - 0.01)
        asked = len(desk.asked[1])
        await asyncio.sleep(0.02)
        assert len(desk.asked[1]) > asked
        assert max(desk.pauses()) == pytest.approx(pause)
        assert not caplog.records, "it is no defect"
        desk.missed.stop()

    ask()


@in_virtual_time
async def test_a_gap_that_is_not_filled_is_asked_for_again_at_once_if_more_is_known_than_before() -> None:
    desk, watched = Desk(), with_gap()
    desk.whole = False

    def move(watched: Watched) -> None:
        if len(desk.taken) < 3:
            watched.position = Position(1, 5 + len(desk.taken))

    desk.on_take = move
    desk.missed.want(watched)
    await asyncio.sleep(0.25)
    assert desk.pauses() == [0.0, 0.0, 0.1]
    assert (watched.asked, watched.gap) == (True, True)
    desk.missed.stop()


@in_virtual_time
async def test_a_screening_that_nobody_watches_any_more_is_not_asked_for() -> None:
    desk = Desk()
    never = asyncio.get_running_loop().create_future()
    desk.answer = lambda: never
    asked, waiting = with_gap(1), with_gap(2)
    for watched in (asked, waiting):
        desk.missed.want(watched)
        if watched is asked:
            await asyncio.sleep(0.0)
            asked.left = True
        else:
            waiting.left = True
            desk.missed.hurry()
    never.set_result(Changes(1, 6, ()))
    await asyncio.sleep(60.0)
    assert not desk.taken and len(desk.asked[1]) == 1
    gone = with_gap(3)
    gone.left = True
    desk.missed.want(gone)
    await asyncio.sleep(1.0)
    assert 3 not in desk.asked
    desk.missed.stop()


@in_virtual_time
async def test_only_some_screenings_are_asked_for_at_a_time() -> None:
    desk = Desk()
    answers: list[asyncio.Future[Any]] = []

    def later() -> Any:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    desk.answer = later
    for screening_id in range(1, 2 * ASKED_AT_ONCE + 1):
        desk.missed.want(with_gap(screening_id))
    await asyncio.sleep(0.1)
    assert list(desk.asked) == list(range(1, ASKED_AT_ONCE + 1))
    answers[0].set_result(Changes(1, 6, ()))
    await asyncio.sleep(0.1)
    assert list(desk.asked) == list(range(1, ASKED_AT_ONCE + 2))
    desk.missed.stop()
    await asyncio.sleep(0.1)
    assert sum(answer.cancelled() for answer in answers) == ASKED_AT_ONCE
    await asyncio.sleep(60.0)
    assert len(desk.asked) == ASKED_AT_ONCE + 1
