"""The directory a server keeps its things in, and the rule that only one server may use it.

The lock is the kernel's (flock): it goes with the process that holds it, however that one ends, so
there is never a stale lock to remove by hand.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirectoryInUse(Exception):
    """Another server runs on this data directory.

    Attributes:
        path: the directory.
        pid: process id of the server that has it, as far as it is known.
    """

    def __init__(self, path: Path, pid: int | None) -> None:
        owner = f"process {pid}" if pid else "another process"
        super().__init__(
            f"The data directory {path} is in use by a server ({owner}); stop it or choose another --data-dir"
        )
        self.path = path
        self.pid = pid


class DataDirectory:
    """A server's data directory, made if it is not there, and its exclusive lock.

    Args:
        path: the directory.

    Raises:
        OSError: it is a file, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
        self.path = path.resolve()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have the directory to oneself as its server; commands beside a server take no lock.

        Raises:
            DataDirectoryInUse: another server has it.
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
