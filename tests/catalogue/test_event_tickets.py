"""Tickets of events beside those of seats, in lists, statistics, mails and QR codes; and their privacy."""

import logging
from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from api.papers.ticket_codes import CodeContents
from tests.api.caller import TICKETS
from tests.box_office import ADA, BOB, PUBLIC, Guest, data, make_event, make_type, refusal
from tests.catalogue.programme import open_house as open_cinema
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox
from tests.scanner import read_code

pytestmark = pytest.mark.gen_test


@pytest.fixture
def house(house_with_mail: House) -> House:
    return house_with_mail


async def bought(house: House, user_id: int = 7) -> tuple[str, str, list[dict[str, Any]]]:
    """Create an event with a ticket type and buy two tickets of it."""
    event = await make_event(house)
    kind = await make_type(house, event)
    guest = Guest(house, "guest-of-an-event", house.token(user_id))
    reservation = await guest.reserved(kind, 2)
    return event, kind, data(await guest.purchase(reservation, ADA, BOB))["tickets"]


async def test_they_are_listed_with_their_owners_tickets(house: House) -> None:
    event, kind, tickets = await bought(house)
    listed = (await house.user(7).my_tickets()).json
    assert [ticket["id"] for ticket in listed] == [int(ticket["id"]) for ticket in tickets[::-1]]
    one = (await house.user(7).ticket(int(tickets[0]["id"]))).json
    expected = {"event_id": int(event), "screening_id": int(event), "ticket_type_id": int(kind)}
    assert expected | {"seat_id": None, "code": tickets[0]["code"], "price": 25.5} == {
        name: one[name] for name in (*expected, "seat_id", "code", "price")
    }
    (entry, _) = (await house.admin.send("GET", f"{TICKETS}/?screening_id={event}")).json
    assert (entry["ticket_type_id"], entry["seat_id"], entry["event_id"]) == (int(kind), None, int(event))
    for path in ("bookings/recent", "revenue", "today", "movies/popular", "tickets/total"):
        assert (await house.admin.send("GET", f"/api/v1/admin/stats/{path}")).status == 200, path
    (recent, _) = (await house.admin.send("GET", "/api/v1/admin/stats/bookings/recent")).json
    assert (recent["movie_title"], recent["seat_id"]) == ("Night of the Brass Bands", None)


async def test_they_are_cancelled_like_others(house: House) -> None:
    _, kind, tickets = await bought(house)
    first = int(tickets[0]["id"])
    assert (await house.user(8).cancel_ticket(first)).status == 404
    assert (await house.user(7).cancel_ticket(first)).status == 204
    left = await Guest(house, None).left(kind)
    assert (left["sold"], left["available"]) == (1, 19)
    qr = f"{PUBLIC}/tickets/{first}/qr.png"
    assert refusal(await house.user(7).send("GET", qr)) == (409, "ticket_not_confirmed")


async def test_their_codes_can_be_verified(house: House) -> None:
    event, _, tickets = await bought(house)
    key = (await house.guest.send("GET", f"{TICKETS}/qr-key")).json["x"]
    for ticket in tickets:
        picture = b64decode(ticket["qrCodePng"].partition("base64,")[2])
        (read,) = zxingcpp.read_barcodes(Image.open(BytesIO(picture)))
        admission = read_code(read.text, b64decode(key.replace("-", "+").replace("_", "/") + "="))
        assert read.text == ticket["qrCode"]
        assert admission[:2] == CodeContents(int(ticket["id"]), int(event), 0)[:2]
        for kind, media_type in (("png", "image/png"), ("svg", "image/svg+xml")):
            answer = await house.user(7).send("GET", f"{PUBLIC}/tickets/{ticket['id']}/qr.{kind}")
            assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)
            assert answer.body == b64decode(ticket[f"qrCode{kind.capitalize()}"].partition("base64,")[2])
        stolen = await house.user(8).send("GET", f"{PUBLIC}/tickets/{ticket['id']}/qr.png")
        assert refusal(stolen) == (404, "ticket_not_found")


async def test_they_are_confirmed_by_mail(house: House, inbox: Inbox) -> None:
    add = "INSERT INTO users (email, full_name, password_hash) VALUES (%s, 'Ada', '') RETURNING id"
    ((user_id,),) = execute(house.database_url, add, "account@home.example")
    _, _, tickets = await bought(house, user_id)
    mails = {mail["To"]: mail for mail in [await inbox.next_mail() for _ in range(3)]}
    assert mails.keys() == {"account@home.example", ADA["email"], BOB["email"]}
    mail = mails["account@home.example"]
    assert mail["Subject"] == "Your tickets for Night of the Brass Bands"
    text = mail.get_body(("plain",)).get_content()
    assert "Harbour Hall" in text
    for ticket in tickets:
        assert f"Standing, ticket {ticket['code']}, €25.50" in text


async def test_a_clients_payment_id_cannot_name_a_reservation(house: House) -> None:
    screening, seats = await open_cinema(house)
    event, _, tickets = await bought(house)
    forged = f"reservation:{event}-1"
    user = house.user(7)
    for refused in (
        await user.book(screening, seats[:1], payment_id=forged),
        await user.book_reservation(screening, seats[:1], forged),
        await user.confirm_payment(int(tickets[0]["id"]), forged),
        await house.admin.send(
            "PUT", f"{TICKETS}/{tickets[0]['id']}/status", {"status": "confirmed", "payment_id": forged}
        ),
    ):
        assert (refused.status, refused.code) == (422, "invalid_input")
        assert list(refused.json["errors"]) == ["payment_id"]


def everything_stored(database_url: str) -> str:
    """Return all rows of all tables as text."""
    tables = execute(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        row
        for (table,) in tables
        for (row,) in execute(database_url, f"SELECT stored::text FROM {table} AS stored")  # noqa: S608
    ]
    return "\n".join(rows)


async def test_personal_data_is_stored_encrypted(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kind = await make_type(house, await make_event(house))
    guest = Guest(house, "guest-of-an-event", house.token(7))
    reservation = await guest.reserved(kind, 2)
    await guest.purchase(reservation, ADA, {**BOB, "email": "bob"}, key="refused")
    first = await guest.purchase(reservation, ADA, BOB, key="k")
    assert first.status == 201
    await guest.purchase(reservation, ADA, BOB)
    await house.restart()
    guest = Guest(house, "guest-of-an-event", house.token(7))
    assert (await guest.purchase(reservation, ADA, BOB, key="k")).body == first.body
    stored = everything_stored(house.database_url)
    assert first.json["data"]["tickets"][0]["code"] in stored
    # The inbox of the tests logs the addresses that it gets, whenever a mail arrives.
    logged = "\n".join(str(vars(record)) for record in caplog.records if record.name != "mail.log")
    for person in (ADA, BOB):
        for name in ("fullName", "email", "identityNumber"):
            secret = person[name]
            assert secret not in logged
            assert secret not in stored
            assert secret.encode().hex() not in stored


async def test_faults_of_people_are_named_by_their_whole_path(house: House) -> None:
    guest = Guest(house, None, house.user().token)
    reservation = await guest.reserved(await make_type(house, await make_event(house)), 2)
    nameless = {name: value for name, value in ADA.items() if name != "fullName"}
    refused = await guest.purchase(reservation, ADA, {**ADA, "email": "ada"}, buyer=nameless)
    assert refusal(refused) == (400, "invalid_input")
    error = refused.json["error"]
    assert error["errors"].keys() == {"buyerInfo", "ticketHolders"}
    assert error["paths"].keys() == {"buyerInfo.fullName", "ticketHolders.1.email"}
    flat = await house.admin.send("POST", "/api/v1/cinemas/", {})
    assert "paths" not in flat.json
