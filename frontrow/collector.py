"""When Python looks for garbage that is caught in cycles.

Hardly anything on the path of a request makes cycles (`tests/catalogue/test_refusals_leave_no_cycles.py`). By
Python's defaults the collector would look all the same, at all objects there are, and stop the server for a
tenth of a second and more while seats are sold. Here it works in three steps:

* The youngest objects are looked at after every 1,000 new ones, and those that survived this after every
  20,000. That is automatic, also under load, and stops the server for a few milliseconds at most.
* All objects are looked at when the server is idle and much has been added since the last time, or some has
  and that was long ago. How long that stops it depends on how much there is: about half a second with half a
  million objects, which are 10,000 screenings with 30,000 holds and 10,000 sockets.
* A server that is never idle is stopped for that all the same after ten minutes. So no garbage outlives them.

Only what is there when the server starts (modules, classes, routes) is never looked at: it stays anyway.
"""

import asyncio
import gc
import time

_YOUNG_OBJECTS = 1_000
"""New objects until the youngest are looked at, which takes less than a millisecond."""

_YOUNG_ROUNDS = 20
"""Rounds of that until those that survived them are looked at."""

_NEVER = 1_000_000
_GLANCE_EVERY_SECONDS = 5.0
_GLANCE_SECONDS = 0.1
_BUSY_SHARE = 0.25
"""Share of a core from which on, at a glance, the server is not idle."""

_MUCH_ROUNDS = 10
"""Rounds of the second step after which an idle moment is used: up to 200,000 objects have been added."""

_LONG_SECONDS = 300.0
"""How long the last look at everything is past when an idle moment is used although little was added."""

_LIMIT_SECONDS = 600.0
"""How long it is past when idle moments are waited for no longer."""


def spare_the_collector() -> None:
    """Let the garbage collector look at old objects only when it is told to, and at those of now never."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_ROUNDS, _NEVER)


async def keep_tidy(every_seconds: float = _GLANCE_EVERY_SECONDS) -> None:
    """Look at all objects now and then, preferably when the server is idle, for ever.

    Args:
        every_seconds: how long it waits before it finds out again whether that is due.
    """
    looked_at = time.monotonic()
    while True:
        await asyncio.sleep(every_seconds)
        idle = await _is_idle()
        if is_due(gc.get_count()[2], time.monotonic() - looked_at, idle=idle):
            gc.collect()
            looked_at = time.monotonic()


def is_due(rounds: int, past_seconds: float, *, idle: bool) -> bool:
    """Whether all objects are to be looked at now.

    Args:
        rounds: rounds of the second step since the last look at all objects.
        past_seconds: how long that is past.
        idle: whether the server has nothing better to do.
    """
    if past_seconds >= _LIMIT_SECONDS:
        return True
    return idle and rounds > 0 and (rounds >= _MUCH_ROUNDS or past_seconds >= _LONG_SECONDS)


async def _is_idle() -> bool:
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(_GLANCE_SECONDS)
    return (time.process_time() - used) / (time.monotonic() - began) < _BUSY_SHARE
