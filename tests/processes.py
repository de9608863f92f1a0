"""Ending the programs that tests start."""

import asyncio
from asyncio.subprocess import Process


async def end(process: Process, patience_seconds: float) -> None:
    """Stop a process, by force if it takes too long. Does nothing if it has ended.

    Args:
        process: any.
        patience_seconds: how long it may take by itself.
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
