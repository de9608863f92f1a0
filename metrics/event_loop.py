"""Measures the event loop: its lag, which rises when something blocks it, and what waits in it.

Tasks or timers that become ever more are a leak, which memory shows only after hours.
"""

import asyncio
import gc
from collections.abc import Callable

SAMPLE_SECONDS = 0.02


async def sample_event_loop_lag(report: Callable[[float], None]) -> None:
    """Sleep for `SAMPLE_SECONDS` and report how much later the task woke up. Run it repeatedly.

    Args:
        report: called with the lag in seconds.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + SAMPLE_SECONDS
    await asyncio.sleep(SAMPLE_SECONDS)
    report(max(0.0, loop.time() - due))


def task_count() -> int:
    """Return how many tasks of the running event loop have not ended."""
    return len(asyncio.all_tasks())


def timer_count() -> int:
    """Return how many timers of the running event loop are due later.

    uvloop keeps them in a set and asyncio in a list, and neither publishes it. So the container is found
    among what the loop refers to, which costs nothing until it is asked for.
    """
    loop = asyncio.get_running_loop()
    referred = gc.get_referents(loop, getattr(loop, "__dict__", None))
    containers = [one for one in referred if isinstance(one, set | list) and one]
    return sum(len(one) for one in containers if type(next(iter(one))).__name__ == "TimerHandle")
