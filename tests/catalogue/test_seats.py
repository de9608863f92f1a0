"""Seats: created in bulk, repeatably, and on sale immediately."""

import asyncio
from typing import Any

import pytest

from api.catalogue.seats import SEATS_PER_CALL, row_position
from tests.api.caller import Response
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.house import House

gen_test = pytest.mark.gen_test


def seat(row: str, number: int, **more: object) -> dict[str, Any]:
    return {"row_label": row, "seat_number": number, **more}


async def create(house: House, room_id: int, *seats: dict[str, Any]) -> Response:
    return await house.admin.send("POST", f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": seats})


async def places(house: House, room_id: int, query: str = "") -> list[str]:
    listed = await house.guest.send("GET", f"/api/v1/rooms/{room_id}/seats/{query}")
    assert listed.status == 200, listed.body
    return [f"{seat['row_label']}{seat['seat_number']}" for seat in listed.json]


@gen_test
async def test_seats_have_types_and_places(house: House) -> None:
    room_id = await make_room(house)
    made = await create(house, room_id, seat("B", 2, seat_type="vip", x=2.501, y=6.8e-61), seat("A", 7))
    assert made.status == 201
    first, second = made.json
    assert first == {"id": first["id"], "room_id": room_id, **seat("A", 7, seat_type="standard", x=7, y=1)}
    assert second == {"id": second["id"], "room_id": room_id, **seat("B", 2, seat_type="vip", x=2.5, y=0)}
    assert (await house.guest.send("GET", f"/api/v1/rooms/{room_id}")).json["seat_count"] == 2


@gen_test
async def test_lists_go_from_the_first_row_and_are_filtered_and_paged(house: House) -> None:
    room_id = await make_room(house)
    await create(house, room_id, seat("AA", 1), seat("B", 10), seat("B", 9, seat_type="vip"), seat("A", 1))
    assert await places(house, room_id) == ["A1", "B9", "B10", "AA1"]
    assert await places(house, room_id, "?row_label=B") == ["B9", "B10"]
    assert await places(house, room_id, "?seat_type=vip") == ["B9"]
    assert await places(house, room_id, "?size=3&page=2") == ["AA1"]
    whole = await house.guest.send("GET", f"/api/v1/rooms/{room_id}/seats")
    assert (whole.headers["X-Total-Count"], "Link" in whole.headers) == ("4", False)
    missing = await house.guest.send("GET", "/api/v1/rooms/99/seats")
    assert (missing.status, missing.code) == (404, "room_not_found")


@gen_test
async def test_the_same_seats_again_change_nothing(house: House) -> None:
    room_id = await make_room(house)
    plan = [seat("A", 1, x=0.1), seat("A", 2, seat_type="wheelchair")]
    made = await create(house, room_id, *plan)
    version = (await house.guest.send("GET", f"/api/v1/rooms/{room_id}")).json["layout_version"]
    again = await create(house, room_id, *plan, plan[0])
    assert (again.status, again.json) == (201, made.json)
    more = await create(house, room_id, *plan, seat("A", 3))
    assert [entry["seat_number"] for entry in more.json] == [1, 2, 3]
    assert (await house.guest.send("GET", f"/api/v1/rooms/{room_id}")).json["layout_version"] > version


@gen_test
async def test_conflicts_are_listed_by_seat_and_nothing_is_created(house: House) -> None:
    room_id = await make_room(house)
    first, second, _ = (await create(house, room_id, seat("A", 1), seat("A", 2), seat("A", 3))).json
    refused = await create(
        house, room_id, seat("A", 1, seat_type="vip"), seat("A", 2, x=9, y=9), seat("A", 3), seat("A", 4)
    )
    assert (refused.status, refused.code) == (409, "seat_conflict")
    assert refused.json["conflicts"] == [
        {"seat_id": first["id"], **seat("A", 1), "differs": ["seat_type"]},
        {"seat_id": second["id"], **seat("A", 2), "differs": ["x", "y"]},
    ]
    assert await places(house, room_id) == ["A1", "A2", "A3"]


@gen_test
@pytest.mark.parametrize(
    ("seats", "field"),
    [
        ([], "seats"),
        ("A1", "seats"),
        ([seat("A", 0)], "seats"),
        ([seat("A", "1")], "seats"),
        ([seat("", 1)], "seats"),
        ([seat("A\x00", 1)], "seats"),
        ([seat("A", 1, x=-1)], "seats"),
        ([seat("A", 1), seat("A", 1, seat_type="vip")], "seats"),
        ([seat("A", 1, seat_type="throne")], "seat_type"),
        ([seat("A", 1)] * (SEATS_PER_CALL + 1), "seats"),
    ],
)
async def test_bad_plans_are_refused_by_name(house: House, seats: object, field: str) -> None:
    room_id = await make_room(house)
    refused = await house.admin.send("POST", f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": seats})
    assert (refused.status, list(refused.json["errors"])) == (422, [field])
    assert await places(house, room_id) == []


@gen_test
async def test_the_number_of_seats_per_call_is_limited(house: House) -> None:
    room_id = await make_room(house)
    plan = [
        seat("AA", n, seat_type="wheelchair", x=n + 0.123456, y=12.345678)
        for n in range(1, SEATS_PER_CALL + 1)
    ]
    made = await create(house, room_id, *plan)
    assert (made.status, len(made.json)) == (201, SEATS_PER_CALL)


@gen_test
async def test_concurrent_calls_create_every_seat_once(house: House) -> None:
    room_id = await make_room(house)
    plan = [seat("A", number) for number in range(1, 21)]
    answers = await asyncio.gather(*(create(house, room_id, *plan) for _ in range(6)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert len(await places(house, room_id)) == 20


@gen_test
async def test_new_seats_are_on_sale_immediately_and_holds_are_kept(house: House) -> None:
    room_id = await make_room(house)
    old = await add_seats(house, room_id, rows="A")
    screening = await make_screening(house, room_id)
    assert (await house.user(7).reserve(screening, old[:1])).status == 201
    assert (await house.user(7).book(screening, old[1:2])).status == 201
    new = await add_seats(house, room_id, rows="B")
    assert (await house.user(8).reserve(screening, [new[0]])).status == 201
    states = {s["seat"]["id"]: s["status"] for s in (await house.guest.availability(screening)).json}
    assert [states[id_] for id_ in (*old, *new)] == [
        "reserved",
        "booked",
        "available",
        "reserved",
        "available",
        "available",
    ]


@gen_test
async def test_only_administrators_create_seats(house: House) -> None:
    room_id = await make_room(house)
    for caller, status in ((house.guest, 401), (house.user(), 403)):
        answer = await caller.send("POST", f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": [seat("A", 1)]})
        assert answer.status == status
    missing = await create(house, 99, seat("A", 1))
    assert (missing.status, missing.code) == (404, "room_not_found")


@pytest.mark.parametrize(
    ("label", "position"), [("A", 1), ("z", 26), ("AB", 28), ("7", 7), ("Ä", 0), ("A1", 0), ("²", 0)]
)
def test_rows_are_positioned_by_their_labels(label: str, position: float) -> None:
    assert row_position(label) == position
