"""The waiting list through the public interface: joining, positions, offers, restarts, mails, accounts."""

from typing import Any

import pytest

from tests.api.caller import Caller, Response
from tests.box_office import Guest, data, make_event, make_type
from tests.catalogue.members import member
from tests.catalogue.programme import open_house
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=120)

WAITLIST = "/api/v1/waitlist"
NOTIFY = "/api/v1/seat-reservations/notify-when-free"


@pytest.fixture
def house(house_with_mail: House) -> House:
    return house_with_mail


async def full_house(house: House) -> tuple[int, list[int]]:
    """A screening of six seats, all of them held: user 101 has the first, and so on."""
    screening_id, seats = await open_house(house)
    for number, seat_id in enumerate(seats, 101):
        held = await house.user(number).reserve(screening_id, [seat_id])
        assert held.status == 201, held.body
    return screening_id, list(seats)


async def join(caller: Caller, screening_id: int, quantity: int = 1, **options: object) -> Response:
    body = {"screening_id": screening_id, "quantity": quantity, **options}
    return await caller.send("POST", WAITLIST, body)


async def joined(caller: Caller, screening_id: int, quantity: int = 1, **options: object) -> dict[str, Any]:
    answer = await join(caller, screening_id, quantity, **options)
    assert answer.status == 201, answer.body
    return answer.json


async def own(caller: Caller) -> list[dict[str, Any]]:
    answer = await caller.send("GET", f"{WAITLIST}/me")
    assert answer.status == 200, answer.body
    return answer.json


async def positions(*callers: Caller) -> list[int | None]:
    return [(await own(caller))[0]["position"] for caller in callers]


async def test_who_waits_is_offered_what_others_give_back(house: House) -> None:
    screening_id, seats = await full_house(house)
    ann, bob, eve = house.user(7), house.user(8), house.user(9)
    assert (await joined(ann, screening_id, 2))["position"] == 1
    entry = await joined(bob, screening_id)
    assert {name: entry[name] for name in ("position", "status", "quantity", "together", "offer")} == {
        "position": 2,
        "status": "waiting",
        "quantity": 1,
        "together": False,
        "offer": None,
    }
    await house.user(101).cancel_reservations(screening_id)
    shown = {seat["seat"]["id"]: seat["status"] for seat in (await eve.availability(screening_id)).json}
    assert shown[seats[0]] == "reserved", "set aside for the first in line"
    assert (await eve.reserve(screening_id, seats[:1])).status == 409
    await house.restart()
    ann, bob, eve = house.user(7), house.user(8), house.user(9)
    assert await positions(ann, bob) == [1, 2]
    await house.user(104).cancel_reservations(screening_id)
    (offered,) = await own(ann)
    assert (offered["status"], offered["position"]) == ("offered", None)
    assert offered["offer"]["seat_ids"] == [seats[0], seats[3]]
    assert 0 < offered["offer"]["remaining_seconds"] <= 600
    mine = (await ann.my_reservations()).json
    assert sorted(reservation["seat_id"] for reservation in mine) == [seats[0], seats[3]]
    assert await positions(bob) == [1]
    await house.restart()
    ann, bob, eve = house.user(7), house.user(8), house.user(9)
    sold = await ann.book_reservation(screening_id, [seats[0], seats[3]], "pi-1")
    assert sold.status == 201, sold.body
    assert await own(ann) == []
    assert (await bob.send("DELETE", f"{WAITLIST}/{entry['id']}")).status == 204
    assert (await bob.send("DELETE", f"{WAITLIST}/{entry['id']}")).status == 204
    await house.user(102).cancel_reservations(screening_id)
    assert (await eve.reserve(screening_id, seats[1:2])).status == 201


async def test_refusals_say_why(house: House) -> None:
    screening_id, seats = await open_house(house)
    ann = house.user(7)
    free = await join(ann, screening_id, 2)
    assert (free.status, free.code, free.json["available"]) == (409, "still_available", 6)
    free = await ann.send("POST", NOTIFY, {"screening_id": screening_id, "seat_id": seats[0]})
    assert (free.status, free.code) == (409, "still_available")
    assert (await house.user(8).reserve(screening_id, seats)).status == 201
    entry = await joined(ann, screening_id, 2)
    again = await join(ann, screening_id)
    assert (again.status, again.code, again.json["entry_id"]) == (409, "already_waiting", entry["id"])
    never = await join(house.user(9), screening_id, 4, together=True)
    assert (never.status, never.code, never.json["largest"]) == (409, "no_adjacent_seats", 3)
    assert (await join(house.user(9), screening_id + 1)).status == 404
    for body in (
        {"quantity": 1},
        {"screening_id": screening_id, "ticketTypeId": "1", "quantity": 1},
        {"screening_id": screening_id, "quantity": 0},
        {"ticketTypeId": "1", "quantity": 1, "together": True},
    ):
        assert (await ann.send("POST", WAITLIST, body)).status == 422
    assert (await house.guest.send("POST", WAITLIST, {"screening_id": 1, "quantity": 1})).status == 422


async def test_entries_are_their_holders_and_the_administrators(house: House) -> None:
    screening_id, _ = await full_house(house)
    ann, bob = house.user(7), house.user(8)
    entry = await joined(ann, screening_id)
    await joined(bob, screening_id)
    path = f"/api/v1/admin/screenings/{screening_id}/waitlist"
    assert (await bob.send("DELETE", f"{WAITLIST}/{entry['id']}")).status == 404
    assert (await bob.send("GET", path)).status == 403
    listed = (await house.admin.send("GET", path)).json
    assert [(one["holder"], one["position"]) for one in listed] == [("user:7", 1), ("user:8", 2)]
    assert (await house.admin.send("DELETE", f"{WAITLIST}/{entry['id']}")).status == 204
    left = (await house.admin.send("GET", f"{path}?status=left")).json
    assert [(one["id"], one["position"]) for one in left] == [(entry["id"], None)]
    assert await positions(bob) == [1]


async def test_tickets_by_quantity_for_sessions(house: House) -> None:
    kind = await make_type(house, await make_event(house), capacity=2)
    seller, waiting = Guest(house, "session-of-the-first"), house.guest
    reservation = await seller.reserved(kind, 2)
    body = {"ticketTypeId": kind, "quantity": 2, "sessionId": "session-who-waits"}
    answer = await waiting.send("POST", WAITLIST, body)
    assert (answer.status, answer.json["position"]) == (201, 1), answer.body
    assert (await waiting.send("POST", WAITLIST, body)).code == "already_waiting"
    assert (await seller.cancel(reservation)).status == 200
    assert (await seller.left(kind))["available"] == 0
    (entry,) = (await waiting.send("GET", f"{WAITLIST}/me?sessionId=session-who-waits")).json
    offered = entry["offer"]["ticket_reservation_id"]
    mine = Guest(house, "session-who-waits")
    assert [one["id"] for one in data(await mine.reservations())] == [offered]
    gone = await waiting.send("DELETE", f"{WAITLIST}/{entry['id']}?sessionId=session-who-waits")
    assert gone.status == 204
    assert (await seller.left(kind))["available"] == 2


async def test_who_has_asked_for_a_seat_is_told(house: House, inbox: Inbox) -> None:
    screening_id, seats = await full_house(house)
    ann = await member(house, "ann@home.example")
    wanted = {"screening_id": screening_id, "seat_id": seats[2], "mail": True}
    asked = await ann.send("POST", NOTIFY, wanted)
    assert (asked.status, asked.json["position"], asked.json["seat_id"]) == (201, 1, seats[2])
    await house.restart()
    await house.user(103).cancel_reservations(screening_id)
    mail = await inbox.next_mail()
    assert (mail["To"], mail["Subject"]) == ("ann@home.example", "A seat is free: Row A, seat 3")
    assert await own(Caller(house.base_url, ann.token)) == []


async def test_an_offer_is_told_by_mail_and_account_deletion_leaves_the_list(
    house: House, inbox: Inbox
) -> None:
    screening_id, _ = await full_house(house)
    ann, bob = await member(house, "ann@home.example"), await member(house, "bob@home.example")
    await joined(ann, screening_id)
    await joined(bob, screening_id)
    await house.user(102).cancel_reservations(screening_id)
    mail = await inbox.next_mail()
    assert (mail["To"], mail["Subject"]) == ("ann@home.example", "It is your turn: Brass and Thunder")
    text = mail.get_body(("plain",)).get_content()
    assert f"/screenings/{screening_id}/checkout" in text
    assert (await ann.send("DELETE", "/api/v1/users/me")).status == 204
    mail = await inbox.next_mail()
    assert mail["To"] == "bob@home.example", "the offer goes on"
    statuses = "SELECT status FROM waitlist ORDER BY id"
    assert execute(house.database_url, statuses) == [("declined",), ("offered",)]


async def test_availability_says_how_much_lapses_soon(house: House) -> None:
    screening_id, seats = await full_house(house)
    await house.user(101).extend(screening_id, seats[:1])
    await joined(house.user(7), screening_id)
    shown = (await house.guest.send("GET", f"/api/v1/screenings/{screening_id}/availability")).json
    shown.pop("server_time")
    assert shown == {
        "screening_id": screening_id,
        "capacity": 6,
        "available": 0,
        "held": 6,
        "lapsing": {"60": 0, "120": 0, "300": 5},
        "waiting": 1,
    }
    kind = await make_type(house, await make_event(house), capacity=5)
    await Guest(house, "session-of-the-first").reserved(kind, 2, expirationMinutes=2)
    left = data(await house.guest.send("GET", f"/api/public/availability/{kind}"))
    assert (left["available"], left["lapsing"]) == (3, {"60": 0, "120": 2, "300": 2})
