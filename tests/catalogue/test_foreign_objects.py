"""Objects of other users are never shown or changed, and private ones look as if they did not exist.

Every operation of the OpenAPI document that takes an id is called by Bob with the ids of Ada's objects. A new
operation that is not in the table below fails the test. Those that take the id of a screening, an event or a
ticket type are also called with those of a private event, by Bob and by a guest.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from itertools import product
from typing import Any, NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.api.caller import Caller, Response
from tests.box_office import BOB, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.world import ADA, UNKNOWN_ID, World, built
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test(timeout=180)

METHODS = ("get", "post", "put", "patch", "delete")
PAYMENT = "payment-of-ada"
PHONE = "0228 7654321"
SECRETS = (ADA, PAYMENT, PHONE, "Low Water of Ada")
"""Data that Bob must not see; it is in Ada's profile, tickets and searches."""


SESSION = "sessionId"
"""The only id that is not an object's: a session id authenticates its guest."""


class Operation(NamedTuple):
    """An operation of the document."""

    method: str
    path: str
    public: bool
    admin: bool
    ids: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield all operations, each with the names of the ids in its path and its body."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            declared = methods[method]
            in_path = {parameter["name"] for parameter in declared["parameters"] if parameter["in"] == "path"}
            yield Operation(
                method.upper(),
                path,
                public="security" not in declared,
                admin="`admin_required`" in declared["responses"]["403"]["description"],
                ids=frozenset(in_path | ids_in_body(document, declared)),
            )


def ids_in_body(document: Mapping[str, Any], declared: Mapping[str, Any]) -> set[str]:
    content = declared.get("requestBody", {}).get("content", {})
    references = [form["schema"].get("$ref", "") for form in content.values()]
    schemas = document["components"]["schemas"]
    names = [name.rpartition("/")[2] for name in references if name]
    return {
        field
        for name in names
        for field in schemas[name]["properties"]
        if field.endswith(("_id", "_ids", "Id", "Ids")) and field != SESSION
    }


class Answered(NamedTuple):
    """The expected response to Bob when he uses Ada's ids.

    Attributes:
        code: of the refusal; empty if the operation concerns nothing of Ada's.
        body: the body to send.
    """

    code: str = ""
    body: object = None


HIDDEN_TICKET = Answered("ticket_not_found")


def held_seat(**more: object) -> Callable[[World], object]:
    """The seat that Ada holds."""
    return lambda world: {
        "screening_id": world.things["usual"]["screening_id"],
        "seat_ids": [world.seat_ids[-1]],
        **more,
    }


def tickets_like_hers(world: World) -> object:
    """An order for tickets that Ada has reserved too."""
    return {"ticketTypeId": world.things["usual"]["ticket_type_id"], "quantity": 1}


HER_RESERVATION = Answered("not_your_reservation")
V1 = "/api/v1"
FOREIGN: Mapping[str, Answered] = {
    f"GET {V1}/users/{{user_id}}": Answered(),
    f"GET {V1}/users/{{user_id}}/profile-picture": Answered("picture_not_found"),
    f"DELETE {V1}/users/me/search-history/{{search_id}}": Answered("search_entry_not_found"),
    f"POST {V1}/seat-reservations/reserve": Answered("seats_unavailable", held_seat()),
    f"POST {V1}/seat-reservations/best-available": Answered(
        "no_adjacent_seats",
        lambda world: {"screening_id": world.things["usual"]["screening_id"], "quantity": 1},
    ),
    f"POST {V1}/seat-reservations/extend": Answered("not_held", held_seat()),
    f"POST {V1}/seat-reservations/toggle": Answered("seats_unavailable", held_seat()),
    f"DELETE {V1}/seat-reservations/cancel/{{screening_id}}": Answered(),
    f"POST {V1}/seat-reservations/notify-when-free": Answered(
        body=lambda world: {
            "screening_id": world.things["usual"]["screening_id"],
            "seat_id": world.seat_ids[-1],
        }
    ),
    f"POST {V1}/waitlist": Answered(
        body=lambda world: {"screening_id": world.things["usual"]["screening_id"], "quantity": 1}
    ),
    f"DELETE {V1}/waitlist/{{entry_id}}": Answered("waitlist_entry_not_found"),
    f"GET {V1}/seat-reservations/screening/{{screening_id}}/availability": Answered(),
    f"GET {V1}/seat-reservations/screening/{{screening_id}}/availability/me": Answered(),
    f"GET {V1}/screenings/{{screening_id}}/channel-seats": Answered(),
    f"POST {V1}/tickets/book": Answered("payment_already_used", held_seat(payment_id=PAYMENT)),
    f"POST {V1}/tickets/book-from-reservation": Answered(
        "payment_already_used", held_seat(payment_id=PAYMENT)
    ),
    f"GET {V1}/tickets/{{ticket_id}}": HIDDEN_TICKET,
    f"DELETE {V1}/tickets/{{ticket_id}}": HIDDEN_TICKET,
    f"POST {V1}/tickets/{{ticket_id}}/confirm-payment": HIDDEN_TICKET._replace(body={"payment_id": "pi-1"}),
    f"POST {V1}/tickets/{{ticket_id}}/resend": HIDDEN_TICKET,
    f"POST {V1}/tickets/{{ticket_id}}/move": HIDDEN_TICKET._replace(
        body=lambda world: {"seat_id": world.seat_ids[4]}
    ),
    f"PATCH {V1}/tickets/{{ticket_id}}": HIDDEN_TICKET._replace(body={"holder_name": "Bob"}),
    f"POST {V1}/tickets/move": HIDDEN_TICKET._replace(
        body=lambda world: {
            "ticket_ids": [world.things["usual"]["ticket_id"]],
            "seat_ids": [world.seat_ids[4]],
        }
    ),
    f"POST {V1}/cinemas/{{cinema_id}}/favorite": Answered(),
    f"DELETE {V1}/cinemas/{{cinema_id}}/favorite": Answered(),
    f"POST {V1}/movies/{{movie_id}}/reviews": Answered(body={"rating": 1}),
    f"PUT {V1}/movies/reviews/{{review_id}}": Answered("not_the_author", {"rating": 1}),
    f"DELETE {V1}/movies/reviews/{{review_id}}": Answered("not_the_author"),
    f"POST {V1}/movies/reviews/{{review_id}}/react": Answered(body={"reaction": "dislike"}),
    "POST /api/public/reservations": Answered(body=tickets_like_hers),
    "GET /api/public/reservations/{reservation_id}": HER_RESERVATION,
    "DELETE /api/public/reservations/{reservation_id}": HER_RESERVATION,
    "PATCH /api/public/reservations/{reservation_id}": HER_RESERVATION._replace(
        body={"additionalMinutes": 5}
    ),
    "POST /api/public/reservations/{reservation_id}/purchase": HER_RESERVATION._replace(
        body={"buyerInfo": BOB, "ticketHolders": [BOB]}
    ),
    "GET /api/public/tickets/{ticket_id}/calendar.ics": HIDDEN_TICKET,
    "GET /api/public/tickets/{ticket_id}/qr.png": HIDDEN_TICKET,
    "GET /api/public/tickets/{ticket_id}/qr.svg": HIDDEN_TICKET,
    **dict.fromkeys(
        (
            "GET /room/{room_id}/selections",
            "GET /api/public/events/{event_id}",
            "GET /api/public/availability/{ticket_type_id}",
            f"GET {V1}/movies/reviews/{{review_id}}",
            f"GET {V1}/movies/{{movie_id}}",
            f"GET {V1}/movies/{{movie_id}}/cast",
            f"GET {V1}/movies/{{movie_id}}/reviews",
            f"GET {V1}/movies/{{movie_id}}/reviews/summary",
            f"GET {V1}/movies/{{movie_id}}/showtimes",
            f"GET {V1}/casts/{{cast_id}}",
            f"GET {V1}/casts/movie/{{movie_id}}",
            f"GET {V1}/cinemas/{{cinema_id}}",
            f"GET {V1}/cinemas/{{cinema_id}}/amenities",
            f"GET {V1}/cinemas/{{cinema_id}}/movies",
            f"GET {V1}/cinemas/{{cinema_id}}/rooms/",
            f"GET {V1}/cinemas/{{cinema_id}}/showtimes",
            f"GET {V1}/rooms/{{room_id}}",
            f"GET {V1}/rooms/{{room_id}}/seats/",
            f"GET {V1}/rooms/{{room_id}}/layout",
            f"GET {V1}/rooms/{{room_id}}/layout.csv",
            f"GET {V1}/screenings/{{screening_id}}",
            f"GET {V1}/screenings/{{screening_id}}/available-seats",
            f"GET {V1}/screenings/{{screening_id}}/availability",
            f"GET {V1}/screenings/{{screening_id}}/prices",
            f"GET {V1}/showtimes/{{showtime_id}}",
            f"GET {V1}/showtimes/{{showtime_id}}/seats",
        ),
        Answered(),
    ),
}
"""Administrators' operations are not listed: Bob may call none of them."""

PRIVATE = frozenset(("ticket_id", "search_id", "entry_id"))
"""Ids of objects whose existence only their owner may know."""

OF_EVENT = frozenset(("screening_id", "showtime_id", "event_id", "ticket_type_id", "ticketTypeId"))
"""Names under which everybody may send the id of an event or a ticket type."""


@pytest.fixture
def world(inbox: Inbox, open_house: OpenHouse, io_loop: IOLoop) -> World:
    """A world in which Ada owns one object of each kind."""

    async def build() -> World:
        world = await built(await open_house(smtp_url=inbox.url, cron_secret=STRONG_SECRET), inbox)
        ada, usual = world.member("user"), world.things["usual"]
        for method, path, body in (
            ("PUT", "/users/me", {"phone": PHONE}),
            ("POST", f"/cinemas/{usual['cinema_id']}/favorite", None),
            ("POST", "/users/me/search-history", {"query": SECRETS[-1]}),
            ("POST", f"/movies/reviews/{usual['review_id']}/react", {"reaction": "like"}),
        ):
            answer = await ada.send(method, V1 + path, body)
            assert answer.status in (200, 201), answer.body
            if path.endswith("history"):
                usual["search_id"] = answer.json["id"]
        booked = await ada.book(usual["screening_id"], world.seat_ids[-2:-1], payment_id=PAYMENT)
        usual["ticket_id"] = booked.json[0]["id"]
        assert (await ada.reserve(usual["screening_id"], world.seat_ids[-1:])).status == 201
        asked = await ada.send(
            "POST",
            f"{V1}/seat-reservations/notify-when-free",
            {"screening_id": usual["screening_id"], "seat_id": world.seat_ids[-2]},
        )
        usual["entry_id"] = asked.json["id"]
        return world

    return io_loop.run_sync(build)


async def taking_ids(world: World) -> list[Operation]:
    document = (await world.house.guest.send("GET", "/openapi.json")).json
    return [operation for operation in operations(document) if operation.ids]


async def make_private_event(house: House) -> dict[str, Any]:
    """Create an event to which nobody is invited, with a ticket type. Returns their ids by name."""
    event_id = await make_event(house, private=True)
    ids = dict.fromkeys(("screening_id", "showtime_id", "event_id"), int(event_id))
    return {**ids, "ticket_type_id": await make_type(house, event_id)}


def body_for(world: World, operation: Operation) -> object:
    body = FOREIGN.get(operation.name, Answered(body={})).body
    return body(world) if callable(body) else body


async def call_as_bob(world: World, operation: Operation, at: str = "usual") -> Response:
    ids = {
        **world.things["unknown"],
        "search_id": UNKNOWN_ID,
        "entry_id": UNKNOWN_ID,
        "mark": "any",
        "seat_id": UNKNOWN_ID,
        "refund_id": UNKNOWN_ID,
        "message_id": UNKNOWN_ID,
        "webhook_id": UNKNOWN_ID,
        "position": UNKNOWN_ID,
        **world.things[at],
    }
    path = operation.path.format(**ids)
    return await world.member("bob").send(operation.method, path, body_for(world, operation))


async def belongings(world: World) -> dict[str, Any]:
    """Return everything that Ada sees of her own."""
    own = (
        *("/auth/me", "/users/me", "/users/me/search-history", "/cinemas/favorites"),
        *("/tickets/my-tickets", "/seat-reservations/my-reservations?include_expired=true"),
    )
    seen = {path: (await world.member("user").send("GET", V1 + path)).json for path in own}
    review = await world.house.guest.send("GET", f"{V1}/movies/reviews/{world.things['usual']['review_id']}")
    reserved = (await world.member("user").send("GET", "/api/public/reservations")).json["data"]
    seen["reserved tickets"] = [(one["id"], one["status"], one["expiresAt"]) for one in reserved]
    return {**seen, "review": (review.json["rating"], review.json["comment"], review.json["likes"])}


async def test_every_operation_that_takes_an_id_is_classified(world: World) -> None:
    found = {operation.name for operation in await taking_ids(world) if not operation.admin}
    assert set(FOREIGN) == found


async def test_objects_of_others_are_never_shown_or_changed(world: World) -> None:
    before = await belongings(world)
    for operation in await taking_ids(world):
        answer = await call_as_bob(world, operation)
        expected = "admin_required" if operation.admin else FOREIGN[operation.name].code
        code = answer.code if answer.status >= 400 else ""
        assert code == expected, (operation.name, answer.body)
        seen, sent = answer.body.decode(), str(body_for(world, operation))
        assert not [secret for secret in SECRETS if secret in seen and secret not in sent], operation.name
        assert await belongings(world) == before, operation.name


async def test_private_objects_look_as_if_they_did_not_exist(world: World) -> None:
    private = [
        operation for operation in await taking_ids(world) if operation.ids & PRIVATE and not operation.admin
    ]
    assert len(private) == 11
    for operation in private:
        hers = await call_as_bob(world, operation)
        none = await call_as_bob(world, operation, at="unknown")
        (name,) = operation.ids & PRIVATE
        assert (hers.status, none.status) == (404, 404), operation.name
        hers_id = str(world.things["usual"][name])
        assert hers.body.decode().replace(hers_id, str(UNKNOWN_ID)) == none.body.decode(), operation.name


async def test_private_events_look_as_if_they_did_not_exist(world: World) -> None:
    house, nobody = world.house, world.house.guest
    to_come, begun = await make_private_event(house), await make_private_event(house)
    at = "UPDATE events SET starts_at = now() - interval '1 hour' WHERE id = %s"
    execute(house.database_url, at, begun["event_id"])
    unknown = {name: type(known)(UNKNOWN_ID) for name, known in to_come.items()}
    made = await house.guest.send("POST", "/api/public/guests", {})
    guest = Caller(house.base_url, made.json["data"]["accessToken"])
    called = [
        operation for operation in await taking_ids(world) if operation.ids & OF_EVENT and not operation.admin
    ]
    assert len(called) == 23
    for operation, caller in product(called, (world.member("bob"), guest, nobody)):
        none = await call_with(world, operation, caller, unknown)
        assert none.status not in (200, 201), operation.name
        assert none.status != 422 or caller is nobody, (operation.name, none.body)
        for ids in (to_come, begun):
            seen = await call_with(world, operation, caller, ids)
            assert (seen.status, without_ids(seen)) == (none.status, without_ids(none)), operation.name


async def call_with(world: World, operation: Operation, caller: Caller, ids: Mapping[str, Any]) -> Response:
    """Call an operation with some ids; all others are unknown."""
    there = copy(world)
    there.things = {**world.things, "usual": {**world.things["unknown"], **ids}}
    path = operation.path.format(**there.things["usual"])
    return await caller.send(operation.method, path, body_for(there, operation))


def without_ids(answer: Response) -> str:
    return re.sub(r"[0-9]+", "#", answer.body.decode())
