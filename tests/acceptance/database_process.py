"""Controls the embedded PostgreSQL of a server under test: kill, freeze, restart."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from persistence.embedded import EmbeddedPostgres

GONE_SECONDS = 60.0
"""Time limit for its processes to end after a signal."""

_POLL_SECONDS = 0.02


class DatabaseProcess:
    """The PostgreSQL that runs in a data directory.

    Args:
        data_directory: the data directory of the server.
    """

    def __init__(self, data_directory: Path) -> None:
        self._embedded = EmbeddedPostgres(data_directory)

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return self._embedded.url

    @property
    def is_running(self) -> bool:
        """True if the postmaster is running."""
        return self._embedded.postmaster_pid is not None

    def kill(self) -> None:
        """kill -9 the postmaster first, so that it cannot recover, and then all its children."""
        self._signal(signal.SIGKILL)

    def kill_postmaster(self) -> None:
        """kill -9 only the postmaster: its children may still commit."""
        os.kill(self._postmaster(), signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all processes; connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume all processes."""
        self._signal(signal.SIGCONT)

    async def running(self, within_seconds: float) -> None:
        """Wait until a postmaster is running.

        Raises:
            TimeoutError: none was running in time.
        """
        async with asyncio.timeout(within_seconds):
            while True:
                if self.is_running:
                    return
                await asyncio.sleep(_POLL_SECONDS)

    def remove(self) -> None:
        """End all processes permanently, frozen or not. Blocking."""
        processes = self._processes()
        # An immediate shutdown releases its shared memory, which kill -9 would leave behind.
        for steps in ((signal.SIGCONT, signal.SIGQUIT), (signal.SIGKILL,)):
            deadline = time.monotonic() + GONE_SECONDS
            for step in steps:
                _send(step, processes[:1] if step is signal.SIGQUIT else processes)
            while any(map(_lives, processes)):
                if time.monotonic() > deadline:
                    break
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise AssertionError(f"processes {processes} did not end")

    def _postmaster(self) -> int:
        pid = self._embedded.postmaster_pid
        assert pid is not None, "the embedded PostgreSQL is not running"
        return pid

    def _processes(self) -> list[int]:
        """Return the pids of the postmaster, if there is one, and its children."""
        pid = self._embedded.postmaster_pid
        if pid is None:
            return []
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return []
        return [pid, *map(int, children)]

    def _signal(self, number: signal.Signals) -> None:
        # Stopped first, it starts no more processes while the others are looked up.
        postmaster = self._postmaster()
        _send(signal.SIGSTOP, [postmaster])
        while _state(postmaster) not in "TXZ":
            time.sleep(0.001)
        _send(number, self._processes())


def _send(number: signal.Signals, processes: list[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _state(pid: int) -> str:
    """Return the letter of a process's state, as in /proc; X if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _lives(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    return _state(pid) not in "XZ"
