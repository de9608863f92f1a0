"""The embedded PostgreSQL of a server under test, as something that dies, freezes and comes back."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from persistence.embedded import EmbeddedPostgres

GONE_SECONDS = 60.0
"""How long its processes may take to end; they have been told, or killed."""

_POLL_SECONDS = 0.02


class DatabaseProcess:
    """The PostgreSQL that runs in a data directory.

    Args:
        data_directory: of the server that it belongs to.
    """

    def __init__(self, data_directory: Path) -> None:
        self._embedded = EmbeddedPostgres(data_directory)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return self._embedded.url

    @property
    def is_running(self) -> bool:
        """Whether there is a postmaster."""
        return self._embedded.postmaster_pid is not None

    def kill(self) -> None:
        """kill -9 of the postmaster first, so that it cannot recover, and then of all its children."""
        self._signal(signal.SIGKILL)

    def kill_postmaster(self) -> None:
        """kill -9 of the postmaster alone: what its children are committing may still be committed."""
        os.kill(self._postmaster(), signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of it; connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def running(self, within_seconds: float) -> None:
        """Return when there is a postmaster.

        Raises:
            TimeoutError: there is none in time.
        """
        async with asyncio.timeout(within_seconds):
            while True:
                if self.is_running:
                    return
                await asyncio.sleep(_POLL_SECONDS)

    def remove(self) -> None:
        """End whatever runs, frozen or not, for good; blocking."""
        processes = self._processes()
        # An immediate shutdown gives its shared memory back, which kill -9 would leave in the system.
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
        raise AssertionError(f"processes {processes} do not die")

    def _postmaster(self) -> int:
        pid = self._embedded.postmaster_pid
        assert pid is not None, "the embedded PostgreSQL does not run"
        return pid

    def _processes(self) -> list[int]:
        """The postmaster, if there is one, and its children."""
        pid = self._embedded.postmaster_pid
        if pid is None:
            return []
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def _signal(self, number: signal.Signals) -> None:
        self._postmaster()
        _send(number, self._processes())


def _send(number: signal.Signals, processes: list[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    """Whether a process is there and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
