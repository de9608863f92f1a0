"""Cast members over HTTP."""

import pytest

from tests.catalogue.playbill import MOVIES, add_movie
from tests.house import House

pytestmark = pytest.mark.gen_test

CASTS = "/api/v1/casts"


async def cast(house: House, movie_id: int, name: str, **details: object) -> int:
    created = await house.admin.send("POST", f"{CASTS}/", {"movie_id": movie_id, "name": name, **details})
    assert created.status == 201, created.body
    return created.json["id"]


async def names(house: House, path: str) -> list[str]:
    answer = await house.guest.send("GET", path)
    assert answer.status == 200, answer.body
    return [member["name"] for member in answer.json]


async def test_the_life_of_a_cast_member(house: House) -> None:
    movie_id = await add_movie(house, "Night Shift")
    cast_id = await cast(house, movie_id, "Ada Example", character_name="The Astronomer", billing_order=1)
    shown = (await house.guest.send("GET", f"{CASTS}/{cast_id}")).json
    assert shown == shown | {"movie_id": movie_id, "role": "actor", "photo_url": None, "billing_order": 1}
    changed = await house.admin.send("PUT", f"{CASTS}/{cast_id}", {"role": "director"})
    assert changed.json == shown | {"role": "director", "updated_at": changed.json["updated_at"]}
    assert (await house.admin.send("DELETE", f"{CASTS}/{cast_id}")).status == 204
    gone = await house.guest.send("GET", f"{CASTS}/{cast_id}")
    assert (gone.status, gone.code) == (404, "cast_member_not_found")


async def test_lists(house: House) -> None:
    first, second = await add_movie(house, "First"), await add_movie(house, "Second")
    for movie_id, name, order in ((first, "Zoé", 1), (first, "Ann", 2), (second, "Bob", 1)):
        await cast(house, movie_id, name, billing_order=order, role="writer" if name == "Ann" else "actor")
    assert await names(house, f"{CASTS}/") == ["Ann", "Bob", "Zoé"]
    assert await names(house, f"{CASTS}/?movie_id={second}") == ["Bob"]
    assert await names(house, f"{CASTS}/?name=zoe") == ["Zoé"]
    for path in (f"{CASTS}/movie/{first}", f"{MOVIES}/{first}/cast"):
        assert await names(house, path) == ["Zoé", "Ann"]
        assert await names(house, f"{path}?role=Writer") == ["Ann"]
        assert await names(house, f"{path}?size=1&page=2") == ["Ann"]


async def test_the_detailed_cast_knows_other_movies(house: House) -> None:
    old = await add_movie(house, "Old", release_date="1990-01-01")
    new = await add_movie(house, "New", release_date="2020-01-01")
    third = await add_movie(house, "Third")
    for movie_id in (old, new, third):
        await cast(house, movie_id, "Ada Example", role="director")
    await cast(house, third, "Nobody Else", billing_order=1)
    known, unknown = (await house.guest.send("GET", f"{MOVIES}/{third}/cast")).json
    assert [movie["title"] for movie in known["other_movies"]] == ["New", "Old"]
    assert known["other_movies"][0] == {
        "movie_id": new,
        "title": "New",
        "role": "director",
        "character_name": "",
    }
    assert unknown["other_movies"] == []


async def test_a_cast_member_is_in_a_movie_that_exists(house: House) -> None:
    refused = await house.admin.send("POST", f"{CASTS}/", {"movie_id": 999, "name": "Ada"})
    assert (refused.status, list(refused.json["errors"])) == (422, ["movie_id"])
    cast_id = await cast(house, await add_movie(house, "Night Shift"), "Ada")
    refused = await house.admin.send("PUT", f"{CASTS}/{cast_id}", {"movie_id": 999})
    assert (refused.status, list(refused.json["errors"])) == (422, ["movie_id"])
    for path in (f"{CASTS}/movie/999", f"{MOVIES}/999/cast"):
        gone = await house.guest.send("GET", path)
        assert (gone.status, gone.code) == (404, "movie_not_found")


async def test_only_administrators_change_the_cast(house: House) -> None:
    cast_id = await cast(house, await add_movie(house, "Night Shift"), "Ada")
    for method, path in (("POST", "/"), ("PUT", f"/{cast_id}"), ("DELETE", f"/{cast_id}")):
        for caller, status in ((house.guest, 401), (house.user(), 403)):
            assert (await caller.send(method, CASTS + path, {"name": "Me"})).status == status
