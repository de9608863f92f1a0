"""Administrators see what could not be delivered, and retry it."""

import asyncio

import pytest

from tests.api.caller import Response
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import open_house as open_screening
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=120)

OUTBOX = "/api/v1/admin/outbox"


async def sold_to_ada(house: House) -> int:
    """Sell a seat to a user with an address. Returns the id of the ticket."""
    ((ada,),) = execute(
        house.database_url,
        "INSERT INTO users (email, password_hash) VALUES ('ada@home.example', '') RETURNING id",
    )
    screening, seats = await open_screening(house)
    booked = await house.user(ada).book(screening, seats[:1])
    assert booked.status == 201
    return booked.json[0]["id"]


async def listed(house: House, query: str, number: int) -> Response:
    """Return the list of messages once it has this length."""
    async with asyncio.timeout(60):
        while len((answer := await house.admin.send("GET", f"{OUTBOX}{query}")).json) != number:
            assert answer.status == 200
            await asyncio.sleep(0.05)
    return answer


async def dead_letters_counted(house: House, number: int) -> None:
    """Wait until the metrics show this number of dead letters."""
    counts = {-1.0}
    async with asyncio.timeout(60):
        while counts != {number}:
            await asyncio.sleep(0.05)
            page = (await house.guest.send("GET", "/metrics")).body.decode()
            lines = [
                line for line in page.splitlines() if line.startswith('frontrow_outbox_dead{kind="mail"}')
            ]
            counts = {float(line.split()[-1]) for line in lines}


async def test_a_dead_letter_is_seen_retried_and_delivered(
    open_house: OpenHouse, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.server._BACKLOG_SECONDS", 0.1)
    inbox.answers = ["451 try again later", "554 this is spam for <ada@home.example>"]
    house = await open_house(smtp_url=inbox.url, outbox_retry_seconds=(0.1,))
    ticket = await sold_to_ada(house)

    await listed(house, "?status=dead", 1)
    dead = await house.admin.send("GET", f"{OUTBOX}?status=dead")  # counted once nothing changes any more
    (entry,) = dead.json
    assert (entry["kind"], entry["subject"], entry["status"], entry["attempts"], entry["due_at"]) == (
        *("mail", f"booking {ticket}", "dead", 2),
        None,
    )
    assert entry["payload"].pop("request_id")
    assert entry["payload"] == {"cause": "booked", "booking_id": ticket}
    assert "spam" in entry["error"]
    assert "ada@" not in entry["error"]
    assert dead.headers["X-Total-Count"] == "1"
    assert inbox.empty
    await dead_letters_counted(house, 1)

    retried = await house.admin.send("POST", f"{OUTBOX}/{entry['id']}/retry")
    assert (retried.status, retried.json["status"], retried.json["uid"]) == (200, "waiting", entry["uid"])
    mail = await inbox.next_mail()
    assert mail["To"] == "ada@home.example"
    assert mail["Message-ID"].startswith(f"<{entry['uid']}@")
    (delivered,) = (await listed(house, "?status=delivered&kind=mail", 1)).json
    assert (delivered["id"], delivered["error"]) == (entry["id"], None)
    await dead_letters_counted(house, 0)

    again = await house.admin.send("POST", f"{OUTBOX}/{entry['id']}/retry")
    assert (again.status, again.code) == (409, "message_delivered")


async def test_only_administrators_see_and_retry_messages(house: House) -> None:
    for caller, status in ((house.guest, 401), (house.user(7), 403)):
        assert (await caller.send("GET", OUTBOX)).status == status
        assert (await caller.send("POST", f"{OUTBOX}/1/retry")).status == status
    unknown = await house.admin.send("POST", f"{OUTBOX}/1/retry")
    assert (unknown.status, unknown.code) == (404, "message_not_found")
    assert (await house.admin.send("GET", f"{OUTBOX}?status=lost")).status == 422


async def test_pages_and_a_message_that_waits(house: House) -> None:
    execute(
        house.database_url,
        """
        INSERT INTO outbox (kind, subject, payload, due_at)
        SELECT 'mail', 'booking ' || number, '{"cause": "booked", "booking_id": 0}', now() + interval '1 day'
        FROM generate_series(1, 5) AS number
        """,
    )
    page = await house.admin.send("GET", f"{OUTBOX}?status=waiting&size=2&page=2")
    assert [message["subject"] for message in page.json] == ["booking 3", "booking 2"]
    assert page.headers["X-Total-Count"] == "5"
    waiting = await house.admin.send("POST", f"{OUTBOX}/{page.json[0]['id']}/retry")
    assert (waiting.status, waiting.json) == (200, page.json[0])
