"""Ends processes that tests have started."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


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


def kill_all(pids: Iterable[int]) -> None:
    """kill -9 processes, which may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def runs(pid: int, module: str) -> bool:
    """Return whether a process exists and runs a Python module."""
    try:
        return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
