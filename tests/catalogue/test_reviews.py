"""Reviews over HTTP: written, read, reacted to, and counted correctly under concurrent writers."""

import asyncio

import pytest

from tests.api.caller import Response
from tests.catalogue.people import open_accounts
from tests.catalogue.playbill import MOVIES, add_movie
from tests.house import House

pytestmark = pytest.mark.gen_test


async def review(house: House, movie_id: int, user_id: int, rating: int, comment: str = "") -> Response:
    body = {"rating": rating, "comment": comment}
    return await house.user(user_id).send("POST", f"{MOVIES}/{movie_id}/reviews", body)


async def react(house: House, review_id: int, user_id: int, reaction: str) -> Response:
    return await house.user(user_id).send(
        "POST", f"{MOVIES}/reviews/{review_id}/react", {"reaction": reaction}
    )


async def summary(house: House, movie_id: int) -> dict:
    answer = await house.guest.send("GET", f"{MOVIES}/{movie_id}/reviews/summary")
    assert answer.status == 200, answer.body
    return answer.json


@pytest.fixture
def reviewers(house: House) -> range:
    """Ids of users with accounts."""
    user_ids = range(7, 20)
    open_accounts(house, *user_ids)
    return user_ids


async def test_the_life_of_a_review(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    written = await review(house, movie_id, 7, 4, "Quiet. 🎬")
    assert written.status == 201
    shown = written.json
    assert shown == shown | {"movie_id": movie_id, "user_id": 7, "user_name": "User 7", "rating": 4}
    path = f"{MOVIES}/reviews/{shown['id']}"
    assert (await house.guest.send("GET", path)).json == shown
    changed = await house.user(7).send("PUT", path, {"rating": 5})
    assert changed.json == shown | {"rating": 5, "updated_at": changed.json["updated_at"]}
    movie = (await house.guest.send("GET", f"{MOVIES}/{movie_id}")).json
    assert (movie["average_rating"], movie["review_count"]) == (5, 1)
    assert (await house.user(7).send("DELETE", path)).status == 204
    gone = await house.guest.send("GET", path)
    assert (gone.status, gone.code) == (404, "review_not_found")


async def test_one_review_per_user_and_movie(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    answers = await asyncio.gather(*(review(house, movie_id, 7, 3) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201, *[409] * 5]
    assert {answer.code for answer in answers if answer.status == 409} == {"review_exists"}
    assert (await summary(house, movie_id))["review_count"] == 1


async def test_lists(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    ids = [(await review(house, movie_id, user_id, user_id - 6)).json["id"] for user_id in (7, 8, 9)]
    await react(house, ids[1], 7, "like")
    path = f"{MOVIES}/{movie_id}/reviews"
    for query, ratings in (
        ("", [3, 2, 1]),
        ("?sort=rating", [1, 2, 3]),
        ("?sort=-likes", [2, 3, 1]),
        ("?rating=2", [2]),
        ("?size=2&page=2", [1]),
    ):
        answer = await house.guest.send("GET", path + query)
        assert [shown["rating"] for shown in answer.json] == ratings, query


async def test_only_the_author_changes_a_review(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    path = f"{MOVIES}/reviews/{(await review(house, movie_id, 7, 1)).json['id']}"
    for method in ("PUT", "DELETE"):
        refused = await house.user(8).send(method, path, {"rating": 5})
        assert (refused.status, refused.code) == (403, "not_the_author")
        assert (await house.guest.send(method, path, {"rating": 5})).status == 401
    assert (await house.admin.send("PUT", path, {"rating": 5})).code == "not_the_author"
    assert (await house.guest.send("GET", path)).json["rating"] == 1
    assert (await house.admin.send("DELETE", path)).status == 204


async def test_a_reaction_replaces_another_and_is_taken_back_by_repetition(
    house: House, reviewers: range
) -> None:
    review_id = (await review(house, await add_movie(house, "Night Shift"), 7, 5)).json["id"]
    for user_id, reaction, left, likes, dislikes in (
        (8, "like", "like", 1, 0),
        (9, "like", "like", 2, 0),
        (8, "dislike", "dislike", 1, 1),
        (8, "dislike", None, 1, 0),
    ):
        shown = (await react(house, review_id, user_id, reaction)).json
        assert (shown["reaction"], shown["likes"], shown["dislikes"]) == (left, likes, dislikes)


async def test_concurrent_reactions_are_serialised(house: House, reviewers: range) -> None:
    review_id = (await review(house, await add_movie(house, "Night Shift"), 7, 5)).json["id"]
    answers = await asyncio.gather(*(react(house, review_id, 8, "like") for _ in range(10)))
    assert sorted(str(answer.json["reaction"]) for answer in answers) == ["None"] * 5 + ["like"] * 5
    assert (await house.guest.send("GET", f"{MOVIES}/reviews/{review_id}")).json["likes"] == 0


async def test_the_summary_is_right_under_concurrent_writers(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    unrated = {str(rating): 0 for rating in range(1, 6)}
    assert await summary(house, movie_id) == {
        "movie_id": movie_id,
        "average_rating": None,
        "review_count": 0,
        "histogram": unrated,
    }

    async def write_and_think_again(user_id: int) -> None:
        written = await review(house, movie_id, user_id, 1)
        path = f"{MOVIES}/reviews/{written.json['id']}"
        if user_id % 3:
            await house.user(user_id).send("PUT", path, {"rating": 4 + user_id % 2})
        else:
            await house.user(user_id).send("DELETE", path)

    await asyncio.gather(*map(write_and_think_again, reviewers))
    left = [4 + user_id % 2 for user_id in reviewers if user_id % 3]
    assert await summary(house, movie_id) == {
        "movie_id": movie_id,
        "average_rating": round(sum(left) / len(left), 2),
        "review_count": len(left),
        "histogram": unrated | {"4": left.count(4), "5": left.count(5)},
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rating"),
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": 4.5}, "rating"),
        ({"rating": 5, "comment": "x" * 5001}, "comment"),
    ],
)
async def test_bad_reviews_are_refused_by_name(house: House, body: dict, field: str) -> None:
    movie_id = await add_movie(house, "Night Shift")
    refused = await house.user(7).send("POST", f"{MOVIES}/{movie_id}/reviews", body)
    assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_refusals(house: House, reviewers: range) -> None:
    movie_id = await add_movie(house, "Night Shift")
    for refused, status, code in (
        (await review(house, 999, 7, 5), 404, "movie_not_found"),
        (await review(house, movie_id, 999, 5), 404, "user_not_found"),
        (await house.guest.send("GET", f"{MOVIES}/999/reviews"), 404, "movie_not_found"),
        (await house.guest.send("GET", f"{MOVIES}/999/reviews/summary"), 404, "movie_not_found"),
        (await react(house, 999, 7, "like"), 404, "review_not_found"),
        (await react(house, 999, 7, "love"), 422, "invalid_input"),
        (await house.user(7).send("PUT", f"{MOVIES}/reviews/999", {"rating": 1}), 404, "review_not_found"),
        (await house.guest.send("POST", f"{MOVIES}/{movie_id}/reviews", {}), 401, "not_authenticated"),
    ):
        assert (refused.status, refused.code) == (status, code)
