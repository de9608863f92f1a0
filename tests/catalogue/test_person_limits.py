"""Limits per person, through every way to get seats and tickets."""

from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.api.caller import Response
from tests.api.cinema import receive
from tests.api.rooms.test_socket import room_message
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type
from tests.catalogue.members import member
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=60)

THREE = 3


async def limited(house: House) -> tuple[int, list[int]]:
    """A screening of at most three seats per person. Returns its id and those of its seats."""
    room = await make_room(house)
    seats = await add_seats(house, room, seats_per_row=6)
    return await make_screening(house, room, max_per_user=THREE), seats


def exceeded(response: Response) -> tuple[int, ...]:
    """Limit, held, bought and requested of a refusal, in either style."""
    assert (response.status, response.code) == (409, "person_limit_exceeded"), response.body
    error = response.json.get("error", response.json)
    return tuple(error[name] for name in ("limit", "held", "bought", "requested"))


async def test_every_way_to_get_seats_counts_together(house: House) -> None:
    screening, seats = await limited(house)
    user = house.user(7)
    booked = (await user.book(screening, seats[:1])).json
    assert (await user.reserve(screening, seats[1:2])).status == 201
    assert exceeded(await user.reserve(screening, seats[2:4])) == (3, 1, 1, 2)
    assert exceeded(await user.toggle(screening, *seats[2:4])) == (3, 1, 1, 2)
    assert exceeded(await user.book(screening, seats[2:4])) == (3, 1, 1, 2)
    assert (await user.toggle(screening, seats[1], *seats[2:4])).status == 200
    socket = f"{house.base_url.replace('http', 'ws')}/ws/tab?token={house.token(7)}"
    async with connect(socket, proxy=None) as tab:
        await tab.send(room_message("join_room", room=f"funcion_{screening}"))
        await receive(tab)
        await receive(tab)
        await tab.send(room_message("select_seat", "A6", room=f"funcion_{screening}"))
        refused = await receive(tab)
    assert {name: refused.get(name) for name in ("code", "limit", "held", "bought")} == {
        "code": "person_limit_exceeded",
        "limit": 3,
        "held": 2,
        "bought": 1,
    }
    assert (await user.cancel_ticket(booked[0]["id"])).status == 204
    assert (await user.reserve(screening, seats[5:6])).status == 201
    assert (await house.user(8).reserve(screening, seats[6:9])).status == 201


async def test_what_is_held_is_bought_and_counts_after_a_restart(house: House) -> None:
    screening, seats = await limited(house)
    await house.user(7).reserve(screening, seats[:2])
    booked = await house.user(7).book_reservation(screening, seats[:2], "pay-1")
    assert booked.status == 201
    await house.user(7).book(screening, seats[2:3], payment_pending=True)
    await house.restart()
    assert exceeded(await house.user(7).reserve(screening, seats[3:4])) == (3, 0, 3, 1)
    again = await house.user(7).book_reservation(screening, seats[:2], "pay-1")
    assert (again.status, again.json) == (201, booked.json)


async def test_a_payment_for_too_many_seats_is_owed(house: House) -> None:
    screening, seats = await limited(house)
    await house.user(7).book(screening, seats[:3])
    refused = await house.user(7).book(screening, seats[3:4], payment_id="pay-2")
    assert (refused.status, refused.code, refused.json["reason"]) == (
        409,
        "refund_required",
        "person_limit_exceeded",
    )


async def test_an_administrator_exceeds_it_for_somebody_only_on_purpose(house: House) -> None:
    screening, seats = await limited(house)
    user = (await member(house)).user_id
    sales = f"/api/v1/ops/screenings/{screening}/sales"
    sale = {"seat_ids": seats[:4], "user_id": user, "payment_id": "cash-1"}
    assert exceeded(await house.admin.send("POST", sales, sale)) == (3, 0, 0, 4)
    sold = await house.admin.send("POST", sales, {**sale, "beyond_limit": True})
    assert (sold.status, len(sold.json)) == (201, 4)
    again = await house.admin.send("POST", sales, sale)
    assert [ticket["id"] for ticket in again.json] == [ticket["id"] for ticket in sold.json]
    assert exceeded(await house.user(user).reserve(screening, seats[4:5])) == (3, 0, 4, 1)


async def test_a_new_limit_counts_what_was_bought_before(house: House) -> None:
    screening, seats = await limited(house)
    await house.user(7).book(screening, seats[:2])
    for limit, status in ((2, 409), (None, 201), (4, 201)):
        changed = await house.admin.send("PUT", f"/api/v1/screenings/{screening}", {"max_per_user": limit})
        assert changed.json["max_per_user"] == limit
        assert (await house.user(7).reserve(screening, seats[2:3])).status == status


class TestEvents:
    """An event of five tickets per person, of these two for the balcony."""

    async def fair(self, house: House) -> tuple[str, str]:
        event = await make_event(house, maxPerUser=5)
        balcony = await make_type(house, event, "Balcony", maxPerUser=2)
        shown = data(await house.guest.send("GET", f"/api/public/events/{event}"))
        assert (shown["maxPerUser"], shown["ticketTypes"][0]["maxPerUser"]) == (5, 2)
        return await make_type(house, event), balcony

    async def buy(self, guest: Guest, kind: str, *holders: Any) -> Response:
        return await guest.purchase(await guest.reserved(kind, len(holders)), *holders)

    async def test_a_ticket_type_and_its_event_have_limits(self, house: House) -> None:
        standing, balcony = await self.fair(house)
        guest = Guest(house, "session-of-ada")
        assert (await guest.reserve_all((balcony, 1), (standing, 2))).status == 201
        refused = await guest.reserve(balcony, 2)
        assert exceeded(refused) == (2, 1, 0, 2)
        assert refused.json["error"]["ticketTypeId"] == balcony
        assert exceeded(await guest.reserve(standing, 3)) == (5, 3, 0, 3)
        assert (await Guest(house, "session-of-bob").reserve(balcony, 2)).status == 201

    async def test_a_user_has_one_limit_with_all_its_sessions(self, house: House) -> None:
        _, balcony = await self.fair(house)
        tabs = [Guest(house, f"session-of-tab-{number}", house.token(7)) for number in (1, 2)]
        assert (await self.buy(tabs[0], balcony, ADA, BOB)).status == 201
        reservation = await tabs[1].reserved(balcony, 2)
        assert exceeded(await tabs[1].purchase(reservation, ADA, BOB)) == (2, 0, 2, 2)
        tabs[1].token = house.token(8)
        assert (await tabs[1].purchase(reservation, ADA, BOB)).status == 201

    async def test_a_cancelled_ticket_makes_room(self, house: House) -> None:
        _, balcony = await self.fair(house)
        user = Guest(house, None, house.token(7))
        first, _ = data(await self.buy(user, balcony, ADA, BOB))["tickets"]
        assert exceeded(await user.reserve(balcony)) == (2, 0, 2, 1)
        assert (await house.user(7).cancel_ticket(int(first["id"]))).status == 204
        assert (await self.buy(user, balcony, ADA)).status == 201
