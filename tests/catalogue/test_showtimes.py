"""Showtimes: the public view of screenings, with the engine's data about their seats."""

import pytest

from tests.catalogue.programme import add_seats, hour, make, make_room, make_screening, open_house
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test

SHOWTIMES = "/api/v1/showtimes"


async def show(house: House, path: str = ""):
    answer = await house.guest.send("GET", SHOWTIMES + path)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_showtime_counts_its_free_seats(house: House) -> None:
    screening, seats = await open_house(house)
    shown = await show(house, f"/{screening}")
    assert shown == shown | {
        "id": screening,
        "title": "Brass and Thunder",
        "cinema_name": "Odeon",
        "room_name": "Great Hall",
        "starts_at": hour(18),
        "price": 12.5,
        "total_seats": 6,
        "available_seats": 6,
    }
    await house.user(7).reserve(screening, seats[:2])
    await house.user(8).book(screening, seats[2:3])
    await house.user(8).book(screening, seats[3:4], payment_pending=True)
    assert (await show(house, f"/{screening}"))["available_seats"] == 2
    await house.user(7).my_reservations()  # returns once the reservations are written
    assert [entry["available_seats"] for entry in await show(house, "/")] == [2]


async def test_seats_match_the_availability(house: House) -> None:
    screening, seats = await open_house(house)
    await house.user(7).reserve(screening, seats[:1])
    shown = await house.guest.send("GET", f"{SHOWTIMES}/{screening}/seats")
    available = await house.guest.availability(screening)
    assert (shown.body, shown.headers["ETag"]) == (available.body, available.headers["ETag"])
    known = await house.guest.send(
        "GET", f"{SHOWTIMES}/{screening}/seats", headers={"If-None-Match": shown.headers["ETag"]}
    )
    assert known.status == 304


async def test_lists_contain_future_showtimes(house: House) -> None:
    room_id = await make_room(house)
    await add_seats(house, room_id)
    over = await make_screening(house, room_id, 10)
    soon = await make_screening(house, room_id, 13)
    later = await make_screening(house, room_id, 16, language="fr")
    cancelled = await make_screening(house, room_id, 19)
    past = "UPDATE screenings SET starts_at = now() - interval '1 h', ends_at = now() WHERE id = %s"
    execute(house.database_url, past, over)
    await house.admin.send("DELETE", f"/api/v1/screenings/{cancelled}")
    for query, expected in (
        ("/", [soon, later]),
        ("/?sort=-starts_at", [later, soon]),
        ("/?language=FR", [later]),
        (f"/?to={hour(16)}", [soon]),
        ("/?from=2020-01-01T00:00:00Z", [over, soon, later]),
        ("/?city=Nowhere", []),
        ("/?size=1&page=2", [later]),
    ):
        assert [entry["id"] for entry in await show(house, query)] == expected, query
    cinema_id = (await show(house, "/"))[0]["cinema_id"]
    of_cinema = await house.guest.send("GET", f"/api/v1/cinemas/{cinema_id}/showtimes")
    assert [entry["id"] for entry in of_cinema.json] == [soon, later]
    assert of_cinema.headers["X-Total-Count"] == "2"
    decided = await house.guest.send("GET", f"/api/v1/cinemas/{cinema_id}/showtimes?cinema_id=999")
    assert (decided.status, list(decided.json["errors"])) == (422, ["cinema_id"])


async def test_a_cinema_lists_its_upcoming_movies(house: House) -> None:
    made = [await make(house, "/api/v1/movies/", {"title": title}) for title in ("Zoo", "Air", "Nowhere")]
    zoo, air, _ = (movie["id"] for movie in made)
    room_id = await make_room(house)
    for start, movie_id in ((10, zoo), (13, zoo), (16, air)):
        screening = await make_screening(house, room_id, start, movie_id=movie_id)
    cinema_id = (await show(house, f"/{screening}"))["cinema_id"]
    path = f"/api/v1/cinemas/{cinema_id}/movies"
    listed = await house.guest.send("GET", path)
    assert [movie["title"] for movie in listed.json] == ["Air", "Zoo"]
    assert [m["title"] for m in (await house.guest.send("GET", f"{path}?sort=-title&size=1")).json] == ["Zoo"]
    of_movie = await house.guest.send("GET", f"/api/v1/movies/{zoo}/showtimes")
    assert [entry["starts_at"] for entry in of_movie.json] == [hour(10), hour(13)]
    await house.admin.send("DELETE", f"/api/v1/screenings/{screening}")
    assert [movie["title"] for movie in (await house.guest.send("GET", path)).json] == ["Zoo"]
    in_use = await house.admin.send("DELETE", f"/api/v1/movies/{zoo}")
    assert (in_use.status, in_use.code) == (409, "in_use")
    assert (await house.admin.send("DELETE", f"/api/v1/movies/{air}")).status == 204


async def test_unknown_objects_are_not_found(house: House) -> None:
    for path, code in (
        (f"{SHOWTIMES}/9", "showtime_not_found"),
        (f"{SHOWTIMES}/9/seats", "screening_not_found"),
        ("/api/v1/cinemas/9/showtimes", "cinema_not_found"),
        (f"{SHOWTIMES}/{2**64}", "not_found"),
    ):
        answer = await house.guest.send("GET", path)
        assert (answer.status, answer.code) == (404, code)
