"""PgBouncer in front of PostgreSQL: what cannot work is refused at start, and everything else works."""

import asyncio
from pathlib import Path

import pytest

from persistence.connector import Connector
from persistence.pooler import address_behind_pooler, is_same_database
from tests.acceptance.buyers import ONCE, buyers_of
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.gen_test(timeout=510)

BUYERS = 100
READ = (
    "/api/v1/seat-reservations/my-reservations",
    "/api/v1/tickets/my-tickets",
    "/api/v1/movies/search?q=matrix",
    "/api/v1/screenings/",
)
POOLED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name NOT LIKE 'frontrow%'
"""


async def test_commands_refuse_a_pooler_and_name_the_url_that_is_needed(
    data_directory: Path, database_url: str
) -> None:
    with pgbouncer(database_url, "transaction") as pooled_url:
        server = ServerProcess(data_directory, database_url=pooled_url)
        backup = ("backup", str(data_directory / "file"))
        commands = ("serve", "--port", "0"), ("check",), ("migrate",), backup
        for command in commands:
            said = await server.refusal(*command)
            assert "FRONTROW_DATABASE_URL leads to a pooler that shares sessions" in said, said
            assert "PostgreSQL itself, for example postgresql://postgres@/test_" in said
            assert "Traceback" not in said
        both = ServerProcess(data_directory, database_url=pooled_url, direct_database_url=pooled_url)
        assert "FRONTROW_DIRECT_DATABASE_URL leads to a pooler" in await both.refusal("serve", "--port", "0")


async def test_urls_of_different_databases_are_refused(
    data_directory: Path, database_url: str, empty_database_url: str
) -> None:
    with pgbouncer(database_url, "transaction") as pooled_url:
        server = ServerProcess(
            data_directory, database_url=pooled_url, direct_database_url=empty_database_url
        )
        for command in ("serve", "--port", "0"), ("check",):
            assert "lead to different databases" in await server.refusal(*command)


async def test_everything_works_through_a_pooler_with_a_direct_url_beside_it(
    data_directory: Path, database_url: str
) -> None:
    with pgbouncer(database_url, "transaction") as pooled_url:
        server = ServerProcess(data_directory, database_url=pooled_url, direct_database_url=database_url)
        # `check` only fails because the databases of tests run without fsync.
        said = await server.refusal("check")
        assert "reaches the same database without a pooler" in said and said.count("FAIL") == 1
        async with server, buyers_of(server, ONCE) as buyer:
            made = await server.command("seed", "--screenings", 10, "--rows", 10, "--seats-per-row", 20)
            halls = [SeededScreening(**screening) for screening in made["screenings"]]

            async def buy(user_id: int) -> None:
                hall = halls[user_id % len(halls)]
                seats = [hall.first_seat_id + user_id]
                await buyer(user_id).book(hall.id, seats, payment_id=f"payment-{user_id}")

            async def read(number: int) -> None:
                await buyer(number).request("GET", READ[number % len(READ)], list)

            numbers = range(1, BUYERS + 1)
            await asyncio.gather(*map(buy, numbers), *map(read, numbers))
            booked = execute(database_url, "SELECT count(*) FROM tickets WHERE status = 'confirmed'")
            assert booked == [(BUYERS,)]
            # Our parameters are set per transaction, so other clients of the pooler do not see them.
            assert execute(pooled_url, "SHOW statement_timeout") == [("0",)]
            # The pooler's connections survive a restart of the server.
            await server.terminate()
            before = execute(database_url, POOLED)
            await server.start()
            await buy(BUYERS + 1)
            assert before and set(before) <= set(execute(database_url, POOLED))


async def test_a_pooler_in_session_mode_needs_no_second_url(data_directory: Path, database_url: str) -> None:
    with pgbouncer(database_url, "session", pool_size=20) as pooled_url:
        async with (
            ServerProcess(data_directory, database_url=pooled_url) as server,
            buyers_of(server, ONCE) as buyer,
        ):
            (hall,) = await server.seed(screenings=1, rows=2, seats_per_row=5)
            for user_id, seat_id in enumerate(hall.seat_ids[:3], start=1):
                await buyer(user_id).book(hall.id, [seat_id], payment_id=f"payment-{user_id}")
                # After a kill, the pooler releases the locks of its sessions before it reuses them.
                await server.kill()
                await server.start()


@pytest.mark.parametrize("pool_size", [1, 4])
async def test_a_pooler_is_detected_with_any_number_of_connections(database_url: str, pool_size: int) -> None:
    with pgbouncer(database_url, "transaction", pool_size) as pooled_url:
        connector, direct = Connector(pooled_url, through_pooler=True), Connector(database_url)
        try:
            # Open all connections of the pooler before the test.
            await asyncio.gather(*(connector.run("SELECT pg_sleep(0.1)") for _ in range(pool_size)))
            address = await address_behind_pooler(connector)
            assert address is not None
            assert execute(address.url, "SELECT current_database()") == [(address.database,)]
            assert await is_same_database(direct, connector)
            assert await address_behind_pooler(direct) is None
        finally:
            connector.close()
            direct.close()


@pytest.mark.parametrize("pool_size", [1, 4])
async def test_a_pooler_that_does_not_share_sessions_is_accepted(database_url: str, pool_size: int) -> None:
    with pgbouncer(database_url, "session", pool_size) as pooled_url:
        connector = Connector(pooled_url)
        try:
            assert await address_behind_pooler(connector) is None
        finally:
            connector.close()
