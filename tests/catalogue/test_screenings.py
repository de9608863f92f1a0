"""Screenings: never two in a room at once, and never changed without the engine's knowledge."""

import asyncio
import json
from collections import Counter

import pytest
from websockets.asyncio.client import connect

from tests.catalogue.programme import (
    SCREENINGS,
    add_seats,
    hour,
    make,
    make_room,
    make_screening,
    open_house,
    schedule,
)
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test


async def ids(house: House, query: str = "") -> list[int]:
    answer = await house.guest.send("GET", f"{SCREENINGS}/{query}")
    assert answer.status == 200, answer.body
    return [screening["id"] for screening in answer.json]


async def change(house: House, screening: int, **details: object):
    return await house.admin.send("PUT", f"{SCREENINGS}/{screening}", details)


async def delete(house: House, screening: int, query: str = ""):
    return await house.admin.send("DELETE", f"{SCREENINGS}/{screening}{query}")


async def add_movie(house: House, title: str, minutes: int | None) -> int:
    statement = "INSERT INTO movies (title, duration_minutes) VALUES (%s, %s) RETURNING id"
    return execute(house.database_url, statement, title, minutes)[0][0]


async def test_a_screening_is_created_read_and_changed(house: House) -> None:
    room_id = await make_room(house)
    made = await schedule(house, room_id, 18, language="en", format="IMAX")
    assert made.status == 201
    details = {
        "room_id": room_id,
        "room_name": "Great Hall",
        "cinema_name": "Odeon",
        "movie_id": None,
        "title": "Brass and Thunder",
        "starts_at": hour(18),
        "ends_at": hour(20),
        "price": 12.5,
        "language": "en",
        "format": "IMAX",
        "cancelled_at": None,
        "orphan_rule": "off",
        "orphan_share": 0.0,
        "max_per_user": None,
        "sales_start": None,
        "sales_end": None,
    }
    assert made.json == made.json | details
    path = f"{SCREENINGS}/{made.json['id']}"
    assert (await house.guest.send("GET", path)).json == made.json
    moved = await change(house, made.json["id"], starts_at=hour(21), price=9)
    assert moved.json == moved.json | details | {"starts_at": hour(21), "ends_at": hour(23), "price": 9.0}
    assert (await house.guest.send("GET", path)).json == moved.json


async def test_rules_of_sale_are_stored_and_checked(house: House) -> None:
    rules = {
        "orphan_rule": "enforce",
        "orphan_share": 0.25,
        "max_per_user": 6,
        "sales_start": hour(10),
        "sales_end": hour(17),
    }
    made = await schedule(house, await make_room(house), 18, **rules)
    assert made.status == 201, made.body
    assert made.json == made.json | rules
    kept = await change(house, made.json["id"], price=9)
    assert kept.json == kept.json | rules
    none = {"orphan_rule": "off", "max_per_user": None, "sales_start": None, "sales_end": None}
    removed = await change(house, made.json["id"], **none)
    assert removed.json == removed.json | none
    for field, value in {
        "orphan_rule": "sometimes",
        "orphan_share": 1.5,
        "max_per_user": 0,
        "sales_start": "soon",
        "sales_end": hour(10),
    }.items():
        refused = await change(house, made.json["id"], **{"sales_start": hour(11), field: value})
        assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_the_end_comes_from_the_length_of_the_movie(house: House) -> None:
    room_id = await make_room(house)
    movie_id = await add_movie(house, "Night Shift", 100)
    made = await house.admin.send(
        "POST",
        f"{SCREENINGS}/",
        {"room_id": room_id, "movie_id": movie_id, "starts_at": hour(18), "price": 9},
    )
    assert (made.json["title"], made.json["ends_at"]) == ("Night Shift", hour(20))
    in_use = execute(house.database_url, "SELECT count(*) FROM screenings WHERE movie_id = %s", movie_id)
    assert in_use == [(1,)]
    endless = await add_movie(house, "Endless", None)
    refused = await schedule(house, room_id, 12, movie_id=endless, ends_at=hour(11))
    assert list(refused.json["errors"]) == ["ends_at"]


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"room_id": 99}, "room_id"),
        ({"movie_id": 99}, "movie_id"),
        ({"starts_at": "2020-01-01T18:00:00Z"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59-14:00"}, "starts_at"),
        ({"starts_at": "2030-01-01, 18:00"}, "starts_at"),
        ({"ends_at": hour(18)}, "ends_at"),
        ({"ends_at": hour(17)}, "ends_at"),
        ({"ends_at": hour(43)}, "ends_at"),
        ({"price": -1}, "price"),
        ({"price": 1.005}, "price"),
        ({"price": 6.04e38}, "price"),
        ({"price": 1e-300}, "price"),
        ({"price": "9"}, "price"),
        ({"title": ""}, "title"),
        ({"format": ""}, "format"),
    ],
)
async def test_bad_details_are_refused_by_name(house: House, details: dict, field: str) -> None:
    refused = await schedule(house, **{"room_id": await make_room(house)} | details)
    assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_bad_changes_are_refused_by_name(house: House) -> None:
    screening, _ = await open_house(house)
    for details, field in (
        ({"ends_at": hour(18)}, "ends_at"),
        ({"starts_at": hour(-60)}, "starts_at"),
        ({"room_id": 99}, "room_id"),
        ({"movie_id": 99}, "movie_id"),
    ):
        refused = await change(house, screening, **details)
        assert (refused.status, list(refused.json["errors"])) == (422, [field])
    assert (await change(house, screening)).json["starts_at"] == hour(18)


async def test_lists_are_filtered_sorted_and_paged(house: House) -> None:
    first_room, second_room = await make_room(house), await make_room(house)
    late = await make_screening(house, first_room, 20, language="en", price=8)
    early = await make_screening(house, first_room, 10, format="IMAX", price=20)
    other = await make_screening(house, second_room, 34, title="Other")
    cinema_id = (await house.guest.send("GET", f"{SCREENINGS}/{other}")).json["cinema_id"]
    for query, expected in (
        ("", [early, late, other]),
        ("?sort=-starts_at", [other, late, early]),
        ("?sort=price", [late, other, early]),
        (f"?room_id={first_room}", [early, late]),
        (f"?cinema_id={cinema_id}", [other]),
        ("?movie_id=5", []),
        ("?language=EN", [late]),
        ("?format=imax", [early]),
        (f"?from={hour(20)}", [late, other]),
        (f"?to={hour(20)}", [early]),
        (f"?date={hour(20)[:10]}", [early, late]),
        ("?size=1&page=2", [late]),
        ("?cancelled=true", []),
    ):
        assert await ids(house, query) == expected, query
    for offset in ("-17:54", "%2B23:59"):
        assert await ids(house, f"?from=2020-01-01T00:00:00{offset}") == [early, late, other]
    beyond = "?to=9999-12-31T23:59:59-01:00"
    for query in ("?sort=nothing", "?date=today", "?from=2026-01-01T00:00:00", "?room_id=0", beyond):
        assert (await house.guest.send("GET", f"{SCREENINGS}/{query}")).status == 422


async def test_two_screenings_never_share_a_room(house: House) -> None:
    room_id = await make_room(house)
    screening = await make_screening(house, room_id, 18)
    for start in (17, 18, 19.5):
        refused = await schedule(house, room_id, start)
        assert (refused.status, refused.code) == (409, "screening_overlap")
    after = await make_screening(house, room_id, 20)
    refused = await change(house, after, starts_at=hour(19))
    assert (refused.status, refused.code) == (409, "screening_overlap")
    assert (await delete(house, screening)).status == 204
    assert (await change(house, after, starts_at=hour(19))).status == 200


async def test_only_one_of_many_overlapping_screenings_is_created(house: House) -> None:
    room_id = await make_room(house)
    answers = await asyncio.gather(*(schedule(house, room_id, 18 + n / 10) for n in range(12)))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 11}
    assert {answer.code for answer in answers if answer.status == 409} == {"screening_overlap"}


async def test_a_change_takes_effect_while_seats_are_being_chosen(house: House) -> None:
    screening, seats = await open_house(house)
    assert (await house.user(7).reserve(screening, seats[:2])).status == 201
    dear = (await house.user(8).book(screening, seats[2:3])).json[0]["price"]
    assert (await change(house, screening, price=5, starts_at=hour(15))).status == 200
    assert [r["seat_id"] for r in (await house.user(7).my_reservations()).json] == sorted(seats[:2])[::-1]
    agreed = (await house.user(7).book(screening, seats[:1])).json[0]["price"]
    cheap = (await house.user(8).book(screening, seats[3:4])).json[0]["price"]
    assert (dear, agreed, cheap) == (12.5, 12.5, 5.0)
    assert (await house.user(9).reserve(screening, seats[:1])).code == "seats_unavailable"


async def test_concurrent_changes_and_bookings_lose_nothing(house: House) -> None:
    screening, seats = await open_house(house)
    booked = [house.user(10 + n).book(screening, [seat]) for n, seat in enumerate(seats)]
    changed = [change(house, screening, price=price) for price in (1, 2, 3)]
    answers = await asyncio.gather(*booked, *changed)
    assert [answer.status for answer in answers] == [201] * len(seats) + [200] * 3
    stored = execute(house.database_url, "SELECT seat_id FROM tickets WHERE status = 'confirmed'")
    assert sorted(seat for (seat,) in stored) == sorted(seats)


async def test_it_stays_in_the_room_whose_seats_are_sold(house: House) -> None:
    screening, seats = await open_house(house)
    other_room = await make_room(house)
    await add_seats(house, other_room)
    ticket = (await house.user().book(screening, seats[:1])).json[0]["id"]
    await house.user().reserve(screening, seats[1:2])
    refused = await change(house, screening, room_id=other_room, price=1)
    assert (refused.status, refused.code) == (409, "seats_in_use")
    assert refused.json["seat_ids"] == sorted(seats[:2])
    assert (await house.guest.send("GET", f"{SCREENINGS}/{screening}")).json["price"] == 12.5
    await house.user().cancel_ticket(ticket)
    await house.user().cancel_reservations(screening)
    assert (await change(house, screening, room_id=other_room)).status == 200
    assert {s["seat"]["room_id"] for s in (await house.guest.availability(screening)).json} == {other_room}


async def test_screenings_without_sales_are_deleted_completely(house: House) -> None:
    screening, seats = await open_house(house)
    await house.user().reserve(screening, seats[:1])
    assert (await delete(house, screening)).status == 204
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/available-seats")):
        gone = await house.admin.send(
            method, f"{SCREENINGS}/{screening}{path}", {} if method == "PUT" else None
        )
        assert (gone.status, gone.code) == (404, "screening_not_found")
    assert (await house.user().reserve(screening, seats[:1])).status == 404
    assert (await house.user().my_reservations()).json == []


async def test_bookings_are_only_cancelled_on_explicit_request(house: House) -> None:
    screening, seats = await open_house(house)
    ticket = (await house.user(7).book(screening, seats[:2])).json[0]["id"]
    await house.user(8).reserve(screening, seats[2:3])
    refused = await delete(house, screening)
    assert (refused.status, refused.code) == (409, "screening_has_bookings")
    assert "cancel_bookings=true" in refused.json["detail"]
    assert (await house.user(9).reserve(screening, seats[3:4])).status == 201

    assert (await delete(house, screening, "?cancel_bookings=true")).status == 204
    assert (await house.user(7).ticket(ticket)).json["status"] == "cancelled"
    assert (await house.user(9).reserve(screening, seats[4:5])).status == 404
    assert await ids(house) == []
    assert await ids(house, "?cancelled=true") == [screening]
    shown = await house.guest.send("GET", f"{SCREENINGS}/{screening}")
    assert shown.json["cancelled_at"] is not None
    refused = await change(house, screening, price=1)
    assert (refused.status, refused.code) == (409, "screening_cancelled")
    assert (await delete(house, screening, "?cancel_bookings=true")).status == 204
    await house.restart()
    assert (await house.user(9).reserve(screening, seats[4:5])).status == 404
    by = execute(house.database_url, "SELECT actor FROM screening_events WHERE kind = 'tickets_cancelled'")
    assert by == [("user:1",)]


async def test_all_sockets_receive_the_cancellation(house: House) -> None:
    screening, seats = await open_house(house)
    await house.user(7).book(screening, seats[:2])
    await house.user(8).reserve(screening, seats[2:3])
    address = f"{house.base_url.replace('http', 'ws')}/ws/screenings/{screening}"
    async with connect(f"{address}?updates=bulk&token={house.token(9)}") as socket:
        assert json.loads(await socket.recv())["type"] == "connection_confirmed"
        assert (await delete(house, screening, "?cancel_bookings=true")).status == 204
        freed: dict[int, str] = {}
        async with asyncio.timeout(60):
            while set(freed) < set(seats[:3]) or set(freed.values()) != {"available"}:
                message = json.loads(await socket.recv())
                freed |= {update["seat_id"]: update["status"] for update in message.get("updates", [])}


async def test_all_sockets_are_told_that_the_screening_is_cancelled(house: House) -> None:
    screening, seats = await open_house(house)
    await house.user(8).reserve(screening, seats[:1])
    base, token = f"{house.base_url.replace('http', 'ws')}/ws", house.token(9)
    async with (
        connect(f"{base}/screenings/{screening}?token={token}") as watching,
        connect(f"{base}/events/{screening}?token={token}") as counting,
        connect(f"{base}/some-client-{screening}") as selecting,
        asyncio.timeout(60),
    ):
        await selecting.send(json.dumps({"type": "join_room", "room_id": f"funcion_{screening}"}))
        for socket, confirmed in (
            (watching, "connection_confirmed"),
            (counting, "seat_update"),
            (selecting, "current_selections"),
        ):
            while json.loads(await socket.recv())["type"] != confirmed:
                pass
        assert (await delete(house, screening)).status == 204
        for socket, named in (
            (watching, ("screening_id", screening)),
            (counting, ("eventId", screening)),
            (selecting, ("room_id", f"funcion_{screening}")),
        ):
            while (message := json.loads(await socket.recv()))["type"] != "screening_cancelled":
                pass
            assert named in message.items()


async def test_tickets_of_a_screening_that_has_begun_are_not_cancelled(house: House) -> None:
    screening, seats = await open_house(house)
    ticket = (await house.user(7).book(screening, seats[:1])).json[0]["id"]
    begun = "UPDATE screenings SET starts_at = now() - interval '1 min' WHERE id = %s"
    execute(house.database_url, begun, screening)
    refused = await delete(house, screening, "?cancel_bookings=true")
    assert (refused.status, refused.code) == (409, "screening_has_bookings")
    assert refused.json["detail"] == f"Tickets are sold for screening {screening} and it has begun"
    assert (await house.user(7).ticket(ticket)).json["status"] == "confirmed"


async def test_no_booking_outlives_a_deletion_at_the_same_time(house: House) -> None:
    screening, seats = await open_house(house)
    bookings = [house.user(10 + n).book(screening, [seat]) for n, seat in enumerate(seats)]
    *booked, deleted = await asyncio.gather(*bookings, delete(house, screening, "?cancel_bookings=true"))
    assert {answer.status for answer in booked} <= {201, 404, 409}
    if deleted.status != 204:
        assert deleted.code == "booking_in_progress"
        assert (await delete(house, screening, "?cancel_bookings=true")).status == 204
    live = "SELECT count(*) FROM tickets WHERE status IN ('pending', 'confirmed')"
    assert execute(house.database_url, live) == [(0,)]


async def test_available_seats_are_the_engines_with_its_version(house: House) -> None:
    screening, seats = await open_house(house)
    await house.user().reserve(screening, seats[:1])
    await house.user().book(screening, seats[1:2])
    path = f"{SCREENINGS}/{screening}/available-seats"
    free = await house.guest.send("GET", path)
    assert [seat["id"] for seat in free.json] == list(seats[2:])
    assert free.json[0].keys() == {"id", "room_id", "row_label", "seat_number", "seat_type"}
    assert free.headers["ETag"] == (await house.guest.availability(screening)).headers["ETag"]
    known = await house.guest.send("GET", path, headers={"If-None-Match": free.headers["ETag"]})
    assert known.status == 304
    missing = await house.guest.send("GET", f"{SCREENINGS}/{2**63 - 1}/available-seats")
    assert (missing.status, missing.code) == (404, "screening_not_found")


async def test_only_administrators_change_the_programme(house: House) -> None:
    screening, _ = await open_house(house)
    for caller, status in ((house.guest, 401), (house.user(), 403)):
        for method, path in (("POST", "/"), ("PUT", f"/{screening}"), ("DELETE", f"/{screening}")):
            body = None if method == "DELETE" else {"price": 1}
            assert (await caller.send(method, SCREENINGS + path, body)).status == status
    assert await ids(house) == [screening]


async def test_objects_in_use_cannot_be_deleted(house: House) -> None:
    screening, _ = await open_house(house)
    cinema_id = (await house.guest.send("GET", f"{SCREENINGS}/{screening}")).json["cinema_id"]
    refused = await house.admin.send("DELETE", f"/api/v1/cinemas/{cinema_id}")
    assert (refused.status, refused.code) == (409, "in_use")
    assert (await make(house, "/api/v1/cinemas/", {"name": "Empty"}))["id"] != cinema_id


async def test_prices_are_listed_by_the_seat_types_of_the_room(house: House) -> None:
    room_id = await make_room(house)
    screening = await make_screening(house, room_id, 18)
    path = f"{SCREENINGS}/{screening}/prices"
    assert (await house.guest.send("GET", path)).json == [], "a room without seats"
    seats = [
        {"row_label": "A", "seat_number": 1, "seat_type": "vip"},
        {"row_label": "A", "seat_number": 2},
        {"row_label": "A", "seat_number": 3},
    ]
    await house.admin.send("POST", f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": seats})
    assert (await house.guest.send("GET", path)).json == [
        {"seat_type": "standard", "price": 12.5},
        {"seat_type": "vip", "price": 17.5},
    ]
    assert (await house.guest.send("GET", f"{SCREENINGS}/999/prices")).status == 404
