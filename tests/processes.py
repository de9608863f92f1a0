"""Ends processes that tests have started."""

import asyncio
from asyncio.subprocess import Process


async def end(process: Process, patience_seconds: float) -> None:
    """Terminate a process, and kill it if that takes too long. Does nothing if it has ended.

    Args:
        process: the process.
        patience_seconds: time before it is killed.
    """
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(patience_seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
