"""The server's data directory, and the lock that lets only one server use it.

The lock is a kernel lock (flock): it disappears with the process that holds it, however that ends, so there
is never a stale lock to remove.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirectoryInUse(Exception):
    """Another server uses this data directory.

    Attributes:
        path: the directory.
        pid: process id of that server, if known.
    """

    def __init__(self, path: Path, pid: int | None) -> None:
        owner = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The data directory {path} is in use by another server ({owner}); stop that server or choose "
            "another --data-dir"
        )
        self.path = path
        self.pid = pid


class DataDirectory:
    """A server's data directory, created if it does not exist, and its exclusive lock.

    Args:
        path: the directory.

    Raises:
        OSError: it is a file or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
        self.path = path.resolve()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the exclusive lock of a server; commands that run beside a server do not take it.

        Raises:
            DataDirectoryInUse: another server holds it.
        """
        descriptor = os.open(self.path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                recorded = os.pread(descriptor, 32, 0).strip()
                raise DataDirectoryInUse(self.path, int(recorded) if recorded.isdigit() else None) from exc
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)
