"""How late the event loop comes round: the one number that shows that something blocks it."""

import asyncio
from collections.abc import Callable

SAMPLE_SECONDS = 0.05


async def sample_event_loop_lag(report: Callable[[float], None]) -> None:
    """Sleep for a moment and report how much longer it took; to be repeated for as long as the server runs.

    Args:
        report: takes the lag in seconds.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + SAMPLE_SECONDS
    await asyncio.sleep(SAMPLE_SECONDS)
    report(max(0.0, loop.time() - due))
