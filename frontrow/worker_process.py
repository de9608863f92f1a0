"""A worker as the supervisor sees it: a child process and the channel to it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any

from frontrow.channel import Channel, StartMessage

_EXIT_SECONDS = 5.0
"""Time limit for a process to end after it has closed its channel."""


class WorkerProcess:
    """The process of one launch, which begins with the constructor.

    Args:
        worker: the number of its worker.
        inherited: descriptors of the listening sockets.

    Attributes:
        error: what the process gave as the reason for its end.
        fresh: whether the process has answered the last `collect`.

    Raises:
        OSError: it could not be started.
    """

    def __init__(self, worker: int, inherited: Sequence[int]) -> None:
        self.worker = worker
        self.error = ""
        self._began = monotonic()
        self._channel: Channel | None = None
        self._metrics_due: asyncio.Future[None] | None = None
        with ExitStack() as opened:
            end, other_end = map(opened.enter_context, socket.socketpair())
            self._popen = subprocess.Popen(  # noqa: S603 - our own program
                # Modules are found where this process finds them; -P leaves the working directory out.
                [sys.executable, "-P", "-m", "frontrow.worker", str(other_end.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                # Standard output is for the supervisor's announcement.
                stdout=subprocess.DEVNULL,
                pass_fds=(other_end.fileno(), *inherited),
                # Ctrl-C in a terminal signals a whole process group; the supervisor ends workers in order.
                start_new_session=True,
            )
            opened.pop_all()
            other_end.close()
        self._end = end

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def seconds(self) -> float:
        """The age of the process."""
        return round(monotonic() - self._began, 3)

    @property
    def fresh(self) -> bool:
        return self._metrics_due is not None and self._metrics_due.done()

    async def messages(self, start: StartMessage) -> AsyncIterator[tuple[str, Any]]:
        """Tell the worker to start, and yield its messages; returns when the process has ended."""
        channel = self._channel = await Channel.over(self._end)
        try:
            channel.send("start", start._asdict())
            async for kind, value in channel.messages():
                if kind == "metrics" and self._metrics_due is not None and not self._metrics_due.done():
                    self._metrics_due.set_result(None)
                yield kind, value
        finally:
            await self._exited()
            await channel.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process has not ended."""
        with suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def send(self, kind: str, value: object = None) -> None:
        """Send a message, if the channel is open."""
        if self._channel is not None:
            self._channel.send(kind, value)

    def collect(self) -> "asyncio.Future[None]":
        """Ask for the metrics, unless the last question is still unanswered."""
        if self._metrics_due is None or self._metrics_due.done():
            self._metrics_due = asyncio.get_running_loop().create_future()
            self.send("collect")
        return self._metrics_due

    def how_it_ended(self) -> str:
        """Return the exit status, and the reason if the process gave one."""
        code = self._popen.returncode
        status = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"{self.error} ({status})" if self.error else status

    async def _exited(self) -> None:
        try:
            await asyncio.to_thread(self._popen.wait, _EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            await asyncio.to_thread(self._popen.wait)
