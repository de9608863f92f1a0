"""When Python looks for garbage that is caught in cycles.

Nothing on the path of a request makes cycles. By Python's defaults the collector would look all the same, at
objects in hundreds of thousands while seats are sold, and stop the server for a tenth of a second and more.
So it looks only at what is young by itself, and at everything else when there is time for that.
"""

import asyncio
import gc
import time

_YOUNG_OBJECTS = 1_000
"""New objects until the youngest are looked at, which takes less than a millisecond."""

_NEVER = 1_000_000
_TIDY_SECONDS = 5.0
_GLANCE_SECONDS = 0.1
_BUSY_SHARE = 0.25
"""Share of a core from which on, at a glance, there is no time."""


def spare_the_collector() -> None:
    """Let the cyclic garbage collector look only at what is young from now on."""
    _settle(looking=True)
    gc.set_threshold(_YOUNG_OBJECTS, _NEVER, _NEVER)


async def keep_tidy() -> None:
    """Look at what has grown older whenever the server has time, for ever.

    What was alive then, or whenever there was no time, is not looked at again. So a cycle that spans such a
    moment stays in memory: at most what belongs to the requests and connections of that moment.
    """
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        began, used = time.monotonic(), time.process_time()
        await asyncio.sleep(_GLANCE_SECONDS)
        share = (time.process_time() - used) / (time.monotonic() - began)
        _settle(looking=share < _BUSY_SHARE)


def _settle(*, looking: bool) -> None:
    if looking:
        gc.collect()
    gc.freeze()
