"""Migrations, and what the schema forbids."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from persistence.migrations import MigrationFailed, migrate, versions
from persistence.requirements import unmet_requirements
from persistence.tickets import OF_ANY_STATUS
from tests.database import connect, execute

MIGRATIONS = sorted(path.stem.removeprefix("v") for path in Path(versions.__path__[0]).glob("v*.sql"))
"""Their numbers are their order."""


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == MIGRATIONS
    assert migrate(empty_database_url) == []


def test_concurrent_migrations_run_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [empty_database_url] * 4))
    assert sorted(applied) == [[], [], [], MIGRATIONS]


def test_a_failed_migration_changes_nothing(empty_database_url: str) -> None:
    execute(empty_database_url, "CREATE TABLE idempotency_keys (in_the_way int)")
    with pytest.raises(MigrationFailed, match="idempotency_keys"):
        migrate(empty_database_url)
    assert execute(empty_database_url, "SELECT to_regclass('users'), to_regclass('alembic_version')") == [
        (None, None)
    ]


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    execute(database_url, "UPDATE alembic_version SET version_num = '9999_future'")
    with pytest.raises(MigrationFailed, match="9999_future, which a newer version of Frontrow has made"):
        migrate(database_url)


def test_no_database() -> None:
    with pytest.raises(MigrationFailed) as failure:
        migrate("postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(failure.value)


@pytest.fixture
def limited(empty_database_url: str) -> Iterator[str]:
    """The URL of an empty database for a role that may only connect to it."""
    execute(empty_database_url, "CREATE ROLE limited LOGIN")
    yield empty_database_url.replace("//postgres@", "//limited@")
    execute(empty_database_url, "DROP OWNED BY limited CASCADE")
    execute(empty_database_url, "DROP ROLE limited")


def remedies(failure: MigrationFailed) -> str:
    """Return the SQL that the message tells an administrator to run."""
    return str(failure).partition("an administrator has to run: ")[2]


def test_a_role_without_rights_gets_the_sql_for_an_administrator(
    limited: str, empty_database_url: str
) -> None:
    with pytest.raises(MigrationFailed) as failure:
        migrate(limited)
    said = str(failure.value)
    assert "nothing was changed: the role limited may not create tables in the schema public" in said
    for extension in ("btree_gist", "pg_trgm", "unaccent"):
        assert f"the extension {extension} is missing, and the role limited may not create it" in said
        assert f"CREATE EXTENSION {extension} SCHEMA public;" in said
    assert "permission denied" not in said
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert execute(empty_database_url, tables) == [(0,)]
    # That SQL is sufficient.
    execute(empty_database_url, remedies(failure.value))
    assert migrate(limited) == MIGRATIONS


def test_a_role_that_may_create_in_the_database_installs_the_extensions_itself(
    limited: str, empty_database_url: str
) -> None:
    execute(
        empty_database_url,
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO limited', current_database()); END $$",
    )
    with pytest.raises(MigrationFailed) as failure:
        migrate(limited)
    assert remedies(failure.value) == "GRANT USAGE, CREATE ON SCHEMA public TO limited;"
    execute(empty_database_url, remedies(failure.value))
    assert migrate(limited) == MIGRATIONS


def test_a_role_with_its_own_schema_must_use_public(limited: str, empty_database_url: str) -> None:
    execute(empty_database_url, "CREATE SCHEMA limited AUTHORIZATION limited")
    execute(empty_database_url, "CREATE SCHEMA elsewhere; CREATE EXTENSION pg_trgm SCHEMA elsewhere")
    execute(empty_database_url, "GRANT USAGE, CREATE ON SCHEMA public TO limited")
    with pytest.raises(MigrationFailed) as failure:
        migrate(limited)
    assert "the role limited creates tables in the schema limited rather than in public" in str(failure.value)
    assert "the extension pg_trgm is in the schema elsewhere rather than in public" in str(failure.value)
    execute(empty_database_url, remedies(failure.value))
    assert migrate(limited) == MIGRATIONS


def test_a_missing_public_schema_is_reported(limited: str, empty_database_url: str) -> None:
    execute(empty_database_url, "DROP SCHEMA public")
    with pytest.raises(MigrationFailed, match="the schema public does not exist") as failure:
        migrate(limited)
    execute(empty_database_url, remedies(failure.value))
    assert migrate(limited) == MIGRATIONS


def test_tables_of_another_role_are_not_changed(limited: str, empty_database_url: str) -> None:
    migrate(empty_database_url)
    execute(empty_database_url, "UPDATE alembic_version SET version_num = '0002_catalogue'")
    execute(
        empty_database_url, "GRANT ALL ON SCHEMA public TO limited; GRANT ALL ON alembic_version TO limited"
    )
    with pytest.raises(MigrationFailed, match="the tables belong to the role postgres"):
        migrate(limited)


def test_a_migrated_database_needs_no_further_rights(limited: str, empty_database_url: str) -> None:
    migrate(empty_database_url)
    execute(empty_database_url, "GRANT SELECT ON alembic_version TO limited")
    assert migrate(limited) == []


def test_shortcomings_that_sql_cannot_fix() -> None:
    abilities = (14, "14.9", "frontrow", "frontrow", "public", True, False, True, None)
    missing = list(unmet_requirements(abilities, [("pg_trgm", None, False, False)]))
    assert [shortcoming.remedy for shortcoming in missing] == ["", ""]
    assert str(missing[0]).startswith("PostgreSQL 14.9 is older than 15")
    assert "postgresql-contrib" in str(missing[1])


TICKET = """
    INSERT INTO tickets (screening_id, id, booking_id, seat_id, holder, price, status,
                         booked_at, confirmed_at, payment_deadline)
    VALUES (1, %s, %s, %s, 'user:7', 9.50, %s, now(), now(), now())
"""


def test_a_seat_has_one_live_ticket(database_url: str) -> None:
    execute(database_url, TICKET, 1, 1, 42, "cancelled")
    execute(database_url, TICKET, 2, 2, 42, "pending")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="tickets_live_seat_key"):
        execute(database_url, TICKET, 3, 3, 42, "confirmed")


LEGAL = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("pending", "lapsed"),
    ("confirmed", "cancelled"),
}
STATUSES = ("pending", "confirmed", "cancelled", "lapsed")


@pytest.mark.parametrize("old", STATUSES)
def test_every_change_of_a_ticket(database_url: str, old: str) -> None:
    for number, new in enumerate(STATUSES, 1):
        execute(database_url, TICKET, number, number, number, old)
        if (old, new) in LEGAL:
            execute(database_url, "UPDATE tickets SET status = %s WHERE id = %s", new, number)
        else:
            with pytest.raises(psycopg2.errors.CheckViolation):
                execute(database_url, "UPDATE tickets SET status = %s WHERE id = %s", new, number)


PAYMENT = "INSERT INTO payments VALUES ('P', 'user:7', %s, 1, now()) ON CONFLICT (payment_id) DO NOTHING"

PAID_TICKETS = """
    INSERT INTO tickets (screening_id, id, booking_id, seat_id, holder, price, status,
                         booked_at, confirmed_at, payment_id)
    SELECT 1, id, booking_id, id, 'user:7', 9.50, 'confirmed', now(), now(), payment_id
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS ticket (id, booking_id, payment_id)
"""


def test_a_payment_pays_for_one_booking(database_url: str) -> None:
    execute(database_url, PAYMENT, 1)
    execute(database_url, PAID_TICKETS, [1, 2, 3], [1, 1, 3], ["P", "P", None])
    for ids, bookings, payments in (
        ([4], [4], ["P"]),
        ([4, 5, 6], [1, 5, 1], ["P", None, "unknown"]),
    ):
        with pytest.raises(psycopg2.errors.ForeignKeyViolation) as failure:
            execute(database_url, PAID_TICKETS, ids, bookings, payments)
        assert failure.value.diag.constraint_name == "tickets_payment"
    for change in ("payment_id = 'P'", "payment_id = 'unknown'"):
        with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="paid for another booking"):
            execute(database_url, f"UPDATE tickets SET {change} WHERE id = 3")  # noqa: S608
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="payment P"):
        execute(database_url, "UPDATE tickets SET booking_id = 3 WHERE id = 1")
    assert execute(database_url, "SELECT count(*) FROM tickets WHERE payment_id = 'P'") == [(2,)]


def test_the_second_transaction_with_a_payment_is_refused(database_url: str) -> None:
    first, second = connect(database_url), connect(database_url)
    for connection in (first, second):
        connection.autocommit = False
    first.cursor().execute(PAYMENT, (1,))
    first.cursor().execute(PAID_TICKETS, ([1], [1], ["P"]))
    with ThreadPoolExecutor(1) as threads:
        # It waits for the first transaction to end.
        paying = threads.submit(second.cursor().execute, PAYMENT, (2,))
        first.commit()
        paying.result(timeout=60)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="payment P"):
        second.cursor().execute(PAID_TICKETS, ([2], [2], ["P"]))
    first.close()
    second.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE payments SET booking_id = 2", "DELETE FROM payments", "TRUNCATE payments, refunds"],
)
def test_payments_never_change(database_url: str, statement: str) -> None:
    execute(database_url, PAYMENT, 1)
    with pytest.raises(psycopg2.errors.RaiseException, match="payments never change"):
        execute(database_url, statement)


def test_tickets_of_a_screening_are_found_by_indexes_whatever_their_status(database_url: str) -> None:
    execute(
        database_url,
        """INSERT INTO tickets (screening_id, id, booking_id, seat_id, holder, price, status, booked_at,
                                confirmed_at)
        SELECT number % 100, number, number, number, 'user:7', 9.50,
               CASE WHEN number % 7 = 0 THEN 'cancelled' ELSE 'confirmed' END, now(), now()
        FROM generate_series(1, 10000) AS number""",
    )
    execute(database_url, "ANALYZE tickets")
    wanted = f"FROM tickets WHERE screening_id = 42 AND {OF_ANY_STATUS}"
    plan = "".join(line for (line,) in execute(database_url, f"EXPLAIN SELECT {wanted}"))
    assert "tickets_live_seat_key" in plan and "tickets_past_idx" in plan and "Seq Scan" not in plan
    assert execute(database_url, f"SELECT count(*) {wanted}") == [(100,)]


def test_no_two_tickets_have_the_same_code(database_url: str) -> None:
    for number in (1, 2, 3):
        execute(database_url, TICKET, number, number, number, "confirmed")
    execute(database_url, "UPDATE tickets SET code = 'ABC' WHERE id = 1")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="tickets_code_key"):
        execute(database_url, "UPDATE tickets SET code = 'ABC' WHERE id = 2")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE screening_events SET seq = 2", "DELETE FROM screening_events", "TRUNCATE screening_events"],
)
def test_the_log_is_append_only(database_url: str, statement: str) -> None:
    execute(
        database_url,
        "INSERT INTO screening_events VALUES (1, 1, 1, now(), 'seats_held', 'user:7', '{1}', '{}', '')",
    )
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        execute(database_url, statement)


def test_changed_seats_make_a_new_version_of_the_layout(database_url: str) -> None:
    execute(database_url, "INSERT INTO cinemas (name) VALUES ('Lux')")
    execute(database_url, "INSERT INTO rooms (cinema_id, name) VALUES (1, 'one'), (1, 'two')")

    def versions() -> list[int]:
        return [
            version for (version,) in execute(database_url, "SELECT layout_version FROM rooms ORDER BY id")
        ]

    before = versions()
    for change in (
        "INSERT INTO seats (room_id, row_label, seat_number) VALUES (1, 'A', 1), (1, 'A', 2)",
        "UPDATE seats SET seat_type = 'vip' WHERE seat_number = 1",
        "DELETE FROM seats WHERE seat_number = 2",
    ):
        execute(database_url, change)
        assert versions() == [before[0] + 1, before[1]]
        before = versions()
