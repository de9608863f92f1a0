"""The embedded PostgreSQL: who starts it, who stops it, and what it survives."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from persistence.data_directory import DataDirectory, DataDirectoryInUse
from persistence.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from tests.database import execute


@pytest.fixture
def embedded(empty_data_directory: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(empty_data_directory)
    embedded.start()
    yield embedded
    embedded.stop()
    assert embedded.postmaster_pid is None


def answers(embedded: EmbeddedPostgres) -> bool:
    return execute(embedded.url, "SELECT 1") == [(1,)]


def in_another_process(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


ATTACH_AND_WAIT = """
import sys
from pathlib import Path
from persistence.embedded import EmbeddedPostgres
embedded = EmbeddedPostgres(Path(sys.argv[1]))
embedded.start()
print(embedded.postmaster_pid, flush=True)
sys.stdin.read()
embedded.stop()
"""


def test_durability_is_not_traded_for_speed(embedded: EmbeddedPostgres) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert execute(embedded.url, f"SHOW {setting}") == [("on",)]


def test_it_listens_on_no_network_and_its_socket_is_private(
    embedded: EmbeddedPostgres, empty_data_directory: Path
) -> None:
    assert execute(embedded.url, "SHOW listen_addresses") == [("",)]
    assert (empty_data_directory / "postgres").stat().st_mode & 0o077 == 0


def test_a_command_beside_a_server_uses_its_cluster_and_leaves_it_running(
    embedded: EmbeddedPostgres, empty_data_directory: Path
) -> None:
    beside = EmbeddedPostgres(empty_data_directory)
    beside.start()
    assert beside.postmaster_pid == embedded.postmaster_pid
    beside.stop()
    assert answers(embedded)


def test_the_last_process_to_leave_stops_it(embedded: EmbeddedPostgres, empty_data_directory: Path) -> None:
    beside = EmbeddedPostgres(empty_data_directory)
    beside.start()
    embedded.stop()
    assert answers(beside)
    beside.stop()
    assert beside.postmaster_pid is None


def test_after_kill_9_of_the_server_the_next_one_takes_its_cluster_over(empty_data_directory: Path) -> None:
    killed = in_another_process(ATTACH_AND_WAIT, empty_data_directory)
    pid = int(killed.stdout.readline())
    killed.kill()
    killed.communicate()
    embedded = EmbeddedPostgres(empty_data_directory)
    embedded.start()
    assert embedded.postmaster_pid == pid and answers(embedded)
    embedded.stop()
    assert embedded.postmaster_pid is None


def test_kill_9_of_server_and_postmaster(embedded: EmbeddedPostgres, empty_data_directory: Path) -> None:
    """The remaining pid file may contain a pid that another process has by then."""
    execute(embedded.url, "CREATE TABLE kept AS SELECT 42 AS n")
    os.kill(embedded.postmaster_pid, signal.SIGKILL)
    pid_file = empty_data_directory / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], str(os.getpid()), 1))
    assert embedded.postmaster_pid is None
    embedded.start()
    assert execute(embedded.url, "SELECT n FROM kept") == [(42,)]


def test_a_start_right_after_kill_9_of_the_postmaster(embedded: EmbeddedPostgres) -> None:
    """The process is still there while it is dying."""
    for _ in range(5):
        os.kill(embedded.postmaster_pid, signal.SIGKILL)
        embedded.start()
        assert answers(embedded)


@pytest.mark.gen_test
async def test_a_dead_cluster_is_restarted(embedded: EmbeddedPostgres) -> None:
    keeper = asyncio.create_task(embedded.keep_running())
    killed = embedded.postmaster_pid
    os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(60):
        while embedded.postmaster_pid in (None, killed):  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.05)
    keeper.cancel()
    embedded.start()
    assert answers(embedded)


def test_ctrl_c_on_the_terminal_does_not_reach_it(embedded: EmbeddedPostgres) -> None:
    assert os.getsid(embedded.postmaster_pid) != os.getsid(0)


def socket_directory(embedded: EmbeddedPostgres) -> Path:
    return Path(parse_qs(urlsplit(embedded.url).query)["host"][0])


def test_a_path_too_long_for_a_socket(empty_data_directory: Path) -> None:
    deep = empty_data_directory / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    embedded = EmbeddedPostgres(deep)
    embedded.start()
    assert answers(embedded)
    assert socket_directory(embedded).stat().st_mode & 0o077 == 0
    embedded.stop()
    assert not socket_directory(embedded).exists()


def test_a_socket_directory_of_another_user_is_not_used(empty_data_directory: Path) -> None:
    deep = empty_data_directory / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    embedded = EmbeddedPostgres(deep)
    trap = socket_directory(embedded)
    trap.symlink_to(empty_data_directory)
    try:
        with pytest.raises(EmbeddedPostgresFailed, match="another user"):
            embedded.start()
    finally:
        trap.unlink()
        embedded.stop()


def test_an_interrupted_initdb_is_repeated(empty_data_directory: Path) -> None:
    unfinished = empty_data_directory / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    embedded = EmbeddedPostgres(empty_data_directory)
    embedded.start()
    assert answers(embedded)
    embedded.stop()


def test_a_broken_cluster_is_reported_with_its_log(empty_data_directory: Path) -> None:
    embedded = EmbeddedPostgres(empty_data_directory)
    embedded.start()
    embedded.stop()
    (empty_data_directory / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedPostgresFailed, match=r"9\.6"):
        embedded.start()
    embedded.stop()


def test_two_servers_on_one_data_directory(empty_data_directory: Path) -> None:
    with DataDirectory(empty_data_directory).locked():
        with (
            pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"),
            DataDirectory(empty_data_directory).locked(),
        ):
            pass
    with DataDirectory(empty_data_directory).locked():
        pass


def test_a_killed_server_leaves_no_lock(empty_data_directory: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from persistence.data_directory import DataDirectory\n"
        "with DataDirectory(Path(sys.argv[1])).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    server = in_another_process(script, empty_data_directory)
    assert server.stdout.readline() == "locked\n"
    with pytest.raises(DataDirectoryInUse), DataDirectory(empty_data_directory).locked():
        pass
    server.kill()
    server.communicate()
    with DataDirectory(empty_data_directory).locked():
        pass


def test_data_of_another_major_version_is_not_touched(empty_data_directory: Path) -> None:
    embedded = EmbeddedPostgres(empty_data_directory)
    embedded.start()
    embedded.stop()
    recorded = empty_data_directory / "postgres" / "data" / "PG_VERSION"
    ours = recorded.read_text()
    recorded.write_text("17\n")
    with pytest.raises(EmbeddedPostgresFailed, match=r"holds data of PostgreSQL 17, .*frontrow backup"):
        embedded.start()
    embedded.stop()
    recorded.write_text(ours)
    embedded.start()
    assert answers(embedded)
    embedded.stop()


def test_a_cluster_with_too_few_connections_is_restarted_unless_another_process_uses_it(
    embedded: EmbeddedPostgres, empty_data_directory: Path
) -> None:
    (before,) = execute(embedded.url, "SHOW max_connections")
    larger = EmbeddedPostgres(empty_data_directory, max_connections=int(before[0]) + 20)
    with in_another_process(ATTACH_AND_WAIT, empty_data_directory) as other:
        other.stdout.readline()
        embedded.stop()
        with pytest.raises(EmbeddedPostgresFailed, match="another frontrow command uses it; try again when"):
            larger.start()
        other.communicate()
    larger.stop()
    embedded.start()
    embedded.stop()
    larger.start()
    assert execute(larger.url, "SHOW max_connections") == [(str(int(before[0]) + 20),)]
    # A process that needs fewer leaves it as it is.
    embedded.start()
    assert execute(embedded.url, "SHOW max_connections") == [(str(int(before[0]) + 20),)]
    larger.stop()
