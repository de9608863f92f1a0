"""A database of every earlier version, with data in it, is migrated, loses nothing, and can be sold from.

`upgrades/NNNN.sql` adds rows that a server of that version has written, on top of those of earlier versions.
A migration that changes rows, or adds a table or a column, comes with such a file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import NullPool
from tornado.ioloop import IOLoop

from persistence import migrations
from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate, versions
from tests.api.caller import RESERVATIONS, TICKETS
from tests.database import DatabaseStock, create_database, database_of, execute
from tests.house import House

REVISIONS = sorted(path.stem.removeprefix("v") for path in Path(versions.__path__[0]).glob("v*.sql"))
DATA = Path(__file__).parent / "upgrades"


def migrate_to(database_url: str, revision: str) -> None:
    """Migrate as the version did whose newest revision this was."""
    config = Config(attributes={"applied": []})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    url = sqlalchemy.make_url(database_url).set(drivername="postgresql+psycopg2")
    with sqlalchemy.create_engine(url, poolclass=NullPool).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def rows(database_url: str) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, by table."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    return {
        table: [row for (row,) in execute(database_url, f"SELECT to_jsonb(t) FROM {table} AS t")]  # noqa: S608
        for (table,) in execute(database_url, tables)
    }


@pytest.fixture(scope="module")
def earlier_databases(cluster: EmbeddedPostgres, stock: DatabaseStock) -> Iterator[dict[str, str]]:
    """Names of databases by the revision that they are at."""
    names = {}
    name = create_database(cluster, "template0")
    for revision in REVISIONS:
        migrate_to(database_of(cluster, name), revision)
        if (data := DATA / f"{revision[:4]}.sql").exists():
            execute(database_of(cluster, name), data.read_text())
        names[revision] = name
        name = create_database(cluster, name)
    yield names
    for unused in (*names.values(), name):
        stock.give_back(unused)


RECOMPUTED = {"ticket_counts": {"day", "tickets", "revenue"}}
"""Columns that an upgrade computes anew, by table: since 0030 days are those of the venue's time zone,
and the tickets of one day in UTC may be of two days there."""


@pytest.fixture
def upgraded(
    cluster: EmbeddedPostgres, stock: DatabaseStock, earlier_databases: dict[str, str]
) -> Iterator[Callable[[str], str]]:
    """Copies and migrates the database of a revision, and returns the URL of the copy."""
    copies = []

    def upgrade(revision: str) -> str:
        copies.append(create_database(cluster, earlier_databases[revision]))
        url = database_of(cluster, copies[-1])
        assert migrate(url) == REVISIONS[REVISIONS.index(revision) + 1 :]
        return url

    yield upgrade
    for name in copies:
        stock.give_back(name)


def test_every_upgrade_keeps_every_row(
    cluster: EmbeddedPostgres, earlier_databases: dict[str, str], upgraded: Callable[[str], str]
) -> None:
    for revision, name in earlier_databases.items():
        before, after = rows(database_of(cluster, name)), rows(upgraded(revision))
        for table, kept in before.items():
            columns = (after[table][0].keys() if after[table] else set()) - RECOMPUTED.get(table, set())
            for row in kept:
                shown = {column: row[column] for column in row.keys() & columns}
                assert any(shown.items() <= found.items() for found in after[table]), (revision, table, row)


FILLED_SINCE = "0030"
"""Since this revision each new column has a value in some row of its file."""

COLUMNS = """
SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'
"""


def test_every_new_column_has_rows_that_later_upgrades_must_keep(
    cluster: EmbeddedPostgres, earlier_databases: dict[str, str]
) -> None:
    urls = {revision: database_of(cluster, name) for revision, name in earlier_databases.items()}
    known = set(execute(urls[max(one for one in REVISIONS if one < FILLED_SINCE)], COLUMNS))
    for revision in (one for one in REVISIONS if one >= FILLED_SINCE):
        columns = set(execute(urls[revision], COLUMNS))
        for table, column in sorted(columns - known):
            ((values,),) = execute(urls[revision], f"SELECT count({column}) FROM {table}")  # noqa: S608
            assert values, f"upgrades/{revision[:4]}.sql has no row with a value of {table}.{column}"
        known |= columns


@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[len(REVISIONS) // 2], REVISIONS[-2]])
def test_sales_go_on_after_an_upgrade(
    revision: str, upgraded: Callable[[str], str], tmp_path: Path, io_loop: IOLoop
) -> None:
    house = House(upgraded(revision), tmp_path)

    async def check() -> None:
        await house.open()
        bob = house.user(2)
        seats = (await bob.send("GET", f"{RESERVATIONS}/screening/1/availability/me")).json
        of_bob = ["reserved_by_me", "available", "booked", "booked", "reserved_by_me", "available"]
        assert [seat["status"] for seat in seats[:6]] == of_bob
        tickets = (await bob.send("GET", f"{TICKETS}/my-tickets")).json
        before = {ticket["id"]: ticket["status"] for ticket in tickets}
        standing = {1: "confirmed", 2: "confirmed", 3: "pending", 4: "cancelled", 5: "confirmed"}
        assert before.items() >= standing.items()

        wanted = {"screening_id": 1, "seat_ids": [1], "payment_id": "pay-new"}
        bought = await bob.send("POST", f"{TICKETS}/book-from-reservation", wanted)
        assert bought.status == 201
        (ticket,) = bought.json
        assert ticket["id"] not in before
        taken = await house.user(9).send(
            "POST", f"{TICKETS}/book", {**wanted, "seat_ids": [3], "payment_id": "p"}
        )
        assert (taken.status, taken.code) == (409, "refund_required")

        assert (await bob.send("DELETE", f"{TICKETS}/2")).status == 204
        refunds = (await house.admin.send("GET", "/api/v1/admin/refunds?status=owed")).json
        owed = {refund["payment_id"]: refund["amount"] for refund in refunds}
        assert (owed["pay-1"], owed["p"]) == (10, 10)

    try:
        io_loop.run_sync(check)
    finally:
        io_loop.run_sync(house.close)
