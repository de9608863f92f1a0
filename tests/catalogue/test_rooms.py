"""Rooms: made in a cinema, listed and read."""

import pytest

from tests.catalogue.programme import make, make_room
from tests.house import House

pytestmark = pytest.mark.gen_test


async def test_rooms_belong_to_a_cinema(house: House) -> None:
    lux, rex = [(await make(house, "/api/v1/cinemas/", {"name": name}))["id"] for name in ("Lux", "Rex")]
    studio = await make_room(house, "Studio", lux)
    hall = await make_room(house, "Hall", lux)
    await make_room(house, "Hall", rex)
    listed = await house.guest.send("GET", f"/api/v1/cinemas/{lux}/rooms/")
    assert [room["id"] for room in listed.json] == [hall, studio]
    assert listed.headers["X-Total-Count"] == "2"
    page = await house.guest.send("GET", f"/api/v1/cinemas/{lux}/rooms?sort=-name&size=1")
    assert [room["name"] for room in page.json] == ["Studio"]
    shown = (await house.guest.send("GET", f"/api/v1/rooms/{studio}")).json
    assert shown == shown | {"id": studio, "cinema_id": lux, "name": "Studio", "seat_count": 0}


async def test_names_are_unique_within_a_cinema(house: House) -> None:
    cinema_id = (await make(house, "/api/v1/cinemas/", {"name": "Lux"}))["id"]
    await make_room(house, "Hall", cinema_id)
    again = await house.admin.send("POST", f"/api/v1/cinemas/{cinema_id}/rooms/", {"name": "Hall"})
    assert (again.status, again.code) == (409, "room_exists")


async def test_unknown_objects_are_not_found(house: House) -> None:
    for method, path, code in (
        ("GET", "/api/v1/rooms/9", "room_not_found"),
        ("GET", "/api/v1/cinemas/9/rooms/", "cinema_not_found"),
        ("POST", "/api/v1/cinemas/9/rooms/", "cinema_not_found"),
    ):
        answer = await house.admin.send(method, path, {"name": "Hall"} if method == "POST" else None)
        assert (answer.status, answer.code) == (404, code)


async def test_a_cinema_with_rooms_cannot_be_deleted(house: House) -> None:
    cinema_id = (await make(house, "/api/v1/cinemas/", {"name": "Lux"}))["id"]
    await make_room(house, "Hall", cinema_id)
    refused = await house.admin.send("DELETE", f"/api/v1/cinemas/{cinema_id}")
    assert (refused.status, refused.code) == (409, "in_use")


async def test_only_administrators_create_rooms(house: House) -> None:
    cinema_id = (await make(house, "/api/v1/cinemas/", {"name": "Lux"}))["id"]
    for caller, status in ((house.guest, 401), (house.user(), 403)):
        answer = await caller.send("POST", f"/api/v1/cinemas/{cinema_id}/rooms/", {"name": "Mine"})
        assert answer.status == status
