"""The export of tickets for spreadsheets: complete, safe to open, and only for administrators."""

import asyncio
import csv
import logging
import socket
from io import StringIO
from typing import Any

import pytest

from api.catalogue import ticket_export
from tests.api.caller import Response
from tests.box_office import ADA, BOB, Guest, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import open_house
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test

EXPORT = "/api/v1/tickets/export.csv"

MANY = 40_000

FILL = """
INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
SELECT %s, n, n, 'user:2', 10, 'confirmed', now(), now() FROM generate_series(1000001, 1000000 + %s) AS n
"""


def rows_of(response: Response) -> list[dict[str, str]]:
    text = response.body.decode("utf-8-sig")
    assert text.startswith("ticket_id,booking_id,status,")
    return list(csv.DictReader(StringIO(text, newline="")))


async def export(house: House, query: str = "") -> Response:
    return await house.admin.send("GET", f"{EXPORT}{query}")


async def test_tickets_are_exported_with_their_accounts(house: House, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "frontrow.api")
    ada = await member(
        house, full_name='=HYPERLINK("http://evil.example","Ada, \u00c4")', email="ada@home.example"
    )
    screening, seats = await open_house(house)
    booked = (await ada.book(screening, seats[:2], payment_id="-1+1")).json
    await ada.cancel_ticket(booked[1]["id"])
    response = await export(house)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="tickets.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.body.startswith(b"\xef\xbb\xbf")
    first, second = rows_of(response)
    assert first == first | {
        "ticket_id": str(booked[0]["id"]),
        "status": "confirmed",
        "price": "12.50",
        "payment_id": "'-1+1",
        "screening_id": str(screening),
        "place": "Row A, seat 1",
        "user_id": str(ada.user_id),
        "account_name": '\'=HYPERLINK("http://evil.example","Ada, \u00c4")',
        "account_email": "ada@home.example",
        "holder_full_name": "",
    }
    assert second["status"] == "cancelled" and second["cancelled_at"]
    assert [row["ticket_id"] for row in rows_of(await export(house, "?status=cancelled"))] == [
        str(booked[1]["id"])
    ]
    assert rows_of(await export(house, "?screening_id=99")) == []
    assert rows_of(await export(house, "?from=2100-01-01T00:00:00Z")) == []
    assert "user 1 exports tickets with their holders: status=cancelled" in caplog.text


async def test_only_administrators_export(house: House) -> None:
    assert (await house.guest.send("GET", EXPORT)).status == 401
    assert (await house.user().send("GET", EXPORT)).status == 403
    head = await house.admin.send("HEAD", EXPORT)
    assert (head.status, head.body) == (200, b"")
    assert (await export(house, "?status=sold")).status == 422


async def test_holders_of_event_tickets_are_decrypted(open_house: OpenHouse) -> None:
    house = await open_house(guest_purchase=True)
    kind = await make_type(house, await make_event(house))
    guest = Guest(house, "session-of-a-guest")
    assert (await guest.purchase(await guest.reserved(kind), BOB, buyer=ADA)).status == 201
    (row,) = rows_of(await export(house))
    assert row["holder_full_name"] == BOB["fullName"]
    assert row["buyer_email"] == ADA["email"]
    assert row["buyer_whatsapp"].startswith("'+49")
    assert row["user_id"] == ""
    assert "session" not in str(row)


async def test_a_large_export_is_made_no_faster_than_it_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening, _ = await open_house(house)
    execute(house.database_url, FILL, screening, MANY)
    made = 0
    cells = ticket_export._cells

    def counted(*arguments: Any) -> list[Any]:
        nonlocal made
        made += 1
        return cells(*arguments)

    monkeypatch.setattr(ticket_export, "_cells", counted)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.connect(("127.0.0.1", house.server.port))
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        token = house.token(1, admin=True)
        request = f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        await loop.sock_sendall(client, request.encode())
        before = -1
        while made == 0 or made != before:  # until nothing more is made
            before = made
            await asyncio.sleep(1.0)
        assert made < MANY
        received = bytearray()
        async with asyncio.timeout(120):
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += await loop.sock_recv(client, 65_536)
    assert made == MANY
    assert received.count(b",confirmed,") == MANY
