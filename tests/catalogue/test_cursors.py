"""Pages by position: nothing that stays is skipped or repeated, whatever comes and goes meanwhile."""

import asyncio
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontrow.catalogue import catalogue_on
from persistence.catalogue.movies import MOVIES
from persistence.catalogue.table import Record, Rows
from persistence.catalogue.tickets import TICKETS
from persistence.connector import Connector
from persistence.keysets import Key
from tests.catalogue.test_statement_counts import FILL, OF_SOMEBODY
from tests.catalogue.test_statistics import book, open_house
from tests.database import execute
from tests.house import House

MOVIE = st.fixed_dictionaries(
    {
        "title": st.sampled_from(("Low Water", "High Water", "low water", "", "Ähre", "Zoo")),
        "release_date": st.sampled_from((None, "2026-01-01", "2026-05-01")),
        "imdb_rating": st.sampled_from((None, 0.5, 7.25, 9)),
        "duration_minutes": st.sampled_from((None, 90, 120)),
    }
)
CHANGES = st.lists(st.one_of(MOVIE, st.integers(0, 20)), max_size=4)
"""Movies to insert, and positions of movies to delete."""

ORDERS = sorted(order for order in MOVIES.orders if order != "relevance")


async def read_all(rows: Rows, wanted: dict[str, Any], order: str, size: int) -> list[Record]:
    """All records, read by position."""
    records: list[Record] = []
    after: Key | None = None
    while True:
        found = await rows.listed(wanted, order, limit=size, after=after, counted=False)
        records += found.records
        if found.last is None:
            return records
        after = found.last


def test_every_movie_that_stays_is_read_exactly_once(database_url: str) -> None:
    with asyncio.Runner() as runner:
        connector = runner.run(_connected(database_url))

        @settings(max_examples=150, deadline=None)
        @given(
            st.sampled_from(ORDERS),
            st.lists(MOVIE, max_size=12),
            st.integers(1, 4),
            st.lists(CHANGES, max_size=12),
        )
        def read(order: str, first: list[dict], size: int, changes: list[list[dict | int]]) -> None:
            runner.run(_read_while_it_changes(connector, order, first, size, changes))

        read()
        runner.run(_closed(connector))


async def _connected(database_url: str) -> Connector:
    return Connector(database_url)


async def _closed(connector: Connector) -> None:
    connector.close()
    await asyncio.sleep(0)


async def _read_while_it_changes(
    connector: Connector, order: str, first: list[dict], size: int, changes: list[list[dict | int]]
) -> None:
    await connector.run("DELETE FROM movies", {})
    rows = Rows(connector, MOVIES)
    present = [(await rows.insert(movie))["id"] for movie in first]
    staying, seen = set(present), []
    after: Key | None = None
    for turn in [*changes, *([[]] * 60)]:
        found = await rows.listed({}, order, limit=size, after=after)
        seen += [record["id"] for record in found.records]
        after = found.last
        if after is None:
            break
        for change in turn:
            if isinstance(change, dict):
                present.append((await rows.insert(change))["id"])
            elif change < len(present):
                gone = present.pop(change)
                staying.discard(gone)
                await rows.delete(gone)
    assert after is None
    assert len(seen) == len(set(seen))
    in_order = [movie["id"] for movie in await read_all(rows, {}, order, 200) if movie["id"] in staying]
    assert [movie_id for movie_id in seen if movie_id in staying] == in_order
    assert set(in_order) == staying


@pytest.mark.gen_test
async def test_every_list_in_every_order_can_be_read_by_position(database_url: str) -> None:
    execute(database_url, FILL)
    execute(
        database_url, "UPDATE movies SET title = id::text, imdb_rating = CASE WHEN id % 3 > 0 THEN id % 7 END"
    )
    connector = Connector(database_url)
    try:
        catalogue = catalogue_on(connector)
        for field in fields(catalogue):
            rows = getattr(catalogue, field.name)
            if not isinstance(rows, Rows):
                continue
            wanted = {"user_id": 1} if field.name in OF_SOMEBODY else {}
            for order in {"", *rows.table.orders}:
                asked = {**wanted, "q": "1"} if order == "relevance" else wanted
                whole, _ = await rows.page(asked, order, limit=200, offset=0)
                assert whole, (field.name, order)
                assert await read_all(rows, asked, order, 40) == whole, (field.name, order)
    finally:
        connector.close()


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("table", "order", "wanted", "index"),
    [
        (TICKETS, "-booked_at", {}, "tickets_booked_idx"),
        (TICKETS, "booked_at", {}, "tickets_booked_idx"),
        (MOVIES, "title", {}, "movies_title_idx"),
    ],
)
async def test_a_page_by_position_is_a_range_of_an_index(
    database_url: str, table: Any, order: str, wanted: dict[str, Any], index: str
) -> None:
    connector = Connector(database_url)
    try:
        later, key = table.keyset(order).after(["2026-01-01" if "booked_at" in order else "Low Water", "5"])
        async with connector.connection() as connection:
            await connection.run("SET enable_seqscan = off; SET enable_bitmapscan = off", {})
            rows = await connection.run(
                f"EXPLAIN {replace(table, columns={'id': f'{table.name}.id'}).select} WHERE {later} "
                f"{table.order_by(order)} LIMIT 100",
                key,
            )
    finally:
        connector.close()
    plan = "\n".join(row[0] for row in rows)
    assert index in plan and "Index Cond: (ROW(" in plan
    assert "Sort" not in plan


async def read_by_cursor(caller: Any, path: str, size: str = "size=2") -> tuple[list[dict], int]:
    """All entries of a list of the API, and the number of pages."""
    entries, pages = [], 0
    question = f"{path}{'&' if '?' in path else '?'}{size}"
    cursor: str | None = ""
    while cursor is not None:
        page = await caller.send("GET", question + (f"&cursor={cursor}" if cursor else ""))
        assert page.status == 200, page.json
        public = isinstance(page.json, dict)
        entries += page.json["data"] if public else page.json
        cursor = page.json["meta"].get("nextCursor") if public else page.headers.get("X-Next-Cursor")
        pages += 1
        assert public or ("X-Total-Count" in page.headers) == (pages == 1)
        assert public or (f"cursor={cursor}" in page.headers.get("Link", "")) == (
            pages > 1 and cursor is not None
        )
    return entries, pages


@pytest.mark.gen_test
async def test_all_lists_that_change_have_cursors(house: House) -> None:
    screening_id, seat_ids = await open_house(house)
    tickets = await book(house, screening_id, *seat_ids[:2])
    tickets += await book(house, screening_id, seat_ids[2])
    user = house.user()
    assert (await user.reserve(screening_id, seat_ids[3:6])).status == 201
    newest_first = sorted(tickets, reverse=True)
    for caller, path, size in (
        (user, "/api/v1/tickets/my-tickets", "size=2"),
        (user, "/api/public/tickets", "limit=2"),
        (house.admin, "/api/v1/tickets/", "size=2"),
        (house.admin, "/api/v1/tickets/?sort=-price", "size=2"),
    ):
        entries, pages = await read_by_cursor(caller, path, size)
        ids = [int(entry.get("ticketId") or entry.get("ticket_id") or entry["id"]) for entry in entries]
        assert (sorted(ids, reverse=True), pages) == (newest_first, 2), path
    entries, pages = await read_by_cursor(house.admin, "/api/v1/admin/stats/bookings/recent")
    assert ([entry["ticket_id"] for entry in entries], pages) == (newest_first, 2)
    entries, pages = await read_by_cursor(user, "/api/v1/seat-reservations/my-reservations")
    assert ([entry["seat_id"] for entry in entries], pages) == (list(reversed(seat_ids[3:6])), 2)


@pytest.mark.gen_test
async def test_a_new_ticket_moves_nothing_on_the_pages_that_follow(house: House) -> None:
    screening_id, seat_ids = await open_house(house)
    (old,) = await book(house, screening_id, seat_ids[0])
    (new,) = await book(house, screening_id, seat_ids[1])
    first = await house.admin.send("GET", "/api/v1/tickets/?size=1")
    await book(house, screening_id, seat_ids[2])
    cursor = first.headers["X-Next-Cursor"]
    second = await house.admin.send("GET", f"/api/v1/tickets/?size=1&cursor={cursor}")
    assert [ticket["id"] for ticket in first.json + second.json] == [new, old]
    assert "X-Next-Cursor" not in second.headers
    for path in (
        f"/api/v1/tickets/?sort=price&cursor={cursor}",
        f"/api/v1/tickets/my-tickets?cursor={cursor}",
        f"/api/v1/tickets/?cursor={cursor[:-2]}",
        "/api/v1/tickets/?cursor=MTIz",
        "/api/v1/tickets/?cursor=%C3%A4",
    ):
        refused = await house.admin.send("GET", path)
        assert (refused.status, refused.json["code"]) == (400, "invalid_cursor"), path
    both = await house.admin.send("GET", f"/api/v1/tickets/?page=2&cursor={cursor}")
    assert (both.status, list(both.json["errors"])) == (422, ["cursor"])
    refused = await house.user().send("GET", "/api/public/tickets?cursor=MTIz")
    assert (refused.status, refused.json["error"]["code"]) == (400, "invalid_cursor")
