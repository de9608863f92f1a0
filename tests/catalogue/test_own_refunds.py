"""Buyers learn of their refunds, and that what they have tickets for was moved or cancelled."""

import pytest

from tests.api.caller import Caller
from tests.box_office import PUBLIC, data
from tests.catalogue.programme import SCREENINGS, add_seats, hour, make_room, make_screening
from tests.catalogue.test_refunds import REFUNDS
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

OWN = "/api/v1/refunds/me"


async def test_buyers_see_their_refunds_and_nobody_elses(house: House) -> None:
    room = await make_room(house)
    seats = await add_seats(house, room)
    screening, later = await make_screening(house, room), await make_screening(house, room, 21)
    ada, bob = house.user(7), house.user(8)
    booked = (await ada.book(screening, seats[:2], payment_id="P")).json
    assert (await bob.book(screening, seats[2:3], payment_id="Q")).status == 201
    assert (await ada.cancel_ticket(booked[1]["id"])).status == 204
    refused = await ada.book(screening, seats[2:3], payment_id="R")
    assert (refused.status, refused.code) == (409, "refund_required")

    second, first = (await ada.send("GET", OWN)).json
    assert {name: first[name] for name in ("payment_id", "amount", "currency", "reason", "status")} == {
        "payment_id": "P",
        "amount": 12.5,
        "currency": "EUR",
        "reason": "ticket_cancelled",
        "status": "owed",
    }
    assert (first["title"], first["place"]) == ("Brass and Thunder", "Row A, seat 2")
    assert (first["booking_id"], first["ticket_id"]) == (booked[0]["booking_id"], booked[1]["id"])
    assert (first["starts_at"], first["time_zone"]) == (hour(18), "UTC")
    assert (first["settled_at"], first["reference"]) == (None, None)
    assert (second["id"], second["place"]) == (refused.json["refund_id"], "Row A, seat 3")
    assert (await bob.send("GET", OWN)).json == []

    settling = {"reference": "re_1", "confirm": True}
    settled = await house.admin.send("POST", f"{REFUNDS}/{first['id']}/settle", settling)
    assert settled.status == 200, settled.body
    (shown,) = (await ada.send("GET", f"{OWN}?status=settled")).json
    assert (shown["id"], shown["reference"]) == (first["id"], "re_1")
    assert shown["settled_at"] is not None
    for query, expected in (
        ("status=owed", [second["id"]]),
        (f"booking_id={booked[0]['booking_id']}", [first["id"]]),
        (f"screening_id={later}", []),
    ):
        assert [one["id"] for one in (await ada.send("GET", f"{OWN}?{query}")).json] == expected, query
    page = await ada.send("GET", f"{OWN}?size=1")
    assert page.headers["X-Total-Count"] == "2"
    following = await ada.send("GET", f"{OWN}?size=1&cursor={page.headers['X-Next-Cursor']}")
    assert [one["id"] for one in following.json] == [first["id"]]
    assert (await ada.send("GET", f"{OWN}?status=lost")).status == 422
    assert (await house.guest.send("GET", OWN)).status == 401


async def test_tickets_say_that_their_screening_was_moved_or_cancelled(house: House) -> None:
    room = await make_room(house)
    seats = await add_seats(house, room)
    screening = await make_screening(house, room)
    early, late = house.user(7), house.user(8)

    async def shown(buyer: Caller) -> tuple[str, str | None, bool]:
        (ticket,) = data(await buyer.send("GET", f"{PUBLIC}/tickets"))
        return ticket["startsAt"], ticket["movedFrom"], ticket["calledOff"]

    async def move(start: float) -> None:
        moved = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"starts_at": hour(start)})
        assert moved.status == 200, moved.body

    assert (await early.book(screening, seats[:1])).status == 201
    assert await shown(early) == (hour(18), None, False)
    await move(19)
    assert await shown(early) == (hour(19), hour(18), False)
    assert (await late.book(screening, seats[1:2])).status == 201
    assert await shown(late) == (hour(19), None, False)
    await move(20)
    assert (await shown(early), await shown(late)) == (
        (hour(20), hour(18), False),
        (hour(20), hour(19), False),
    )
    await move(18)
    assert (await shown(early), await shown(late)) == ((hour(18), None, False), (hour(18), hour(19), False))
    gone = await house.admin.send("DELETE", f"{SCREENINGS}/{screening}?cancel_bookings=true")
    assert gone.status == 204
    assert (await shown(early))[2] is True
