"""Migrating, and what the schema itself forbids."""

from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from persistence.migrations import MigrationFailed, migrate
from tests.database import execute

MIGRATIONS = ["0001_seat_sales", "0002_catalogue", "0003_events_and_rooms"]


def test_migrating_twice_does_it_once(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == MIGRATIONS
    assert migrate(empty_database_url) == []


def test_migrating_at_the_same_time_does_it_once(empty_database_url: str) -> None:
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
    with pytest.raises(MigrationFailed, match="9999_future"):
        migrate(database_url)


def test_no_database() -> None:
    with pytest.raises(MigrationFailed) as failure:
        migrate("postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(failure.value)


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


def test_a_payment_pays_for_one_booking(database_url: str) -> None:
    execute(database_url, "INSERT INTO payments VALUES ('P', 'user:7', 1, 1, now())")
    execute(database_url, TICKET, 1, 1, 41, "confirmed")
    execute(database_url, TICKET, 2, 2, 42, "confirmed")
    execute(database_url, "UPDATE tickets SET payment_id = 'P' WHERE id = 1")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="tickets_payment_fkey"):
        execute(database_url, "UPDATE tickets SET payment_id = 'P' WHERE id = 2")


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
