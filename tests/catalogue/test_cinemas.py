"""Cinemas: made, listed, searched, changed and deleted over HTTP."""

import pytest

from tests.house import House

pytestmark = pytest.mark.gen_test

CINEMAS = "/api/v1/cinemas"


async def create(house: House, name: str, **details: object) -> int:
    created = await house.admin.send("POST", f"{CINEMAS}/", {"name": name, **details})
    assert created.status == 201, created.body
    return created.json["id"]


async def names(house: House, query: str) -> list[str]:
    answer = await house.guest.send("GET", CINEMAS + query)
    assert answer.status == 200, answer.body
    return [cinema["name"] for cinema in answer.json]


async def test_the_life_of_a_cinema(house: House) -> None:
    details = {"city": "Köln", "amenities": ["Bar"], "latitude": 50.94, "longitude": 6.96}
    cinema_id = await create(house, "Odeon", **details)
    shown = (await house.guest.send("GET", f"{CINEMAS}/{cinema_id}")).json
    assert shown == shown | details | {"id": cinema_id, "name": "Odeon", "address": "", "phone": ""}
    changed = await house.admin.send("PATCH", f"{CINEMAS}/{cinema_id}", {"city": "Bonn"})
    assert (changed.json["city"], changed.json["amenities"]) == ("Bonn", ["Bar"])
    assert changed.json["updated_at"] > shown["updated_at"]
    assert (await house.guest.send("GET", f"{CINEMAS}/{cinema_id}/amenities")).json == ["Bar"]
    assert (await house.admin.send("DELETE", f"{CINEMAS}/{cinema_id}")).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = await house.admin.send(method, f"{CINEMAS}/{cinema_id}", {} if method == "PATCH" else None)
        assert (gone.status, gone.code) == (404, "cinema_not_found")


async def test_lists_are_paged_filtered_and_sorted(house: House) -> None:
    for name, city in (("Rex", "Bonn"), ("Astor", "Berlin"), ("Lux", "bonn")):
        await create(house, name, city=city)
    assert await names(house, "/") == ["Astor", "Lux", "Rex"]
    assert await names(house, "/?sort=-name") == ["Rex", "Lux", "Astor"]
    assert await names(house, "/?city=BONN") == ["Lux", "Rex"]
    page = await house.guest.send("GET", f"{CINEMAS}/?size=1&page=2&city=bonn")
    assert [cinema["name"] for cinema in page.json] == ["Rex"]
    assert page.headers["X-Total-Count"] == "2"
    assert f'<{CINEMAS}/?size=1&page=1&city=bonn>; rel="prev"' in page.headers["Link"]
    assert 'rel="next"' not in page.headers["Link"]
    assert await names(house, "/?page=9") == []


async def test_search_tolerates_accents_case_and_typing_errors(house: House) -> None:
    for name in ("Café Lumière", "Rialto", "100% Kino"):
        await create(house, name)
    assert await names(house, "/search?q=cafe%20lumire") == ["Café Lumière"]
    assert await names(house, "/search?q=RIALTO") == ["Rialto"]
    for plain_text in ("%25", "_", "'%3B%20DROP%20TABLE%20cinemas", "%F0%9F%8E%AC", "%5C"):
        await names(house, f"/search?q={plain_text}")
    assert len(await names(house, "/")) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x\x00"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "latitude": 91}, "latitude"),
        ({"name": "x", "amenities": "Bar"}, "amenities"),
        ({"name": "x", "city": None}, "city"),
    ],
)
async def test_bad_details_are_refused_by_name(house: House, body: dict, field: str) -> None:
    refused = await house.admin.send("POST", f"{CINEMAS}/", body)
    assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_only_administrators_change_cinemas(house: House) -> None:
    cinema_id = await create(house, "Odeon")
    for method, path in (("POST", "/"), ("PATCH", f"/{cinema_id}"), ("DELETE", f"/{cinema_id}")):
        for caller, status in ((house.guest, 401), (house.user(), 403)):
            answer = await caller.send(method, CINEMAS + path, {"name": "Mine"})
            assert answer.status == status
    assert await names(house, "/") == ["Odeon"]
