"""Refuses requests while more come than the server can answer: looks first, then holds, sales last.

A request that waits too long is worth nothing: its client has given up, and the work for it makes all others
wait. So a server under too much load must answer fewer requests, and refuse the others before it has spent
time on them. This module decides how many, from what the event loop measures of itself (`measured`).

A *turn* is an iteration of the event loop: it reads what has arrived and answers it. A request waits about a
turn for its answer. As long as turns are short, nothing is refused, whatever the rate. If they stay longer
than the limit for `PATIENCE_SECONDS`, so that a burst does not count, and the loop is busy all that time, so
that a machine that is busy with something else does not count either, requests are refused. That begins in
the middle of a turn: at its end the requests of all clients would be waiting. From then on `pressure` is
controlled so that turns take half of the limit, by the rule of PIE (RFC 8033, section 4.2): it changes with
the distance from the target, and with the direction in which turns change. A turn counts by its length, since
long turns are measured less often.

    pressure        0 ........... 1 ........... 2 ........... 3
    refused         some looks    some holds    some sales
                                  all looks     all looks and holds

Within a group, requests are refused evenly, not at random: of ten requests at 0.3, every third or fourth.
"""

import math
from collections.abc import Callable
from enum import IntEnum
from itertools import cycle
from time import perf_counter, thread_time

from api.errors import ApiError

TURN_SECONDS = 0.02
"""Interval at which turns are measured. A shorter turn counts as one of this length."""

PATIENCE_SECONDS = 0.2
_BUSY_SHARE = 0.3
"""Share of a turn for which the loop must have used the processor."""

_FEWEST_REQUESTS = 50
"""Fewest requests in an overlong turn that count as overload, since other work may block the loop once."""

_FIRST_PRESSURE = 1.5
"""Pressure at first: higher than needed, since the requests that came before it are waiting as well."""

_HIGHEST_PRESSURE = 2.9
"""Highest pressure; even then a tenth of the sales is answered."""

_TARGET_SHARE = 0.5
"""Wanted length of turns, as a share of the limit."""

_TOWARDS_TARGET = 0.1
"""PIE's alpha, for logarithms of turns, per turn of the wanted length."""

_AGAINST_CHANGE = 0.4
"""PIE's beta, for logarithms of turns, per measurement."""

_MOST_STEPS = 10.0
"""Most turns of the wanted length that a longer turn counts as."""

_RETRY_AFTER_SECONDS = (1, 3, 2, 4)
"""Values of Retry-After, used in turn, so that clients do not all come back together."""

LONGEST_HANDSHAKE_SECONDS = 4.0
"""Longest time that a handshake waits for its turn. Letting it wait costs less than refusing it and being
asked again, but clients give up some seconds later."""

_SOCKET_RETRY_AFTER_SECONDS = range(2, 7)
"""Values of Retry-After for handshakes: after a restart, far more arrive at once than can be opened. Our
clients add up to as much again."""


class Urgency(IntEnum):
    """Order in which requests are refused, the lowest first. Requests of operators are never refused."""

    LOOK = 0
    HOLD = 1
    SALE = 2
    ALWAYS = 3


class Overloaded(ApiError):
    """More requests come than can be answered. Nothing was done.

    Args:
        retry_after_seconds: when to come back.
    """

    status, code, retryable = 503, "overloaded", True
    detail = "The server is overloaded; try again in a few seconds"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_seconds)})


class _Turns:
    """Gives turns at a steady rate: the generic cell rate algorithm without bursts.

    Args:
        per_second: the rate.
        now: returns the time in seconds; monotonic.
    """

    def __init__(self, per_second: float, now: Callable[[], float]) -> None:
        self._spacing_seconds = 1 / per_second
        self._now = now
        self._next_at = -math.inf

    def wait_seconds(self, longest_seconds: float) -> float | None:
        """Take the next turn, and return the time until then; None if it is longer than `longest_seconds`."""
        now = self._now()
        wait_seconds = max(self._next_at - now, 0.0)
        if wait_seconds > longest_seconds:
            return None
        self._next_at = now + wait_seconds + self._spacing_seconds
        return wait_seconds


class Overload:
    """Decides which requests are refused.

    Args:
        wait_limit_seconds: how long requests may wait for the event loop.
        handshakes_per_second: new WebSockets that are admitted, one after the other.
        on_change: called with True when refusing begins, and with False when it ends.
        now: returns the time in seconds; monotonic.
        used: returns the processor time of the event loop's thread in seconds.

    Attributes:
        refuses_from: from this time on, in terms of `now`, ask `admits`; -inf while requests are refused. It
            is put off with every turn that is short enough.
        refused: number of refused requests, by urgency.
        refused_handshakes: number of refused handshakes of WebSockets.
        pressure: from 0 to `_HIGHEST_PRESSURE`.
    """

    def __init__(
        self,
        wait_limit_seconds: float = 0.1,
        handshakes_per_second: float = 1000.0,
        on_change: Callable[[bool], None] = lambda refusing: None,
        now: Callable[[], float] = perf_counter,
        used: Callable[[], float] = thread_time,
    ) -> None:
        self.refuses_from = math.inf
        self.refused = [0, 0, 0]
        self.refused_handshakes = 0
        self.pressure = 0.0
        self._limit_seconds = wait_limit_seconds
        self._target_seconds = max(wait_limit_seconds * _TARGET_SHARE, TURN_SECONDS)
        self._handshakes = _Turns(handshakes_per_second, now)
        self._on_change = on_change
        self._now, self._used = now, used
        self._began_at, self._used_before = now(), used()
        self._last_seconds = TURN_SECONDS
        self._long_seconds, self._asked = 0.0, 0
        # Shares that are admitted, and what of them has not been used yet.
        self._shares = [1.0, 1.0, 1.0]
        self._credits = [0.5, 0.5, 0.5]
        self._retry_after_seconds = cycle(_RETRY_AFTER_SECONDS)
        self._socket_retry_after_seconds = cycle(_SOCKET_RETRY_AFTER_SECONDS)

    @property
    def refusing(self) -> bool:
        """True if `admits` must be asked now, since requests are refused or this turn is too long."""
        return self._now() >= self.refuses_from

    def measured(self, turn_seconds: float, busy_seconds: float) -> None:
        """Learn how long a turn of the event loop has taken, when the next one begins.

        Args:
            turn_seconds: at least `TURN_SECONDS`.
            busy_seconds: processor time of the loop in this time.
        """
        self._began_at, self._used_before = self._now(), self._used()
        busy = busy_seconds >= _BUSY_SHARE * turn_seconds
        if self.pressure > 0:
            self._control(turn_seconds if busy else TURN_SECONDS)
        else:
            is_first = self._long_seconds == 0
            is_long = busy and turn_seconds > self._limit_seconds
            self._long_seconds = self._long_seconds + turn_seconds if is_long else 0.0
            left_seconds = PATIENCE_SECONDS - self._long_seconds
            self.refuses_from, self._asked = self._began_at + max(left_seconds, self._limit_seconds), 0
            if left_seconds <= 0 and not is_first:
                self._apply(_FIRST_PRESSURE)
        self._last_seconds = turn_seconds

    def _control(self, turn_seconds: float) -> None:
        steps = min(turn_seconds / self._target_seconds, _MOST_STEPS)
        distance = math.log(turn_seconds / self._target_seconds)
        change = math.log(turn_seconds / self._last_seconds)
        pressure = self.pressure + _TOWARDS_TARGET * steps * distance + _AGAINST_CHANGE * change
        self._apply(min(max(pressure, 0.0), _HIGHEST_PRESSURE))

    def _apply(self, pressure: float) -> None:
        changes = (pressure > 0) is not (self.pressure > 0)
        self.pressure = pressure
        self._shares = [min(max(urgency + 1 - pressure, 0.0), 1.0) for urgency in range(Urgency.ALWAYS)]
        if changes:
            self.refuses_from = -math.inf if pressure > 0 else self._began_at + PATIENCE_SECONDS
            self._long_seconds, self._asked = 0.0, 0
            self._on_change(pressure > 0)

    def admits(self, urgency: Urgency) -> bool:
        """Decide about a request; one that is not admitted is counted as refused."""
        if urgency is Urgency.ALWAYS or not (self.pressure > 0 or self._begins()):
            return True
        credits = self._credits
        credits[urgency] += self._shares[urgency]
        if credits[urgency] >= 1:
            credits[urgency] -= 1
            return True
        self.refused[urgency] += 1
        return False

    def _begins(self) -> bool:
        """Begin to refuse if turns have been too long, and this turn has used the processor for requests."""
        now = self._now()
        if now < self.refuses_from:
            return False
        self._asked += 1
        busy = self._used() - self._used_before >= _BUSY_SHARE * (now - self._began_at)
        if self._asked < _FEWEST_REQUESTS or not busy:
            return False
        self._apply(_FIRST_PRESSURE)
        return True

    def handshake_wait_seconds(self) -> float:
        """Return how long a new WebSocket must wait for its turn.

        Raises:
            Overloaded: it would be too long, or all looks are refused.
        """
        if self._shares[Urgency.LOOK] > 0:
            wait_seconds = self._handshakes.wait_seconds(LONGEST_HANDSHAKE_SECONDS)
            if wait_seconds is not None:
                return wait_seconds
        self.refused_handshakes += 1
        raise Overloaded(next(self._socket_retry_after_seconds))

    @property
    def refused_by_urgency(self) -> dict[str, float]:
        """`refused` by the names of the urgencies."""
        return {urgency.name.lower(): self.refused[urgency] for urgency in list(Urgency)[: Urgency.ALWAYS]}

    def refusal(self) -> Overloaded:
        """Return the error for a request that was not admitted."""
        return Overloaded(next(self._retry_after_seconds))
