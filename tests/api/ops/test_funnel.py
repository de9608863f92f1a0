"""Sales figures of a screening and of everything: by time and door, as JSON and as CSV."""

import asyncio
import csv
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest

from persistence.connector import Connector
from tests.api.caller import Response
from tests.api.ops.conftest import Desk
from tests.box_office import Guest, data, make_event, make_type

pytestmark = pytest.mark.gen_test(timeout=120)

ANALYTICS = "/api/admin/reservations/analytics"
COUNTS = ("looked", "held", "lapsed", "released", "paid")


async def funnel(desk: Desk, screening_id: int | None = None, query: str = "", **options: Any) -> Response:
    path = f"/api/v1/admin/screenings/{screening_id or desk.screening_id}/funnel{query}"
    return await desk.house.admin.send("GET", path, **options)


def by_door(document: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {door["door"]: tuple(door[name] for name in COUNTS) for door in document["doors"]}


async def until(ask: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Ask again until the answer is as wanted: looks are stored every few seconds."""
    async with asyncio.timeout(90):
        while not wanted(answer := await ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return answer


HOLD = """
INSERT INTO holds (id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions,
                   note, status, closed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s::timestamptz + interval '5 minutes', 0, %s, %s, %s)
"""

TICKET = """
INSERT INTO tickets (id, booking_id, screening_id, seat_id, holder, price, status, booked_at, confirmed_at,
                     cancelled_at, payment_deadline, held_at, sold_by)
VALUES (%(id)s, %(id)s, %(screening)s, %(id)s, 'user:7', 12.5, %(status)s, %(booked)s, %(confirmed)s,
        %(cancelled)s, %(booked)s, %(held)s, %(seller)s)
"""


async def record(desk: Desk, holds: list[tuple[Any, ...]], tickets: list[dict[str, Any]]) -> None:
    connector = Connector(desk.house.database_url, pool_size=1)
    for number, (holder, at, status, closed_at, *note) in enumerate(holds, 1):
        row = (number, number, desk.screening_id, number, holder, at, at)
        await connector.run(HOLD, (*row, note[0] if note else None, status, closed_at))
    usual = {
        "screening": desk.screening_id,
        "confirmed": None,
        "cancelled": None,
        "held": None,
        "seller": None,
    }
    for number, ticket in enumerate(tickets, 1):
        await connector.run(TICKET, {"id": number, "screening": desk.screening_id, **usual, **ticket})
    connector.close()


async def test_what_happened_is_counted_when_it_happened_in_the_time_zone_of_the_venue(desk: Desk) -> None:
    await record(
        desk,
        [
            ("user:7", "2026-03-28T22:50:00Z", "expired", "2026-03-28T23:05:00Z"),
            ("user:7", "2026-03-28T23:10:00Z", "released", "2026-03-28T23:11:00Z"),
            ("client:a", "2026-03-29T00:00:00Z", "active", None, '{"seat":"A1"}'),
            ("user:8", "2026-03-29T00:30:00Z", "converted", "2026-03-29T00:31:00Z"),
            ("user:8", "2026-03-29T00:30:00Z", "converted", "2026-03-29T00:31:00Z", "counter"),
            ("session:a", "2026-03-20T00:30:00Z", "expired", "2026-03-20T00:35:00Z"),
        ],
        [
            {
                "status": "confirmed",
                "booked": "2026-03-29T00:31:00Z",
                "confirmed": "2026-03-29T01:31:00Z",
                "held": "2026-03-29T00:30:00Z",
                "seller": "provider:stripe",
            },
            {
                "status": "cancelled",
                "booked": "2026-03-29T00:31:00Z",
                "confirmed": "2026-03-29T00:31:00Z",
                "cancelled": "2026-03-29T05:00:00Z",
                "held": "2026-03-29T00:30:00Z",
            },
            {"status": "lapsed", "booked": "2026-03-29T00:31:00Z", "cancelled": "2026-03-29T02:00:00Z"},
            {"status": "confirmed", "booked": "2026-03-29T03:00:00Z", "confirmed": "2026-03-29T03:00:00Z"},
        ],
    )
    query = "?from=2026-03-28&to=2026-03-29&timezone=Europe/Berlin"
    shown = (await funnel(desk, query=query)).json
    assert (shown["granularity"], shown["timezone"], len(shown["periods"])) == ("hour", "Europe/Berlin", 47)
    assert by_door(shown) == {
        "rest": (0, 3, 2, 1, 2),
        "rooms": (0, 1, 0, 0, 0),
        "counter": (0, 1, 0, 0, 0),
        "stripe": (0, 0, 0, 0, 1),
    }
    assert {name: shown["totals"][name] for name in COUNTS} == {
        "looked": 0,
        "held": 5,
        "lapsed": 2,
        "released": 1,
        "paid": 3,
    }
    assert shown["totals"]["revenue"] == 37.5
    waits = shown["seconds_to_payment"]
    assert (waits["tickets"], waits["median"], waits["p90"], waits["p99"]) == (2, 1860.0, 3300.0, 3624.0)
    hours = {period["period"]: period for period in shown["periods"]}
    assert hours["2026-03-28T23:00+01:00"]["held"] == 1
    assert hours["2026-03-29T00:00+01:00"]["lapsed"] == 1
    assert hours["2026-03-29T03:00+02:00"]["begins_at"] == "2026-03-29T01:00:00.000Z"
    assert by_door(hours["2026-03-29T03:00+02:00"]) == {"stripe": (0, 0, 0, 0, 1)}
    days = (await funnel(desk, query=query + "&granularity=day")).json["periods"]
    assert [day["held"] for day in days] == [1, 4]
    everything = data(await desk.house.admin.send("GET", ANALYTICS + query))
    assert everything["totals"] == shown["totals"]
    assert everything["periods"][0]["beginsAt"] == "2026-03-27T23:00:00.000Z"
    assert everything["secondsToPayment"]["median"] == 1860.0
    one = data(await desk.house.admin.send("GET", f"{ANALYTICS}{query}&eventId={desk.screening_id}"))
    assert one["totals"] == shown["totals"]
    nothing = await make_event(desk.house)
    empty = data(await desk.house.admin.send("GET", f"{ANALYTICS}{query}&eventId={nothing}"))
    assert empty["totals"]["held"] == 0
    for event_id, status, code in (("x", 400, "invalid_input"), ("99999", 404, "event_not_found")):
        refused = await desk.house.admin.send("GET", f"{ANALYTICS}{query}&eventId={event_id}")
        assert (refused.status, refused.code) == (status, code), refused.body


async def test_a_file_has_a_line_for_each_period_and_door(desk: Desk) -> None:
    await record(
        desk,
        [
            ("user:7", "2026-03-28T10:00:00Z", "active", None),
            ("session:a", "2026-03-28T11:00:00Z", "active", None),
        ],
        [],
    )
    query = "?from=2026-03-01&to=2026-03-31&granularity=month&timezone=UTC"
    by_format = await funnel(desk, query=query + "&format=csv")
    by_header = await funnel(desk, query=query, headers={"Accept": "text/csv"})
    analytics = await desk.house.admin.send("GET", f"{ANALYTICS}{query}&format=csv")
    assert by_format.body == by_header.body == analytics.body
    assert by_format.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, *lines = csv.reader(StringIO(by_format.body.decode("utf-8-sig")))
    assert header == ["period", "begins_at", "ends_at", "door", *COUNTS, "revenue"]
    assert [line[3:] for line in lines] == [
        ["rest", "0", "1", "0", "0", "0", "0.0"],
        ["public", "0", "1", "0", "0", "0", "0.0"],
    ]
    both = await funnel(desk, query=query + "&format=json", headers={"Accept": "text/csv"})
    assert both.json["totals"]["held"] == 2


async def test_every_door_counts(desk: Desk) -> None:
    event_id = await make_event(desk.house)
    type_id = await make_type(desk.house, event_id)
    for _ in range(3):
        await desk.house.guest.send("GET", f"/api/public/events/{event_id}")
    guest = Guest(desk.house, "a-session-of-a-guest")
    await guest.reserved(type_id, 2)
    path = f"/api/v1/seat-reservations/screening/{desk.screening_id}/availability"
    await desk.house.guest.send("GET", path)
    await desk.ada.send("GET", f"{path}/me")
    await desk.ada.reserve(desk.screening_id, desk.seat_ids[:2])
    await desk.ada.book(desk.screening_id, desk.seat_ids[:2])
    await desk.act("/reservations", {"seat_ids": desk.seat_ids[2:4], "user_id": desk.bob.user_id})
    bob = f"user:{desk.bob.user_id}"
    await desk.act("/release", {"seat_ids": desk.seat_ids[3:4], "holder": bob})
    await desk.act("/sales", {"seat_ids": desk.seat_ids[2:3], "user_id": desk.bob.user_id})
    shown = await until(lambda: funnel(desk), lambda answer: answer.json["totals"]["looked"] >= 2)
    assert by_door(shown.json) == {"rest": (2, 2, 0, 0, 2), "counter": (0, 2, 0, 1, 1)}
    assert shown.json["seconds_to_payment"]["tickets"] == 3
    sold = await until(
        lambda: funnel(desk, int(event_id)), lambda answer: answer.json["totals"]["looked"] >= 3
    )
    assert by_door(sold.json) == {"public": (3, 2, 0, 0, 0)}


async def test_wishes_that_make_no_sense_are_refused(desk: Desk) -> None:
    unknown = await funnel(desk, 99_999_999)
    assert (unknown.status, unknown.code) == (404, "screening_not_found")
    fine = await funnel(desk, query="?from=2020-01-01&to=2026-01-01&granularity=hour")
    assert (fine.status, "granularity" in str(fine.json)) == (422, True)
    backwards = await funnel(desk, query="?from=2026-01-02&to=2026-01-01")
    assert (backwards.status, "from" in str(backwards.json)) == (422, True)
    empty = await funnel(desk)
    assert (empty.status, empty.json["seconds_to_payment"]["median"]) == (200, None)
    for path in (f"/api/v1/admin/screenings/{desk.screening_id}/funnel", ANALYTICS):
        assert (await desk.ada.send("GET", path)).status == 403
