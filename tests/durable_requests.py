"""One request for each durable operation, with objects created for it, to be sent more than once.

The endpoints' declarations say which operations are durable. The server may be in this process or another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from api.application import RESOURCES
from api.rest.endpoint import Endpoint
from tests.api.caller import Caller, Response
from tests.box_office import ADA, Guest, days_ahead, make_event, make_type
from tests.catalogue.programme import add_seats, hour, make, make_room, make_screening

BUYER = 7
ANSWER_SECONDS = 60.0
REFUNDS = "/api/v1/admin/refunds"
CHECK_IN = "/api/v1/check-in"


class Site(Protocol):
    """A server, such as `tests.house.House`."""

    @property
    def base_url(self) -> str:
        """The server's URL."""

    @property
    def admin(self) -> Caller:
        """An administrator."""

    @property
    def guest(self) -> Caller:
        """A caller without a token."""

    def user(self, user_id: int = BUYER) -> Caller:
        """Return a caller with a user's token."""

    def token(self, user_id: int) -> str:
        """Return a user's token."""


class DurableRequest(NamedTuple):
    """A request that may be repeated.

    Attributes:
        caller: the sender.
        repeatable: whether repeating it without a key returns the same response.
        csv: a file that is sent instead of a JSON body.
    """

    caller: Caller
    method: str
    path: str
    body: object = None
    repeatable: bool = True
    csv: bytes | None = None

    async def send(self, key: str | None = None) -> Response:
        """Send it until the response is final, as clients should."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                headers = {"Content-Type": "text/csv"} if self.csv else None
                answer = await self.caller.send(
                    self.method, self.path, self.body, raw=self.csv, headers=headers, key=key
                )
                if not is_passing(answer):
                    return answer
                await asyncio.sleep(0.02)


def is_passing(answer: Response) -> bool:
    """Return whether the response says that the same request may succeed later."""
    if answer.status < 400:
        return False
    return bool(answer.json.get("error", answer.json)["retryable"])


class Stage:
    """A hall, an event, a movie, and whatever else the requests need.

    Args:
        site: the server.
        name: makes the names of one stage's objects unique.
    """

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.buyer = site.user(BUYER)
        self.admin = site.admin
        self.cinema_id = self.room_id = self.screening_id = self.movie_id = 0
        self.event_id = self.type_id = ""
        self._seats: Iterator[int]

    async def build(self) -> None:
        """Create the objects."""
        site: Any = self.site
        self.cinema_id = (await make(site, "/api/v1/cinemas/", {"name": f"Odeon {self.name}"}))["id"]
        self.movie_id = (await make(site, "/api/v1/movies/", {"title": f"Low Water {self.name}"}))["id"]
        self.room_id = await make_room(site, cinema_id=self.cinema_id)
        self._seats = iter(await add_seats(site, self.room_id, "ABC", 10))
        self.screening_id = await make_screening(site, self.room_id)
        self.event_id = await make_event(site)
        self.type_id = await make_type(site, self.event_id, capacity=50)

    def booking(self, **more: Any) -> dict[str, Any]:
        """Return the body of a booking of a free seat."""
        return {"screening_id": self.screening_id, "seat_ids": [next(self._seats)], **more}

    @property
    def blocks(self) -> str:
        """The path of the screening's blocks."""
        return f"/api/v1/admin/screenings/{self.screening_id}/blocks"

    def block(self) -> dict[str, Any]:
        """Return the body of a block of a free seat."""
        return {"label": "House", "kind": "house", "seat_ids": [next(self._seats)]}

    def filled(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body in which ".movie_id" is replaced by the id of the stage's movie."""
        return {key: getattr(self, value[1:]) if value[0] == "." else value for key, value in body.items()}

    def payment(self, use: str) -> str:
        return f"pi-{self.name}-{use}"

    async def ticket(self, *, pending: bool = False) -> int:
        """Buy a ticket; return its id."""
        booked = await self.buyer.send("POST", "/api/v1/tickets/book", self.booking(payment_pending=pending))
        assert booked.status == 201, booked.body
        return booked.json[0]["id"]

    async def another_room(self) -> int:
        """Create a room in a cinema of its own."""
        return await make_room(self.site)  # type: ignore[arg-type]

    async def another_event(self) -> str:
        return await make_event(self.site)  # type: ignore[arg-type]

    async def another_type(self, name: str) -> str:
        return await make_type(self.site, self.event_id, name)  # type: ignore[arg-type]


Recipe = Callable[[Stage], Awaitable[DurableRequest]]


async def _book(stage: Stage) -> DurableRequest:
    body = stage.booking(payment_id=stage.payment("book"))
    return DurableRequest(stage.buyer, "POST", "/api/v1/tickets/book", body)


async def _book_from_reservation(stage: Stage) -> DurableRequest:
    body = stage.booking()
    held = await stage.buyer.send("POST", "/api/v1/seat-reservations/reserve", body)
    assert held.status == 201
    body["payment_id"] = stage.payment("reservation")
    return DurableRequest(stage.buyer, "POST", "/api/v1/tickets/book-from-reservation", body)


async def _cancel_ticket(stage: Stage) -> DurableRequest:
    return DurableRequest(stage.buyer, "DELETE", f"/api/v1/tickets/{await stage.ticket()}")


async def _cancel_tickets(stage: Stage) -> DurableRequest:
    ids = f"{await stage.ticket()},{await stage.ticket()}"
    return DurableRequest(stage.buyer, "DELETE", f"/api/v1/tickets/?ids={ids}")


async def _move_ticket(stage: Stage) -> DurableRequest:
    path = f"/api/v1/tickets/{await stage.ticket()}/move"
    return DurableRequest(stage.buyer, "POST", path, {"seat_id": stage.booking()["seat_ids"][0]})


async def _move_tickets(stage: Stage) -> DurableRequest:
    body = {"ticket_ids": [await stage.ticket()], "seat_ids": stage.booking()["seat_ids"]}
    return DurableRequest(stage.buyer, "POST", "/api/v1/tickets/move", body)


async def _give_ticket(stage: Stage) -> DurableRequest:
    path = f"/api/v1/tickets/{await stage.ticket()}"
    return DurableRequest(stage.buyer, "PATCH", path, {"holder_name": "Grace Hopper"})


async def _confirm_payment(stage: Stage) -> DurableRequest:
    path = f"/api/v1/tickets/{await stage.ticket(pending=True)}/confirm-payment"
    return DurableRequest(stage.buyer, "POST", path, {"payment_id": stage.payment("confirm")})


async def _update_ticket_status(stage: Stage) -> DurableRequest:
    path = f"/api/v1/tickets/{await stage.ticket()}/status"
    return DurableRequest(stage.admin, "PUT", path, {"status": "cancelled"})


async def _scan(stage: Stage, action: str) -> DurableRequest:
    """Return a scan of a ticket for a screening that begins soon."""
    site: Any = stage.site
    room_id = await stage.another_room()
    (seat_id,) = await add_seats(site, room_id, "A", 1)
    soon = {"starts_at": days_ahead(1 / 24), "ends_at": days_ahead(2 / 24)}
    body = {"room_id": room_id, "title": "Tonight", "price": 9, **soon}
    screening = await make(site, "/api/v1/screenings/", body)
    booked = await stage.buyer.book(screening["id"], [seat_id])
    ticket = await stage.buyer.ticket(booked.json[0]["id"])
    scanned = {"code": ticket.json["code"], "gate": "North"}
    if action == "/undo":
        await stage.admin.send("POST", CHECK_IN, scanned)
    if action == "/batch":
        scanned = {"scanner_id": stage.name, "scans": [{**scanned, "scan_id": "1", "scanned_at": hour(-24)}]}
    return DurableRequest(stage.admin, "POST", f"{CHECK_IN}{action}", scanned, repeatable=False)


def _scanned(action: str) -> Recipe:
    return lambda stage: _scan(stage, action)


async def _create_block(stage: Stage) -> DurableRequest:
    return DurableRequest(stage.admin, "POST", stage.blocks, stage.block(), repeatable=False)


async def _release_block(stage: Stage) -> DurableRequest:
    made = await stage.admin.send("POST", stage.blocks, stage.block())
    return DurableRequest(stage.admin, "DELETE", f"{stage.blocks}/{made.json['id']}", repeatable=False)


async def _settle_refund(stage: Stage) -> DurableRequest:
    payment_id = stage.payment("refund")
    booked = await stage.buyer.send("POST", "/api/v1/tickets/book", stage.booking(payment_id=payment_id))
    await stage.buyer.send("DELETE", f"/api/v1/tickets/{booked.json[0]['id']}")
    (refund,) = (await stage.admin.send("GET", f"{REFUNDS}?payment_id={payment_id}")).json
    settlement = {"reference": "re_1", "confirm": True}
    # A repetition shows the buyer's present address, and another request deletes the buyer's account.
    return DurableRequest(
        stage.admin, "POST", f"{REFUNDS}/{refund['id']}/settle", settlement, repeatable=False
    )


async def _sell_by_hand(stage: Stage) -> DurableRequest:
    path = f"/api/v1/ops/screenings/{stage.screening_id}/sales"
    body = {
        "seat_ids": stage.booking()["seat_ids"],
        "user_id": await _account(stage, "sale"),
        "payment_id": stage.payment("sale"),
    }
    return DurableRequest(stage.admin, "POST", path, body)


async def _purchase(stage: Stage) -> DurableRequest:
    guest = Guest(stage.site, None, stage.buyer.token)  # type: ignore[arg-type]
    path = f"/api/public/reservations/{await guest.reserved(stage.type_id)}/purchase"
    return DurableRequest(stage.buyer, "POST", path, {"buyerInfo": ADA, "ticketHolders": [ADA]})


async def _create_screening(stage: Stage) -> DurableRequest:
    body = {
        "room_id": stage.room_id,
        "title": "Brass and Thunder",
        "starts_at": hour(12),
        "ends_at": hour(14),
        "price": 12.5,
    }
    return DurableRequest(stage.admin, "POST", "/api/v1/screenings/", body, repeatable=False)


async def _update_screening(stage: Stage) -> DurableRequest:
    return DurableRequest(stage.admin, "PUT", f"/api/v1/screenings/{stage.screening_id}", {"price": 14})


async def _delete_screening(stage: Stage) -> DurableRequest:
    screening_id = await make_screening(stage.site, stage.room_id, 9)  # type: ignore[arg-type]
    return DurableRequest(stage.admin, "DELETE", f"/api/v1/screenings/{screening_id}", repeatable=False)


async def _create_seats(stage: Stage) -> DurableRequest:
    path = f"/api/v1/rooms/{await stage.another_room()}/seats/bulk"
    return DurableRequest(stage.admin, "POST", path, {"seats": [{"row_label": "A", "seat_number": 1}]})


async def _publish_layout(stage: Stage) -> DurableRequest:
    path = f"/api/v1/rooms/{await stage.another_room()}/layout"
    body = {"version": 1, "seats": [{"row_label": "A", "seat_number": 1}]}
    return DurableRequest(stage.admin, "PUT", path, body, repeatable=False)


async def _import_seats(stage: Stage) -> DurableRequest:
    path = f"/api/v1/rooms/{await stage.another_room()}/layout.csv?version=1"
    return DurableRequest(stage.admin, "PUT", path, repeatable=False, csv=b"row,number\nA,1\n")


async def _create_room(stage: Stage) -> DurableRequest:
    path = f"/api/v1/cinemas/{stage.cinema_id}/rooms/"
    return DurableRequest(stage.admin, "POST", path, {"name": f"Attic {stage.name}"}, repeatable=False)


async def _create_review(stage: Stage) -> DurableRequest:
    author = await _author(stage, "create")
    path = f"/api/v1/movies/{stage.movie_id}/reviews"
    return DurableRequest(author, "POST", path, {"rating": 4}, repeatable=False)


async def _update_review(stage: Stage) -> DurableRequest:
    author, review_id = await _reviewed(stage, "update")
    return DurableRequest(author, "PUT", f"/api/v1/movies/reviews/{review_id}", {"rating": 5})


async def _delete_review(stage: Stage) -> DurableRequest:
    author, review_id = await _reviewed(stage, "delete")
    return DurableRequest(author, "DELETE", f"/api/v1/movies/reviews/{review_id}", repeatable=False)


async def _account(stage: Stage, use: str) -> int:
    """Create an account. Returns the id of its user."""
    body = {"email": f"{use}-{stage.name}@home.example", "password": "correct horse battery"}
    made = await stage.site.guest.send("POST", "/api/v1/auth/register", body)
    assert made.status == 201, made.body
    user_id: int = made.json["id"]
    return user_id


async def _author(stage: Stage, use: str) -> Caller:
    """Create a user with an account."""
    return stage.site.user(await _account(stage, use))


async def _reviewed(stage: Stage, use: str) -> tuple[Caller, int]:
    author = await _author(stage, use)
    made = await author.send("POST", f"/api/v1/movies/{stage.movie_id}/reviews", {"rating": 4})
    assert made.status == 201, made.body
    return author, made.json["id"]


async def _create_event(stage: Stage) -> DurableRequest:
    body = {"title": "Night of the Brass Bands", "venue": "Harbour Hall", "startDate": days_ahead(30)}
    return DurableRequest(stage.admin, "POST", "/api/admin/events", body, repeatable=False)


async def _create_ticket_type(stage: Stage) -> DurableRequest:
    body = {"eventId": stage.event_id, "name": f"Balcony {stage.name}", "price": 25.5, "capacity": 20}
    return DurableRequest(stage.admin, "POST", "/api/admin/ticket-types", body, repeatable=False)


def _created(path: str, fields: Mapping[str, Any]) -> Recipe:
    async def recipe(stage: Stage) -> DurableRequest:
        return DurableRequest(stage.admin, "POST", path, stage.filled(fields), repeatable=False)

    return recipe


def _changed(method: str, path: str, create: Mapping[str, Any], change: Mapping[str, Any] | None) -> Recipe:
    async def recipe(stage: Stage) -> DurableRequest:
        made = await make(stage.site, path, stage.filled(create))  # type: ignore[arg-type]
        changed = f"{path}{made['id']}"
        return DurableRequest(stage.admin, method, changed, change, repeatable=change is not None)

    return recipe


def _of_event(method: str, action: str = "", body: object = None, *, repeatable: bool = True) -> Recipe:
    async def recipe(stage: Stage) -> DurableRequest:
        path = f"/api/admin/events/{await stage.another_event()}{action}"
        return DurableRequest(stage.admin, method, path, body, repeatable)

    return recipe


def _of_type(method: str, action: str = "", body: object = None, *, repeatable: bool = True) -> Recipe:
    async def recipe(stage: Stage) -> DurableRequest:
        name = f"{method}{action} {stage.name}"
        path = f"/api/admin/ticket-types/{await stage.another_type(name)}{action}"
        return DurableRequest(stage.admin, method, path, body, repeatable)

    return recipe


async def _join_waitlist(stage: Stage) -> DurableRequest:
    type_id = await make_type(stage.site, stage.event_id, f"Sold out {stage.name}", capacity=1)  # type: ignore[arg-type]
    await Guest(stage.site, f"first-of-{stage.name}").reserved(type_id)  # type: ignore[arg-type]
    body = {"ticketTypeId": type_id, "quantity": 1}
    return DurableRequest(stage.buyer, "POST", "/api/v1/waitlist", body, repeatable=False)


async def _leave_waitlist(stage: Stage) -> DurableRequest:
    joining = await _notify_when_free(stage)
    entry_id = (await joining.send()).json["id"]
    return DurableRequest(stage.buyer, "DELETE", f"/api/v1/waitlist/{entry_id}")


async def _notify_when_free(stage: Stage) -> DurableRequest:
    booking = stage.booking()
    assert (await stage.admin.send("POST", "/api/v1/tickets/book", booking)).status == 201
    body = {"screening_id": booking["screening_id"], "seat_id": booking["seat_ids"][0]}
    path = "/api/v1/seat-reservations/notify-when-free"
    return DurableRequest(stage.buyer, "POST", path, body, repeatable=False)


_CINEMA = ("/api/v1/cinemas/", {"name": "Capitol"})
_MOVIE = ("/api/v1/movies/", {"title": "High Water"})
_CAST = ("/api/v1/casts/", {"movie_id": ".movie_id", "name": "Ann Actor"})

RECIPES: Mapping[str, Recipe] = {
    "book_tickets": _book,
    "book_from_reservation": _book_from_reservation,
    "cancel_ticket": _cancel_ticket,
    "cancel_tickets": _cancel_tickets,
    "move_ticket": _move_ticket,
    "move_tickets": _move_tickets,
    "give_ticket": _give_ticket,
    "confirm_payment": _confirm_payment,
    "update_ticket_status": _update_ticket_status,
    "purchase_reservation": _purchase,
    "sell_by_hand": _sell_by_hand,
    "settle_refund": _settle_refund,
    "join_waitlist": _join_waitlist,
    "leave_waitlist": _leave_waitlist,
    "notify_when_free": _notify_when_free,
    "create_block": _create_block,
    "release_block": _release_block,
    "check_in": _scanned(""),
    "undo_check_in": _scanned("/undo"),
    "check_in_batch": _scanned("/batch"),
    "create_cinema": _created(*_CINEMA),
    "update_cinema": _changed("PATCH", *_CINEMA, {"name": "Palace"}),
    "delete_cinema": _changed("DELETE", *_CINEMA, None),
    "create_movie": _created(*_MOVIE),
    "update_movie": _changed("PATCH", *_MOVIE, {"title": "Higher Water"}),
    "delete_movie": _changed("DELETE", *_MOVIE, None),
    "create_cast_member": _created(*_CAST),
    "update_cast_member": _changed("PUT", *_CAST, {"name": "Bob Actor"}),
    "delete_cast_member": _changed("DELETE", *_CAST, None),
    "create_review": _create_review,
    "update_review": _update_review,
    "delete_review": _delete_review,
    "create_room": _create_room,
    "create_seats": _create_seats,
    "publish_layout": _publish_layout,
    "import_seats": _import_seats,
    "create_screening": _create_screening,
    "update_screening": _update_screening,
    "delete_screening": _delete_screening,
    "create_event": _create_event,
    "update_event": _of_event("PATCH", body={"title": "Brass by Day"}),
    "delete_event": _of_event("DELETE", repeatable=False),
    "close_event": _of_event("POST", "/close"),
    "reopen_event": _of_event("POST", "/reopen"),
    "create_ticket_type": _create_ticket_type,
    "update_ticket_type": _of_type("PATCH", body={"price": 30}),
    "delete_ticket_type": _of_type("DELETE", repeatable=False),
    "close_ticket_type": _of_type("POST", "/close"),
    "reopen_ticket_type": _of_type("POST", "/reopen"),
}


ABOUT_PROVIDERS = {"take_stripe_event"}
"""Operations for payment providers, with signed bodies; `test_stripe.py` repeats them."""


def durable_endpoints() -> list[Endpoint]:
    """Return all operations for clients whose response waits for the database."""
    return [
        endpoint
        for resource in RESOURCES
        for endpoint in resource.endpoints
        if endpoint.durable and endpoint.name not in ABOUT_PROVIDERS
    ]
