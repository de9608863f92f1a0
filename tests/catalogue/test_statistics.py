"""Administrators' statistics: exact, whatever happens to the tickets."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.catalogue.programme import make, make_room, make_screening, open_house
from tests.database import connect, execute
from tests.house import House

gen_test = pytest.mark.gen_test

STATS = "/api/v1/admin/stats"


async def stats(house: House, path: str) -> Any:
    answer = await house.admin.send("GET", f"{STATS}/{path}")
    assert answer.status == 200, answer.body
    return answer.json


async def book(house: House, screening_id: int, *seat_ids: int, user_id: int = 7) -> list[int]:
    booked = await house.user(user_id).book(screening_id, seat_ids)
    assert booked.status == 201, booked.body
    return [ticket["id"] for ticket in booked.json]


def sell(house: House, *sales: tuple[int, str, float]) -> None:
    """Insert confirmed tickets: screening, confirmation time and price of each."""
    known = execute(house.database_url, "SELECT count(*) FROM tickets")[0][0]
    for number, (screening_id, confirmed_at, price) in enumerate(sales, 1_000_000 + known):
        execute(
            house.database_url,
            """INSERT INTO tickets
                (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
            VALUES (%s, %s, %s, 'user:7', %s, 'confirmed', %s, %s)""",
            *(screening_id, number, number, price, confirmed_at, confirmed_at),
        )


@gen_test
async def test_objects_are_counted(house: House) -> None:
    await make(house, "/api/v1/cinemas/", {"name": "Lux"})
    for title in ("Low Water", "High Water"):
        await make(house, "/api/v1/movies/", {"title": title})
    execute(house.database_url, "INSERT INTO users (email, password_hash) VALUES ('a@b.example', '')")
    execute(
        house.database_url,
        "INSERT INTO users (email, password_hash, deleted_at) VALUES ('c@b.example', '', now())",
    )
    assert [await stats(house, kind) for kind in ("movies", "cinemas", "users")] == [
        {"count": 2},
        {"count": 1},
        {"count": 1},
    ]


@gen_test
async def test_confirmed_tickets_are_sales_and_cancelled_ones_are_not(house: House) -> None:
    screening_id, seat_ids = await open_house(house)
    first, *_ = await book(house, screening_id, *seat_ids[:3])
    pending = await house.user().book(screening_id, seat_ids[3:5], payment_pending=True)
    assert await stats(house, "revenue") == {"tickets_sold": 3, "revenue": 37.5}
    assert (await house.user().confirm_payment(pending.json[0]["id"], "pi_1")).status == 200
    assert await stats(house, "revenue") == {"tickets_sold": 4, "revenue": 50.0}
    assert (await house.user().cancel_ticket(first)).status == 204
    sold = {"tickets_sold": 3, "revenue": 37.5}
    assert await stats(house, "revenue") == sold
    totals = {"total": 5, "pending": 1, "confirmed": 3, "cancelled": 1, "lapsed": 0}
    assert await stats(house, "tickets/total") == totals
    today = await stats(house, "today")
    assert today == today | sold | {"timezone": "UTC", "screenings": 0, "new_users": 0}


@gen_test
async def test_recent_bookings_are_paged_with_the_newest_first(house: House) -> None:
    screening_id, seat_ids = await open_house(house)
    room_id = (await house.guest.send("GET", f"/api/v1/screenings/{screening_id}")).json["room_id"]
    movie_id = (await make(house, "/api/v1/movies/", {"title": "Low Water"}))["id"]
    later = await make_screening(house, room_id, 21, movie_id=movie_id)
    (old,) = await book(house, screening_id, seat_ids[0])
    (new,) = await book(house, later, seat_ids[1], user_id=8)
    newest, oldest = await stats(house, "bookings/recent")
    assert (newest["ticket_id"], oldest["ticket_id"]) == (new, old)
    assert newest == newest | {
        **{"user_id": 8, "movie_id": movie_id, "movie_title": "Low Water", "cinema_name": "Odeon"},
        **{"seat_id": seat_ids[1], "row_label": "A", "seat_number": 2, "status": "confirmed"},
    }
    page = await house.admin.send("GET", f"{STATS}/bookings/recent?size=1&page=2")
    assert [booking["ticket_id"] for booking in page.json] == [old]
    assert page.headers["X-Total-Count"] == "2"


@gen_test
async def test_unknown_period_parameters_are_refused(house: House) -> None:
    refused = await house.admin.send("GET", f"{STATS}/revenue/period?start_date=2026-01-01")
    assert (refused.status, list(refused.json["errors"])) == (422, ["start_date"])
    assert "known are: from, to, granularity, timezone" in refused.json["detail"]


@gen_test
async def test_revenue_uses_the_calendar_of_a_time_zone(house: House) -> None:
    sell(
        house,
        (1, "2026-03-28T22:59:59.999999Z", 0.1),
        (1, "2026-03-28T23:00:00Z", 0.2),
        (2, "2026-03-29T21:59:59.999999Z", 9.99),
        (1, "2026-03-29T22:00:00Z", 5),
    )
    berlin = "revenue/period?from=2026-03-28&to=2026-03-29&timezone=Europe/Berlin"
    document = await stats(house, berlin)
    assert (document["from"], document["to"]) == ("2026-03-28", "2026-03-29")
    assert (document["revenue"], document["tickets_sold"]) == (10.29, 3)
    assert [(period["period"], period["revenue"]) for period in document["periods"]] == [
        ("2026-03-28", 0.1),
        ("2026-03-29", 10.19),
    ]
    assert document["periods"][1] == document["periods"][1] | {
        "begins_at": "2026-03-28T23:00:00.000Z",
        "ends_at": "2026-03-29T22:00:00.000Z",
    }
    hours = (await stats(house, berlin + "&granularity=hour"))["periods"]
    assert len(hours) == 24 + 23
    assert [(hour["period"], hour["tickets_sold"]) for hour in hours if hour["tickets_sold"]] == [
        ("2026-03-28T23:00+01:00", 1),
        ("2026-03-29T00:00+01:00", 1),
        ("2026-03-29T23:00+02:00", 1),
    ]


def today_in(zone: str) -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


@gen_test
async def test_the_default_period_is_the_last_thirty_days(house: House) -> None:
    sell(house, (1, datetime.now(UTC).isoformat(), 12.5))
    before = today_in("Asia/Kathmandu")
    document = await stats(house, "revenue/period?timezone=Asia/Kathmandu")
    assert len(document["periods"]) == 30
    assert sum(period["revenue"] for period in document["periods"][-2:]) == 12.5
    assert document["to"] in (before, today_in("Asia/Kathmandu"))


@gen_test
async def test_bad_queries_are_refused_by_name(house: House) -> None:
    for query, field in (
        ("revenue/period?timezone=Mars/Olympus", "timezone"),
        ("revenue/period?timezone=../../etc/passwd", "timezone"),
        ("revenue/period?granularity=minute", "granularity"),
        ("revenue/period?from=yesterday", "from"),
        ("revenue/period?from=1999-12-31", "from"),
        ("revenue/period?from=2026-02-01&to=2026-01-01", "from"),
        ("revenue/period?from=2000-01-01&to=2199-12-31&granularity=hour", "granularity"),
        ("movies/popular?limit=101", "limit"),
        ("movies/popular?from=2026-02-01&to=2026-01-01", "from"),
        ("today?timezone=", "timezone"),
    ):
        refused = await house.admin.send("GET", f"{STATS}/{query}")
        assert (refused.status, list(refused.json["errors"])) == (422, [field])


@gen_test
async def test_popular_movies_sell_most(house: House) -> None:
    screening_id, _ = await open_house(house)
    room_id = (await house.guest.send("GET", f"/api/v1/screenings/{screening_id}")).json["room_id"]
    shown = {}
    for number, title in enumerate(("Low Water", "High Water", "No Water")):
        movie_id = (await make(house, "/api/v1/movies/", {"title": title}))["id"]
        shown[title] = await make_screening(house, room_id, 30 + 3 * number, movie_id=movie_id)
    sell(
        house,
        (shown["High Water"], "2026-01-01T12:00:00Z", 3),
        (shown["High Water"], "2026-01-01T13:00:00Z", 4),
        (shown["Low Water"], "2026-01-02T12:00:00Z", 9),
        (screening_id, "2026-01-02T12:00:00Z", 9),
    )
    popular = await stats(house, "movies/popular")
    assert [(movie["title"], movie["tickets_sold"], movie["revenue"]) for movie in popular] == [
        ("High Water", 2, 7.0),
        ("Low Water", 1, 9.0),
    ]
    assert len(await stats(house, "movies/popular?limit=1")) == 1
    late = await stats(house, "movies/popular?from=2026-01-02&to=2026-01-02")
    assert [movie["title"] for movie in late] == ["Low Water"]


@gen_test
async def test_days_of_popular_movies_are_those_of_their_cinemas(house: House) -> None:
    shown = {}
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        cinema = (await make(house, "/api/v1/cinemas/", {"name": zone, "time_zone": zone}))["id"]
        movie = (await make(house, "/api/v1/movies/", {"title": zone}))["id"]
        screening = await make_screening(house, await make_room(house, zone, cinema), movie_id=movie)
        shown[zone] = screening, cinema
    noon = "2026-01-01T12:00:00Z"
    sell(house, *((screening, noon, 5) for screening, _ in shown.values()))

    async def popular_on(day: str) -> list[str]:
        return [movie["title"] for movie in await stats(house, f"movies/popular?from={day}&to={day}")]

    assert await popular_on("2026-01-01") == ["America/Los_Angeles"]
    assert await popular_on("2026-01-02") == ["Pacific/Auckland"]
    _, cinema = shown["Pacific/Auckland"]
    moved = await house.admin.send("PATCH", f"/api/v1/cinemas/{cinema}", {"time_zone": "Asia/Kathmandu"})
    assert moved.status == 200, moved.body
    assert await popular_on("2026-01-02") == []
    assert len(await popular_on("2026-01-01")) == 2

    # Trending looks at seven days, of which one has ended in New Zealand when it goes on in California.
    sold = datetime.now(UTC) - timedelta(days=6, hours=23)
    sell(house, *((screening, sold.isoformat(), 5) for screening, _ in shown.values()))
    trending = (await house.guest.send("GET", "/api/v1/movies/trending")).json
    recent = [
        zone
        for zone in ("Asia/Kathmandu", "America/Los_Angeles")
        if datetime.now(ZoneInfo(zone)).date() - sold.astimezone(ZoneInfo(zone)).date() < timedelta(days=7)
    ]
    titles = {"Asia/Kathmandu": "Pacific/Auckland"}
    assert {movie["title"] for movie in trending} == {titles.get(zone, zone) for zone in recent}


@gen_test
async def test_today_depends_on_the_time_zone(house: House) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    sell(house, *((1, (midnight + timedelta(hours=hours)).isoformat(), 1) for hours in range(-24, 48)))
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        before = today_in(zone)
        today = await stats(house, f"today?timezone={zone}")
        assert today["date"] in (before, today_in(zone))
        assert today["tickets_sold"] == 24


_RANDOM_TICKETS = """
INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, payment_deadline)
SELECT %(screening)s, id, id, 'user:7', price, 'pending', at, at
FROM unnest(%(ids)s::bigint[], %(prices)s::numeric[], %(times)s::timestamptz[]) AS row (id, price, at)
"""
_CHANGES = (
    "UPDATE tickets SET status = 'confirmed', confirmed_at = booked_at + interval '9 hours' "
    "WHERE status = 'pending'",
    "UPDATE tickets SET status = 'cancelled', cancelled_at = now() WHERE status IN ('pending', 'confirmed')",
    "UPDATE tickets SET status = 'lapsed' WHERE status = 'pending'",
    "DELETE FROM tickets WHERE true",
)
_SOME = " AND screening_id = %(screening)s AND id %% 5 = %(part)s"
_COUNTED_WRONGLY = """
SELECT * FROM (
    SELECT screening_id, (coalesce(confirmed_at, booked_at) AT TIME ZONE 'UTC')::date AS day, status,
           count(*) AS tickets, sum(price) AS revenue
    FROM tickets GROUP BY 1, 2, 3
) AS true_counts
FULL JOIN (SELECT * FROM ticket_counts WHERE tickets <> 0 OR revenue <> 0) AS counted
    USING (screening_id, day, status, tickets, revenue)
WHERE true_counts IS NULL OR counted IS NULL
"""
_SOLD_WRONGLY = """
SELECT * FROM (
    SELECT date_bin('15 minutes', confirmed_at, 'epoch') AS slot, count(*) AS tickets, sum(price) AS revenue
    FROM tickets WHERE status = 'confirmed' GROUP BY 1
) AS true_sales
FULL JOIN (
    SELECT slot, sum(tickets) AS tickets, sum(revenue) AS revenue FROM sales
    GROUP BY slot HAVING sum(tickets) <> 0 OR sum(revenue) <> 0
) AS counted USING (slot, tickets, revenue)
WHERE true_sales IS NULL OR counted IS NULL
"""


def _write_at_random(database_url: str, seed: int) -> None:
    draw = random.Random(seed)
    plain = connect(database_url)
    try:
        with plain.cursor() as cursor:
            for number in range(12):
                ids = [seed * 10_000 + number * 100 + offset for offset in range(50)]
                times = [datetime.fromtimestamp(1_780_000_000 + draw.random() * 500_000, UTC) for _ in ids]
                prices = [draw.randrange(2000) / 100 for _ in ids]
                which = {"screening": seed, "part": draw.randrange(5)}
                cursor.execute(_RANDOM_TICKETS, which | {"ids": ids, "prices": prices, "times": times})
                cursor.execute(draw.choice(_CHANGES) + _SOME, which)
    finally:
        plain.close()


@gen_test
async def test_counts_stay_exact_under_concurrent_writers(database_url: str) -> None:
    writers = (asyncio.to_thread(_write_at_random, database_url, seed) for seed in range(1, 5))
    await asyncio.gather(*writers)
    assert execute(database_url, "SELECT count(*) > 500 FROM tickets") == [(True,)]
    assert execute(database_url, _COUNTED_WRONGLY) == []
    assert execute(database_url, _SOLD_WRONGLY) == []
