"""Every endpoint in the cinema guide's list: served, documented, its access class, and a typical error."""

import re
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from marshmallow import RAISE, Schema, fields
from PIL import Image
from tornado.ioloop import IOLoop

from api.application import RESOURCES
from api.rest.endpoint import Access, Endpoint
from tests.api.caller import Response
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import PASSWORD
from tests.catalogue.programme import hour
from tests.catalogue.world import ADA, BOB, World, built
from tests.house import House
from tests.inbox import Inbox

LIST = Path(__file__).parents[1] / "contracts" / "endpoint_list.md"
ENTRY = re.compile(r"- \*\*(?P<method>[A-Z]+)\*\* `(?P<path>[^`]+)` - (?P<title>.+) \[(?P<access>\w+)\]")
PLACEHOLDER = re.compile(r"\{\w+\}")


class Listed(NamedTuple):
    """An entry of the list."""

    method: str
    path: str
    access: Access

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def read_list() -> Iterator[Listed]:
    for entry in ENTRY.finditer(LIST.read_text()):
        yield Listed(entry["method"], entry["path"], Access(entry["access"]))


ENTRIES = list(read_list())
LISTED = list(dict.fromkeys(ENTRIES))
ENDPOINTS: Mapping[str, Endpoint] = {
    f"{endpoint.method} {PLACEHOLDER.sub('{}', endpoint.path)}": endpoint
    for resource in RESOURCES
    for endpoint in resource.endpoints
}


def endpoint_of(listed: Listed) -> Endpoint:
    """Return the endpoint served at this path, regardless of the names of its ids."""
    return ENDPOINTS[PLACEHOLDER.sub("{}", listed.name)]


class Sent(NamedTuple):
    """A call of an operation.

    Attributes:
        body: a JSON document, a function of the world that returns one, or the bytes of a picture.
        query: including the question mark.
        at: the name of the world's things whose ids go into the path.
        by: the caller; if empty, one of the access class.
    """

    body: object = None
    query: str = ""
    at: str = "usual"
    by: str = ""


class Try(NamedTuple):
    """A successful and a refused call of an operation.

    Attributes:
        good: a call that succeeds.
        bad: a call that is refused.
        code: the code of the refusal.
    """

    good: Sent
    bad: Sent
    code: str


def unknown(code: str, body: object = None, at: str = "usual") -> Try:
    """The typical error is an unknown id in the path."""
    return Try(Sent(body, at=at), Sent(body, at="unknown"), code)


def paged(query: str = "?size=5", bad: str = "?page=0") -> Try:
    """The typical error is an invalid query."""
    return Try(Sent(query=query), Sent(query=bad), "invalid_input")


def given(body: object, bad: object, code: str = "invalid_input", *, at: str = "usual", by: str = "") -> Try:
    """The typical error is an invalid body."""
    return Try(Sent(body, at=at, by=by), Sent(bad), code)


def of_account(body: object = None, by: str = "") -> Try:
    """The typical error is a valid token of a user without an account."""
    return Try(Sent(body, by=by), Sent(body, by="stranger"), "user_not_found")


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")
    return file.getvalue()


def login(password: str) -> dict[str, str]:
    return {"email": ADA, "password": password}


def new_passwords(current: str) -> dict[str, str]:
    return {"current_password": current, "new_password": "another horse battery"}


def screening(start: float) -> Callable[[World], object]:
    return lambda world: {
        "room_id": world.things["usual"]["room_id"],
        "title": "Brass and Thunder",
        "starts_at": hour(start),
        "ends_at": hour(start + 1),
        "price": 9.5,
    }


def booking(place: int) -> Callable[[World], object]:
    return lambda world: {
        "screening_id": world.things["usual"]["screening_id"],
        "seat_ids": [world.seat_ids[place]],
    }


def row_of_seats(seat_type: str, first: int) -> object:
    return {"seats": [{"row_label": "A", "seat_number": first, "seat_type": seat_type}]}


NOT_AN_ADMIN = Try(Sent(), Sent(by="user"), "admin_required")
NOT_BELIEVED = Try(Sent(), Sent(by="forger"), "token_invalid")

AUTH, USERS, CINEMAS = "/api/v1/auth", "/api/v1/users", "/api/v1/cinemas"
ROOMS, MOVIES, CASTS = "/api/v1/rooms", "/api/v1/movies", "/api/v1/casts"
SCREENINGS, SHOWTIMES, TICKETS = "/api/v1/screenings", "/api/v1/showtimes", "/api/v1/tickets"
STATS = "/api/v1/admin/stats"

TRIES: Mapping[str, Try] = {
    "GET /": Try(Sent(), Sent(by="foreign page"), "origin_not_allowed"),
    f"POST {AUTH}/register": given(
        {"email": "new@home.example", "password": PASSWORD}, login(PASSWORD), "email_exists"
    ),
    f"POST {AUTH}/login": given(login(PASSWORD), login("wrong horse battery"), "invalid_credentials"),
    f"GET {AUTH}/me": of_account(),
    f"POST {AUTH}/logout": Try(Sent(by="leaver"), Sent(by="forger"), "token_invalid"),
    f"PUT {AUTH}/change-password": given(
        new_passwords(PASSWORD), new_passwords("wrong horse battery"), "wrong_password", by="changer"
    ),
    f"POST {AUTH}/refresh-token": given(
        lambda world: {"refresh_token": world.member("refresher").refresh},
        {"refresh_token": "mine"},
        "refresh_token_invalid",
        by="refresher",
    ),
    f"POST {AUTH}/forgot-password": given({"email": ADA}, {"email": "ada"}),
    f"POST {AUTH}/reset-password": given(
        lambda world: {"token": world.reset_token, "new_password": "another horse battery"},
        {"token": "mine", "new_password": "another horse battery"},
        "reset_token_invalid",
    ),
    f"POST {CINEMAS}/{{cinema_id}}/favorite": unknown("cinema_not_found"),
    f"DELETE {CINEMAS}/{{cinema_id}}/favorite": unknown("cinema_not_found"),
    f"GET {CINEMAS}/favorites": paged(),
    f"POST {CINEMAS}/": given({"name": "Lux"}, {}),
    f"GET {CINEMAS}/": paged(),
    f"GET {CINEMAS}/search": paged("?q=water", "?q="),
    f"GET {CINEMAS}/{{cinema_id}}": unknown("cinema_not_found"),
    f"PATCH {CINEMAS}/{{cinema_id}}": unknown("cinema_not_found", {"city": "Bonn"}),
    f"DELETE {CINEMAS}/{{cinema_id}}": Try(Sent(at="spare"), Sent(), "in_use"),
    f"GET {CINEMAS}/{{cinema_id}}/amenities": unknown("cinema_not_found"),
    f"GET {CINEMAS}/{{cinema_id}}/movies": unknown("cinema_not_found"),
    f"GET {CINEMAS}/{{cinema_id}}/showtimes": unknown("cinema_not_found"),
    f"POST {CINEMAS}/{{cinema_id}}/rooms/": given({"name": "Studio"}, {"name": "Great Hall"}, "room_exists"),
    f"GET {CINEMAS}/{{cinema_id}}/rooms/": unknown("cinema_not_found"),
    f"GET {ROOMS}/{{room_id}}": unknown("room_not_found"),
    f"POST {ROOMS}/{{room_id}}/seats/bulk": given(
        row_of_seats("vip", 9), row_of_seats("vip", 1), "seat_conflict"
    ),
    f"GET {ROOMS}/{{room_id}}/seats/": unknown("room_not_found"),
    f"GET {MOVIES}/recommended": paged(),
    f"POST {MOVIES}/": given({"title": "New"}, {"title": ""}),
    f"GET {MOVIES}/": paged(),
    f"GET {MOVIES}/coming-soon": paged(),
    f"GET {MOVIES}/trending": paged(),
    f"GET {MOVIES}/search": paged("?q=water", "?q="),
    f"GET {MOVIES}/filter": paged("?genre=drama&year=1999", "?year=soon"),
    f"GET {MOVIES}/advanced-search": paged("?q=water&min_duration=60", "?min_duration=long"),
    f"GET {MOVIES}/{{movie_id}}": unknown("movie_not_found"),
    f"PATCH {MOVIES}/{{movie_id}}": unknown("movie_not_found", {"genre": "Drama"}),
    f"DELETE {MOVIES}/{{movie_id}}": Try(Sent(at="spare"), Sent(), "in_use"),
    f"GET {MOVIES}/{{movie_id}}/cast": unknown("movie_not_found"),
    f"GET {MOVIES}/{{movie_id}}/showtimes": unknown("movie_not_found"),
    f"POST {CASTS}/": given(
        lambda world: {"movie_id": world.things["usual"]["movie_id"], "name": "Di Director"},
        lambda world: {"movie_id": world.things["unknown"]["movie_id"], "name": "Di Director"},
        "unknown_reference",
    ),
    f"GET {CASTS}/": paged(),
    f"GET {CASTS}/{{cast_id}}": unknown("cast_member_not_found"),
    f"PUT {CASTS}/{{cast_id}}": unknown("cast_member_not_found", {"role": "director"}),
    f"DELETE {CASTS}/{{cast_id}}": unknown("cast_member_not_found", at="spare"),
    f"GET {CASTS}/movie/{{movie_id}}": unknown("movie_not_found"),
    f"POST {SCREENINGS}/": given(screening(20), screening(13), "screening_overlap"),
    f"GET {SCREENINGS}/": paged(bad="?date=soon"),
    f"GET {SCREENINGS}/{{screening_id}}": unknown("screening_not_found"),
    f"GET {SCREENINGS}/{{screening_id}}/available-seats": unknown("screening_not_found"),
    f"PUT {SCREENINGS}/{{screening_id}}": unknown("screening_not_found", {"price": 15}),
    f"DELETE {SCREENINGS}/{{screening_id}}": Try(Sent(at="spare"), Sent(), "screening_has_bookings"),
    f"GET {SHOWTIMES}/": paged(bad="?date=soon"),
    f"GET {SHOWTIMES}/{{showtime_id}}": unknown("showtime_not_found"),
    f"GET {SHOWTIMES}/{{showtime_id}}/seats": unknown("screening_not_found"),
    f"POST {TICKETS}/book": given(booking(4), booking(0), "seats_unavailable"),
    f"GET {TICKETS}/my-tickets": paged(),
    f"GET {TICKETS}/{{ticket_id}}": unknown("ticket_not_found"),
    f"DELETE {TICKETS}/{{ticket_id}}": unknown("ticket_not_found", at="spare"),
    f"POST {TICKETS}/{{ticket_id}}/confirm-payment": given(
        {"payment_id": "pi_1"}, {"payment_id": "pi_2"}, "refund_required", at="pending"
    ),
    f"GET {TICKETS}/": paged(bad="?status=sold"),
    f"PUT {TICKETS}/{{ticket_id}}/status": given(
        {"status": "cancelled"}, {"status": "pending"}, "illegal_transition", at="doomed"
    ),
    f"POST {TICKETS}/{{ticket_id}}/resend": unknown("ticket_not_found"),
    f"GET {USERS}/me": of_account(),
    f"PUT {USERS}/me": given(
        {"phone": "0228 1"}, {"email": BOB, "current_password": PASSWORD}, "email_exists"
    ),
    f"DELETE {USERS}/me": of_account(by="quitter"),
    f"PUT {USERS}/me/preferences": given({"theme": "dark"}, {"theme": "pink"}),
    f"PUT {USERS}/me/profile-picture": given(picture(), b"<svg/>", "unsupported_media_type"),
    f"PUT {USERS}/me/profile-picture-url": given({"url": "https://a.example/b.png"}, {"url": "ftp://a/b"}),
    f"GET {USERS}/{{user_id}}": unknown("user_not_found"),
    f"GET {USERS}/me/search-history": paged(),
    f"POST {USERS}/me/search-history": given({"query": "observatory"}, {"query": ""}),
    f"DELETE {USERS}/me/search-history/{{id}}": unknown("search_entry_not_found", at="spare"),
    f"DELETE {USERS}/me/search-history": NOT_BELIEVED,
    f"POST {MOVIES}/{{movie_id}}/reviews": Try(
        Sent({"rating": 2}, by="bob"), Sent({"rating": 2}), "review_exists"
    ),
    f"GET {MOVIES}/{{movie_id}}/reviews": unknown("movie_not_found"),
    f"GET {MOVIES}/{{movie_id}}/reviews/summary": unknown("movie_not_found"),
    f"GET {MOVIES}/reviews/{{review_id}}": unknown("review_not_found"),
    f"PUT {MOVIES}/reviews/{{review_id}}": Try(
        Sent({"rating": 5}), Sent({"rating": 1}, by="bob"), "not_the_author"
    ),
    f"DELETE {MOVIES}/reviews/{{review_id}}": Try(Sent(at="spare"), Sent(by="bob"), "not_the_author"),
    f"POST {MOVIES}/reviews/{{review_id}}/react": unknown("review_not_found", {"reaction": "like"}),
    f"GET {STATS}/movies": NOT_AN_ADMIN,
    f"GET {STATS}/cinemas": NOT_AN_ADMIN,
    f"GET {STATS}/users": NOT_AN_ADMIN,
    f"GET {STATS}/bookings/recent": paged(),
    f"GET {STATS}/revenue": NOT_AN_ADMIN,
    f"GET {STATS}/revenue/period": paged("?granularity=week", "?timezone=Mars/Olympus"),
    f"GET {STATS}/tickets/total": NOT_AN_ADMIN,
    f"GET {STATS}/movies/popular": paged("?limit=3", "?limit=0"),
    f"GET {STATS}/today": paged("?timezone=Asia/Kathmandu", "?timezone=Mars/Olympus"),
}


@pytest.fixture
def world(inbox: Inbox, open_house: OpenHouse, io_loop: IOLoop) -> World:
    """A new world behind a server that sends its mail to the inbox."""

    async def build() -> World:
        return await built(await open_house(smtp_url=inbox.url), inbox)

    return io_loop.run_sync(build)


async def call(world: World, listed: Listed, sent: Sent) -> Response:
    """Call an operation of the list."""
    caller = world.callers[sent.by or listed.access.value]
    path = listed.path.format(**{**world.things["usual"], **world.things[sent.at]}) + sent.query
    body = sent.body(world) if callable(sent.body) else sent.body
    if isinstance(body, bytes):
        return await caller.send(listed.method, path, raw=body, headers={"Content-Type": "image/png"})
    return await caller.send(listed.method, path, body)


def test_the_list_has_92_entries_of_89_endpoints_and_each_is_tried() -> None:
    assert (len(ENTRIES), len(LISTED)) == (92, 89)
    assert list(TRIES) == [listed.name for listed in LISTED]


@pytest.mark.gen_test
async def test_each_is_documented_with_its_access_class(house: House) -> None:
    paths = (await house.guest.send("GET", "/openapi.json")).json["paths"]
    for listed in LISTED:
        operation = paths[endpoint_of(listed).path][listed.method.lower()]
        assert operation["summary"], listed
        assert bool(operation["security"]) == (listed.access is not Access.PUBLIC), listed
        codes = " ".join(response["description"] for response in operation["responses"].values())
        assert ("`not_authenticated`" in codes) == (listed.access is not Access.PUBLIC), listed
        assert ("`admin_required`" in codes) == (listed.access is Access.ADMIN), listed


@pytest.mark.gen_test
async def test_each_has_the_access_class_of_the_list(world: World) -> None:
    refused = {
        Access.PUBLIC: {},
        Access.USER: {"public": (401, "not_authenticated")},
        Access.ADMIN: {"public": (401, "not_authenticated"), "user": (403, "admin_required")},
    }
    for listed in LISTED:
        for by, refusal in refused[listed.access].items():
            answer = await call(world, listed, TRIES[listed.name].good._replace(by=by))
            assert (answer.status, answer.code) == refusal, listed


@pytest.mark.gen_test(timeout=180)
async def test_each_succeeds_as_documented(world: World) -> None:
    for listed in LISTED:
        endpoint = endpoint_of(listed)
        answer = await call(world, listed, TRIES[listed.name].good)
        assert answer.status == endpoint.status, (listed, answer.body)
        require_shape(endpoint, answer)


def require_shape(endpoint: Endpoint, answer: Response) -> None:
    """Check that a response has the documented shape, without undocumented fields."""
    shape: Any = endpoint.answers() if isinstance(endpoint.answers, type) else endpoint.answers
    if isinstance(shape, Schema):
        shape.load(answer.json, unknown=RAISE)
    elif isinstance(shape, fields.Field):
        shape.deserialize(answer.json)
    else:
        assert not answer.body


@pytest.mark.gen_test(timeout=180)
async def test_each_refuses_a_typical_error(world: World) -> None:
    paths = (await world.house.guest.send("GET", "/openapi.json")).json["paths"]
    for listed in LISTED:
        tried = TRIES[listed.name]
        answer = await call(world, listed, tried.bad)
        assert (answer.status // 100, answer.code) == (4, tried.code), (listed, answer.body)
        assert str(answer.status) in paths[endpoint_of(listed).path][listed.method.lower()]["responses"]
