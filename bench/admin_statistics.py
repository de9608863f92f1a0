"""What administrators' statistics cost with a million tickets, and what counting adds to writing them.

`python -m bench.admin_statistics` starts a server of its own on a free port of the loopback interface, fills
its database, and prints one figure per line, then the plan of every statement. It ends within two minutes.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from psycopg2.extensions import cursor as Cursor  # type: ignore[import-untyped]

from bench.halls import report
from persistence.catalogue import statistics as figures
from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import ServerProcess
from tests.database import connect

ROUNDS = 21
WRITTEN_BATCHES, BATCH = 101, 100

TODAY = datetime.now(UTC).date()
YEAR_AGO = TODAY - timedelta(days=365)

_CATALOGUE = """
INSERT INTO cinemas (id, name) SELECT id, 'Cinema ' || id FROM generate_series(1, 10) AS id;
INSERT INTO rooms (id, cinema_id, name)
SELECT id, 1 + id % 10, 'Room ' || id FROM generate_series(1, 50) AS id;
INSERT INTO seats (room_id, row_label, seat_number)
SELECT id, chr(64 + letter), number
FROM rooms, generate_series(1, 5) AS letter, generate_series(1, 20) AS number;
INSERT INTO movies (id, title) SELECT id, 'Movie ' || id FROM generate_series(1, 300) AS id;
INSERT INTO users (id, email, password_hash, created_at)
SELECT id, id || '@example.org', '', now() - id * interval '10 minutes' FROM generate_series(1, 50000) AS id;
INSERT INTO screenings (id, room_id, movie_id, starts_at, ends_at, price)
SELECT id, 1 + id % 50, 1 + id * 7 % 300, starts_at, starts_at + interval '2 hours', 12.5
FROM generate_series(1, 10000) AS id, LATERAL (
    SELECT date_trunc('day', now()) - interval '360 days' + id / 50 * interval '44 hours'
) AS slot (starts_at)
"""
"""A year of screenings in fifty rooms."""

_TICKETS = """
INSERT INTO tickets (
    screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at, cancelled_at,
    payment_deadline
)
SELECT screenings.id, number, number, seats.id, 'user:' || 1 + number % 50000, 9.99 + number % 5,
       (ARRAY['cancelled', 'pending', 'lapsed'] || array_fill('confirmed'::text, '{17}'))[1 + number % 20],
       sold_at, CASE WHEN number % 20 NOT IN (1, 2) THEN sold_at END,
       CASE number % 20 WHEN 0 THEN sold_at END, now() + interval '1 day'
FROM screenings JOIN seats USING (room_id), LATERAL (
    SELECT screenings.id * 1000 + seats.id % 100, least(now(), starts_at - random() * interval '5 days')
) AS sale (number, sold_at)
"""
"""A hundred for each screening, sold in the five days before it."""

_BATCH = """
INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
SELECT 1 + mod(id, 20), id, id, 'user:7', 12.5, 'confirmed', now(), now()
FROM generate_series(%(first)s, %(first)s + %(size)s - 1) AS id
"""

PATHS = (
    *("movies", "cinemas", "users", "revenue", "tickets/total", "today?timezone=Asia/Kathmandu"),
    *("bookings/recent", "bookings/recent?size=100&page=9000"),
    *("revenue/period", f"revenue/period?from={YEAR_AGO}&timezone=Europe/Berlin"),
    f"revenue/period?from={TODAY - timedelta(days=40)}&granularity=hour",
    *("movies/popular", f"movies/popular?from={YEAR_AGO}&to={TODAY}&limit=100"),
)


async def measure(directory: Path) -> None:
    """Everything, in order."""
    async with ServerProcess(directory, log_level="warning") as server, http_session() as session:
        plain = connect(server.database.url)
        try:
            with plain.cursor() as cursor:
                fill(cursor)
                client = Client(server, session, user_id=1, admin=True)
                for path in PATHS:
                    await ask(client, path)
                compare_writing(cursor)
                explain(cursor)
        finally:
            plain.close()


def fill(cursor: Cursor) -> None:
    """Make the tickets; what has been counted must be what is there."""
    began = time.perf_counter()
    cursor.execute(_CATALOGUE)
    cursor.execute(_TICKETS)
    report("filling the database", time.perf_counter() - began, "s")
    cursor.execute("VACUUM ANALYZE")
    cursor.execute("SELECT count(*), sum(price) FILTER (WHERE status = 'confirmed') FROM tickets")
    tickets, revenue = cursor.fetchone()
    report("tickets", tickets, "")
    cursor.execute("SELECT sum(revenue) FROM sales")
    assert cursor.fetchone() == (revenue,)


async def ask(client: Client, path: str) -> None:
    """Time one statistic over HTTP."""
    milliseconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = await client.send("GET", f"/api/v1/admin/stats/{path}")
        milliseconds.append((time.perf_counter() - began) * 1e3)
        assert answer.status == 200, answer
    report(f"{path}: median", median(milliseconds), "ms")
    report(f"{path}: maximum", max(milliseconds), "ms")


def compare_writing(cursor: Cursor) -> None:
    """Batches of tickets with and without the triggers that count, in turns."""
    seconds: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    for number in range(WRITTEN_BATCHES):
        for mode, taken in seconds.items():
            cursor.execute(f"ALTER TABLE tickets {mode} TRIGGER tickets_inserted")
            first = (2 * number + (mode == "ENABLE")) * BATCH + 10**9
            began = time.perf_counter()
            cursor.execute(_BATCH, {"first": first, "size": BATCH})
            taken.append(time.perf_counter() - began)
    report("a batch of 100 tickets, counted: median", median(seconds["ENABLE"]) * 1e3, "ms")
    report("a batch of 100 tickets, not counted: median", median(seconds["DISABLE"]) * 1e3, "ms")


def explain(cursor: Cursor) -> None:
    """Print how the database finds each figure."""
    days: Sequence[datetime] = [
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(30)
    ]
    for title, statement, parameters in (
        ("tickets/total", figures.TICKETS, {}),
        ("bookings/recent", figures.RECENT_BOOKINGS, {"limit": 100, "offset": 0}),
        ("revenue", figures.REVENUE, {}),
        ("revenue/period", figures.REVENUE_BY_PERIOD, {"begins": days[:-1], "ends": days[1:]}),
        ("movies/popular", figures.POPULAR_MOVIES, {"first": date.min, "last": date.max, "limit": 10}),
        ("today", figures.BETWEEN, {"begin": days[0], "end": days[1]}),
    ):
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {statement.sql}", parameters)
        click.echo(f"\n{title}\n" + "\n".join(line for (line,) in cursor.fetchall()))


@click.command()
def main() -> None:
    """Print what administrators' statistics cost."""
    with TemporaryDirectory(prefix="frontrow-bench-") as path:
        asyncio.run(measure(Path(path)))


if __name__ == "__main__":
    main()
