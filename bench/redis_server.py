"""A Redis of one's own, from the machine's package, for the peer that needs one."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import pin
from bench.peers import PeerMissing

START_SECONDS = 10.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


@contextmanager
def redis_server(directory: Path, cores: frozenset[int]) -> Iterator[str]:
    """A Redis as long as the block lasts, on a Unix socket and on no network. Blocking.

    Args:
        directory: for its log and its socket; it is made.
        cores: where it runs.

    Yields:
        The path of its socket.

    Raises:
        PeerMissing: it is not installed, or does not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise PeerMissing("redis-server is not installed; on Debian: apt-get install redis-server")
    directory.mkdir()
    path = directory / "socket"
    process = subprocess.Popen(  # noqa: S603 - a program of the machine, our own arguments
        [
            *(program, "--port", "0", "--unixsocket", str(path), "--dir", str(directory)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        pin(process.pid, cores)
        deadline = time.monotonic() + START_SECONDS
        while not path.is_socket():
            if process.poll() is not None or time.monotonic() > deadline:
                raise PeerMissing("redis-server does not start")
            time.sleep(_POLL_SECONDS)
        yield str(path)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
