"""Lists need the same number of statements whatever their length."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import pytest

from frontrow.catalogue import catalogue_on
from persistence.catalogue.table import Rows
from persistence.connector import Connection, Connector
from tests.database import execute

pytestmark = pytest.mark.gen_test

OF_SOMEBODY = {"favorites", "recommended_movies", "searches"}
"""Lists that belong to a user."""

FILL = """
INSERT INTO users (id, email, password_hash) SELECT n, n || '@a.example', ''
FROM generate_series(1, 150) AS n;
INSERT INTO search_history (user_id, query) SELECT 1, email FROM users;
INSERT INTO cinemas (id, name) SELECT id, 'Cinema ' || id FROM users;
INSERT INTO favorites (user_id, cinema_id) SELECT 1, id FROM cinemas;
INSERT INTO rooms (id, cinema_id, name) SELECT id, id, 'Room' FROM cinemas;
INSERT INTO seats (room_id, row_label, seat_number) SELECT id, 'A', 1 FROM rooms;
INSERT INTO movies (id, title, release_date) SELECT id, 'Movie', '2100-01-01' FROM cinemas;
INSERT INTO casts (movie_id, name) SELECT id, 'Ada Example' FROM movies;
INSERT INTO reviews (movie_id, user_id, rating) SELECT 1, id, 3 FROM users;
INSERT INTO screenings (room_id, movie_id, starts_at, ends_at, price)
SELECT id, id, '2100-01-01 20:00Z', '2100-01-01 22:00Z', 10 FROM rooms;
INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
SELECT id, id, id, 'user:2', 10, 'confirmed', now(), now() FROM screenings;
INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at)
SELECT 'pay-' || id, holder, id, screening_id, now() FROM tickets;
INSERT INTO refunds (payment_id, screening_id, holder, amount, reason)
SELECT payment_id, screening_id, holder, 10, 'test' FROM payments;
DELETE FROM outbox WHERE id NOT IN (SELECT id FROM outbox ORDER BY id LIMIT 150);
INSERT INTO events (title, starts_at, ends_at)
SELECT 'Event ' || id, '2100-01-01 20:00Z', '2100-01-01 22:00Z' FROM rooms;
INSERT INTO ticket_types (event_id, name, price, capacity, max_per_order)
SELECT id, 'Standing', 10, 100, 10 FROM events;
INSERT INTO waitlist (id, screening_id, holder, quantity, joined_at, joined_epoch, joined_seq, together, mail,
                      status, seat_ids, epoch, seq, changed_at)
SELECT id, id, 'user:2', 1, now(), 1, 1, false, false, 'waiting', '{}', 1, 1, now() FROM screenings;
"""


class CountingConnector(Connector):
    """Counts the statements that it executes."""

    statements = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            run = connection.run

            async def counted(*arguments: Any) -> Any:
                self.statements += 1
                return await run(*arguments)

            connection.run = counted  # type: ignore[method-assign]
            try:
                yield connection
            finally:
                del connection.run


async def test_two_statements_whatever_the_length(database_url: str) -> None:
    connector = CountingConnector(database_url)
    catalogue = catalogue_on(connector)
    resources = {field.name: getattr(catalogue, field.name) for field in fields(catalogue)}
    lists = {name: rows for name, rows in resources.items() if isinstance(rows, Rows)}

    async def measured() -> dict[str, tuple[int, int]]:
        """Return the number of statements and the length of every list."""
        figures = {}
        for name, rows in lists.items():
            connector.statements = 0
            wanted = {"user_id": 1} if name in OF_SOMEBODY else {}
            records, _ = await rows.page(wanted, limit=200, offset=0)
            figures[name] = (connector.statements, len(records))
        return figures

    try:
        assert set((await measured()).values()) == {(2, 0)}
        execute(database_url, FILL)
        filled = await measured()
    finally:
        connector.close()
    assert {name: figures for name, figures in filled.items() if figures != (2, 150)} == {
        "recommended_movies": (2, 149)  # all but the one that is reviewed
    }
