"""The heartbeat's timer wheel, on a manual clock."""

from itertools import pairwise

from api.ws.heartbeat import Heartbeat
from engine.memory import ManualClock

SECONDS = 16.0


class RecordingConnection:
    """Records when it was checked."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._born_at = clock.now()
        self.beats: list[float] = []

    def beat(self) -> None:
        self.beats.append(self._clock.now() - self._born_at)

    def fail(self, defect: Exception) -> None:
        raise AssertionError("beat has not raised")


def test_every_connection_is_checked_once_per_interval_starting_after_a_whole_one() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    connections = []
    for _ in range(40):
        connections.append(RecordingConnection(clock))
        heartbeat.join(connections[-1])
        clock.advance(0.7)
    clock.advance(4 * SECONDS)
    for connection in connections:
        assert SECONDS - 1 <= connection.beats[0] <= SECONDS
        assert len(connection.beats) >= 4
        assert {later - before for before, later in pairwise(connection.beats)} == {SECONDS}


def test_a_removed_connection_is_not_checked_and_an_empty_wheel_stops() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    connection = RecordingConnection(clock)
    spoke = heartbeat.join(connection)
    clock.advance(SECONDS)
    spoke.discard(connection)
    clock.advance(1)
    scheduled = []
    clock.call_later = lambda *call: scheduled.append(call)  # type: ignore[method-assign]
    clock.advance(10 * SECONDS)
    assert (connection.beats, scheduled) == ([SECONDS], [])


def test_a_connection_may_leave_during_its_check() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    connections = [RecordingConnection(clock) for _ in range(3)]
    spokes = [heartbeat.join(connection) for connection in connections]
    connections[0].beat = lambda: spokes[0].discard(connections[0])  # type: ignore[method-assign]
    clock.advance(2 * SECONDS)
    assert [connection.beats for connection in connections] == [
        [],
        [SECONDS, 2 * SECONDS],
        [SECONDS, 2 * SECONDS],
    ]


def test_a_connection_that_raises_is_ended_and_the_others_are_still_checked() -> None:
    clock = ManualClock()
    heartbeat = Heartbeat(clock, SECONDS)
    defects: list[Exception] = []

    class Broken:
        def beat(self) -> None:
            raise ZeroDivisionError

        def fail(self, defect: Exception) -> None:
            defects.append(defect)

    connections = [RecordingConnection(clock) for _ in range(2)]
    for connection in (connections[0], Broken(), connections[1]):
        heartbeat.join(connection)
    clock.advance(3 * SECONDS)
    assert [connection.beats for connection in connections] == [[SECONDS, 2 * SECONDS, 3 * SECONDS]] * 2
    assert [type(defect) for defect in defects] == [ZeroDivisionError]
