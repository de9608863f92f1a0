"""Time zones of cinemas and events: how they are validated, times given in them, and days in them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from persistence.catalogue.events import EVENTS as EVENTS_TABLE
from persistence.catalogue.screenings import SCREENINGS as SCREENINGS_TABLE
from persistence.catalogue.showtimes import SHOWTIMES as SHOWTIMES_TABLE
from persistence.catalogue.table import Table
from persistence.catalogue.tickets import TICKETS as TICKETS_TABLE
from persistence.connector import Connector
from tests.box_office import PUBLIC, data, make_event, make_type, refusal
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import SCREENINGS, add_seats, make, make_room
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test

CINEMAS = "/api/v1/cinemas"
EVENTS = "/api/admin/events"
SHOWTIMES = "/api/v1/showtimes"
KATHMANDU = "Asia/Kathmandu"
AUCKLAND = "Pacific/Auckland"
BERLIN = "Europe/Berlin"
YEAR = datetime.now(UTC).year + 1


def sunday(month: int) -> date:
    """Return the last Sunday of a month next year, when Berlin's clocks change in March and October."""
    last = date(YEAR, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def in_format(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def room_in(house: House, time_zone: str) -> int:
    cinema = await make(house, f"{CINEMAS}/", {"name": f"Odeon, {time_zone}", "time_zone": time_zone})
    return await make_room(house, cinema_id=cinema["id"])


async def show(house: House, room_id: int, starts_at: str, **details: Any):
    body = {"room_id": room_id, "title": "Brass and Thunder", "starts_at": starts_at, "price": 9, **details}
    if "ends_at" not in body:
        body["ends_at"] = (datetime.fromisoformat(starts_at) + timedelta(hours=1)).isoformat()
    return await house.admin.send("POST", f"{SCREENINGS}/", body)


async def shown(house: House, room_id: int, starts_at: str) -> dict[str, Any]:
    made = await show(house, room_id, starts_at)
    assert made.status == 201, made.body
    return made.json


async def listed(house: House, query: str) -> list[int]:
    answer = await house.guest.send("GET", query)
    assert answer.status == 200, answer.body
    found = answer.json["data"] if query.startswith(PUBLIC) else answer.json
    return [int(entry["id"]) for entry in found]


async def test_cinemas_and_events_have_a_time_zone(house: House) -> None:
    cinema = await make(house, f"{CINEMAS}/", {"name": "Odeon"})
    assert cinema["time_zone"] == "UTC"
    path = f"{CINEMAS}/{cinema['id']}"
    changed = await house.admin.send("PATCH", path, {"time_zone": KATHMANDU})
    assert (changed.status, changed.json["time_zone"]) == (200, KATHMANDU)
    assert (await house.guest.send("GET", path)).json["time_zone"] == KATHMANDU
    event_id = await make_event(house, timeZone=AUCKLAND)
    event = data(await house.guest.send("GET", f"{PUBLIC}/events/{event_id}"))
    assert event["timeZone"] == AUCKLAND
    local = datetime.fromisoformat(event["startDateLocal"])
    assert local.utcoffset() == local.astimezone(ZoneInfo(AUCKLAND)).utcoffset()
    assert abs(local - datetime.fromisoformat(event["startDate"])) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "europe/berlin", "", "localtime", "../etc/passwd", "\x00", 7, None]
)
async def test_unknown_time_zones_are_refused_with_an_example(house: House, name: object) -> None:
    refused = await house.admin.send("POST", f"{CINEMAS}/", {"name": "Odeon", "time_zone": name})
    assert refused.status == 422, refused.body
    assert refused.json["errors"].keys() == {"time_zone"}
    if isinstance(name, str):
        assert '"' in refused.json["errors"]["time_zone"][0]
    body = {"title": "Brass", "startDate": in_format(datetime.now(UTC) + timedelta(days=3)), "timeZone": name}
    refused = await house.admin.send("POST", EVENTS, body)
    assert refusal(refused) == (400, "invalid_input")
    assert refused.json["error"]["errors"].keys() == {"timeZone"}


async def test_a_setting_is_the_time_zone_of_new_venues(open_house: OpenHouse) -> None:
    house = await open_house(time_zone=BERLIN)
    assert (await make(house, f"{CINEMAS}/", {"name": "Odeon"}))["time_zone"] == BERLIN
    event_id = await make_event(house)
    assert data(await house.admin.send("GET", f"{EVENTS}/{event_id}"))["timeZone"] == BERLIN


async def test_screenings_are_scheduled_in_local_time(house: House) -> None:
    room_id = await room_in(house, KATHMANDU)
    made = await shown(house, room_id, f"{YEAR}-01-26T20:00:00")
    assert (made["starts_at"], made["ends_at"]) == (
        f"{YEAR}-01-26T14:15:00.000Z",
        f"{YEAR}-01-26T15:15:00.000Z",
    )
    assert made["time_zone"] == KATHMANDU
    assert (made["starts_at_local"], made["ends_at_local"]) == (
        f"{YEAR}-01-26T20:00:00+05:45",
        f"{YEAR}-01-26T21:00:00+05:45",
    )
    path = f"{SCREENINGS}/{made['id']}"
    moved = await house.admin.send("PUT", path, {"starts_at": f"{YEAR}-01-27T00:15"})
    assert (moved.json["starts_at"], moved.json["ends_at"]) == (
        f"{YEAR}-01-26T18:30:00.000Z",
        f"{YEAR}-01-26T19:30:00.000Z",
    )
    # A client can send back the time that it has read.
    again = await house.admin.send("PUT", path, {"starts_at": moved.json["starts_at_local"]})
    assert again.json == moved.json
    elsewhere = await room_in(house, AUCKLAND)
    moved = await house.admin.send("PUT", path, {"room_id": elsewhere, "starts_at": f"{YEAR}-07-27T09:00"})
    assert (moved.json["starts_at"], moved.json["time_zone"]) == (f"{YEAR}-07-26T21:00:00.000Z", AUCKLAND)
    for answer in (await house.guest.send("GET", f"{SHOWTIMES}/{made['id']}"),):
        assert answer.json["starts_at_local"] == f"{YEAR}-07-27T09:00:00+12:00"
    unknown = await show(house, 10**9, f"{YEAR}-01-26T20:00:00")
    assert (unknown.status, unknown.json["code"]) == (422, "unknown_reference")


async def test_local_times_in_a_clock_change_are_asked_for(house: House) -> None:
    room_id = await room_in(house, BERLIN)
    skipped = f"{sunday(3)}T02:30:00"
    refused = await show(house, room_id, skipped)
    assert (refused.status, refused.json["code"]) == (422, "invalid_input")
    assert (
        f"{sunday(3)}T01:30:00+01:00 or {sunday(3)}T03:30:00+02:00" in refused.json["errors"]["starts_at"][0]
    )
    twice = f"{sunday(10)}T02:30:00"
    refused = await show(house, room_id, twice)
    assert f"{twice}+02:00 or {twice}+01:00" in refused.json["errors"]["starts_at"][0]
    first = await shown(house, room_id, f"{twice}+02:00")
    assert first["starts_at_local"] == f"{twice}+02:00"
    refused = await house.admin.send("PUT", f"{SCREENINGS}/{first['id']}", {"starts_at": skipped})
    assert refused.status == 422
    refused = await house.admin.send("PUT", f"{SCREENINGS}/{first['id']}", {"ends_at": twice})
    assert refused.json["errors"].keys() == {"ends_at"}
    body = {"title": "Brass", "timeZone": BERLIN, "startDate": twice}
    refused = await house.admin.send("POST", EVENTS, body)
    assert refusal(refused) == (400, "invalid_input")
    assert f"{twice}+02:00 or {twice}+01:00" in refused.json["error"]["errors"]["startDate"][0]


async def test_dates_of_events_and_their_sales_are_local_times(house: House) -> None:
    event_id = await make_event(house, timeZone=KATHMANDU, startDate=f"{YEAR}-05-01T20:00")
    event = data(await house.admin.send("GET", f"{EVENTS}/{event_id}"))
    assert (event["startDate"], event["endDateLocal"]) == (
        f"{YEAR}-05-01T14:15:00.000Z",
        f"{YEAR}-05-01T23:00:00+05:45",
    )
    path = f"{EVENTS}/{event_id}"
    changes = {"timeZone": BERLIN, "startDate": f"{YEAR}-05-01T20:00"}
    assert data(await house.admin.send("PATCH", path, changes))["startDate"] == f"{YEAR}-05-01T18:00:00.000Z"
    kind = await make_type(house, event_id, salesStart=f"{YEAR}-02-01T09:00", salesEnd=f"{YEAR}-05-01T12:00")
    shown_type = data(await house.admin.send("GET", f"/api/admin/ticket-types/{kind}"))
    assert shown_type["salesStart"] == f"{YEAR}-02-01T08:00:00.000Z"
    assert shown_type["salesEnd"] == f"{YEAR}-05-01T10:00:00.000Z"
    refused = await house.admin.send(
        "PATCH", f"/api/admin/ticket-types/{kind}", {"salesStart": f"{sunday(3)}T02:30"}
    )
    assert refusal(refused) == (400, "invalid_input")
    assert refused.json["error"]["errors"].keys() == {"salesStart"}


async def test_days_are_those_of_the_venue(house: House) -> None:
    """A day in Auckland and one in Berlin begin half a day apart."""
    movie = await make(house, "/api/v1/movies/", {"title": "Low Water", "duration_minutes": 90})
    shows: dict[str, dict[str, int]] = {}
    for zone in (AUCKLAND, BERLIN, KATHMANDU):
        room_id = await room_in(house, zone)
        shows[zone] = {}
        for time in (f"{sunday(10)}T00:00:00", f"{sunday(10)}T21:59:59"):
            made = await show(house, room_id, time, movie_id=movie["id"])
            assert made.status == 201, made.body
            shows[zone][time] = made.json["id"]
        before = await show(house, room_id, f"{sunday(10) - timedelta(days=1)}T21:30:00")
        after = await show(house, room_id, f"{sunday(10) + timedelta(days=1)}T00:00:00")
        assert (before.status, after.status) == (201, 201)
    on_sunday = {screening for of_zone in shows.values() for screening in of_zone.values()}
    for path in (SCREENINGS, SHOWTIMES):
        assert set(await listed(house, f"{path}/?date={sunday(10)}")) == on_sunday
    assert await listed(house, f"/api/v1/movies/?date={sunday(10)}") == [movie["id"]]
    assert await listed(house, f"/api/v1/movies/?date={sunday(10) - timedelta(days=2)}") == []


async def test_events_are_listed_by_the_day_at_their_place(house: House) -> None:
    day = f"{YEAR}-05-01"
    early = [await make_event(house, timeZone=zone, startDate=f"{day}T00:30") for zone in (AUCKLAND, BERLIN)]
    late = await make_event(house, timeZone=KATHMANDU, startDate=f"{day}T23:59")
    await make_event(house, timeZone=KATHMANDU, startDate=f"{YEAR}-05-02T00:00")
    found = await listed(house, f"{PUBLIC}/events?date={day}")
    assert found == [int(event) for event in (*early, late)]


async def test_tickets_are_listed_by_the_day_at_their_venue(house: House) -> None:
    """It is never the same day on Kiritimati and on Niue, whose clocks are 25 hours apart."""
    days = {}
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        room_id = await room_in(house, zone)
        (seat_id, *_) = await add_seats(house, room_id)
        screening = await shown(house, room_id, f"{YEAR}-05-01T20:00")
        before = datetime.now(ZoneInfo(zone)).date()
        order = {"screening_id": screening["id"], "seat_ids": [seat_id]}
        (ticket,) = (await house.user(7).send("POST", "/api/v1/tickets/book", order)).json
        booked = datetime.fromisoformat(ticket["booked_at"]).astimezone(ZoneInfo(zone)).date()
        assert booked in (before, before + timedelta(days=1))
        days[booked] = ticket["id"]
    assert len(days) == 2
    for day, ticket_id in days.items():
        answer = await house.admin.send("GET", f"/api/v1/tickets/?date={day}")
        assert [ticket["id"] for ticket in answer.json] == [ticket_id]


async def test_statistics_are_in_the_time_zone_that_the_venues_share(open_house: OpenHouse) -> None:
    house = await open_house(time_zone=KATHMANDU)

    async def zones(query: str = "") -> set[str]:
        paths = (f"/api/v1/admin/stats/today{query}", f"/api/v1/admin/stats/revenue/period{query}")
        return {(await house.admin.send("GET", path)).json["timezone"] for path in paths}

    assert await zones() == {KATHMANDU}
    await make(house, f"{CINEMAS}/", {"name": "Odeon", "time_zone": AUCKLAND})
    assert await zones() == {AUCKLAND}
    today = (await house.admin.send("GET", "/api/v1/admin/stats/today")).json["date"]
    assert date.fromisoformat(today) - datetime.now(ZoneInfo(AUCKLAND)).date() in (
        timedelta(),
        timedelta(days=-1),
    )
    await make(house, f"{CINEMAS}/", {"name": "Rialto", "time_zone": BERLIN})
    assert await zones() == {KATHMANDU}
    assert await zones(f"?timezone={BERLIN}") == {BERLIN}


async def plan_of(house: House, table: Table, order: str, day: date) -> str:
    """Return the plan of a page of what is on a day."""
    where = table.where({"date": day})
    statement = f"{table.select} {where} {table.order_by(order)} LIMIT 20"
    connector = Connector(house.database_url, pool_size=1)
    try:
        rows = await connector.run(f"EXPLAIN {statement}", {"date": day})
    finally:
        connector.close()
    return "\n".join(row[0] for row in rows)


async def test_an_index_finds_the_screenings_of_a_day(house: House) -> None:
    room_id = await room_in(house, KATHMANDU)
    execute(
        house.database_url,
        "INSERT INTO screenings (room_id, title, starts_at, ends_at, price) "
        "SELECT %s, 'Often', slot, slot + interval '50 minutes', 9 "
        "FROM generate_series(now(), now() + interval '2 years', interval '1 hour') AS slot",
        room_id,
    )
    execute(house.database_url, "ANALYZE screenings")
    for table in (SCREENINGS_TABLE, SHOWTIMES_TABLE):
        plan = await plan_of(house, table, "starts_at", date(YEAR, 6, 1))
        assert "screenings_starts_at_idx" in plan, plan
        assert "Seq Scan on screenings" not in plan, plan
    found = await house.guest.send("GET", f"{SCREENINGS}/?date={YEAR}-06-01&size=100")
    begins = sorted(screening["starts_at_local"] for screening in found.json)
    assert len(begins) == 24
    assert {begin[:10] for begin in begins} == {f"{YEAR}-06-01"}


async def test_an_index_finds_the_events_and_the_tickets_of_a_day(house: House) -> None:
    execute(
        house.database_url,
        "INSERT INTO events (title, starts_at, ends_at, time_zone) "
        "SELECT 'Often', slot, slot + interval '1 hour', %s "
        "FROM generate_series(now(), now() + interval '2 years', interval '1 hour') AS slot",
        KATHMANDU,
    )
    execute(
        house.database_url,
        "INSERT INTO tickets "
        "(id, booking_id, screening_id, seat_id, holder, price, status, booked_at, confirmed_at) "
        "SELECT number, number, 1, number, 'user:7', 9, 'confirmed', slot, slot "
        "FROM generate_series(1, 17520) AS number "
        "CROSS JOIN LATERAL (SELECT now() + number * interval '1 hour') AS at (slot)",
    )
    execute(house.database_url, "ANALYZE events")
    execute(house.database_url, "ANALYZE tickets")
    for table, order, index in (
        (EVENTS_TABLE, "", "events_starts_at_idx"),
        (TICKETS_TABLE, "-booked_at", "tickets_booked_idx"),
    ):
        plan = await plan_of(house, table, order, date(YEAR, 6, 1))
        assert index in plan, plan
        assert f"Seq Scan on {table.name}" not in plan, plan
