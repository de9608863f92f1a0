"""Failures that nobody is told of are logged neither too often nor too rarely."""

import logging
from collections.abc import Callable

import pytest

from engine.causes import Cause, cause, handling, present_request_id
from engine.guards import DefectLog, OutageLog, attempt, guarded


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr("engine.guards.monotonic", clock)
    return clock


def test_a_defect_is_logged_once_a_second_with_the_number_of_others(
    clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    defects = DefectLog("Feed.publish")
    for seconds in (0.0, 0.5, 0.25, 0.25, 0.999, 0.001):
        clock.now += seconds
        defects.report(ZeroDivisionError(f"at {clock.now}"))
    assert [record.message for record in caplog.records] == [
        "Feed.publish failed (0 more failures were not logged)",
        "Feed.publish failed (2 more failures were not logged)",
        "Feed.publish failed (1 more failures were not logged)",
    ]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "at 1000.0",
        "at 1001.0",
        "at 1002.0",
    ]


def test_a_machine_that_has_just_started_logs_too(clock: Seconds, caplog: pytest.LogCaptureFixture) -> None:
    clock.now = 0.0
    DefectLog("Feed.publish").report(ZeroDivisionError())
    assert len(caplog.records) == 1


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(
    clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    outage = OutageLog(logging.getLogger("frontrow.engine"), "refresh")
    outage.succeeded()
    for _ in range(2):
        outage.failed(TimeoutError("too slow"))
        clock.now += 2.0
        outage.failed(TimeoutError("too slow"))
        outage.failed(KeyError(), defect=True)
        clock.now += 0.5
        outage.succeeded()
        outage.succeeded()
    assert [(record.levelname, record.message, bool(record.exc_info)) for record in caplog.records] == 2 * [
        ("WARNING", "refresh failed, and is repeated until it succeeds: too slow", False),
        ("ERROR", "refresh failed, and is repeated until it succeeds: KeyError()", True),
        ("WARNING", "refresh succeeds again, after 3 failures in 2.5 s", False),
    ]


class Port:
    """Keeps what it is told; some of it breaks it."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def tell(self, number: int) -> None:
        self.told.append(10 // number)


def test_a_guarded_port_and_a_callback_log_what_they_raise(caplog: pytest.LogCaptureFixture) -> None:
    port = Port()
    safe = guarded(port)
    for number in (5, 0, 2):
        safe.tell(number)
    assert port.told == [2, 5]
    assert [record.message for record in caplog.records] == [
        "Port.tell failed (0 more failures were not logged)"
    ]
    assert guarded(safe) is safe
    tell: Callable[[int], None] = safe.tell
    assert safe.tell is tell, "the wrapper is made once"


def test_a_callback_that_raises_is_logged(clock: Seconds, caplog: pytest.LogCaptureFixture) -> None:
    clock.now = 1e9
    port = Port()
    for number in (1, 0):
        attempt(port.tell, number)
    assert port.told == [10]
    assert len(caplog.records) == 1


def test_a_log_line_names_the_request_that_is_being_handled_else_that_of_its_task() -> None:
    assert present_request_id() is None
    token = cause.set(Cause("task"))
    try:
        assert present_request_id() == "task"
        handling.request_id = "step"
        assert present_request_id() == "step"
    finally:
        handling.request_id = None
        cause.reset(token)
    assert present_request_id() is None
