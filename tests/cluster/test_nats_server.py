"""The embedded NATS server: its files, its port, and how it ends."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.connection import Connection
from cluster.errors import NatsUnavailable
from cluster.nats_server import NatsServer, NatsServerFailed, url_of
from tests.api.cinema import eventually
from tests.nats import kill, own_nats_server

pytestmark = pytest.mark.gen_test

STARTED_AND_LEFT = """
import asyncio, sys
from pathlib import Path
from cluster.nats_server import NatsServer

server = NatsServer(Path(sys.argv[1]))
asyncio.run(server.start())
print(server.pid, flush=True)
sys.stdin.read()
"""


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, or is a zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def arguments_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def listening() -> str:
    """Return the kernel's table of sockets."""
    return Path("/proc/net/tcp").read_text()


async def connects(url: str) -> None:
    connection = Connection([url], "test")
    await connection.start()
    await connection.stop()


async def connects_again(url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await connects(url)
            except NatsUnavailable:
                await asyncio.sleep(0.02)


async def test_it_listens_on_loopback_only_and_requires_a_token(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server:
        address = urlsplit(server.url)
        assert address.hostname == "127.0.0.1"
        await connects(server.url)
        for wrong in (f"nats://127.0.0.1:{address.port}", f"nats://wrong@127.0.0.1:{address.port}"):
            with pytest.raises(NatsUnavailable, match="refuses the credentials"):
                await connects(wrong)
        assert f" 0100007F:{address.port:04X} " in listening()


async def test_only_this_user_can_read_the_token(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server:
        assert url_of(tmp_path) == server.url
        token = urlsplit(server.url).username or ""
        holding = [path for path in (tmp_path / "nats").iterdir() if token in path.read_text()]
        assert {path.name for path in holding} == {"server.conf", "url"}
        assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}
        assert (tmp_path / "nats").stat().st_mode & 0o777 == 0o700
        assert token not in arguments_of(server.pid)
    assert url_of(tmp_path) is None


async def test_it_restarts_on_the_same_port_with_the_same_token(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server:
        url, pid = server.url, server.pid
        await server.start()
        assert server.pid == pid
        await server.stop()
        assert server.pid is None
        await server.start()
        assert server.url == url
        await connects(url)


async def test_a_killed_server_is_restarted(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as server:
        url = server.url
        keeper = asyncio.create_task(server.keep_running())
        for _ in range(2):
            pid = server.pid
            kill(server)
            await connects_again(url)
            assert server.pid != pid
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def test_a_frozen_server_is_killed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.nats_server.STOP_SECONDS", 0.1)
    async with own_nats_server(tmp_path) as server:
        pid = server.pid or 0
        os.kill(pid, signal.SIGSTOP)
        await server.stop()
        await eventually(lambda: has_ended(pid))


async def test_it_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTED_AND_LEFT, str(tmp_path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not has_ended(pid)
    parent.kill()
    await parent.communicate()
    await eventually(lambda: has_ended(pid))


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(NatsServerFailed, match="No such file"):
        await NatsServer(tmp_path, tmp_path / "missing").start()
    async with own_nats_server(tmp_path) as server:
        await server.stop()
        with socket.create_server(("127.0.0.1", urlsplit(server.url).port or 0)):
            with pytest.raises(NatsServerFailed, match="address already in use"):
                await server.start()
