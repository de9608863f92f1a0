"""Tickets move to other seats and other screenings: who may, what it costs, and what is owed."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.acceptance.test_sticky_refusals import until
from tests.api.caller import TICKETS, Caller, Response
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.people import open_accounts
from tests.catalogue.programme import SCREENINGS, add_seats, hour, make, make_room, make_screening
from tests.catalogue.test_kept_responses import WAITING
from tests.database import connect, execute
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

PRICE, VIP_PRICE = 12.5, 17.5


class Halls:
    """Two screenings in one room: seats at 12.50, and one VIP seat, the last, at 17.50."""

    def __init__(self, house: House, first: int, second: int, seats: Sequence[int], vip: int) -> None:
        self.house, self.first, self.second, self.seats, self.vip = house, first, second, seats, vip
        self.ada, self.bob = house.user(7), house.user(8)

    async def sold(
        self, *seats: int, payment_id: str = "P", by: Caller | None = None
    ) -> list[dict[str, Any]]:
        booked = await (by or self.ada).book(self.first, seats, payment_id=payment_id)
        assert booked.status == 201, booked.body
        return booked.json

    async def statuses(self, screening_id: int) -> dict[int, str]:
        shown = (await self.house.guest.availability(screening_id)).json
        return {entry["seat"]["id"]: entry["status"] for entry in shown}

    async def owed(self, payment_id: str) -> list[tuple[str, float]]:
        found = await self.house.admin.send("GET", f"/api/v1/admin/refunds?payment_id={payment_id}")
        return [(refund["reason"], refund["amount"]) for refund in found.json]


async def halls_of(house: House, **details: object) -> Halls:
    room_id = await make_room(house)
    seats = await add_seats(house, room_id)
    body = {"seats": [{"row_label": "V", "seat_number": 1, "seat_type": "vip"}]}
    (vip,) = await make(house, f"/api/v1/rooms/{room_id}/seats/bulk", body)
    first = await make_screening(house, room_id, 12, **details)
    return Halls(house, first, await make_screening(house, room_id, 18), seats, vip["id"])


async def move(caller: Caller, ticket: dict[str, Any] | int, **body: object) -> Response:
    ticket_id = ticket if isinstance(ticket, int) else ticket["id"]
    return await caller.send("POST", f"{TICKETS}/{ticket_id}/move", body)


async def move_all(caller: Caller, tickets: Sequence[dict[str, Any]], **body: object) -> Response:
    ids = [ticket["id"] for ticket in tickets]
    return await caller.send("POST", f"{TICKETS}/move", {"ticket_ids": ids, **body})


def told(answer: Response) -> tuple[int, str]:
    return answer.status, answer.code


async def test_a_ticket_moves_to_another_seat_and_keeps_its_id(house: House) -> None:
    halls = await halls_of(house)
    (ticket,) = await halls.sold(halls.seats[0])
    moved = await move(halls.ada, ticket, seat_id=halls.seats[1])
    assert moved.status == 200, moved.body
    assert moved.json == {**ticket, "seat_id": halls.seats[1]}
    statuses = await halls.statuses(halls.first)
    assert (statuses[halls.seats[0]], statuses[halls.seats[1]]) == ("available", "booked")
    assert (await move(halls.ada, ticket, seat_id=halls.seats[1])).json == moved.json
    await house.restart()
    shown = (await house.user(7).ticket(ticket["id"])).json
    assert shown == {**moved.json, "code": shown["code"], "holder_name": None}
    assert (await halls.statuses(halls.first))[halls.seats[1]] == "booked"
    again = await house.user(7).book(halls.first, [halls.seats[0]], payment_id="P")
    assert (again.status, again.json) == (201, [moved.json])
    assert (await house.user(8).book(halls.first, [halls.seats[0]])).status == 201


async def test_tickets_of_an_order_pass_their_seats_on(house: House) -> None:
    halls = await halls_of(house)
    tickets = await halls.sold(*halls.seats[:3])
    moved = await move_all(halls.ada, tickets, seat_ids=halls.seats[1:4])
    assert [ticket["seat_id"] for ticket in moved.json] == halls.seats[1:4], moved.body
    statuses = await halls.statuses(halls.first)
    assert [statuses[seat] for seat in halls.seats[:4]] == ["available", "booked", "booked", "booked"]


async def test_a_ticket_moves_to_the_seat_of_a_cancelled_one_of_the_same_payment(house: House) -> None:
    halls = await halls_of(house)
    kept, given_back, other = await halls.sold(*halls.seats[:3])
    assert (await halls.ada.cancel_ticket(given_back["id"])).status == 204
    moved = await move(halls.ada, kept, seat_id=halls.seats[1])
    assert (moved.status, moved.json) == (200, {**kept, "seat_id": halls.seats[1]})
    # Seats of both screenings have the same ids.
    moved = await move(halls.ada, other, screening_id=halls.second, seat_id=halls.seats[1])
    assert moved.status == 200, moved.body
    assert await halls.owed("P") == [("ticket_cancelled", PRICE)]
    await house.restart()
    assert (await halls.statuses(halls.first))[halls.seats[1]] == "booked"
    # The payment still buys nothing new.
    again = await house.user(7).book(halls.first, [halls.seats[1]], payment_id="P")
    assert again.status == 409, again.body


async def test_a_ticket_moves_to_another_screening(house: House) -> None:
    halls = await halls_of(house)
    tickets = await halls.sold(*halls.seats[:2])
    moved = await move_all(halls.ada, tickets, screening_id=halls.second)
    wanted = [{**ticket, "screening_id": halls.second} for ticket in tickets]
    assert (moved.status, moved.json) == (200, wanted)
    assert set((await halls.statuses(halls.first)).values()) == {"available"}
    assert (await halls.statuses(halls.second))[halls.seats[1]] == "booked"
    assert (await move_all(halls.ada, tickets, screening_id=halls.second)).json == wanted
    back = await move(halls.ada, tickets[0], screening_id=halls.first, seat_id=halls.seats[4])
    assert back.json == {**tickets[0], "seat_id": halls.seats[4]}
    again = await halls.ada.book(halls.first, halls.seats[:2], payment_id="P")
    assert (again.status, again.json) == (201, [back.json, wanted[1]])
    assert (await halls.ada.cancel_ticket(tickets[1]["id"])).status == 204
    assert (await halls.statuses(halls.second))[halls.seats[1]] == "available"
    await house.restart()
    assert (await halls.statuses(halls.first))[halls.seats[4]] == "booked"
    assert await halls.owed("P") == [("ticket_cancelled", PRICE)]


async def test_a_dearer_seat_costs_the_difference(house: House) -> None:
    halls = await halls_of(house)
    (ticket,) = await halls.sold(halls.seats[0])
    refused = await move(halls.ada, ticket, seat_id=halls.vip)
    assert (told(refused), refused.json["amount"]) == ((409, "payment_required"), 5.0)
    moved = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="Q", expected_total=5)
    assert (moved.status, moved.json["price"], moved.json["payment_id"]) == (200, VIP_PRICE, "P")
    same = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="Q", expected_total=5)
    assert same.json == moved.json
    other = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="R", expected_total=5)
    assert (told(other), other.json["amount"]) == ((409, "refund_required"), 5.0)
    assert (
        await halls.bob.book(halls.first, [halls.seats[5]], payment_id="Q")
    ).code == "payment_already_used"
    assert (await halls.ada.cancel_ticket(ticket["id"])).status == 204
    assert await halls.owed("P") == [("ticket_cancelled", PRICE)]
    assert await halls.owed("Q") == [("ticket_cancelled", 5.0)]
    assert await halls.owed("R") == [("nothing_to_pay", 5.0)]


async def test_a_cheaper_seat_owes_the_difference(house: House) -> None:
    halls = await halls_of(house)
    (ticket,) = await halls.sold(halls.vip)
    assert told(await move(halls.ada, ticket, seat_id=halls.seats[0], payment_id="Q")) == (
        409,
        "nothing_to_pay",
    )
    for _ in range(2):
        moved = await move(halls.ada, ticket, seat_id=halls.seats[0])
        assert (moved.status, moved.json["price"]) == (200, PRICE)
    assert await halls.owed("P") == [("ticket_moved", 5.0)]
    dearer = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="R")
    assert dearer.json["price"] == VIP_PRICE
    assert (await move(halls.ada, ticket, seat_id=halls.seats[1])).json["price"] == PRICE
    assert await halls.owed("R") == [("ticket_moved", 5.0)]
    await halls.ada.cancel_ticket(ticket["id"])
    assert await halls.owed("P") == [("ticket_moved", 5.0), ("ticket_cancelled", PRICE)]
    assert await halls.owed("R") == [("ticket_moved", 5.0)]


async def test_the_tickets_of_an_order_settle_among_themselves(house: House) -> None:
    halls = await halls_of(house)
    tickets = await halls.sold(halls.seats[0], halls.vip)
    moved = await move_all(halls.ada, tickets, seat_ids=[halls.vip, halls.seats[1]], expected_total=0)
    assert [ticket["price"] for ticket in moved.json] == [VIP_PRICE, PRICE], moved.body
    assert await halls.owed("P") == []
    await halls.ada.cancel_ticket(tickets[0]["id"])
    assert await halls.owed("P") == [("ticket_cancelled", VIP_PRICE)]


async def test_a_payment_for_a_seat_that_cannot_be_had_is_owed(house: House) -> None:
    halls = await halls_of(house)
    (ticket,) = await halls.sold(halls.seats[0])
    await halls.bob.reserve(halls.first, [halls.vip])
    for _ in range(2):
        refused = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="Q")
        assert told(refused) == (409, "refund_required"), refused.body
        assert (refused.json["reason"], refused.json["amount"]) == ("seats_unavailable", 5.0)
        assert refused.json["held"] == [halls.vip]
    assert await halls.owed("Q") == [("seats_unavailable", 5.0)]
    there = {"screening_id": halls.second, "seat_id": halls.vip}
    wrong = await move(halls.ada, ticket, **there, payment_id="R", expected_total=4)
    assert (told(wrong), wrong.json["reason"], wrong.json["amount"]) == (
        (409, "refund_required"),
        "price_changed",
        4.0,
    )
    assert (await halls.statuses(halls.second))[halls.vip] == "available"
    own = await move(halls.ada, ticket, **there, payment_id="P")
    assert told(own) == (409, "payment_already_used")
    assert (await halls.statuses(halls.second))[halls.vip] == "available"


async def test_refusals_say_why_and_change_nothing(house: House) -> None:
    halls = await halls_of(house)
    (ticket,) = await halls.sold(halls.seats[0])
    (other,) = await halls.sold(halls.seats[1], payment_id="P2")
    await halls.sold(halls.seats[2], payment_id="B", by=halls.bob)
    assert told(await move(halls.bob, ticket, seat_id=halls.seats[3])) == (404, "ticket_not_found")
    assert told(await move(halls.ada, 999_999, seat_id=halls.seats[3])) == (404, "ticket_not_found")
    assert told(await move(halls.ada, ticket, seat_id=999_999)) == (404, "seat_not_found")
    unknown = await move(halls.ada, ticket, screening_id=999_999)
    assert told(unknown) == (404, "screening_not_found")
    taken = await move(halls.ada, ticket, seat_id=halls.seats[2])
    assert (told(taken), taken.json["booked"]) == ((409, "seats_unavailable"), [halls.seats[2]])
    for body in ({}, {"seat_id": 0}, {"seat_id": None}, {"screening_id": "x"}):
        assert (await move(halls.ada, ticket, **body)).status == 422, body
    for body in (
        {"seat_ids": [halls.seats[3]]},
        {"seat_ids": [halls.seats[3]] * 2},
        {},
        {"seat_ids": halls.seats[3:5]},  # of two orders
    ):
        refused = await move_all(halls.ada, [ticket, other], **body)
        assert refused.status == 422, (body, refused.body)
    assert (await move_all(halls.ada, [ticket, ticket], seat_ids=halls.seats[3:5])).status == 422
    pending = (await halls.ada.book(halls.first, [halls.seats[3]], payment_pending=True)).json[0]
    refused = await move(halls.ada, pending, seat_id=halls.seats[4])
    assert (told(refused), refused.json["status"]) == ((409, "ticket_not_confirmed"), "pending")
    await halls.ada.cancel_ticket(other["id"])
    assert told(await move(halls.ada, other, seat_id=halls.seats[4])) == (409, "ticket_not_confirmed")
    assert (await halls.statuses(halls.first))[halls.seats[0]] == "booked"
    assert await halls.owed("P") == []


async def test_the_organiser_decides_whether_holders_move_tickets(house: House) -> None:
    halls = await halls_of(house, moves_allowed=False)
    (ticket,) = await halls.sold(halls.seats[0])
    for body in ({"seat_id": halls.seats[1]}, {"screening_id": halls.second}):
        assert told(await move(halls.ada, ticket, **body)) == (409, "moves_closed")
    moved = await move(house.admin, ticket, seat_id=halls.vip)
    assert (moved.status, moved.json["price"], moved.json["user_id"]) == (200, VIP_PRICE, 7)
    await halls.ada.cancel_ticket(ticket["id"])
    assert await halls.owed("P") == [("ticket_cancelled", PRICE)]  # nobody has named a payment of the rest
    shown = (await house.guest.send("GET", f"{SCREENINGS}/{halls.first}")).json
    assert (shown["moves_allowed"], shown["moves_until"]) == (False, None)
    (ticket,) = await halls.sold(halls.seats[2], payment_id="Q")
    for closes_at, status in ((hour(-48), 409), (hour(12), 200)):
        changes = {"moves_allowed": True, "moves_until": closes_at}
        assert (await house.admin.send("PUT", f"{SCREENINGS}/{halls.first}", changes)).status == 200
        assert (await move(halls.ada, ticket, seat_id=halls.seats[3])).status == status


async def test_a_payment_that_needs_a_voucher_is_the_services_to_name(open_house: OpenHouse) -> None:
    house = await open_house(payments="vouched")
    open_accounts(house, 7)
    halls = await halls_of(house)
    service = Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=3600))
    body = {"screening_id": halls.first, "seat_ids": [halls.seats[0]], "payment_id": "P", "user_id": 7}
    (ticket,) = (await service.send("POST", f"{TICKETS}/book", body)).json
    refused = await move(halls.ada, ticket, seat_id=halls.vip, payment_id="Q")
    assert (told(refused), refused.json["amount"]) == ((409, "payment_required"), 5.0)
    assert await halls.owed("Q") == []
    moved = await move(service, ticket, seat_id=halls.vip, payment_id="Q", user_id=7)
    assert (moved.status, moved.json["price"]) == (200, VIP_PRICE), moved.body
    assert (await move(halls.ada, ticket, seat_id=halls.seats[1])).status == 200
    found = (await house.admin.send("GET", "/api/v1/admin/refunds")).json
    assert [(one["payment_id"], one["amount"], one["vouched_by"]) for one in found] == [("Q", 5.0, "service")]


class Fair:
    """Two events: standing places at 25.50 in both, and in the first one two on the balcony at 40."""

    def __init__(self, house: House, events: Sequence[str], standing: Sequence[int], balcony: int) -> None:
        self.house, self.events, self.standing, self.balcony = house, events, standing, balcony
        self.ada = Guest(house, "session-of-ada", house.token(7))

    async def bought(self, quantity: int = 1) -> list[int]:
        reservation = await self.ada.reserved(str(self.standing[0]), quantity)
        bought = data(await self.ada.purchase(reservation, *[ADA] * quantity))
        return [int(ticket["id"]) for ticket in bought["tickets"]]

    async def sold(self) -> list[int]:
        kinds = (*self.standing, self.balcony)
        return [(await self.ada.left(str(kind)))["sold"] for kind in kinds]


async def fair_of(house: House, **details: object) -> Fair:
    events = [await make_event(house, **details) for _ in range(2)]
    standing = [int(await make_type(house, event)) for event in events]
    balcony = await make_type(house, events[0], "Balcony", price=40, capacity=2)
    return Fair(house, events, standing, int(balcony))


async def test_tickets_of_ticket_types_move_to_other_types_and_events(house: House) -> None:
    fair = await fair_of(house)
    first, second = await fair.bought(2)
    before = (await fair.ada.ticket(first)).json
    refused = await move(fair.ada, first, ticket_type_id=fair.balcony)
    assert (told(refused), refused.json["amount"]) == ((409, "payment_required"), 14.5)
    body = {"ticket_type_id": fair.balcony, "payment_id": "Q", "expected_total": 14.5}
    moved = await move(fair.ada, first, **body)
    assert (moved.status, moved.json["price"], moved.json["ticket_type_id"]) == (200, 40, fair.balcony)
    assert (await move(fair.ada, first, **body)).json == moved.json
    assert await fair.sold() == [1, 0, 1]
    both = {"ticket_ids": [first, second], "ticket_type_id": fair.standing[1]}
    mixed = await fair.ada.send("POST", f"{TICKETS}/move", both)
    assert [ticket["event_id"] for ticket in mixed.json] == [int(fair.events[1])] * 2, mixed.body
    assert (await fair.ada.send("POST", f"{TICKETS}/move", both)).json == mixed.json
    assert await fair.sold() == [0, 2, 0]
    owed = (await house.admin.send("GET", "/api/v1/admin/refunds?payment_id=Q")).json
    assert [(refund["reason"], refund["amount"]) for refund in owed] == [("ticket_moved", 14.5)]
    now = (await fair.ada.ticket(first)).json
    assert (now["code"], now["holder_name"]) == (before["code"], ADA["fullName"])
    await house.restart()
    fair.ada = Guest(house, "session-of-ada", house.token(7))
    assert await fair.sold() == [0, 2, 0]
    assert (await fair.ada.cancel_ticket(first)).status == 204
    assert await fair.sold() == [0, 1, 0]


async def test_a_payment_for_places_that_cannot_be_had_is_owed(house: House) -> None:
    fair = await fair_of(house)
    (ticket,) = await fair.bought()
    other = Guest(house, "session-of-bob")
    await other.reserved(str(fair.balcony), 2)
    refused = await move(fair.ada, ticket, ticket_type_id=fair.balcony, payment_id="Q")
    assert told(refused) == (409, "refund_required"), refused.body
    assert (refused.json["reason"], refused.json["amount"]) == ("not_enough_tickets", 14.5)
    assert await fair.sold() == [1, 0, 0]


async def test_refusals_to_move_places(house: House) -> None:
    fair = await fair_of(house)
    halls = await halls_of(house)
    (ticket,), (seat,) = await fair.bought(), await halls.sold(halls.seats[0])
    bob = house.user(8)
    there = {"ticket_type_id": fair.standing[1]}
    assert told(await move(bob, ticket, **there)) == (404, "ticket_not_found")
    assert told(await move(fair.ada, ticket, ticket_type_id=999_999)) == (404, "ticket_type_not_found")
    for body in (
        {"screening_id": int(fair.events[1])},
        {"screening_id": int(fair.events[0]), **there},
        {"seat_id": halls.seats[1], **there},
        {"ticket_type_id": "x"},
    ):
        assert (await move(fair.ada, ticket, **body)).status == 422, body
    assert told(await move(fair.ada, ticket, seat_id=halls.seats[1])) == (409, "ticket_not_movable")
    assert told(await move(fair.ada, seat, **there)) == (409, "ticket_not_movable")
    path = f"/api/admin/events/{fair.events[1]}"
    closed = await house.admin.send("PATCH", path, {"movesAllowed": False})
    if closed.status == 405:
        closed = await house.admin.send("PUT", path, {"movesAllowed": False})
    assert data(closed)["movesAllowed"] is False
    assert told(await move(fair.ada, ticket, **there)) == (409, "moves_closed")
    assert (await move(house.admin, ticket, **there)).status == 200


async def test_a_move_changes_nothing_if_another_server_has_answered_a_repeat_meanwhile(
    open_house: OpenHouse,
) -> None:
    halls = await halls_of(await open_house())
    house, (first, second, *_) = halls.house, halls.seats
    (ticket,) = await halls.sold(first)
    other = connect(house.database_url)
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO idempotency_keys VALUES ('user:7', 'key', '', 200, '')")
        path = f"{TICKETS}/{ticket['id']}/move"
        moving = asyncio.ensure_future(halls.ada.send("POST", path, {"seat_id": second}, key="key"))
        await until(lambda: bool(execute(house.database_url, WAITING)))
        cursor.execute("COMMIT")
    other.close()
    refused = await moving
    assert (refused.status, refused.code) == (409, "idempotency_key_in_flight")
    assert refused.json["retryable"] and refused.headers["Retry-After"] == "1"
    statuses = await halls.statuses(halls.first)
    assert (statuses[first], statuses[second]) == ("booked", "available")
    assert (await move(halls.ada, ticket, seat_id=second)).json["seat_id"] == second


async def test_the_stored_response_to_a_move_tells_where_the_ticket_was_then(open_house: OpenHouse) -> None:
    halls = await halls_of(await open_house())
    first, second, third, *_ = halls.seats
    tickets = await halls.sold(first)
    path = f"{TICKETS}/{tickets[0]['id']}/move"
    moved = await halls.ada.send("POST", path, {"seat_id": second}, key="one")
    several = {"ticket_ids": [tickets[0]["id"]], "seat_ids": [third]}
    again = await halls.ada.send("POST", f"{TICKETS}/move", several, key="several")
    assert (moved.json["seat_id"], again.json[0]["seat_id"]) == (second, third)
    repeated = await halls.ada.send("POST", path, {"seat_id": second}, key="one")
    assert (repeated.status, repeated.body) == (200, moved.body)
    repeated = await halls.ada.send("POST", f"{TICKETS}/move", several, key="several")
    assert (repeated.status, repeated.body) == (200, again.body)
    assert (await halls.statuses(halls.first))[third] == "booked"
