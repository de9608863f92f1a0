"""Objects for calling every operation.

There is one of each kind, a spare one of most kinds that nothing depends on, and users who may lose their
passwords and accounts.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.api.caller import Caller, Response
from tests.box_office import Guest, make_event, make_type
from tests.catalogue.members import AUTH, Member, member
from tests.catalogue.programme import add_seats, make, make_room, make_screening
from tests.house import House
from tests.inbox import Inbox

UNKNOWN_ID = 10**9
ADA = "ada@home.example"
BOB = "bob@home.example"
PEOPLE = ("leaver", "changer", "refresher", "forgetful", "quitter")
"""Users for operations that cannot be repeated."""


class ForeignPage(Caller):
    """A page of a site that is not on the allow-list."""

    async def send(self, *request: Any, **options: Any) -> Response:
        return await super().send(*request, **options, headers={"Origin": "https://elsewhere.example"})


class World:
    """Ids by their names in paths, and users.

    Attributes:
        things: ids by name: "usual" ones belong together, with Ada as their user; nothing depends on the
            "spare" ones; "unknown" ones do not exist. The "pending" and the "doomed" ticket are Ada's too.
        seat_ids: of the usual room. The usual ticket is for the first of them.
        callers: users by name.
        reset_token: the token that Forgetful was sent.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.things: dict[str, dict[str, Any]] = {}
        self.seat_ids: list[int] = []
        self.callers: dict[str, Caller] = {}
        self.reset_token = ""

    def member(self, name: str) -> Member:
        """Return a user with an account."""
        caller = self.callers[name]
        assert isinstance(caller, Member)
        return caller


async def built(house: House, inbox: Inbox) -> World:
    """Create the world over HTTP."""
    world = World(house)
    ada, bob = await member(house, ADA), await member(house, BOB)
    people = {name: await member(house, f"{name}@home.example") for name in PEOPLE}
    world.callers = {
        **people,
        **{"user": ada, "bob": bob, "public": house.guest, "admin": house.admin},
        "stranger": house.user(UNKNOWN_ID),
        "forger": Caller(house.base_url, "not.a.token"),
        "foreign page": ForeignPage(house.base_url),
    }
    await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": people["forgetful"].email})
    world.reset_token = _token_in((await inbox.next_mail()).get_body(("plain",)).get_content())

    usual, spare = [await _shown_somewhere(house, ada, title) for title in ("Low Water", "High Water")]
    usual["event_id"] = await make_event(house)
    usual["ticket_type_id"] = await make_type(house, usual["event_id"])
    usual["reservation_id"] = await Guest(house, None, ada.token).reserved(usual["ticket_type_id"])
    spare["cinema_id"] = (await make(house, "/api/v1/cinemas/", {"name": "Empty"}))["id"]
    spare["movie_id"] = (await make(house, "/api/v1/movies/", {"title": "Never Shown"}))["id"]
    world.seat_ids = await add_seats(house, usual["room_id"])
    usual["screening_id"] = await make_screening(house, usual["room_id"], 12, movie_id=usual["movie_id"])
    spare["screening_id"] = await make_screening(house, usual["room_id"], 15)
    usual["ticket_id"], spare["ticket_id"], doomed = await _booked(ada, usual, world.seat_ids[:3])
    (pending,) = await _booked(ada, usual, world.seat_ids[3:4], payment_pending=True)
    blocks = f"/api/v1/admin/screenings/{spare['screening_id']}/blocks"
    block = {"label": "House", "kind": "house", "seat_ids": world.seat_ids[:1]}
    usual["block_id"] = spare["block_id"] = (await make(house, blocks, block))["id"]
    usual["name"] = "press"
    for things in (usual, spare):
        things["showtime_id"] = things["screening_id"]
    world.things = {
        "usual": usual,
        "spare": spare,
        "pending": {"ticket_id": pending},
        "doomed": {"ticket_id": doomed},
        "unknown": dict.fromkeys(usual, UNKNOWN_ID),
    }
    return world


async def _shown_somewhere(house: House, user: Member, title: str) -> dict[str, Any]:
    """Create a movie, its dependents, and a room."""
    movie_id = (await make(house, "/api/v1/movies/", {"title": title}))["id"]
    cinema_id = (await make(house, "/api/v1/cinemas/", {"name": f"Cinema of {title}"}))["id"]
    cast = await make(house, "/api/v1/casts/", {"movie_id": movie_id, "name": "Ann Actor"})
    review = await user.send("POST", f"/api/v1/movies/{movie_id}/reviews", {"rating": 4})
    search = await user.send("POST", "/api/v1/users/me/search-history", {"query": title})
    return {
        "movie_id": movie_id,
        "cinema_id": cinema_id,
        "room_id": await make_room(house, cinema_id=cinema_id),
        "cast_id": cast["id"],
        "review_id": review.json["id"],
        "id": search.json["id"],
        "user_id": user.user_id,
    }


async def _booked(
    user: Member, things: dict[str, Any], seat_ids: list[int], *, payment_pending: bool = False
) -> list[int]:
    booked = await user.book(things["screening_id"], seat_ids, payment_pending=payment_pending)
    assert booked.status == 201, booked.body
    return [ticket["id"] for ticket in booked.json]


def _token_in(mail: str) -> str:
    """Extract the token from the link in a mail."""
    (link,) = [word for word in mail.split() if "token=" in word]
    (token,) = parse_qs(urlsplit(link).query)["token"]
    return token
