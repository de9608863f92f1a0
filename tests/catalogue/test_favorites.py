"""Favourite cinemas over HTTP."""

import asyncio

import pytest

from tests.catalogue.people import open_accounts
from tests.house import House

pytestmark = pytest.mark.gen_test

CINEMAS = "/api/v1/cinemas"


async def add_cinema(house: House, name: str) -> int:
    return (await house.admin.send("POST", f"{CINEMAS}/", {"name": name})).json["id"]


async def favourites(house: House, user_id: int = 7, query: str = "") -> list[str]:
    answer = await house.user(user_id).send("GET", f"{CINEMAS}/favorites{query}")
    assert answer.status == 200, answer.body
    return [cinema["name"] for cinema in answer.json]


async def test_favourites_are_added_listed_and_removed(house: House) -> None:
    open_accounts(house, 7, 8)
    odeon, rex = await add_cinema(house, "Odeon"), await add_cinema(house, "Rex")
    for cinema_id in (odeon, rex):
        added = await house.user().send("POST", f"{CINEMAS}/{cinema_id}/favorite")
        assert (added.status, added.json["id"]) == (201, cinema_id)
    assert await favourites(house) == ["Rex", "Odeon"]
    assert await favourites(house, query="?size=1&page=2") == ["Odeon"]
    assert await favourites(house, user_id=8) == []
    assert (await house.user().send("DELETE", f"{CINEMAS}/{rex}/favorite")).status == 204
    assert await favourites(house) == ["Odeon"]


async def test_adding_twice_is_adding_once(house: House) -> None:
    open_accounts(house, 7)
    cinema_id = await add_cinema(house, "Odeon")
    path = f"{CINEMAS}/{cinema_id}/favorite"
    added = await asyncio.gather(*(house.user().send("POST", path) for _ in range(5)))
    assert {(answer.status, answer.body) for answer in added} == {(201, added[0].body)}
    assert await favourites(house) == ["Odeon"]
    for _ in range(2):
        assert (await house.user().send("DELETE", path)).status == 204


async def test_refusals(house: House) -> None:
    cinema_id = await add_cinema(house, "Odeon")
    for method in ("POST", "DELETE"):
        gone = await house.user().send(method, f"{CINEMAS}/999/favorite")
        assert (gone.status, gone.code) == (404, "cinema_not_found")
        assert (await house.guest.send(method, f"{CINEMAS}/{cinema_id}/favorite")).status == 401
    assert (await house.guest.send("GET", f"{CINEMAS}/favorites")).status == 401
    stranger = await house.user(999).send("POST", f"{CINEMAS}/{cinema_id}/favorite")
    assert (stranger.status, stranger.code) == (404, "user_not_found")
    assert await favourites(house, 999) == []
