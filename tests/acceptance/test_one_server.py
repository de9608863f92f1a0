"""One server serves a database: a second one is refused, or stands by and takes over."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from frontrow_client import SeatsUnavailable
from tests.acceptance.buyers import ONCE, Buyer
from tests.acceptance.figures import Figures
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute, temporary_data_directory

PATIENCE_SECONDS = 60.0

_LOCK_SESSIONS = """
SELECT pg_terminate_backend(pg_locks.pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND objsubid = 2 AND datname = current_database()
"""

pytestmark = pytest.mark.gen_test(timeout=510)


@pytest.fixture
def second_data_directory() -> Iterator[Path]:
    with temporary_data_directory() as path:
        yield path


@asynccontextmanager
async def _pair(first: Path, second: Path, url: str) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """Yield a server and a second one that is not started, on the same database."""
    spare = ServerProcess(second, database_url=url)
    async with ServerProcess(first, database_url=url) as server:
        try:
            yield server, spare
        finally:
            await spare.remove()


async def _held_seat(server: ServerProcess, hall: SeededScreening, seat_id: int) -> None:
    async with Buyer(server, 7, retries=ONCE) as buyer:
        await buyer.reserve(hall.id, [seat_id])


async def _hold_is_written(database_url: str) -> None:
    """Wait until a hold is in the database; a kill would lose it before."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not execute(database_url, "SELECT 1 FROM holds"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_a_second_server_refuses_to_start_and_names_the_first(
    data_directory: Path, second_data_directory: Path, database_url: str
) -> None:
    async with _pair(data_directory, second_data_directory, database_url) as (server, spare):
        said = await spare.refusal("serve", "--port", "0")
        sentence = said.strip().splitlines()[-1]
        who = f"process {server.pid} on {socket.gethostname()[:20]}"
        assert sentence.startswith(f"Error: The database is served by {who}"), said
        assert " since 20" in sentence and sentence.endswith("or start this one with --standby"), said
        assert "Traceback" not in said
        # The databases of tests run without fsync, so `check` fails.
        assert f"ok    the database is served by {who}" in await spare.refusal("check")
        # Commands beside a server need no lock, and the server is not affected.
        (hall,) = await spare.seed(1, 2, 5)
        await _held_seat(server, hall, hall.first_seat_id)


@pytest.mark.parametrize("end", ["kill -9", "SIGTERM"])
async def test_a_standby_takes_over(
    data_directory: Path, second_data_directory: Path, database_url: str, figures: Figures, end: str
) -> None:
    async with _pair(data_directory, second_data_directory, database_url) as (server, standby):
        (hall,) = await server.seed(1, 2, 5)
        said = await standby.stand_by()
        assert f"process {server.pid} on " in said
        assert standby.listening_ports == set()
        await _held_seat(server, hall, hall.first_seat_id)
        await _hold_is_written(database_url)

        ended = time.monotonic()
        await (server.kill() if end == "kill -9" else server.terminate())
        await standby.ready()
        figures(end=end, seconds_until_ready=time.monotonic() - ended)

        async with Buyer(standby, 8, retries=ONCE) as buyer:
            with pytest.raises(SeatsUnavailable) as taken:
                await buyer.reserve(hall.id, [hall.first_seat_id])
            assert taken.value.held == [hall.first_seat_id]
            await buyer.reserve(hall.id, [hall.first_seat_id + 1])
        # The standby has the lock now.
        assert f"process {standby.pid} on " in await server.refusal("serve", "--port", "0")


async def test_a_standby_stops_on_a_signal(
    data_directory: Path, second_data_directory: Path, database_url: str
) -> None:
    async with _pair(data_directory, second_data_directory, database_url) as (_, standby):
        await standby.stand_by()
        assert (await standby.terminate()).code == 0


async def test_a_standby_that_could_not_listen_is_refused_immediately(
    data_directory: Path, second_data_directory: Path, database_url: str
) -> None:
    async with ServerProcess(data_directory, database_url=database_url):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            standby = ServerProcess(second_data_directory, database_url=database_url, metrics_port=port)
            said = await standby.refusal("serve", "--standby", "--port", "0")
    assert f"Cannot listen on 127.0.0.1:{port}" in said


async def test_a_server_that_loses_the_lock_takes_it_again_before_any_standby(
    data_directory: Path, second_data_directory: Path, database_url: str
) -> None:
    async with _pair(data_directory, second_data_directory, database_url) as (server, standby):
        (hall,) = await server.seed(1, 2, 5)
        await standby.stand_by()
        # Like a restart of PostgreSQL: every session ends.
        execute(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "taken again" not in server.log():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        await _held_seat(server, hall, hall.first_seat_id)
        assert (await standby.terminate()).code == 0
        assert f"process {server.pid} on " in await standby.refusal("serve", "--port", "0")


async def test_a_server_stops_when_another_has_taken_its_lock(
    data_directory: Path, second_data_directory: Path, database_url: str
) -> None:
    async with _pair(data_directory, second_data_directory, database_url) as (server, standby):
        (hall,) = await server.seed(1, 2, 5)
        await standby.stand_by()
        await _held_seat(server, hall, hall.first_seat_id)
        await _hold_is_written(database_url)
        server.freeze()
        assert execute(database_url, _LOCK_SESSIONS) == [(True,)]
        await standby.ready()
        # By its other sessions the old server is alive; then it finds out.
        server.thaw()
        assert await server.ended() == 1
        assert "This server stops: it lost its connection to PostgreSQL" in server.log()
        assert f"served by process {standby.pid} on " in server.log()
        assert "Traceback" not in server.log()
        await _held_seat(standby, hall, hall.first_seat_id)


async def test_a_standby_needs_its_own_postgres(empty_data_directory: Path) -> None:
    said = await ServerProcess(empty_data_directory).refusal("serve", "--standby")
    assert "--standby needs FRONTROW_DATABASE_URL" in said
    assert os.listdir(empty_data_directory) == []
