"""One timer that checks all connections for liveness.

The timer wheel has 16 spokes and turns once per beat interval. At every step, the connections on the next
spoke are checked. So the checks are spread evenly, and an idle connection costs one entry in a set.
"""

from typing import Protocol

from engine.ports import Clock

_SPOKES = 16


class Monitored(Protocol):
    """A connection that is checked regularly."""

    def beat(self) -> None:
        """Check whether the connection is alive."""

    def fail(self, defect: Exception) -> None:
        """End the connection, because `beat` has raised. Never raises."""


class Heartbeat:
    """The timer wheel; idle when there are no connections.

    A connection whose `beat` raises is removed from the wheel and ended.

    Args:
        clock: timers.
        seconds: interval between two beats of a connection.
    """

    __slots__ = ("_at", "_clock", "_spokes", "_step_seconds", "_turning")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._step_seconds = seconds / _SPOKES
        self._spokes: tuple[set[Monitored], ...] = tuple(set() for _ in range(_SPOKES))
        self._at = 0
        self._turning = False

    def join(self, connection: Monitored) -> set[Monitored]:
        """Start to check a connection, for the first time after a whole interval.

        Returns:
            The set to remove the connection from when it ends.
        """
        spoke = self._spokes[self._at]
        spoke.add(connection)
        if not self._turning:
            self._turning = True
            self._schedule_step()
        return spoke

    def _schedule_step(self) -> None:
        self._clock.call_later(self._step_seconds, self._step)

    def _step(self) -> None:
        self._at = (self._at + 1) % _SPOKES
        for connection in tuple(self._spokes[self._at]):
            try:
                connection.beat()
            except Exception as defect:
                self._spokes[self._at].discard(connection)
                connection.fail(defect)
        self._turning = any(self._spokes)
        if self._turning:
            self._schedule_step()
