"""A real NATS server for tests."""

import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cluster.nats_server import BINARY, CONFIGURATION, NatsServer
from tests.processes import end

_running: list[NatsServer] = []


def _patient(configuration: str) -> str:
    """Return a configuration with which NATS keeps the clients of a process that does nothing for a while."""
    hasty = 'write_deadline: "2s"\nping_interval: "1s"\n'
    assert hasty in configuration
    return configuration.replace(hasty, 'write_deadline: "60s"\nping_interval: "60s"\n')


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """The NATS server of this test run. Tests that stop it have their own (`own_nats_server`)."""
    with tempfile.TemporaryDirectory(prefix="frontrow-test-") as path:
        server = NatsServer(Path(path))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("cluster.nats_server.CONFIGURATION", _patient(CONFIGURATION))
            asyncio.run(server.start())
        _running.append(server)
        yield server
        _running.remove(server)
        asyncio.run(server.stop())


def nats_url() -> str:
    """Return the URL of the NATS server of this test run, which the fixture `nats_server` has started."""
    return _running[0].url


@asynccontextmanager
async def own_nats_server(directory: Path) -> AsyncIterator[NatsServer]:
    """A server for one test, which may stop or freeze it."""
    server = NatsServer(directory)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
def brisk_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections notice soon that NATS is frozen."""
    monkeypatch.setattr("cluster.connection.PING_SECONDS", 0.5)


def freeze(server: NatsServer) -> None:
    """Stop all threads of a server, until SIGCONT."""
    os.kill(server.pid or 0, signal.SIGSTOP)
    while not all(map(_is_stopped, Path(f"/proc/{server.pid}/task").glob("*/stat"))):
        time.sleep(0.001)


def _is_stopped(thread: Path) -> bool:
    try:
        return thread.read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return True


def kill(server: NatsServer) -> None:
    """Kill a server and wait until it has ended: as long as it is dying, `start` takes it for running."""
    os.kill(server.pid or 0, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.001)


def thaw(server: NatsServer) -> None:
    """Let a frozen server go on."""
    os.kill(server.pid or 0, signal.SIGCONT)


@asynccontextmanager
async def nats_server_with(directory: Path, configuration: str, port: int = -1) -> AsyncIterator[int]:
    """A server with another configuration, on a free port of 127.0.0.1 or a given one. Yields the port."""
    path = directory / "test.conf"
    path.write_text(f'listen: "127.0.0.1:{port}"\nports_file_dir: "{directory}"\n{configuration}')
    process = await asyncio.create_subprocess_exec(
        *(str(BINARY), "--config", str(path)), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        ports = directory / f"nats-server_{process.pid}.ports"
        async with asyncio.timeout(60):
            while not ports.exists() or not ports.read_text():
                assert process.returncode is None, f"nats-server has ended: {path}"
                await asyncio.sleep(0.01)
        (address,) = json.loads(ports.read_text())["nats"]
        yield int(address.rpartition(":")[2])
    finally:
        await end(process, 5)
