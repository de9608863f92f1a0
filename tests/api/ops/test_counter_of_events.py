"""Tickets of an event, by quantity, that an administrator reserves, sells, gives away and cancels."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.caller import Response
from tests.api.ops.conftest import OPS, Desk
from tests.box_office import Guest, make_event, make_type

pytestmark = pytest.mark.gen_test(timeout=60)

ADA = {"full_name": "Ada Byron", "email": "ada@counter.example"}


class Counter:
    """A counter for the tickets of an event."""

    def __init__(self, desk: Desk, event_id: str, kind: str) -> None:
        self.desk, self.event_id, self.kind = desk, event_id, kind
        self.guest = Guest(desk.house, str(uuid4()))

    async def post(self, what: str, quantity: Any = 2, **body: Any) -> Response:
        order = {"ticket_type_id": int(self.kind), "quantity": quantity, **body}
        path = f"{OPS}/screenings/{self.event_id}/{what}"
        return await self.desk.house.admin.send("POST", path, order)

    async def left(self) -> tuple[int, int, int]:
        level = await self.guest.left(self.kind)
        return level["sold"], level["reserved"], level["available"]


async def counter(desk: Desk, **terms: Any) -> Counter:
    event_id = await make_event(desk.house)
    return Counter(desk, event_id, await make_type(desk.house, event_id, **{"capacity": 10, **terms}))


async def test_tickets_are_sold_given_away_and_cancelled(desk: Desk) -> None:
    at = await counter(desk)
    sold = await at.post("sales", 3, guest=ADA, paid={"method": "cash", "reference": "till 2, 4711"})
    assert sold.status == 201, sold.body
    assert [ticket["status"] for ticket in sold.json] == ["confirmed"] * 3
    codes = {ticket["code"] for ticket in sold.json}
    assert len(codes) == 3 and None not in codes
    given = await at.post("sales", 1, user_id=desk.ada.user_id, price=0, reason="Press")
    assert (given.status, given.json[0]["price"], given.json[0]["user_id"]) == (201, 0, desk.ada.user_id)
    assert await at.left() == (4, 0, 6)
    mine = await desk.ada.send("GET", "/api/v1/tickets/my-tickets")
    assert [ticket["id"] for ticket in mine.json] == [given.json[0]["id"]]
    path = f"/api/v1/tickets/{sold.json[0]['id']}/status"
    assert (await desk.house.admin.send("PUT", path, {"status": "cancelled"})).status == 200
    assert await at.left() == (3, 0, 7)


async def test_tickets_are_reserved_for_a_customer(desk: Desk) -> None:
    at = await counter(desk)
    held = await at.post("reservations", 4, user_id=desk.ada.user_id)
    assert held.status == 201, held.body
    assert len(held.json["reservations"]) == 4
    assert await at.left() == (0, 4, 6)
    own = await desk.ada.send("GET", "/api/public/reservations")
    assert [one["quantity"] for one in own.json["data"]] == [4]


async def test_refusals_change_nothing(desk: Desk) -> None:
    at = await counter(desk, maxPerUser=2)
    too_many = await at.post("sales", 11, guest=ADA)
    assert (too_many.status, too_many.code) == (409, "not_enough_tickets")
    limited = await at.post("sales", 3, user_id=desk.ada.user_id)
    assert (limited.status, limited.code) == (409, "person_limit_exceeded")
    beyond = await at.post("sales", 3, user_id=desk.ada.user_id, beyond_limit=True)
    assert beyond.status == 201, beyond.body
    assert await at.left() == (3, 0, 7)
    assert (await at.post("sales", 7, guest=ADA, beyond_limit=True)).status == 201
    assert (await at.post("reservations", 1, guest=ADA)).code == "not_enough_tickets"
    for more, field in (
        ({"seat_ids": [1]}, "seat_ids"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 101}, "quantity"),
        ({"take_over": "guest 1"}, "take_over"),
        ({"payment_id": "pi_1"}, "payment_id"),
        ({"guest": ADA, "user_id": 1}, "user_id"),
    ):
        customer = {} if "guest" in more else {"guest": ADA}
        refused = await at.post("sales", **{**customer, **more})
        assert (refused.status, list(refused.json["errors"])) == (422, [field]), refused.body


async def test_tickets_that_are_kept_back_for_the_house_are_sold(desk: Desk) -> None:
    at = await counter(desk, capacity=3)
    block = {"label": "House", "kind": "house", "ticket_type_id": int(at.kind), "quantity": 2}
    path = f"/api/v1/admin/screenings/{at.event_id}/blocks"
    assert (await desk.house.admin.send("POST", path, block)).status == 201
    assert await at.left() == (0, 0, 1)
    assert (await at.post("sales", 3, guest=ADA)).status == 201
    assert await at.left() == (3, 0, 0)
