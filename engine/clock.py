"""The real clock: it follows the machine's wall clock and detects steps of it and suspended machines.

`now` is the time since boot plus an offset. The time since boot has no steps and continues while the machine
is suspended. The server calls `follow` every second, which compares with the wall clock. A small difference
is slewed, at most 10 ms per call. A larger one is a step: the offset is corrected immediately, and the
handlers of `on_step` are called, so that durations (a hold) can keep their remaining time. Points in time
(the start of a screening, the end of a token) come earlier or later with the step.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from functools import partial

from engine.guards import attempt

_STEP_SECONDS = 0.5
"""A difference of this much or more is a step of the wall clock."""

_SLEW_SECONDS = 0.01
"""A smaller difference is corrected by at most this much per call of `follow`."""

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# A partial object rather than a function: `now` is called several times for each request.
since_boot = partial(time.clock_gettime, _SINCE_BOOT)
"""Seconds since the machine was started; on Linux including those in which it was suspended."""

_OF_NO_REQUEST = Context()
"""Timers run in this empty context, since they do not work for the request that has set them."""


class SystemClock:
    """`engine.ports.Clock` on an asyncio event loop.

    Args:
        wall: the wall clock, in seconds since the Unix epoch.
        steady: a clock that continues while the machine is suspended.
        awake: a clock that stops then, as the event loop's does.
    """

    __slots__ = ("_alarms", "_awake", "_handlers", "_offset_seconds", "_slept_seconds", "_steady", "_wall")

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_boot,
        awake: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._awake = awake
        self._offset_seconds = wall() - steady()
        self._slept_seconds = steady() - awake()
        self._handlers: list[Callable[[float], None]] = []
        self._alarms: set[_Alarm] = set()

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._steady() + self._offset_seconds

    def call_at(self, when: float, callback: Callable[[], None]) -> "_Alarm":
        """Call `callback` once when the wall clock shows `when`, on the running event loop."""
        return _Alarm(self, when, callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `callback` once after `seconds`, whatever the wall clock does."""
        return asyncio.get_running_loop().call_later(seconds, callback, context=_OF_NO_REQUEST)

    def on_step(self, handler: Callable[[float], None]) -> None:
        """Call `handler` with the seconds of each step, and with 0 after the machine was suspended."""
        self._handlers.append(handler)

    @property
    def step_seconds(self) -> float:
        """Length of a step of the wall clock since the last `follow`; 0 if there was none."""
        difference = self._wall() - self.now()
        return difference if abs(difference) >= _STEP_SECONDS else 0.0

    def follow(self) -> None:
        """Compare with the wall clock and correct the offset; call the handlers after a step or a suspend."""
        step, slept = self.step_seconds, self._steady() - self._awake()
        if step:
            self._offset_seconds += step
        else:
            difference = self._wall() - self.now()
            self._offset_seconds += max(-_SLEW_SECONDS, min(difference, _SLEW_SECONDS))
        if not step and slept - self._slept_seconds < _STEP_SECONDS:
            return
        self._slept_seconds = slept
        for handler in self._handlers:
            attempt(handler, step)
        for alarm in tuple(self._alarms):
            alarm.set()


class _Alarm:
    """A call at a wall-clock time; scheduled anew when the clock has been stepped."""

    __slots__ = ("_callback", "_clock", "_timer", "_when")

    def __init__(self, clock: SystemClock, when: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._when = when
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None
        clock._alarms.add(self)
        self.set()

    def set(self) -> None:
        """Schedule the call again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(max(0.0, self._when - self._clock.now()), self._ring)

    def cancel(self) -> None:
        self._clock._alarms.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._clock._alarms.discard(self)
        self._callback()
