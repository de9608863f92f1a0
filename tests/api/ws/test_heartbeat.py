"""The wheel that says when a connection is to be looked at, on a manual clock."""

from itertools import pairwise

from api.ws.heartbeat import Heartbeat
from engine.memory import ManualClock

SECONDS = 16.0


class Patient:
    """Notes when it was looked at."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._born_at = clock.now()
        self.beats: list[float] = []

    def beat(self) -> None:
        self.beats.append(self._clock.now() - self._born_at)

    def fail(self, defect: Exception) -> None:
        raise AssertionError("it has not failed")


def test_every_connection_is_checked_once_per_interval_starting_after_a_whole_one() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    patients = []
    for _ in range(40):
        patients.append(Patient(clock))
        heartbeat.join(patients[-1])
        clock.advance(0.7)
    clock.advance(4 * SECONDS)
    for patient in patients:
        assert SECONDS - 1 <= patient.beats[0] <= SECONDS
        assert len(patient.beats) >= 4
        assert {later - before for before, later in pairwise(patient.beats)} == {SECONDS}


def test_a_removed_connection_is_not_checked_and_an_empty_wheel_stops() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    patient = Patient(clock)
    place = heartbeat.join(patient)
    clock.advance(SECONDS)
    place.discard(patient)
    clock.advance(1)
    asked = []
    clock.call_later = lambda *call: asked.append(call)  # type: ignore[method-assign]
    clock.advance(10 * SECONDS)
    assert (patient.beats, asked) == ([SECONDS], [])


def test_a_connection_may_leave_during_its_check() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    patients = [Patient(clock) for _ in range(3)]
    places = [heartbeat.join(patient) for patient in patients]
    patients[0].beat = lambda: places[0].discard(patients[0])  # type: ignore[method-assign]
    clock.advance(2 * SECONDS)
    assert [patient.beats for patient in patients] == [[], [SECONDS, 2 * SECONDS], [SECONDS, 2 * SECONDS]]


def test_a_connection_that_raises_is_ended_and_the_others_are_still_checked() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    defects: list[Exception] = []

    class Broken:
        def beat(self) -> None:
            raise ZeroDivisionError

        def fail(self, defect: Exception) -> None:
            defects.append(defect)

    patients = [Patient(clock) for _ in range(2)]
    for connection in (patients[0], Broken(), patients[1]):
        heartbeat.join(connection)
    clock.advance(3 * SECONDS)
    assert [patient.beats for patient in patients] == [[SECONDS, 2 * SECONDS, 3 * SECONDS]] * 2
    assert [type(defect) for defect in defects] == [ZeroDivisionError]
