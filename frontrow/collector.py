"""Schedules Python's garbage collector.

Almost nothing on the request path creates reference cycles
(`tests/catalogue/test_refusals_leave_no_cycles.py`), yet by default the collector would examine all objects
from time to time and pause the server for 0.1 s or more while it sells. The schedule here is:

* Generation 0 is collected after every 1,000 new objects and generation 1 after every 3,000, automatically,
  also under load. Each takes a fifth of a millisecond. To collect generation 1 after 20,000 objects takes
  3 ms each time, which is as long as a hundred holds, and more time in all.
* A full collection runs when the server is idle and either many objects have been added since the last one,
  or a few have and the last one was long ago. It takes about half a second with half a million objects
  (10,000 screenings with 30,000 holds and 10,000 sockets).
* A server that is never idle gets a full collection after ten minutes anyway, so no garbage lives longer.

Objects that exist when the server starts (modules, classes, routes) are frozen, since they are never freed.
"""

import asyncio
import gc
import time

_YOUNG_OBJECTS = 1_000
"""New objects after which generation 0 is collected, which takes less than a millisecond."""

_YOUNG_ROUNDS = 1
"""Generation 1 is collected once generation 0 has been collected more often than this."""

_NEVER = 1_000_000
_CHECK_EVERY_SECONDS = 5.0
_CHECK_SECONDS = 0.1
_BUSY_SHARE = 0.25
"""Share of one core, measured during a check, from which on the server counts as busy."""

_FULL_AFTER_ROUNDS = 100
"""Collections of generation 1 after which an idle server runs a full one: up to 300,000 new objects."""

_FULL_AFTER_SECONDS = 300.0
"""Time after which an idle server runs a full collection even if few objects were added."""

_LIMIT_SECONDS = 600.0
"""Time after which a full collection runs even if the server is busy."""


def freeze_startup_objects() -> None:
    """Freeze all existing objects and leave full collections to `collect_when_idle`."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_ROUNDS, _NEVER)


async def collect_when_idle(every_seconds: float = _CHECK_EVERY_SECONDS) -> None:
    """Run full collections when they are due, until cancelled.

    Args:
        every_seconds: time between two checks.
    """
    collected_at = time.monotonic()
    while True:
        await asyncio.sleep(every_seconds)
        idle = await _is_idle()
        if is_due(gc.get_count()[2], time.monotonic() - collected_at, idle=idle):
            gc.collect()
            collected_at = time.monotonic()


def is_due(rounds: int, past_seconds: float, *, idle: bool) -> bool:
    """Return whether a full collection should run now.

    Args:
        rounds: collections of generation 1 since the last full one.
        past_seconds: time since the last full one.
        idle: whether the server is idle.
    """
    if past_seconds >= _LIMIT_SECONDS:
        return True
    return idle and rounds > 0 and (rounds >= _FULL_AFTER_ROUNDS or past_seconds >= _FULL_AFTER_SECONDS)


async def _is_idle() -> bool:
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(_CHECK_SECONDS)
    return (time.process_time() - used) / (time.monotonic() - began) < _BUSY_SHARE
