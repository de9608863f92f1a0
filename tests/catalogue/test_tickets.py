"""Tickets after the sale: the administrators' list and changes, and confirmations with verifiable codes."""

import asyncio
from base64 import urlsafe_b64decode
from email.message import EmailMessage
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from api.papers.ticket_codes import CodeContents
from tests.api.caller import TICKETS, Response
from tests.catalogue.programme import hour, make, make_room, make_screening, open_house
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox
from tests.scanner import read_code

pytestmark = pytest.mark.gen_test


@pytest.fixture
def house(house_with_mail: House) -> House:
    return house_with_mail


def add_user(house: House, email: str = "guest@home.example") -> int:
    statement = "INSERT INTO users (email, full_name, password_hash) VALUES (%s, 'Ann <b>', '') RETURNING id"
    return execute(house.database_url, statement, email)[0][0]


async def listed(house: House, query: str = "") -> list[int]:
    answer = await house.admin.send("GET", f"{TICKETS}/{query}")
    assert answer.status == 200, answer.body
    return [ticket["id"] for ticket in answer.json]


async def set_status(house: House, ticket: int, status: str, **more: object) -> Response:
    return await house.admin.send("PUT", f"{TICKETS}/{ticket}/status", {"status": status, **more})


async def resend(house: House, user: int, ticket: int) -> Response:
    return await house.user(user).send("POST", f"{TICKETS}/{ticket}/resend")


def read_qr(picture: bytes) -> str:
    (found,) = zxingcpp.read_barcodes(Image.open(BytesIO(picture)))
    return found.text


def parts(mail: EmailMessage, media_type: str) -> list[EmailMessage]:
    return [part for part in mail.walk() if part.get_content_type() == media_type]


async def test_administrators_can_filter_all_tickets(house: House) -> None:
    screening, seats = await open_house(house)
    second = await make_screening(house, await make_room(house), 10)
    paid = (await house.user(7).book(screening, seats[:2], payment_id="pay-1")).json
    pending = (await house.user(8).book(screening, seats[2:3], payment_pending=True)).json[0]["id"]
    first, other = (ticket["id"] for ticket in paid)
    await house.user(7).cancel_ticket(other)
    for query, expected in (
        ("", [pending, other, first]),
        ("?sort=booked_at", [first, other, pending]),
        ("?status=pending", [pending]),
        ("?status=cancelled", [other]),
        ("?user_id=7", [other, first]),
        (f"?screening_id={screening}&status=confirmed", [first]),
        (f"?screening_id={second}", []),
        ("?payment_id=pay-1", [other, first]),
        (f"?booking_id={first}", [other, first]),
        (f"?from={hour(24)}", []),
        (f"?to={hour(24)}&size=1&page=3", [first]),
    ):
        assert await listed(house, query) == expected, query
    entry = (await house.admin.send("GET", f"{TICKETS}/?status=confirmed")).json[0]
    own = (await house.user(7).ticket(first)).json
    of_events = {"event_id": None, "ticket_type_id": None, "admitted_at": None}
    of_payment = {"payment_deadline": None, "vouched_by": None, "sold_by": None, "reason": None}
    assert entry == own | {
        "holder": "user:7",
        "cancelled_at": None,
        "admitted_at": None,
        **of_payment,
        **of_events,
    }
    assert (await house.admin.send("GET", f"{TICKETS}/?status=sold")).status == 422


async def test_administrators_confirm_and_cancel_in_the_holders_name(house: House) -> None:
    screening, seats = await open_house(house)
    booked = (await house.user(7).book(screening, seats[:2], payment_pending=True)).json
    first, second = (ticket["id"] for ticket in booked)
    confirmed = await set_status(house, first, "confirmed", payment_id="cash-1")
    assert (confirmed.json["status"], confirmed.json["payment_id"]) == ("confirmed", "cash-1")
    assert (await set_status(house, first, "confirmed")).json == confirmed.json
    assert (await set_status(house, second, "confirmed")).json["payment_id"] is None
    cancelled = await set_status(house, first, "cancelled")
    assert (cancelled.status, cancelled.json["cancelled_at"] is None) == (200, False)
    assert (await house.user(7).ticket(first)).json["status"] == "cancelled"
    assert (await house.user(8).reserve(screening, seats[:1])).status == 201
    log = "SELECT kind, actor FROM screening_events WHERE kind IN ('tickets_confirmed', 'tickets_cancelled')"
    assert {actor for _, actor in execute(house.database_url, log)} == {"user:1"}


@pytest.mark.parametrize(
    ("wanted", "present"), [("confirmed", "cancelled"), ("pending", "confirmed"), ("lapsed", "confirmed")]
)
async def test_other_changes_are_illegal(house: House, wanted: str, present: str) -> None:
    screening, seats = await open_house(house)
    ticket = (await house.user().book(screening, seats[:1])).json[0]["id"]
    await set_status(house, ticket, present)
    refused = await set_status(house, ticket, wanted)
    assert (refused.status, refused.code) == (409, "illegal_transition")
    assert (refused.json["ticket_id"], refused.json["status"]) == (ticket, present)


async def test_bad_changes_are_refused(house: House) -> None:
    assert (await set_status(house, 5, "cancelled")).code == "ticket_not_found"
    assert (await set_status(house, 5, "sold")).status == 422
    screening, seats = await open_house(house)
    await house.user().book(screening, seats[:1], payment_id="pay-1")
    pending = (await house.user().book(screening, seats[1:2], payment_pending=True)).json[0]["id"]
    assert (await set_status(house, pending, "confirmed", payment_id="pay-1")).code == "payment_already_used"


async def test_only_administrators_see_and_change_tickets_of_others(house: House) -> None:
    screening, seats = await open_house(house)
    ticket = (await house.user(7).book(screening, seats[:1])).json[0]["id"]
    for caller, status in ((house.guest, 401), (house.user(7), 403)):
        assert (await caller.send("GET", f"{TICKETS}/")).status == status
        changed = await caller.send("PUT", f"{TICKETS}/{ticket}/status", {"status": "cancelled"})
        assert changed.status == status
    assert (await house.guest.send("POST", f"{TICKETS}/{ticket}/resend")).status == 401
    stranger = await resend(house, 8, ticket)
    assert (stranger.status, stranger.code) == (404, "ticket_not_found")


async def test_a_booking_is_confirmed_by_mail_with_verifiable_codes(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user = add_user(house)
    booked = (await house.user(user).book(screening, seats[:2])).json
    mail = await inbox.next_mail()
    assert mail["To"] == "guest@home.example"
    assert mail["Subject"] == "Your tickets for Brass and Thunder"
    text = mail.get_body(("plain",)).get_content()
    code = (await house.user(user).ticket(booked[0]["id"])).json["code"]
    assert "Great Hall" in text and f"Row A, seat 1, ticket {code}, €12.50" in text
    assert "Ann &lt;b&gt;" in mail.get_body(("html",)).get_content()

    key = (await house.guest.send("GET", f"{TICKETS}/qr-key")).json
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    public_key = urlsafe_b64decode(key["x"] + "=")
    codes = [read_qr(part.get_content()) for part in parts(mail, "image/png")]
    assert [read_code(code, public_key) for code in codes] == [
        CodeContents(ticket["id"], screening, ticket["seat_id"]) for ticket in booked
    ]
    assert [part.get_content()[:5] for part in parts(mail, "image/svg+xml")] == [b"<?xml"] * 2
    (entry,) = parts(mail, "text/calendar")
    begin = hour(18).replace("-", "").replace(":", "").replace(".000", "")
    assert f"DTSTART:{begin}" in entry.get_content()


async def test_it_is_sent_once_and_again_on_request(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user = add_user(house)
    ticket = (await house.user(user).book(screening, seats[:1], payment_id="pay-1")).json[0]["id"]
    first = await inbox.next_mail()
    assert (await house.user(user).book(screening, seats[:1], payment_id="pay-1")).status == 201
    assert execute(house.database_url, "SELECT kind, subject FROM outbox") == [("mail", f"booking {ticket}")]
    assert (await resend(house, user, ticket)).status == 202
    again = await inbox.next_mail()
    assert again["Subject"] == first["Subject"]
    assert [read_qr(p.get_content()) for p in parts(again, "image/png")] == [
        read_qr(p.get_content()) for p in parts(first, "image/png")
    ]
    answers = [(await resend(house, user, ticket)).status for _ in range(5)]
    assert answers == [202] * 4 + [429]


async def test_similar_seat_names_are_distinguishable(house: House, inbox: Inbox) -> None:
    room_id = await make_room(house)
    seats = [{"row_label": "A", "seat_number": 11}, {"row_label": "A1", "seat_number": 1}]
    made = await make(house, f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": seats})
    screening = await make_screening(house, room_id)
    await house.user(add_user(house)).book(screening, [seat["id"] for seat in made])
    mail = await inbox.next_mail()
    entry = parts(mail, "text/calendar")[0].get_content()
    entry = entry.replace("\r\n ", "").replace("\n ", "").replace("\\,", ",")
    for text in (mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content(), entry):
        assert "Row A, seat 11," in text and "Row A1, seat 1," in text


async def test_pending_tickets_are_confirmed_by_mail_when_they_are_paid(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user = add_user(house)
    ticket = (await house.user(user).book(screening, seats[:1], payment_pending=True)).json[0]["id"]
    refused = await resend(house, user, ticket)
    assert (refused.status, refused.code) == (409, "ticket_not_confirmed")
    await house.user(user).confirm_payment(ticket, "pay-1")
    mail = await inbox.next_mail()
    code = (await house.user(user).ticket(ticket)).json["code"]
    assert f"ticket {code}" in mail.get_body(("plain",)).get_content()


async def test_users_without_an_address_get_no_mail(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    ticket = (await house.user(777).book(screening, seats[:1])).json[0]["id"]
    refused = await resend(house, 777, ticket)
    assert (refused.status, refused.code) == (409, "no_mail_address")
    gone = add_user(house, "gone@home.example")
    execute(house.database_url, "UPDATE users SET deleted_at = now() WHERE id = %s", gone)
    ticket = (await house.user(gone).book(screening, seats[1:2])).json[0]["id"]
    assert (await resend(house, gone, ticket)).code == "no_mail_address"
    while execute(house.database_url, "SELECT FROM outbox WHERE status = 'waiting'"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert inbox.empty
