"""Every payment ends in tickets or in a refund that administrators see: what is owed, and settling it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.caller import TICKETS, Caller, Response
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type, refusal
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import SCREENINGS, add_seats, make_room, make_screening, open_house
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

REFUNDS = "/api/v1/admin/refunds"
PRICE = 12.5


async def soon(done: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Repeat a request until its response is as wanted."""
    async with asyncio.timeout(60):
        while True:
            if wanted(found := await done()):
                return found
            await asyncio.sleep(0.05)


async def refunds(house: House, query: str = "") -> list[dict[str, Any]]:
    answer = await house.admin.send("GET", f"{REFUNDS}{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def owed_for(house: House, payment_id: str) -> list[float]:
    """The amounts that are owed for a payment."""
    return [refund["amount"] for refund in await refunds(house, f"?payment_id={payment_id}&status=owed")]


def told(answer: Response) -> tuple[int, str]:
    return answer.status, answer.code


REFUSED = (409, "refund_required")


class Hall:
    """A screening with 26 seats at 12.50, and a buyer."""

    def __init__(self, house: House, screening_id: int, seat_ids: Sequence[int]) -> None:
        self.house, self.id, self.seat_ids = house, screening_id, seat_ids
        self.buyer, self.rival = house.user(7), house.user(8)
        self._free = iter(seat_ids)

    def seat(self) -> int:
        return next(self._free)

    async def pay(self, payment_id: str, *seats: int, key: str | None = None) -> Response:
        return await self.buyer.book_reservation(self.id, seats, payment_id, key)

    async def confirm_by_hand(self, ticket: int, payment_id: str) -> Response:
        body = {"status": "confirmed", "payment_id": payment_id}
        return await self.house.admin.send("PUT", f"{TICKETS}/{ticket}/status", body)

    async def free(self, *seats: int) -> None:
        """Wait until nobody has these seats."""

        async def availability() -> Any:
            return (await self.house.guest.availability(self.id)).json

        def are_free(shown: Any) -> bool:
            return all(entry["status"] == "available" for entry in shown if entry["seat"]["id"] in seats)

        await soon(availability, are_free)

    async def pending(self, *seats: int) -> list[int]:
        booked = await self.buyer.book(self.id, seats, payment_pending=True)
        assert booked.status == 201, booked.body
        return [ticket["id"] for ticket in booked.json]

    async def lapsed(self, *seats: int) -> list[int]:
        """Pending tickets that were not paid for in time."""
        ids = await self.pending(*seats)
        await self.free(*seats)
        return ids


async def hall_of(house: House, **details: Any) -> Hall:
    room_id = await make_room(house)
    seat_ids = await add_seats(house, room_id, "AB", 13)
    return Hall(house, await make_screening(house, room_id, **details), seat_ids)


async def test_the_same_payment_has_the_same_answer_for_ever(house: House) -> None:
    hall = await hall_of(house)
    seats = [hall.seat(), hall.seat()]
    await hall.buyer.reserve(hall.id, seats)
    booked = (await hall.pay("P", *seats, key="k0")).json
    (pending,) = await hall.pending(hall.seat())
    assert (await hall.buyer.confirm_payment(pending, "Q")).json["status"] == "confirmed"

    async def same(status: str, key: str) -> None:
        for ids, given in ((seats, None), (seats[::-1], None), (seats, key)):
            again = await hall.pay("P", *ids, key=given)
            assert again.status == 201, again.body
            assert sorted((ticket["id"], ticket["seat_id"]) for ticket in again.json) == [
                (ticket["id"], ticket["seat_id"]) for ticket in booked
            ]
            assert status in {ticket["status"] for ticket in again.json}
        replayed = await hall.pay("P", *seats, key="k0")
        assert replayed.headers["Idempotency-Replayed"] == "true"
        assert replayed.json == (await hall.pay("P", *seats)).json
        direct = await hall.buyer.book(hall.id, seats, payment_id="P")
        assert direct.json == (await hall.pay("P", *seats)).json

    await same("confirmed", "k1")
    await hall.buyer.cancel_ticket(booked[0]["id"])
    await same("cancelled", "k2")
    assert (await hall.rival.book(hall.id, seats[:1])).status == 201
    await same("cancelled", "k3")
    await house.admin.send("DELETE", f"{SCREENINGS}/{hall.id}?cancel_bookings=true")
    await same("cancelled", "k4")
    late = await hall.buyer.confirm_payment(pending, "Q")
    assert (late.status, late.json["id"], late.json["status"]) == (200, pending, "cancelled")
    assert await owed_for(house, "P") == [PRICE, PRICE]
    assert await owed_for(house, "Q") == [PRICE]


async def test_payments_after_the_beginning(house: House) -> None:
    hall = await hall_of(house)
    paid, held, unpaid = hall.seat(), hall.seat(), hall.seat()
    await hall.buyer.reserve(hall.id, [paid, held])
    first = await hall.pay("P", paid)
    assert first.status == 201
    (pending,) = await hall.pending(unpaid)

    async def moved() -> Response:
        start = datetime.now(UTC) + timedelta(seconds=1)
        return await house.admin.send("PUT", f"{SCREENINGS}/{hall.id}", {"starts_at": start.isoformat()})

    await soon(moved, lambda answer: answer.status == 200)
    await soon(lambda: hall.rival.reserve(hall.id, [hall.seat_ids[-1]]), lambda answer: answer.status == 400)
    assert (await hall.pay("P", paid)).json == first.json
    assert told(await hall.pay("Q", held)) == REFUSED
    assert told(await hall.buyer.book(hall.id, [held], payment_id="Q")) == REFUSED
    assert told(await hall.buyer.confirm_payment(pending, "R")) == REFUSED
    assert told(await hall.buyer.book(hall.id, [held])) == (400, "screening_started")
    assert [await owed_for(house, payment) for payment in "PQR"] == [[], [PRICE], [PRICE]]


async def test_payments_that_cannot_be_used_are_owed_once(open_house: OpenHouse) -> None:
    house = await open_house(payment_window_seconds=1, held_seats_limit=4)
    hall = await hall_of(house)
    taken, released, never, lapsed, own, dear = (hall.seat() for _ in range(6))
    await hall.rival.book(hall.id, [taken])
    await hall.buyer.reserve(hall.id, [released])
    await hall.buyer.cancel_reservations(hall.id)
    ticket, other = await hall.lapsed(lapsed, hall.seat())
    (owned,) = (await hall.buyer.book(hall.id, [own], payment_id="first")).json
    many = [hall.seat() for _ in range(5)]
    cases: dict[str, tuple[Callable[[], Any], float]] = {
        "taken": (lambda: hall.pay("taken", taken), PRICE),
        "taken-directly": (lambda: hall.buyer.book(hall.id, [taken], payment_id="taken-directly"), PRICE),
        "released": (lambda: hall.pay("released", released), PRICE),
        "never-held": (lambda: hall.pay("never-held", never), PRICE),
        "lapsed": (lambda: hall.buyer.confirm_payment(ticket, "lapsed"), PRICE),
        "lapsed-by-hand": (lambda: hall.confirm_by_hand(other, "lapsed-by-hand"), PRICE),
        "second": (lambda: hall.pay("second", own), PRICE),
        "second-by-hand": (lambda: hall.confirm_by_hand(owned["id"], "second-by-hand"), PRICE),
        "over-a-limit": (lambda: hall.buyer.book(hall.id, many, payment_id="over-a-limit"), 5 * PRICE),
        "price": (
            lambda: hall.buyer.book(hall.id, [dear], payment_id="price", expected_total=10),
            10.0,
        ),
    }
    for payment_id, (pay, amount) in cases.items():
        first = await pay()
        assert told(first) == REFUSED, (payment_id, first.body)
        assert first.json["amount"] == amount
        assert (await pay()).json["refund_id"] == first.json["refund_id"]
        (refund,) = await refunds(house, f"?payment_id={payment_id}")
        assert (refund["amount"], refund["currency"], refund["reason"]) == (
            amount,
            "EUR",
            first.json["reason"],
        )
        assert (refund["screening_id"], refund["user_id"], refund["vouched_by"]) == (hall.id, 7, None)
    await hall.buyer.reserve(hall.id, [never])
    assert told(await hall.pay("never-held", never)) == REFUSED, "although the seat is held now"
    assert told(await hall.rival.book_reservation(hall.id, [never], "never-held")) == (
        409,
        "payment_already_used",
    )
    assert told(await hall.pay("first", never)) == (409, "payment_already_used")
    announced = await hall.buyer.book(hall.id, [taken], payment_id="announced", payment_pending=True)
    assert told(announced) == (409, "seats_unavailable"), "it is still to be paid"
    assert await owed_for(house, "first") == []
    assert len(await refunds(house)) == len(cases)


async def test_payments_for_screenings_that_are_gone_are_owed_at_the_held_price(house: House) -> None:
    sold, unsold = await hall_of(house), await hall_of(house)
    for hall in (sold, unsold):
        await hall.buyer.reserve(hall.id, hall.seat_ids[:2])
        await house.admin.send("PUT", f"{SCREENINGS}/{hall.id}", {"price": 20})
    await sold.rival.book(sold.id, sold.seat_ids[2:3])
    for hall in (sold, unsold):
        gone = await house.admin.send("DELETE", f"{SCREENINGS}/{hall.id}?cancel_bookings=true")
        assert gone.status == 204
    assert (await house.guest.send("GET", f"{SCREENINGS}/{unsold.id}")).status == 404
    for hall, payment_id in ((sold, "P"), (unsold, "Q")):
        for _ in range(2):
            assert told(await hall.pay(payment_id, *hall.seat_ids[:2])) == REFUSED
        assert await owed_for(house, payment_id) == [2 * PRICE]
    unknown = await house.user(7).book_reservation(10**9, [1], "R")
    assert told(unknown) == (404, "screening_not_found"), "nothing is known that could be owed"


async def test_late_payments_get_their_seats_if_the_server_is_set_to_rebook(open_house: OpenHouse) -> None:
    house = await open_house(late_payments="rebook", hold_seconds=1, payment_window_seconds=1)
    hall = await hall_of(house)
    lapsed, released, lost, dearer = (hall.seat() for _ in range(4))
    await hall.buyer.reserve(hall.id, [lapsed, lost, dearer])
    await hall.free(lapsed, lost, dearer)
    await hall.buyer.reserve(hall.id, [released])
    await hall.buyer.cancel_reservations(hall.id)
    for payment_id, seat in (("P", lapsed), ("Q", released)):
        first = await hall.pay(payment_id, seat)
        assert (first.status, first.json[0]["price"]) == (201, PRICE)
        assert (await hall.pay(payment_id, seat)).json == first.json
    await hall.rival.book(hall.id, [lost])
    assert told(await hall.pay("R", lost)) == REFUSED

    one, two, three = (hall.seat() for _ in range(3))
    order = await hall.lapsed(one, two, three)
    await hall.rival.book(hall.id, [three])
    new = [await hall.buyer.confirm_payment(ticket, "S") for ticket in order[:2]]
    assert [(answer.status, answer.json["status"]) for answer in new] == [(200, "confirmed")] * 2
    assert not {answer.json["id"] for answer in new} & set(order)
    assert [(await hall.buyer.confirm_payment(ticket, "S")).json for ticket in order[:2]] == [
        answer.json for answer in new
    ]
    assert told(await hall.buyer.confirm_payment(order[2], "S")) == REFUSED
    assert await owed_for(house, "S") == [PRICE]
    assert [(await hall.buyer.ticket(ticket)).json["status"] for ticket in order] == ["lapsed"] * 3

    by_hand, unlucky = await hall.lapsed(hall.seat(), hall.seat())
    confirmed = (await hall.confirm_by_hand(by_hand, "V")).json
    assert (confirmed["status"], confirmed["payment_id"]) == ("confirmed", "V")
    assert confirmed["id"] != by_hand
    await house.admin.send("PUT", f"{SCREENINGS}/{hall.id}", {"price": 20})
    for answer in (await hall.pay("T", dearer), await hall.buyer.confirm_payment(unlucky, "U")):
        assert (answer.code, answer.json["reason"], answer.json["amount"]) == (
            *("refund_required", "price_changed", PRICE),
        )


@pytest.mark.parametrize("late_payments", ["refuse", "rebook"])
async def test_late_purchases_of_the_public_api(open_house: OpenHouse, late_payments: str) -> None:
    house = await open_house(late_payments=late_payments)
    kind = await make_type(house, await make_event(house), capacity=3)
    guest, other = (Guest(house, None, house.token(user_id)) for user_id in (7, 8))
    reservation = await guest.reserved(kind, 2)
    await guest.cancel(reservation)
    if late_payments == "refuse":
        assert refusal(await guest.purchase(reservation, ADA, BOB)) == (409, "reservation_cancelled")
        return
    assert refusal(await guest.purchase(reservation, ADA)) == (400, "invalid_input")
    bought = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
    assert len(bought) == 2
    again = data(await guest.purchase(reservation, ADA, BOB))["tickets"]
    assert [ticket["id"] for ticket in again] == [ticket["id"] for ticket in bought]
    assert (await guest.left(kind))["available"] == 1
    lost = await other.reserved(kind)
    await other.cancel(lost)
    await guest.reserved(kind)
    assert refusal(await other.purchase(lost, ADA)) == (409, "reservation_cancelled")


async def test_cancelling_by_anybody_owes_the_price_and_revenue_counts_what_is_kept(house: House) -> None:
    hall = await hall_of(house)
    seats = [hall.seat() for _ in range(5)]
    tickets = [ticket["id"] for ticket in (await hall.buyer.book(hall.id, seats, payment_id="P")).json]
    await hall.buyer.book(hall.id, [hall.seat()])
    await hall.buyer.cancel_ticket(tickets[0])
    await hall.buyer.send("DELETE", f"/api/v1/tickets/?ids={tickets[1]},{tickets[2]}")
    await house.admin.send("PUT", f"/api/v1/tickets/{tickets[3]}/status", {"status": "cancelled"})
    assert [refund["ticket_id"] for refund in await refunds(house)] == tickets[:4]
    revenue = (await house.admin.send("GET", "/api/v1/admin/stats/revenue")).json
    assert (revenue["tickets_sold"], revenue["revenue"]) == (2, 2 * PRICE)
    await house.admin.send("DELETE", f"{SCREENINGS}/{hall.id}?cancel_bookings=true")
    owed = await refunds(house, "?status=owed")
    assert [(refund["ticket_id"], refund["amount"], refund["reason"]) for refund in owed] == [
        (ticket_id, PRICE, "ticket_cancelled") for ticket_id in tickets
    ], "nothing is owed for the ticket without a payment"
    assert (await house.admin.send("GET", "/api/v1/admin/stats/revenue")).json["revenue"] == 0


async def test_settling(house: House) -> None:
    hall = await hall_of(house)
    await hall.rival.book(hall.id, hall.seat_ids[:1])
    first = await hall.pay("P", hall.seat_ids[0])
    path = f"{REFUNDS}/{first.json['refund_id']}/settle"
    admin: Caller = house.admin
    assert told(await admin.send("POST", path, {"reference": "re_1"})) == (409, "refund_unvouched")
    assert (await refunds(house, "?status=settled")) == []
    settled = await admin.send("POST", path, {"reference": "re_1", "confirm": True})
    assert (settled.status, settled.json["status"], settled.json["reference"]) == (200, "settled", "re_1")
    assert settled.json["settled_at"] is not None
    assert (await admin.send("POST", path, {"reference": "re_1"})).json == settled.json
    other = await admin.send("POST", path, {"reference": "re_2", "confirm": True})
    assert (told(other), other.json["reference"]) == ((409, "refund_settled"), "re_1")
    assert await refunds(house, "?status=settled") == [settled.json]
    assert (await hall.pay("P", hall.seat_ids[0])).body == first.body, "the same answer for ever"
    assert told(await admin.send("POST", f"{REFUNDS}/{10**12}/settle", {"reference": "r"})) == (
        404,
        "refund_not_found",
    )
    assert (await hall.buyer.send("GET", REFUNDS)).status == 403
    assert (await hall.buyer.send("POST", path, {"reference": "re_1"})).status == 403


async def test_refunds_that_nobody_vouches_for_are_bounded_per_user(open_house: OpenHouse) -> None:
    house = await open_house(unvouched_refunds_limit=2)
    hall = await hall_of(house)
    taken, mine = hall.seat(), [hall.seat(), hall.seat()]
    await hall.rival.book(hall.id, [taken])
    booked = (await hall.buyer.book(hall.id, mine, payment_id="mine")).json
    assert [told(await hall.pay(f"P{number}", taken)) for number in range(3)] == [
        REFUSED,
        REFUSED,
        (409, "too_many_refunds"),
    ]
    assert told(await hall.pay("P0", taken)) == REFUSED, "recorded before"
    path = f"/api/v1/tickets/{booked[0]['id']}"
    assert told(await hall.buyer.send("DELETE", path)) == (409, "too_many_refunds")
    several = f"/api/v1/tickets/?ids={booked[0]['id']},{booked[1]['id']}"
    assert told(await hall.buyer.send("DELETE", several)) == (409, "too_many_refunds")
    assert len(await refunds(house)) == 2
    by_admin = await house.admin.send("PUT", f"{path}/status", {"status": "cancelled"})
    assert by_admin.status == 200, "administrators are not bounded"
    for refund in await refunds(house):
        body = {"reference": "re_1", "confirm": True}
        await house.admin.send("POST", f"{REFUNDS}/{refund['id']}/settle", body)
    assert told(await hall.pay("P2", taken)) == REFUSED


UNPRINTABLE = ("", " ", "\t", "a\nb", "a\0", "a\u202eb", "a\x7f")


async def test_payment_ids_and_references_are_printable(house: House) -> None:
    hall = await hall_of(house)
    (pending,) = await hall.pending(hall.seat())
    seat = hall.seat()
    for wrong in (*UNPRINTABLE, " P", "P ", "P" * 256):
        for answer in (
            await hall.pay(wrong, seat),
            await hall.buyer.book(hall.id, [seat], payment_id=wrong),
            await hall.buyer.confirm_payment(pending, wrong),
            await hall.confirm_by_hand(pending, wrong),
        ):
            assert (answer.status, answer.code) == (422, "invalid_input"), (wrong, answer.body)
            assert list(answer.json["errors"]) == ["payment_id"]
    assert (await hall.buyer.confirm_payment(pending, "P")).status == 200
    await hall.buyer.cancel_ticket(pending)
    (refund,) = await refunds(house, "?payment_id=P")
    path = f"{REFUNDS}/{refund['id']}/settle"
    for wrong in (*UNPRINTABLE, "R" * 201):
        refused = await house.admin.send("POST", path, {"reference": wrong, "confirm": True})
        assert (refused.status, refused.code) == (422, "invalid_input"), wrong
        assert list(refused.json["errors"]) == ["reference"]
    settled = await house.admin.send("POST", path, {"reference": "  re 1 ", "confirm": True})
    assert (settled.status, settled.json["reference"]) == (200, "re 1")


async def test_refunds_show_the_address_of_a_user_as_long_as_the_account_exists(house: House) -> None:
    buyer = await member(house, "ada@home.example")
    screening, (seat, *_) = await open_house(house)
    (ticket,) = (await buyer.book(screening, [seat], payment_id="pay-1")).json
    assert (await buyer.cancel_ticket(ticket["id"])).status == 204
    (refund,) = await refunds(house)
    assert (refund["user_id"], refund["email"]) == (buyer.user_id, "ada@home.example")
    assert (await buyer.send("DELETE", "/api/v1/users/me", {"password": buyer.password})).status == 204
    (refund,) = await refunds(house)
    assert refund["email"] is None
