"""Finds out which connections are dead: one timer for all of them, whatever they are.

Connections sit on the spokes of a wheel that goes round once in the time between two beats. With every step
those on the next spoke are due. So beats are spread evenly, and an idle connection costs a place in a set.
"""

import asyncio
from typing import Protocol

_SPOKES = 16


class Beating(Protocol):
    """Something that has to be looked at now and then."""

    def beat(self) -> None:
        """Look whether it is still alive."""


class Heartbeat:
    """A wheel. It stands still while nobody is on it.

    Args:
        seconds: from one beat of a connection to its next.
    """

    __slots__ = ("_at", "_spokes", "_step_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._step_seconds = seconds / _SPOKES
        self._spokes: tuple[set[Beating], ...] = tuple(set() for _ in range(_SPOKES))
        self._at = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: Beating) -> set[Beating]:
        """Have a connection beaten, for the first time after a whole round.

        Returns:
            Where to discard it when it ends.
        """
        spoke = self._spokes[self._at]
        spoke.add(connection)
        if self._timer is None:
            self._arm()
        return spoke

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._step_seconds, self._step)

    def _step(self) -> None:
        self._timer = None
        self._at = (self._at + 1) % _SPOKES
        for connection in tuple(self._spokes[self._at]):
            connection.beat()
        if any(self._spokes):
            self._arm()
