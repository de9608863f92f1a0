"""Movies over HTTP: managed, searched, filtered, and listed by sales and by recommendations."""

from urllib.parse import quote

import pytest

from persistence.catalogue.movies import MOVIES as MOVIES_TABLE
from tests.catalogue.people import open_accounts
from tests.catalogue.playbill import MOVIES, add_hall, add_movie, day, schedule, titles
from tests.database import connect, execute
from tests.house import House

pytestmark = pytest.mark.gen_test

FILMS = {
    "Alien Harvest": {"genre": "Horror", "language": "English", "rating": "R", "imdb_rating": 7.9},
    "Brass and Thunder": {"genre": "Comedy", "language": "English", "director": "Ada Marlowe"},
    "Cafè Lumière": {"genre": "Drama", "language": "French", "duration_minutes": 88},
    "Night Shift": {"genre": "Drama", "rating": "PG-13", "duration_minutes": 120, "imdb_rating": 6.5},
}
RELEASED = {
    "Alien Harvest": "1979-05-25",
    "Brass and Thunder": "1999-12-31",
    "Cafè Lumière": "2000-01-01",
    "Night Shift": "2004-03-01",
}


async def add_films(house: House) -> dict[str, int]:
    return {
        title: await add_movie(house, title, release_date=RELEASED[title], **details)
        for title, details in FILMS.items()
    }


async def test_the_life_of_a_movie(house: House) -> None:
    details = {"genre": "Drama", "duration_minutes": 97, "release_date": "2026-08-21", "imdb_rating": 7.5}
    movie_id = await add_movie(house, "La última panadería", **details)
    shown = (await house.guest.send("GET", f"{MOVIES}/{movie_id}")).json
    unsaid = {"description": "", "poster_url": None, "average_rating": None, "review_count": 0}
    assert shown == shown | details | unsaid | {"id": movie_id, "title": "La última panadería"}
    changed = await house.admin.send("PATCH", f"{MOVIES}/{movie_id}", {"duration_minutes": None})
    assert changed.json == shown | {"duration_minutes": None, "updated_at": changed.json["updated_at"]}
    assert (await house.admin.send("DELETE", f"{MOVIES}/{movie_id}")).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = await house.admin.send(method, f"{MOVIES}/{movie_id}", {} if method == "PATCH" else None)
        assert (gone.status, gone.code) == (404, "movie_not_found")


async def test_a_scheduled_movie_cannot_be_deleted(house: House) -> None:
    movie_id = await add_movie(house, "Night Shift")
    schedule(house, add_hall(house), movie_id)
    refused = await house.admin.send("DELETE", f"{MOVIES}/{movie_id}")
    assert (refused.status, refused.code) == (409, "in_use")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": " " * 301}, "title"),
        ({"title": "x", "imdb_rating": 10.1}, "imdb_rating"),
        ({"title": "x", "duration_minutes": 0}, "duration_minutes"),
        ({"title": "x", "duration_minutes": 90.5}, "duration_minutes"),
        ({"title": "x", "release_date": "31.12.1999"}, "release_date"),
        ({"title": "x", "poster_url": "javascript:alert(1)"}, "poster_url"),
    ],
)
async def test_bad_details_are_refused_by_name(house: House, body: dict, field: str) -> None:
    refused = await house.admin.send("POST", f"{MOVIES}/", body)
    assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_only_administrators_change_movies(house: House) -> None:
    movie_id = await add_movie(house, "Night Shift")
    for method, path in (("POST", "/"), ("PATCH", f"/{movie_id}"), ("DELETE", f"/{movie_id}")):
        for caller, status in ((house.guest, 401), (house.user(), 403)):
            assert (await caller.send(method, MOVIES + path, {"title": "Mine"})).status == status
    assert await titles(house, "/") == ["Night Shift"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "ABCN"),
        ("?sort=-title", "NCBA"),
        ("?sort=-release_date&size=2&page=2", "BA"),
        ("?sort=-imdb_rating", "ANBC"),
        ("?genre=drama", "CN"),
        ("?genre=drama&language=FRENCH", "C"),
        ("?director=ada%20marlowe", "B"),
        ("?rating=pg-13", "N"),
        ("?min_imdb_rating=6.5", "AN"),
        ("?year=1999", "B"),
        ("?year_from=1999&year_to=2000", "BC"),
        ("?min_duration=88&max_duration=119", "C"),
        ("?genre=Dra%25", ""),
    ],
)
async def test_filters_and_orders(house: House, query: str, found: str) -> None:
    await add_films(house)
    for path in ("/", "/filter"):
        assert "".join(title[0] for title in await titles(house, path + query)) == found


@pytest.mark.parametrize(
    "query", ["sort=relevance", "year=MMI", "cinema_id=0", "date=tomorrow", "min_imdb_rating=nan", "size=201"]
)
async def test_bad_criteria_are_refused_by_name(house: House, query: str) -> None:
    refused = await house.guest.send("GET", f"{MOVIES}/filter?{query}")
    assert (refused.status, list(refused.json["errors"])) == (422, [query.partition("=")[0]])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cafe%20lumiere", "Cafè Lumière"),
        ("LUMI%C3%88RE", "Cafè Lumière"),
        ("allien", "Alien Harvest"),
        ("thudner", "Brass and Thunder"),
        ("marlow", "Brass and Thunder"),
        ("%D0%B2%D0%BE%D0%B9%D0%BD%D0%B0", "Война и мир"),
    ],
)
async def test_search_tolerates_errors(house: House, words: str, found: str) -> None:
    await add_films(house)
    await add_movie(house, "Война и мир")
    for path in ("/search", "/advanced-search"):
        assert (await titles(house, f"{path}?q={words}"))[:1] == [found]


TITLES = {
    "千と千尋の神隠し": ("千尋", "神隠し", "の", "千と千尋の神隠し"),
    "となりのトトロ": ("トトロ", "トト", "ロ"),
    "기생충 이야기": ("기생", "생충", "야"),
    "Сталкер на краю": ("ТАЛК", "край", "кра", "л"),
    "Επικίνδυνη Πόλη": ("κίνδ", "ΠΟΛΗ", "λη"),
    "كفرناحوم المدينة": ("ناحوم", "مدين", "ك"),
    "ฉลาดเกมส์โกง": ("เกมส์", "โกง", "โก"),
    "प्रेम कहानी": ("कहा", "प्रे"),
    "100% Wolf_Pack \\o/": ("100%", "f_p", "\\o/", "%", "_", "\\", "w"),
}


async def test_parts_of_titles_match_in_every_script(house: House) -> None:
    for title in TITLES:
        await add_movie(house, title)
    for title, parts in TITLES.items():
        for part in parts:
            assert title in await titles(house, f"/search?q={quote(part, safe='')}"), (title, part)
    for part, found in (
        ("千尋", "千と千尋の神隠し"),
        ("%", "100% Wolf_Pack \\o/"),
        ("\\", "100% Wolf_Pack \\o/"),
    ):
        assert await titles(house, f"/search?q={quote(part)}") == [found], "and nothing else"
    assert await titles(house, "/search?q=%20") == []
    assert await titles(house, f"/search?q={quote('神千')}") == []


async def test_parts_of_names_find_cinemas_and_events(house: House) -> None:
    await house.admin.send("POST", "/api/v1/cinemas/", {"name": "東京国際映画館"})
    event = {"title": "東京の夜", "startDate": f"{day(30)}T20:00:00Z"}
    await house.admin.send("POST", "/api/admin/events", event)
    found = (await house.guest.send("GET", f"/api/v1/cinemas/search?q={quote('国際')}")).json
    assert [cinema["name"] for cinema in found] == ["東京国際映画館"]
    found = (await house.guest.send("GET", f"/api/public/events?search={quote('の夜')}")).json
    assert [event["title"] for event in found["data"]] == ["東京の夜"]


async def test_the_best_match_comes_first(house: House) -> None:
    for title in ("Star Warts of the Deep", "Star Wars: The Long Subtitle", "Star Wars"):
        await add_movie(house, title)
    found = await titles(house, "/search?q=star%20wars")
    assert found == ["Star Wars", "Star Wars: The Long Subtitle", "Star Warts of the Deep"]


async def test_for_short_searches_a_whole_word_is_the_best_match(house: House) -> None:
    for title in ("Rabbit", "Items", "Ítems of a List", "Where Is It", "It", "Nothing"):
        await add_movie(house, title)
    found = await titles(house, "/search?q=it")
    assert found == ["It", "Where Is It", "Items", "Ítems of a List", "Rabbit"]
    assert (await titles(house, "/search?q=w")) == ["Where Is It"]


@pytest.mark.parametrize("words", ["%25", "_", "%5C", "'%3B--", "%F0%9F%8E%AC", "a%20b%20c%20(%5B*"])
async def test_searches_have_no_wildcards(house: House, words: str) -> None:
    await add_films(house)
    assert len(await titles(house, f"/search?q={words}")) < len(FILMS)


async def test_search_uses_its_index(house: House) -> None:
    execute(
        house.database_url,
        "INSERT INTO movies (title, director) "
        "SELECT 'ImportedMovie ' || md5(n::text), md5((-n)::text) FROM generate_series(1, 3000) AS n",
    )
    plain = connect(house.database_url)
    with plain.cursor() as cursor:
        where = MOVIES_TABLE.where({"q": "godfather"})
        cursor.execute(f"EXPLAIN {MOVIES_TABLE.select} {where}", {"q": "godfather"})
        plan = str(cursor.fetchall())
    plain.close()
    assert "movies_search_idx" in plan


class TestWhatPlays:
    async def test_cinema_and_day_are_those_of_one_screening(self, house: House) -> None:
        films = await add_films(house)
        odeon, rex = add_hall(house, "Odeon"), add_hall(house, "Rex")
        schedule(house, odeon, films["Alien Harvest"], in_days=1)
        schedule(house, rex, films["Alien Harvest"], in_days=2)
        schedule(house, rex, films["Night Shift"], in_days=1)
        assert await titles(house, f"/filter?cinema_id={odeon.cinema_id}") == ["Alien Harvest"]
        assert await titles(house, f"/filter?date={day(1)}") == ["Alien Harvest", "Night Shift"]
        assert await titles(house, f"/filter?date={day(1)}&cinema_id={rex.cinema_id}") == ["Night Shift"]
        assert await titles(house, f"/filter?date={day(1)}&cinema_id={rex.cinema_id}&genre=Horror") == []

    async def test_the_movies_of_a_cinema(self, house: House) -> None:
        films = await add_films(house)
        odeon, rex = add_hall(house, "Odeon"), add_hall(house, "Rex")
        for hall, title in ((odeon, "Alien Harvest"), (odeon, "Night Shift"), (rex, "Brass and Thunder")):
            schedule(house, hall, films[title], in_days=films[title])
        for query, found in (
            ("", ["Alien Harvest", "Night Shift"]),
            ("?genre=drama", ["Night Shift"]),
        ):
            answer = await house.guest.send("GET", f"/api/v1/cinemas/{odeon.cinema_id}/movies{query}")
            assert [movie["title"] for movie in answer.json] == found
        path = f"/api/v1/cinemas/{odeon.cinema_id}/movies?cinema_id={rex.cinema_id}"
        two_cinemas = await house.guest.send("GET", path)
        assert (two_cinemas.status, list(two_cinemas.json["errors"])) == (422, ["cinema_id"])
        gone = await house.guest.send("GET", "/api/v1/cinemas/999/movies")
        assert (gone.status, gone.code) == (404, "cinema_not_found")

    async def test_past_and_cancelled_screenings_are_not_listed(self, house: House) -> None:
        films, hall = await add_films(house), add_hall(house)
        schedule(house, hall, films["Alien Harvest"], in_days=-1)
        cancelled = schedule(house, hall, films["Night Shift"])
        assert await titles(house, f"/filter?cinema_id={hall.cinema_id}") == ["Night Shift"]
        execute(house.database_url, "UPDATE screenings SET cancelled_at = now() WHERE id = %s", cancelled)
        assert await titles(house, f"/filter?cinema_id={hall.cinema_id}") == []

    async def test_showtimes_are_those_of_the_movie(self, house: House) -> None:
        films, hall = await add_films(house), add_hall(house)
        showtimes = [schedule(house, hall, films["Night Shift"], in_days=days) for days in (2, 1)]
        schedule(house, hall, films["Alien Harvest"], in_days=3)
        answer = await house.guest.send("GET", f"{MOVIES}/{films['Night Shift']}/showtimes")
        shown = [(showtime["id"], showtime["cinema_id"]) for showtime in answer.json]
        assert shown == [(showtime, hall.cinema_id) for showtime in reversed(showtimes)]
        gone = await house.guest.send("GET", f"{MOVIES}/999/showtimes")
        assert (gone.status, gone.code) == (404, "movie_not_found")

    async def test_a_free_seat_of_a_type(self, house: House) -> None:
        films, hall = await add_films(house), add_hall(house)
        first = schedule(house, hall, films["Night Shift"], in_days=1)
        second = schedule(house, hall, films["Night Shift"], in_days=2)
        wanted = f"/advanced-search?q=nihgt%20shift&seat_type=vip&cinema_id={hall.cinema_id}"
        assert await titles(house, wanted) == ["Night Shift"]
        assert await titles(house, "/advanced-search?seat_type=wheelchair") == []
        assert (await house.user().book(first, [hall.vip_seat_id])).status == 201
        assert await titles(house, f"{wanted}&date={day(1)}") == []
        assert await titles(house, wanted) == ["Night Shift"]
        assert (await house.user().reserve(second, [hall.vip_seat_id])).status == 201
        await house.user().my_reservations()  # returns once the reservation is written
        assert await titles(house, wanted) == []
        assert await titles(house, wanted.replace("vip", "standard")) == ["Night Shift"]


class TestWhatSells:
    async def test_trending_lists_this_weeks_sales(self, house: House) -> None:
        films, hall = await add_films(house), add_hall(house)
        for title, seats in (("Night Shift", 1), ("Alien Harvest", 3), ("Brass and Thunder", 2)):
            screening = schedule(house, hall, films[title], in_days=seats)
            assert (await house.user().book(screening, hall.seat_ids[:seats])).status == 201
        assert await titles(house, "/trending") == ["Alien Harvest", "Brass and Thunder", "Night Shift"]
        assert await titles(house, "/trending?size=1&page=2") == ["Brass and Thunder"]
        execute(
            house.database_url,
            "UPDATE tickets SET confirmed_at = now() - interval '8 days' "
            "WHERE screening_id IN (SELECT id FROM screenings WHERE movie_id = %s)",
            films["Alien Harvest"],
        )
        assert await titles(house, "/trending") == ["Brass and Thunder", "Night Shift"]

    async def test_coming_soon_lists_future_releases(self, house: House) -> None:
        for title, in_days in (("Later", 30), ("Tomorrow", 1), ("Today", 0), ("Long ago", -3000)):
            await add_movie(house, title, release_date=day(in_days))
        await add_movie(house, "Who knows")
        assert await titles(house, "/coming-soon") == ["Tomorrow", "Later"]


class TestRecommended:
    async def recommended(self, house: House, user_id: int) -> str:
        answer = await house.user(user_id).send("GET", f"{MOVIES}/recommended")
        assert answer.status == 200, answer.body
        return "".join(movie["title"][0] for movie in answer.json)

    async def test_guests_are_refused(self, house: House) -> None:
        assert (await house.guest.send("GET", f"{MOVIES}/recommended")).status == 401

    async def test_new_users_get_trending_then_best_rated_movies(self, house: House) -> None:
        films, hall = await add_films(house), add_hall(house)
        screening = schedule(house, hall, films["Brass and Thunder"])
        assert (await house.user(9).book(screening, hall.seat_ids[:1])).status == 201
        assert await self.recommended(house, 7) == "BANC"

    async def test_recommendations_use_tickets_reviews_and_favourites(self, house: House) -> None:
        open_accounts(house, 7)
        films, hall = await add_films(house), add_hall(house)
        another = await add_movie(house, "Zebra Crossing", director="Ada Marlowe")
        path = f"{MOVIES}/{films['Brass and Thunder']}/reviews"
        assert (await house.user(7).send("POST", path, {"rating": 5})).status == 201
        assert await self.recommended(house, 7) == "ZANC", "the same director, without the reviewed movie"
        screening = schedule(house, hall, films["Night Shift"])
        assert (await house.user(7).book(screening, hall.seat_ids[:1])).status == 201
        assert await self.recommended(house, 7) == "ZCA", "another drama, without the movie already seen"
        schedule(house, hall, films["Alien Harvest"], in_days=2)
        schedule(house, hall, another, in_days=3)
        await house.user(7).send("POST", f"/api/v1/cinemas/{hall.cinema_id}/favorite")
        assert await self.recommended(house, 7) == "ZAC", "movies in a favourite cinema"
