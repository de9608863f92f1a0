"""Finds out which connections are dead: one timer for all of them, whatever they are.

Connections sit on the spokes of a wheel that goes round once in the time between two beats. With every step
those on the next spoke are due. So beats are spread evenly, and an idle connection costs a place in a set.
"""

from typing import Protocol

from engine.ports import Clock

_SPOKES = 16


class Beating(Protocol):
    """Something that has to be looked at now and then."""

    def beat(self) -> None:
        """Look whether it is still alive."""

    def fail(self, defect: Exception) -> None:
        """End, because `beat` has raised. Never raises."""


class Heartbeat:
    """Timer wheel; idle when there are no connections.

    A connection whose beat raises is taken off the wheel and ended; the others go on.

    Args:
        clock: the time.
        seconds: from one beat of a connection to its next.
    """

    __slots__ = ("_at", "_clock", "_spokes", "_step_seconds", "_turning")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._step_seconds = seconds / _SPOKES
        self._spokes: tuple[set[Beating], ...] = tuple(set() for _ in range(_SPOKES))
        self._at = 0
        self._turning = False

    def join(self, connection: Beating) -> set[Beating]:
        """Have a connection beaten, for the first time after a whole round.

        Returns:
            Where to discard it when it ends.
        """
        spoke = self._spokes[self._at]
        spoke.add(connection)
        if not self._turning:
            self._turning = True
            self._go_on()
        return spoke

    def _go_on(self) -> None:
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
            self._go_on()
