"""Workers are started, replaced and ended; with a manual clock and without processes."""

import pytest

from frontrow.supervision import (
    DRAIN_SECONDS,
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    QUIET_SECONDS,
    READY_SECONDS,
    Action,
    Drain,
    End,
    Kill,
    Start,
    Supervision,
)

END_SECONDS = 20.0


def serving(count: int) -> Supervision:
    """All workers are ready; the launch of each has the number of its worker."""
    plan = Supervision(count, END_SECONDS)
    assert plan.start(0.0) == [Start(number, number) for number in range(1, count + 1)]
    for launch in range(1, count + 1):
        assert plan.became_ready(launch, 1.0) == []
    return plan


def next_actions(plan: Supervision) -> tuple[float, list[Action]]:
    """Let time pass until something is due."""
    at = plan.next_deadline
    assert at is not None
    return at, plan.due(at)


def delays_of_a_crash_loop(plan: Supervision, count: int, now: float) -> list[float]:
    """End worker 1 again and again before it is ready; return the delays between end and start."""
    delays: list[float] = []
    launch = plan.current[1] or 0
    for _ in range(count):
        assert plan.ended(launch, now) == []
        assert plan.due(now) == []
        at, actions = next_actions(plan)
        ((_, launch),) = actions
        assert actions == [Start(1, launch)]
        delays.append(round(at - now, 6))
        now = at + 0.5
    return delays


def test_it_has_started_when_all_workers_were_ready() -> None:
    plan = Supervision(2, END_SECONDS)
    plan.start(0.0)
    plan.became_ready(2, 1.0)
    assert not plan.started
    plan.became_ready(1, 2.0)
    assert plan.started
    assert plan.next_deadline is None


def test_a_worker_that_cannot_start_ends_the_start() -> None:
    plan = Supervision(3, END_SECONDS)
    plan.start(0.0)
    plan.became_ready(1, 1.0)
    assert plan.ended(2, 1.5) == [End(1), End(3)]
    assert plan.failed == 2
    assert plan.ended(1, 2.0) == plan.ended(3, 2.5) == []
    assert plan.launches == []


def test_a_worker_that_is_not_ready_in_time_is_killed() -> None:
    plan = Supervision(1, END_SECONDS)
    plan.start(10.0)
    assert next_actions(plan) == (10.0 + READY_SECONDS, [Kill(1)])
    assert plan.next_deadline is None
    assert plan.ended(1, 71.0) == []
    assert plan.failed == 1


def test_the_delay_of_a_crash_loop_doubles_up_to_a_limit() -> None:
    delays = delays_of_a_crash_loop(serving(2), 20, now=2.0)
    assert delays[:4] == [FIRST_DELAY_SECONDS * 2**n for n in range(4)]
    assert delays[-10:] == [LONGEST_DELAY_SECONDS] * 10


def test_other_workers_continue_during_a_crash_loop() -> None:
    plan = serving(2)
    delays_of_a_crash_loop(plan, 5, now=2.0)
    assert plan.current == {1: None, 2: 2}
    assert plan.started and not plan.stopping


@pytest.mark.parametrize(("served_seconds", "starts_again"), [(QUIET_SECONDS, True), (1.0, False)])
def test_after_a_quiet_time_the_delay_begins_again(served_seconds: float, starts_again: bool) -> None:
    plan = serving(1)
    delays_of_a_crash_loop(plan, 4, now=2.0)
    (launch,) = plan.launches
    plan.became_ready(launch, 100.0)
    (delay,) = delays_of_a_crash_loop(plan, 1, now=100.0 + served_seconds)
    assert delay == (FIRST_DELAY_SECONDS if starts_again else FIRST_DELAY_SECONDS * 2**4)


def test_a_reload_replaces_one_worker_after_the_other() -> None:
    plan = serving(2)
    assert plan.reload(5.0) == [Start(1, 3)]
    assert plan.current == {1: 1, 2: 2}
    assert plan.became_ready(3, 6.0) == [Drain(1)]
    assert plan.current == {1: 3, 2: 2}
    assert plan.ended(1, 7.0) == [Start(2, 4)]
    assert plan.became_ready(4, 8.0) == [Drain(2)]
    assert plan.reloading
    assert plan.ended(2, 9.0) == []
    assert not plan.reloading
    assert plan.current == {1: 3, 2: 4}
    assert plan.next_deadline is None


def test_a_reload_is_abandoned_if_a_replacement_does_not_become_ready() -> None:
    plan = serving(2)
    plan.reload(5.0)
    assert next_actions(plan) == (5.0 + READY_SECONDS, [Kill(3)])
    assert plan.ended(3, 66.0) == []
    assert plan.current == {1: 1, 2: 2}
    assert not plan.reloading
    assert plan.reload(70.0) == [Start(1, 4)]


def test_a_worker_that_dies_while_its_replacement_starts_is_not_started_twice() -> None:
    plan = serving(2)
    plan.reload(5.0)
    assert plan.ended(1, 5.5) == []
    assert plan.restart_at(1) is None
    assert plan.became_ready(3, 6.0) == [Start(2, 4)]
    assert plan.current == {1: 3, 2: 2}


def test_a_worker_without_a_process_gets_one_when_its_replacement_fails() -> None:
    plan = serving(2)
    plan.reload(5.0)
    plan.ended(1, 5.5)
    plan.ended(3, 6.0)
    assert not plan.reloading
    assert next_actions(plan) == (6.0 + FIRST_DELAY_SECONDS, [Start(1, 4)])


def test_a_reload_during_a_reload_replaces_everything_that_is_older() -> None:
    plan = serving(2)
    plan.reload(5.0)
    assert plan.reload(5.5) == []
    plan.became_ready(3, 6.0)
    assert plan.ended(1, 7.0) == [Start(1, 4)]
    plan.became_ready(4, 8.0)
    assert plan.ended(3, 9.0) == [Start(2, 5)]


def test_a_reload_during_the_start_or_the_end_does_nothing() -> None:
    plan = Supervision(1, END_SECONDS)
    plan.start(0.0)
    assert plan.reload(0.5) == []
    plan.became_ready(1, 1.0)
    plan.stop(2.0)
    assert plan.reload(2.5) == []


def test_a_reload_starts_a_worker_that_waits_for_its_restart() -> None:
    plan = serving(1)
    plan.ended(1, 2.0)
    assert plan.reload(2.0) == [Start(1, 2)]
    assert plan.restart_at(1) is None
    assert plan.became_ready(2, 3.0) == []
    assert plan.current == {1: 2}
    assert not plan.reloading


def test_a_drained_worker_that_does_not_end_is_killed() -> None:
    plan = serving(1)
    plan.reload(5.0)
    plan.became_ready(2, 6.0)
    assert next_actions(plan) == (6.0 + DRAIN_SECONDS + END_SECONDS, [Kill(1)])
    assert plan.ended(1, 30.0) == []
    assert not plan.reloading


def test_a_stop_ends_everything_also_what_is_just_starting() -> None:
    plan = serving(2)
    plan.reload(5.0)
    assert plan.stop(5.5) == [End(1), End(2), End(3)]
    assert plan.became_ready(3, 5.6) == []
    assert plan.ended(1, 6.0) == plan.ended(2, 6.0) == []
    at, actions = next_actions(plan)
    assert (at, actions) == (5.5 + END_SECONDS, [Kill(3)])
    assert plan.killed == [3]
    assert plan.ended(3, 21.0) == []
    assert plan.launches == [] and plan.next_deadline is None


def test_a_stop_cancels_restarts() -> None:
    plan = serving(1)
    plan.ended(1, 2.0)
    assert plan.stop(2.1) == []
    assert plan.next_deadline is None
