"""The real clock: the wall clock as it was at the start, carried on by the monotonic one.

A step of the machine's wall clock therefore lengthens or shortens no hold. After a restart the
wall clock is read anew.
"""

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """`engine.ports.Clock` on an asyncio event loop."""

    __slots__ = ("_offset_seconds",)

    def __init__(self) -> None:
        self._offset_seconds = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the Unix epoch, never going backwards."""
        return time.monotonic() + self._offset_seconds

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `callback` once at `when`, on the running event loop."""
        return asyncio.get_running_loop().call_later(when - self.now(), callback)
