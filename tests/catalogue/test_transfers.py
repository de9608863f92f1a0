"""Tickets are given to other people: who may, which codes admit afterwards, and who is told."""

from typing import Any

import pytest

from tests.api.caller import TICKETS, Caller, Response
from tests.box_office import ADA, BOB, Guest, data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import SCREENINGS
from tests.catalogue.test_check_ins import batch, from_now, open_doors, scan, sold
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=120)

GRACE = "Grace Hopper"


async def give(caller: Caller, ticket: int, name: Any = GRACE, **more: Any) -> Response:
    return await caller.send("PATCH", f"{TICKETS}/{ticket}", {"holder_name": name, **more})


def told(answer: Response) -> tuple[int, str]:
    return answer.status, answer.code


async def shown(caller: Caller, ticket: int) -> dict[str, Any]:
    """Return a ticket as its owner sees it on the page with the QR codes."""
    listed = data(await caller.send("GET", "/api/public/tickets"))
    return next(entry for entry in listed if entry["id"] == str(ticket))


async def test_the_new_holder_is_admitted_and_the_earlier_code_is_void(house: House) -> None:
    ada = await member(house, full_name="Ada Byron", email="ada@home.example")
    screening, seats = await open_doors(house)
    (ticket,) = await sold(house, screening, seats[:1], ada)
    before = (await ada.ticket(ticket)).json
    assert before["holder_name"] is None and before["code"] == (await shown(ada, ticket))["code"]
    qr = await ada.send("GET", f"/api/public/tickets/{ticket}/qr.svg")
    given = await give(ada, ticket)
    assert given.status == 200, given.body
    assert given.json == {**before, "code": given.json["code"], "holder_name": GRACE}
    assert given.json["code"] != before["code"]
    assert (await give(ada, ticket)).json == given.json, "a repeat changes nothing"
    assert (await ada.ticket(ticket)).json == (await ada.my_tickets()).json[0] == given.json
    seen = await shown(ada, ticket)
    assert (seen["code"], seen["holderName"]) == (given.json["code"], GRACE)
    assert (await ada.send("GET", f"/api/public/tickets/{ticket}/qr.svg")).body != qr.body
    void = await scan(house, before["code"])
    assert (told(void), void.json["ticket_id"]) == ((409, "code_replaced"), ticket)
    admitted = await scan(house, given.json["code"])
    assert (admitted.status, admitted.json["holder"]) == (200, GRACE)
    assert told(await give(ada, ticket, "Bob Bird")) == (409, "ticket_admitted")
    (entry,) = (await house.admin.send("GET", f"{TICKETS}/")).json
    assert (entry["holder_name"], entry["code"]) == (GRACE, given.json["code"])
    export = (await house.admin.send("GET", f"{TICKETS}/export.csv")).body.decode()
    assert GRACE in export and given.json["code"] in export
    assert (await house.admin.send("GET", f"/api/v1/admin/screenings/{screening}/check-ins")).json[0][
        "holder"
    ] == GRACE


async def test_the_qr_code_of_an_event_ticket_says_how_often_it_was_given(house: House) -> None:
    kind = await make_type(house, event := await make_event(house, startDate=from_now(60)))
    guest = Guest(house, "guest-of-an-event", house.token(7))
    reservation = await guest.reserved(kind)
    (bought,) = data(await guest.purchase(reservation, ADA))["tickets"]
    ticket = int(bought["id"])
    assert (await guest.ticket(ticket)).json["holder_name"] == ADA["fullName"]
    unchanged = await give(guest, ticket, ADA["fullName"])
    assert unchanged.json["code"] == bought["code"]
    given = (await give(guest, ticket)).json
    (again,) = data(await guest.purchase(reservation, ADA))["tickets"]
    assert (again["holder"], again["code"]) == ({"fullName": GRACE}, given["code"])
    assert bought["qrCode"].startswith("FR1.") and again["qrCode"].startswith("FR2.")
    listed = f"/api/v1/admin/screenings/{event}/check-ins/tickets"
    assert (await house.admin.send("GET", listed)).json[0]["issue"] == 1
    for void in (bought["code"], bought["qrCode"]):
        assert told(await scan(house, void)) == (409, "code_replaced")
    forged = again["qrCode"].replace(".1.", ".2.")
    assert (await scan(house, forged)).code == "unknown_code"
    assert (await scan(house, again["qrCode"])).json["holder"] == GRACE
    assert (await scan(house, given["code"])).code == "already_admitted"


async def test_owners_and_administrators_give_tickets_away_and_history_says_who(house: House) -> None:
    screening, seats = await open_doors(house)
    ticket, other = await sold(house, screening, seats[:2])
    owner = house.user()
    assert told(await give(house.user(8), ticket)) == (404, "ticket_not_found")
    assert told(await give(house.guest, ticket)) == (401, "not_authenticated")
    assert told(await give(owner, 999_999)) == (404, "ticket_not_found")
    for name in (" ", "", None, "x" * 201, "a\nb", 7):
        assert (await give(owner, ticket, name)).status == 422, name
    assert (await give(owner, ticket, holder_email="nobody")).status == 422
    await give(owner, ticket)
    assert (await house.admin.send("POST", f"{TICKETS}/{ticket}/move", {"seat_id": seats[4]})).status == 200
    assert (await give(house.admin, ticket, "Bob Bird")).status == 200
    await owner.cancel_ticket(ticket)
    refused = await give(house.admin, ticket)
    assert (told(refused), refused.json["status"]) == ((409, "ticket_not_confirmed"), "cancelled")
    path = f"{TICKETS}/{ticket}/history"
    history = (await house.admin.send("GET", path)).json
    assert [(e["kind"], e["by"], e["seat_id"], e["holder_name"]) for e in history] == [
        ("sold", "user:7", seats[0], None),
        ("given", "user:7", seats[4], GRACE),
        ("moved", "user:1", seats[4], None),
        ("given", "user:1", seats[4], "Bob Bird"),
        ("cancelled", "user:7", seats[4], None),
    ]
    assert told(await owner.send("GET", path)) == (403, "admin_required")
    assert told(await house.admin.send("GET", f"{TICKETS}/999999/history")) == (404, "ticket_not_found")
    closed = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"transfers_allowed": False})
    assert (closed.status, closed.json["transfers_allowed"]) == (200, False)
    assert told(await give(owner, other)) == (409, "transfers_closed")
    await scan(house, other)
    assert (await give(house.admin, other)).status == 200
    stored = str(execute(house.database_url, "SELECT * FROM ticket_transfers"))
    assert "Hopper" not in stored


async def test_a_ticket_is_given_away_so_often_and_no_more(house: House) -> None:
    screening, seats = await open_doors(house)
    (ticket,) = await sold(house, screening, seats[:1])
    execute(house.database_url, "UPDATE tickets SET issue = 49")
    assert (await give(house.user(), ticket)).status == 200
    assert told(await give(house.user(), ticket, "Bob Bird")) == (409, "transfer_limit_reached")
    assert (await give(house.user(), ticket)).status == 200


async def test_scans_made_offline_before_a_transfer_count(house: House) -> None:
    screening, seats = await open_doors(house)
    first, second = await sold(house, screening, seats[:2])
    codes = [(await house.user().ticket(ticket)).json["code"] for ticket in (first, second)]
    for ticket in (first, second):
        await give(house.user(), ticket)
    before, after = await batch(house, "north-1", ("1", codes[0], "North", 5), ("2", codes[1], "North", -0.5))
    assert (before["result"], after["result"]) == ("admitted", "code_replaced")
    assert (await scan(house, first)).code == "already_admitted"
    assert (await scan(house, second)).status == 200


async def test_numbers_admit_only_tickets_that_were_printed_with_them(house: House) -> None:
    screening, seats = await open_doors(house)
    new, old, given = await sold(house, screening, seats[:3])
    assert told(await scan(house, str(new))) == (404, "unknown_code")
    execute(house.database_url, "UPDATE tickets SET number_admits = true WHERE id <> %s", new)
    await give(house.user(), given)
    assert told(await scan(house, str(given))) == (404, "unknown_code")
    assert (await scan(house, str(old))).status == 200


async def test_owner_old_and_new_holder_are_told(inbox: Inbox, open_house: OpenHouse) -> None:
    house = await open_house(smtp_url=inbox.url)
    kind = await make_type(house, await make_event(house))
    ada = await member(house, email="owner@home.example")
    guest = Guest(house, None, ada.token)
    (bought,) = data(await guest.purchase(await guest.reserved(kind), ADA, buyer=BOB))["tickets"]
    for _ in range(3):
        await inbox.next_mail()
    given = await give(guest, int(bought["id"]), holder_email="grace@home.example")
    assert given.status == 200, given.body
    mails = {mail["To"]: mail for mail in [await inbox.next_mail() for _ in range(4)]}
    subjects = {address: mail["Subject"] for address, mail in mails.items()}
    assert subjects == {
        "owner@home.example": "A ticket for Night of the Brass Bands",
        BOB["email"]: "A ticket for Night of the Brass Bands",
        "grace@home.example": "A ticket for Night of the Brass Bands",
        ADA["email"]: "Not your ticket any more: Night of the Brass Bands",
    }

    def text(address: str) -> str:
        return mails[address].get_body(("plain",)).get_content()

    for address in ("owner@home.example", "grace@home.example"):
        assert given.json["code"] in text(address)
    assert GRACE in text(BOB["email"])
    assert given.json["code"] not in text(ADA["email"]) and bought["code"] not in text(ADA["email"])
