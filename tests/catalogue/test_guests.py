"""Customers without an account: tokens, limits, purchases, and links to their tickets."""

import asyncio
import re
from typing import Any

import pytest

from api.identity.tokens import FIRST_GUEST_ID
from tests.api.caller import TICKETS, Caller, Response
from tests.box_office import ADA, PUBLIC, Guest, data, make_event, make_type, refusal
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import open_house as open_cinema
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test

GUESTS = f"{PUBLIC}/guests"
EMAIL = "grace@home.example"


async def new_guest(house: House) -> Caller:
    return Caller(house.base_url, data(await house.guest.send("POST", GUESTS))["accessToken"])


async def describe(guest: Caller, email: str = EMAIL, name: str = "Grace Example") -> Response:
    return await guest.send("PUT", f"{GUESTS}/me", {"email": email, "fullName": name})


async def toggle(guest: Caller, screening: int, seats: list[int]) -> Response:
    body = {"screening_id": screening, "seat_ids": seats}
    return await guest.send("POST", "/api/v1/seat-reservations/toggle", body)


async def tickets_of(guest: Caller) -> list[dict[str, Any]]:
    return data(await guest.send("GET", f"{PUBLIC}/tickets"))


async def test_a_guest_buys_and_gets_everything_that_a_user_gets(open_house: OpenHouse, inbox: Inbox) -> None:
    house = await open_house(guest_purchase=True, smtp_url=inbox.url)
    screening, (first, second, *_) = await open_cinema(house)
    guest = await new_guest(house)
    # A mail shows no line breaks of the name, which could look like text of the box office.
    name = "Grace\r\nExample\u202e"
    assert data(await describe(guest, name=name)) == {"email": EMAIL, "fullName": name}
    assert (await guest.reserve(screening, [first, second])).status == 201
    body = {"screening_id": screening, "seat_ids": [first, second], "payment_id": "test_1"}
    assert (await guest.send("POST", f"{TICKETS}/book-from-reservation", body)).status == 201

    confirmation = await inbox.next_mail()
    plain = confirmation.get_body(("plain",)).get_content()
    assert (confirmation["To"], "Hello Grace Example," in plain.splitlines()) == (EMAIL, True), plain
    shown = await tickets_of(guest)
    assert {ticket["place"] for ticket in shown} == {"Row A, seat 1", "Row A, seat 2"}
    assert {ticket["screeningId"] for ticket in shown} == {str(screening)}
    assert {(ticket["status"], ticket["title"], ticket["eventId"]) for ticket in shown} == {
        ("confirmed", "Brass and Thunder", None)
    }
    assert {ticket["bookingId"] for ticket in shown} == {shown[0]["id"]}

    own = f"{PUBLIC}/tickets/{shown[0]['id']}"
    entry = await guest.send("GET", f"{own}/calendar.ics")
    assert entry.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert entry.body.startswith(b"BEGIN:VCALENDAR\r\n")
    assert b"SUMMARY:Brass and Thunder" in entry.body
    assert entry.body.replace(b"\r\n ", b"").count(b"Row A\\, seat") == 2
    assert (await guest.send("GET", f"{own}/qr.svg")).status == 200

    stranger = await new_guest(house)
    assert await tickets_of(stranger) == []
    for kind in ("calendar.ics", "qr.svg"):
        assert refusal(await stranger.send("GET", f"{own}/{kind}")) == (404, "ticket_not_found")
    assert refusal(await house.guest.send("GET", f"{PUBLIC}/tickets"))[0] == 400
    assert (await guest.cancel_ticket(int(shown[0]["id"]))).status == 204
    assert refusal(await guest.send("GET", f"{own}/calendar.ics")) == (409, "ticket_not_confirmed")


async def test_a_guest_buys_tickets_of_an_event(open_house: OpenHouse) -> None:
    house = await open_house(guest_purchase=True)
    event = await make_event(house)
    kind = await make_type(house, event)
    guest = Guest(house, None, (await new_guest(house)).token)
    bought = data(await guest.purchase(await guest.reserved(kind), ADA))["tickets"]
    (shown,) = await tickets_of(guest)
    assert (shown["id"], shown["code"]) == (bought[0]["id"], bought[0]["code"])
    assert (shown["eventId"], shown["screeningId"], shown["place"]) == (event, None, "Standing")


async def test_guests_buy_only_where_they_may(house: House) -> None:
    rules = data(await house.guest.send("GET", f"{PUBLIC}/box-office"))
    assert rules == {"guestPurchase": False, "testPayment": False, "mailsSent": False}
    screening, (seat, *_) = await open_cinema(house)
    guest = await new_guest(house)
    assert (await guest.reserve(screening, [seat])).status == 201
    for path in ("book", "book-from-reservation"):
        body = {"screening_id": screening, "seat_ids": [seat], "payment_id": "test_1"}
        refused = await guest.send("POST", f"{TICKETS}/{path}", body)
        assert (refused.status, refused.json["code"]) == (403, "account_required")
    kind = await make_type(house, await make_event(house))
    buyer = Guest(house, None, guest.token)
    purchase = await buyer.purchase(await buyer.reserved(kind), ADA)
    assert refusal(purchase) == (403, "account_required")


async def test_guests_of_one_address_share_a_limit(open_house: OpenHouse) -> None:
    house = await open_house(guest_seats_limit=3)
    screening, seats = await open_cinema(house)
    first, second = await new_guest(house), await new_guest(house)
    assert (await first.reserve(screening, seats[:1])).status == 201
    assert (await toggle(second, screening, seats[1:3])).status == 200
    for refused in (await first.reserve(screening, seats[3:4]), await toggle(second, screening, seats[3:4])):
        assert (refused.status, refused.json["code"]) == (409, "guest_limit_exceeded")
    assert (await house.user().reserve(screening, seats[3:4])).status == 201


async def test_a_token_is_renewed_for_the_same_guest_only(house: House) -> None:
    guest = await new_guest(house)
    renewed = data(await guest.send("POST", GUESTS))["accessToken"]
    assert house.tokens.verify(renewed).user_id == house.tokens.verify(guest.token).user_id
    assert house.tokens.verify(renewed).user_id >= FIRST_GUEST_ID
    of_user = data(await house.user().send("POST", GUESTS))["accessToken"]
    assert house.tokens.verify(of_user).guest
    assert not house.tokens.verify(of_user).admin
    assert refusal(await describe(house.user())) == (403, "not_a_guest")
    assert refusal(await describe(house.guest)) == (401, "not_authenticated")
    assert refusal(await describe(guest, "nobody")) == (400, "invalid_input")
    account = await guest.send("GET", "/api/v1/auth/me")
    assert (account.status, account.json["code"]) == (404, "user_not_found")


async def test_lost_tickets_are_found_by_mail(open_house: OpenHouse, inbox: Inbox) -> None:
    house = await open_house(
        guest_purchase=True, smtp_url=inbox.url, public_url="https://cinema.example/tickets"
    )
    screening, (seat, *_) = await open_cinema(house)
    guest = await new_guest(house)
    await describe(guest)
    assert (await guest.book(screening, [seat], payment_id="test_1")).status == 201
    await inbox.next_mail()
    await member(house, EMAIL)
    answers = [
        (await house.guest.send("POST", f"{GUESTS}/ticket-links", {"email": email})).json
        for email in ("nobody@home.example", EMAIL.upper())
    ]
    assert answers[0] == answers[1]
    letter = (await inbox.next_mail()).get_body(("plain",)).get_content()
    (link,) = re.findall(r"https://cinema\.example/tickets/my-tickets#guest=(\S+)", letter)
    await asyncio.sleep(0)
    assert inbox.empty
    found = Caller(house.base_url, link)
    assert [ticket["place"] for ticket in await tickets_of(found)] == ["Row A, seat 1"]
    lifetime = house.tokens.verify(link).expires_at - house.tokens.verify(link).issued_at
    assert lifetime <= 1800


async def test_a_guest_can_have_its_name_and_address_erased(house: House) -> None:
    guest = await new_guest(house)
    await describe(guest)
    assert (await guest.send("DELETE", f"{GUESTS}/me")).status == 204
    assert execute(house.database_url, "SELECT count(*) FROM guests") == [(0,)]
    assert (await guest.send("DELETE", f"{GUESTS}/me")).status == 204
    assert refusal(await house.user().send("DELETE", f"{GUESTS}/me")) == (403, "not_a_guest")
    assert (await house.guest.send("DELETE", f"{GUESTS}/me")).status == 401
