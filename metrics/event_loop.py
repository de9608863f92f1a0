"""Measures event loop lag, which rises when something blocks the loop."""

import asyncio
from collections.abc import Callable

SAMPLE_SECONDS = 0.05


async def sample_event_loop_lag(report: Callable[[float], None]) -> None:
    """Sleep for `SAMPLE_SECONDS` and report how much later the task woke up. Run it repeatedly.

    Args:
        report: called with the lag in seconds.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + SAMPLE_SECONDS
    await asyncio.sleep(SAMPLE_SECONDS)
    report(max(0.0, loop.time() - due))
