"""Administrators serve customers at the counter: reserve, take over, sell and give away."""

import asyncio
from typing import Any

import pytest

from api.identity.tokens import FIRST_GUEST_ID
from persistence.connector import Connector
from tests.api.caller import Caller, Response
from tests.api.ops.conftest import Desk

pytestmark = pytest.mark.gen_test(timeout=120)

ADMIN = "user:1"
REFUNDS = "/api/v1/admin/refunds"


async def ticket_of(desk: Desk, ticket_id: int) -> dict[str, Any]:
    """A ticket as administrators see it."""
    listed = await desk.house.admin.send("GET", f"/api/v1/tickets/?screening_id={desk.screening_id}")
    return next(ticket for ticket in listed.json if ticket["id"] == ticket_id)


async def cancel(desk: Desk, ticket_id: int) -> Response:
    path = f"/api/v1/tickets/{ticket_id}/status"
    return await desk.house.admin.send("PUT", path, {"status": "cancelled"})


async def hold_as_guest(desk: Desk, *numbers: int) -> str:
    """Hold seats as a guest without an account; return the guest as the hall shows it."""
    made = await desk.house.guest.send("POST", "/api/public/guests", {})
    guest = Caller(desk.house.base_url, made.json["data"]["accessToken"])
    seat_ids = [desk.seat_ids[number] for number in numbers]
    held = await guest.send(
        "POST",
        "/api/v1/seat-reservations/reserve",
        {"screening_id": desk.screening_id, "seat_ids": seat_ids},
    )
    assert held.status == 201, held.body
    return (await desk.taken())[seat_ids[0]][1]


async def test_seats_are_reserved_for_an_account(desk: Desk) -> None:
    seat_ids = desk.seat_ids[:2]
    held = await desk.act("/reservations", {"seat_ids": seat_ids, "user_id": desk.ada.user_id})
    assert held.status == 201, held.body
    ada = f"user:{desk.ada.user_id}"
    assert held.json["holder"] == ada
    assert [hold["seat_id"] for hold in held.json["reservations"]] == seat_ids
    assert await desk.log_of(seat_ids[0]) == [("seats_held", ADMIN, ada)]
    own = await desk.ada.send("GET", "/api/v1/seat-reservations/my-reservations")
    assert [hold["seat_id"] for hold in own.json] == seat_ids[::-1]
    bought = await desk.ada.book(desk.screening_id, seat_ids)
    assert {ticket["status"] for ticket in bought.json} == {"confirmed"}
    events = await desk.get(f"/screenings/{desk.screening_id}/events")
    assert [(event["kind"], event["actor"], event["holder"]) for event in events["events"]] == [
        ("seats_held", ADMIN, ada),
        ("tickets_issued", ada, ada),
    ]
    assert [person["holder"] for person in events["people"]] == [ADMIN, ada]


async def test_a_reservation_by_hand_is_there_after_a_restart(desk: Desk) -> None:
    seat_id = desk.seat_ids[0]
    await desk.act("/reservations", {"seat_ids": [seat_id], "user_id": desk.ada.user_id})
    await desk.house.restart()
    assert await desk.taken() == {seat_id: ("held", f"user:{desk.ada.user_id}")}


async def test_the_hold_of_a_guest_is_taken_over(desk: Desk) -> None:
    alias = await hold_as_guest(desk, 0, 1)
    wanted = {"seat_ids": desk.seat_ids[:1], "user_id": desk.ada.user_id}
    refused = await desk.act("/reservations", wanted)
    assert (refused.status, refused.code) == (409, "seats_unavailable")
    taken = await desk.act("/reservations", {**wanted, "take_over": alias})
    assert taken.status == 201, taken.body
    ada = f"user:{desk.ada.user_id}"
    assert await desk.taken() == {desk.seat_ids[0]: ("held", ada), desk.seat_ids[1]: ("held", alias)}
    assert [event[:2] for event in await desk.log_of(desk.seat_ids[0])] == [
        ("seats_held", alias),
        ("holds_released", ADMIN),
        ("seats_held", ADMIN),
    ]


async def test_only_who_has_one_of_the_seats_can_be_taken_over(desk: Desk) -> None:
    alias = await hold_as_guest(desk, 0)
    wrong = f"user:{desk.bob.user_id}"
    for seat_id in desk.seat_ids[:2]:  # one that is held, and a free one
        wanted = {"seat_ids": [seat_id], "guest": {"full_name": "Cleo"}, "take_over": wrong}
        for path in ("/reservations", "/sales"):
            refused = await desk.act(path, wanted)
            assert (refused.status, list(refused.json["errors"])) == (422, ["take_over"]), refused.body
    sale = {"seat_ids": desk.seat_ids[:1], "user_id": desk.ada.user_id, "take_over": alias}
    sale |= {"paid": {"method": "card", "reference": "till 2, 4711"}}
    sold, again = await desk.act("/sales", sale), await desk.act("/sales", sale)
    assert (sold.status, again.status, again.json[0]["id"]) == (201, 201, sold.json[0]["id"])


async def test_a_hold_is_sold_to_who_has_it_and_to_a_new_guest(desk: Desk) -> None:
    alias = await hold_as_guest(desk, 0, 1)
    sold = await desk.act(
        "/sales", {"seat_ids": desk.seat_ids[:1], "holder": alias, "paid": {"method": "cash"}}
    )
    assert sold.status == 201, sold.body
    assert (await desk.taken())[desk.seat_ids[0]] == ("booked", alias)
    guest = {"full_name": "Bob Booth", "email": "Bob@Home.example"}
    other = await desk.act("/sales", {"seat_ids": desk.seat_ids[1:2], "guest": guest, "take_over": alias})
    assert other.status == 201, other.body
    hall = await desk.hall()
    (named,) = [person for person in hall["people"] if person["full_name"] == "Bob Booth"]
    assert (named["email"], named["user_id"] >= FIRST_GUEST_ID) == ("bob@home.example", True)
    assert (await desk.taken())[desk.seat_ids[1]] == ("booked", named["holder"])
    ticket = await ticket_of(desk, other.json[0]["id"])
    assert (ticket["holder"], ticket["sold_by"], ticket["reason"]) == (named["holder"], ADMIN, None)


async def test_a_customer_without_an_address_gets_no_mail(desk: Desk) -> None:
    mails = desk.house.data_dir / "mail"
    anonymous = {"seat_ids": desk.seat_ids[:1], "guest": {"full_name": "Cleo"}}
    known = {"seat_ids": desk.seat_ids[1:2], "guest": {"full_name": "Dora", "email": "dora@home.example"}}
    for sale in (anonymous, known):
        assert (await desk.act("/sales", sale)).status == 201
    async with asyncio.timeout(60):
        while not any(b"dora@" in mail.read_bytes() for mail in mails.glob("*.eml")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(list(mails.glob("*.eml"))) == 1


async def test_money_at_the_counter_is_vouched_for_and_owed_when_the_ticket_is_cancelled(desk: Desk) -> None:
    sale = {
        "seat_ids": desk.seat_ids[:2],
        "user_id": desk.ada.user_id,
        "paid": {"method": "card", "reference": "till 2, 4711"},
    }
    sold = await desk.act("/sales", sale)
    assert {ticket["payment_id"] for ticket in sold.json} == {"counter:card:till 2, 4711"}
    again = await desk.act("/sales", sale)
    assert (again.status, again.json) == (201, sold.json)
    other = await desk.act("/sales", {**sale, "seat_ids": desk.seat_ids[2:3]})
    assert (other.status, other.code) == (409, "payment_already_used")
    ticket_id = sold.json[0]["id"]
    assert (await ticket_of(desk, ticket_id))["vouched_by"] == "counter"
    await cancel(desk, ticket_id)
    (refund,) = (await desk.house.admin.send("GET", REFUNDS)).json
    assert (refund["amount"], refund["vouched_by"], refund["ticket_id"]) == (12.5, "counter", ticket_id)
    path = f"{REFUNDS}/{refund['id']}/settle"
    settled = await desk.house.admin.send("POST", path, {"reference": "in cash"})
    assert (settled.status, settled.json["status"]) == (200, "settled")


async def test_what_is_not_sold_at_the_counter_owes_nothing(desk: Desk) -> None:
    await desk.bob.reserve(desk.screening_id, desk.seat_ids[:1])
    paid = {"method": "cash", "reference": "4712"}
    sale = {"seat_ids": desk.seat_ids[:1], "guest": {"full_name": "Eve"}, "paid": paid}
    refused = await desk.act("/sales", sale)
    assert (refused.status, refused.code) == (409, "seats_unavailable")
    assert (await desk.house.admin.send("GET", REFUNDS)).json == []
    sold = await desk.act("/sales", {**sale, "seat_ids": desk.seat_ids[1:2]})
    assert sold.status == 201


async def test_tickets_are_given_away_for_a_reason(desk: Desk) -> None:
    await desk.ada.reserve(desk.screening_id, desk.seat_ids[:1])
    gift = {"seat_ids": desk.seat_ids[:2], "user_id": desk.ada.user_id, "price": 0, "reason": "Press"}
    given = await desk.act("/sales", gift, key="gift-1")
    assert {(ticket["price"], ticket["status"]) for ticket in given.json} == {(0, "confirmed")}
    assert (await desk.act("/sales", gift, key="gift-1")).body == given.body
    ticket = await ticket_of(desk, given.json[0]["id"])
    assert (ticket["reason"], ticket["sold_by"], ticket["payment_id"]) == ("Press", ADMIN, None)
    log = await desk.get(f"/screenings/{desk.screening_id}/seats/{desk.seat_ids[0]}/log")
    assert [event["reason"] for event in log["events"]] == ["Press", None]
    assert (await cancel(desk, ticket["id"])).status == 200
    assert (await desk.house.admin.send("GET", REFUNDS)).json == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user_id"),
        ({"user_id": 1, "holder": "~a"}, "user_id"),
        ({"holder": "~nobody"}, "holder"),
        ({"user_id": 1, "price": 0}, "reason"),
        ({"user_id": 1, "reason": "Press"}, "reason"),
        ({"user_id": 1, "price": 5, "reason": "Press"}, "Only 0, with a reason."),
        ({"user_id": 1, "take_over": "~nobody"}, "take_over"),
        ({"user_id": 1, "price": 0, "reason": "Press", "payment_id": "p"}, "paid"),
        ({"user_id": 1, "payment_id": "p", "paid": {"method": "cash"}}, "paid"),
        ({"user_id": 1, "payment_id": "counter:cash:1"}, "payment_id"),
        ({"user_id": 1, "paid": {"method": "barter"}}, "paid"),
        ({"guest": {"full_name": " "}}, "guest"),
        ({"guest": {"full_name": "Ada", "email": "nowhere"}}, "guest"),
    ],
)
async def test_a_sale_that_says_too_little_or_too_much_names_the_field(
    desk: Desk, body: dict[str, Any], field: str
) -> None:
    refused = await desk.act("/sales", {"seat_ids": desk.seat_ids[:1], **body})
    assert refused.status == 422, refused.body
    assert field in str(refused.json)
    assert await desk.taken() == {}


async def test_no_guest_remains_of_a_refused_sale(desk: Desk) -> None:
    await desk.bob.reserve(desk.screening_id, desk.seat_ids[:1])
    guest = {"full_name": "Mallory", "email": "mallory@home.example"}
    for path in ("/sales", "/reservations"):
        refused = await desk.act(path, {"seat_ids": desk.seat_ids[:1], "guest": guest})
        assert refused.code == "seats_unavailable"
    connector = Connector(desk.house.database_url, pool_size=1)
    assert await connector.run("SELECT full_name FROM guests") == []
    connector.close()
    unknown = await desk.act("/reservations", {"seat_ids": desk.seat_ids[1:2], "user_id": 999_999})
    assert (unknown.status, unknown.code) == (404, "user_not_found")
