"""The price is agreed when a seat or ticket is reserved, whatever an administrator changes afterwards."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.api.caller import TICKETS, Response
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.members import member
from tests.catalogue.programme import SCREENINGS, open_house
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=60)


async def reprice(house: House, screening_id: int, price: float) -> None:
    changed = await house.admin.send("PUT", f"{SCREENINGS}/{screening_id}", {"price": price})
    assert changed.status == 200, changed.body


def prices(items: Sequence[dict[str, Any]]) -> list[float]:
    return [item["price"] for item in items]


def changed(response: Response) -> tuple[int, str, float, float]:
    return response.status, response.code, response.json["expected"], response.json["actual"]


async def test_a_reserved_seat_is_sold_at_the_price_it_was_reserved_at(house: House) -> None:
    screening_id, seats = await open_house(house)
    held = await house.user(7).reserve(screening_id, seats[:2])
    assert prices(held.json["reservations"]) == [12.5, 12.5]
    await reprice(house, screening_id, 14.99)
    await house.restart()
    ada, bob = house.user(7), house.user(8)
    assert prices((await ada.extend(screening_id, seats[:1])).json["reservations"]) == [12.5]
    assert prices((await ada.my_reservations()).json) == [12.5, 12.5]
    for caller, shown in ((ada, [12.5, 12.5]), (bob, [])):
        own = (await caller.own_availability(screening_id)).json
        assert [seat["price"] for seat in own if "price" in seat] == shown
    toggled = (await ada.toggle(screening_id, *seats[1:3])).json
    assert (prices(toggled["released"]), prices(toggled["reserved"])) == ([12.5], [14.99])
    assert prices((await bob.reserve(screening_id, seats[3:4])).json["reservations"]) == [14.99]

    wanted = [seats[0], seats[2]]
    refused = await ada.book(screening_id, wanted, expected_total=25)
    assert changed(refused) == (409, "price_changed", 25.0, 27.49)
    sold = await ada.book_reservation(screening_id, wanted, "pi-1", expected_total=27.49)
    assert (sold.status, prices(sold.json)) == (201, [12.5, 14.99])
    assert (await ada.book_reservation(screening_id, wanted, "pi-1", expected_total=1)).json == sold.json
    past = await ada.my_reservations("?include_expired=true")
    assert sorted(prices(past.json)) == [12.5, 12.5, 14.99]


async def test_free_seats_cost_the_present_price(house: House) -> None:
    screening_id, seats = await open_house(house)
    ada = house.user(7)
    await ada.reserve(screening_id, seats[:1])
    await reprice(house, screening_id, 0.1)
    await ada.reserve(screening_id, seats[1:2])
    await reprice(house, screening_id, 0.2)
    refused = await ada.book(screening_id, seats[:3], expected_total=12.6)
    assert changed(refused) == (409, "price_changed", 12.6, 12.8)
    assert "12.80, not 12.60" in refused.json["detail"]
    assert (await ada.my_tickets()).json == []
    # 0.1 + 0.2 + 12.5 is not 12.8 in binary floating point.
    sold = await ada.book(screening_id, seats[:3], expected_total=0.1 + 0.2 + 12.5)
    assert (sold.status, prices(sold.json)) == (201, [12.5, 0.1, 0.2])


async def test_a_pending_ticket_is_paid_at_its_price(house: House) -> None:
    screening_id, seats = await open_house(house)
    ada = house.user(7)
    (ticket,) = (await ada.book(screening_id, seats[:1], payment_pending=True, expected_total=12.5)).json
    await reprice(house, screening_id, 20)
    refused = await ada.confirm_payment(ticket["id"], "pi-1", expected_total=20)
    assert refused.status == 409
    paid = await ada.confirm_payment(ticket["id"], "pi-2", expected_total=12.5)
    assert (paid.status, paid.json["price"], paid.json["status"]) == (200, 12.5, "confirmed")


async def test_a_new_layout_does_not_change_the_price_of_a_reserved_seat(house: House) -> None:
    screening_id, seats = await open_house(house)
    ada = house.user(7)
    await ada.reserve(screening_id, seats[:1])
    room_id = (await house.guest.send("GET", f"{SCREENINGS}/{screening_id}")).json["room_id"]
    layout = (await house.guest.send("GET", f"/api/v1/rooms/{room_id}/layout")).json
    for seat in layout["seats"]:
        seat["seat_type"] = "vip"
    published = await house.admin.send("PUT", f"/api/v1/rooms/{room_id}/layout", layout)
    assert published.status == 200, published.body
    ((extra,),) = execute(house.database_url, "SELECT surcharge::float8 FROM seat_types WHERE name = 'vip'")
    assert extra > 0
    later = await ada.reserve(screening_id, seats[:2])
    assert prices(later.json["reservations"]) == [12.5, 12.5 + extra]
    assert prices((await ada.book(screening_id, seats[:2])).json) == [12.5, 12.5 + extra]


async def test_reserved_tickets_keep_the_price_of_their_type(house: House) -> None:
    kind = await make_type(house, await make_event(house))
    buyer = Guest(house, "guest-of-the-guide-1", house.token(7))
    reservation = await buyer.reserved(kind, 2)
    changed_type = await house.admin.send("PATCH", f"/api/admin/ticket-types/{kind}", {"price": 30.1})
    assert changed_type.status == 200, changed_type.body
    await house.restart()
    buyer = Guest(house, "guest-of-the-guide-1", house.token(7))
    shown = data(await buyer.reservation(reservation))
    assert (shown["price"], shown["totalPrice"], shown["ticketType"]["price"]) == (25.5, 51.0, 25.5)
    assert data(await buyer.more_time(reservation))["reservation"]["totalPrice"] == 51.0
    assert data(await buyer.reservations())[0]["price"] == 25.5
    later = data(await buyer.reservation(await buyer.reserved(kind)))
    assert (later["price"], later["totalPrice"]) == (30.1, 30.1)

    refused = await buyer.purchase(reservation, ADA, ADA, expectedTotal=60.2)
    error = refused.json["error"]
    assert (refused.status, error["code"]) == (409, "price_changed")
    assert (error["expected"], error["actual"]) == (60.2, 51.0)
    bought = data(await buyer.purchase(reservation, ADA, ADA, expectedTotal=51))
    assert (bought["totalPrice"], prices(bought["tickets"])) == (51.0, [25.5, 25.5])
    assert data(await buyer.reservation(reservation))["totalPrice"] == 51.0


async def test_an_administrator_sells_reserved_seats_at_their_price(house: House) -> None:
    screening_id, seats = await open_house(house)
    ada = await member(house)
    await ada.reserve(screening_id, seats[:1])
    await reprice(house, screening_id, 20)
    body = {"seat_ids": seats[:2], "user_id": ada.user_id}
    sold = await house.admin.send("POST", f"/api/v1/ops/screenings/{screening_id}/sales", body)
    assert (sold.status, prices(sold.json)) == (201, [12.5, 20.0])


@pytest.mark.parametrize("total", [-1, 12.345, "12.50", True, 1e12])
async def test_a_total_that_is_no_amount_is_refused_by_name(house: House, total: object) -> None:
    refused = await house.user(7).send(
        "POST", f"{TICKETS}/book", {"screening_id": 1, "seat_ids": [1], "expected_total": total}
    )
    assert refused.status == 422
    assert list(refused.json["errors"]) == ["expected_total"]
