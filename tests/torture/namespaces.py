"""Runs a program in Linux namespaces of its own, so that nothing of it is left behind, whatever ends it.

Processes, mounts, networks and shared memory of a run are in namespaces that end with their first process.
That process (`_first`) does nothing but start the run, collect ended processes, and end everything if the
process outside is gone: it notices by its standard input.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ENDING_SECONDS = 60.0
"""Time for an interrupted run to store its results."""

_POLL_SECONDS = 0.1
_NEW_USER = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
_UNSHARE = (
    *("unshare", *_NEW_USER, "--mount", "--net", "--ipc"),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - that of the namespace


class NoNamespaces(Exception):
    """This machine does not allow them, or lacks a program."""


def require_namespaces() -> None:
    """Check that a run is possible.

    Raises:
        NoNamespaces: it is not; the message says what to do.
    """
    try:
        command = [*_UNSHARE, "ip", "link"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise NoNamespaces(f"{error}; on Debian: apt-get install iproute2 util-linux") from error
    if tried.returncode:
        raise NoNamespaces(
            f"`{' '.join(_UNSHARE)}` failed: {tried.stderr.strip()}. Run this as root, or allow user "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1 and "
            "kernel.apparmor_restrict_unprivileged_userns=0)"
        )


def run_inside(module: str, arguments: Sequence[str]) -> int:
    """Run `python -m MODULE ARGUMENTS` inside, and wait for it. SIGINT and SIGTERM end it in order.

    Returns:
        Its exit status.
    """
    command = [*_UNSHARE, sys.executable, "-m", __spec__.name, module, *arguments]
    # A session of its own: Ctrl-C in a terminal must not reach the servers.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603
        assert process.stdin is not None
        stdin = process.stdin
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stdin.close())
        # `unshare` kills what it has started when it is killed.
        try:
            return process.wait()
        finally:
            process.kill()


def _first(module: str, arguments: Sequence[str]) -> int:
    """Be process 1: start the program and wait for it, and for all whose parents have ended."""
    _mount("size=1g", _SHARED_MEMORY)
    program = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL
    )
    kill_at = float("inf")
    while True:
        outside_lives = kill_at == float("inf")
        readable, _, _ = select.select([0] if outside_lives else [], [], [], _POLL_SECONDS)
        if readable and not os.read(0, 1):
            kill_at = time.monotonic() + ENDING_SECONDS
            program.terminate()
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == program.pid:
                    return os.waitstatus_to_exitcode(ended[1])
        if time.monotonic() > kill_at:
            return 1


def memory_disk(megabytes: int, parent: Path) -> Path:
    """Mount a small disk, which ends with the namespace.

    Args:
        megabytes: its size.
        parent: the directory for its mount point.
    """
    path = Path(tempfile.mkdtemp(dir=parent))
    _mount(f"size={megabytes}m,mode=755", str(path))
    return path


def _mount(options: str, path: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    sys.exit(_first(sys.argv[1], sys.argv[2:]))
