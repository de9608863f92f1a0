"""The id of a request is found in its events, tickets, mails, webhooks and log lines, on every node."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from api.json_log import JsonLines
from engine.causes import Cause, cause, handling
from tests.api.caller import RESERVATIONS, TICKETS
from tests.api.webhooks.receiver import Receiver
from tests.catalogue.members import Member, member
from tests.catalogue.programme import SCREENINGS, open_house
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=120)

GIVEN = "from-the-proxy-7"
LAST_EVENT = "SELECT kind, request_id FROM screening_events ORDER BY epoch DESC, seq DESC LIMIT 1"


class Sale:
    """A server with mail and a webhook, a screening of six seats, and a buyer."""

    def __init__(self, database_url: str, data_dir: Path, inbox: Inbox) -> None:
        self.inbox = inbox
        self.receiver = Receiver()
        self.house = House(database_url, data_dir, smtp_url=inbox.url, webhook_private_addresses=True)

    async def open(self) -> None:
        await self.house.open()
        self.screening_id, self.seat_ids = await open_house(self.house)
        self.buyer: Member = await member(self.house)
        made = await self.house.admin.send("POST", "/api/v1/admin/webhooks", {"url": self.receiver.url})
        assert made.status == 201, made.body

    async def close(self) -> None:
        await self.house.close()
        await self.receiver.close()

    async def last_event(self, kind: str) -> str | None:
        """Return the request of the last event, once it is of a kind."""
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110
                found := execute(self.house.database_url, LAST_EVENT)
            ) == [] or found[0][0] != kind:
                await asyncio.sleep(0.02)
        return found[0][1]


@pytest.fixture
def sale(database_url: str, tmp_path: Path, inbox: Inbox, io_loop: IOLoop) -> Iterator[Sale]:
    opened = Sale(database_url, tmp_path, inbox)
    io_loop.run_sync(inbox.open)
    io_loop.run_sync(opened.open)
    yield opened
    io_loop.run_sync(opened.close)
    io_loop.run_sync(inbox.close)


@pytest.mark.parametrize("key", [None, "a-key-of-its-own-1"], ids=["plain", "with a key"])
async def test_a_booking_is_found_by_its_request_everywhere(sale: Sale, key: str | None) -> None:
    seats = sale.seat_ids[:2]
    body = {"screening_id": sale.screening_id, "seat_ids": list(seats), "payment_id": "pay-1"}
    booked = await sale.buyer.send("POST", f"{TICKETS}/book", body, key=key)
    assert booked.status == 201, booked.body
    request_id = booked.headers["X-Request-ID"]
    assert await sale.last_event("tickets_issued") == request_id
    assert execute(sale.house.database_url, "SELECT DISTINCT request_id FROM tickets") == [(request_id,)]
    assert (await sale.inbox.next_mail())["X-Request-ID"] == request_id
    receiver = sale.receiver
    await receiver.until(lambda: receiver.of("booking.created"))
    assert receiver.of("booking.created")[0].message["request_id"] == request_id

    cancelled = await sale.buyer.cancel_ticket(booked.json[0]["id"])
    assert cancelled.status == 204
    cancelled_by = cancelled.headers["X-Request-ID"]
    assert await sale.last_event("tickets_cancelled") == cancelled_by
    assert (await sale.inbox.next_mail())["X-Request-ID"] == cancelled_by
    await receiver.until(lambda: receiver.of("booking.cancelled"))
    assert receiver.of("booking.cancelled")[0].message["request_id"] == cancelled_by


async def test_a_transfer_is_found_in_its_mail_and_its_webhook(sale: Sale) -> None:
    (ticket,) = (await sale.buyer.book(sale.screening_id, sale.seat_ids[:1])).json
    await sale.inbox.next_mail()
    given = await sale.buyer.send("PATCH", f"{TICKETS}/{ticket['id']}", {"holder_name": "Grace Hopper"})
    request_id = given.headers["X-Request-ID"]
    assert (await sale.inbox.next_mail())["X-Request-ID"] == request_id
    receiver = sale.receiver
    await receiver.until(lambda: receiver.of("ticket.transferred"))
    assert receiver.of("ticket.transferred")[0].message["request_id"] == request_id


async def test_what_administrators_change_is_found_in_mails_and_webhooks(sale: Sale) -> None:
    house, inbox, receiver = sale.house, sale.inbox, sale.receiver
    (ticket, _) = (await sale.buyer.book(sale.screening_id, sale.seat_ids[:2], payment_id="pay-1")).json
    await inbox.next_mail()
    moved = await house.admin.send("PUT", f"{SCREENINGS}/{sale.screening_id}", {"title": "Brass at Night"})
    assert moved.status == 200, moved.body
    assert (await inbox.next_mail())["X-Request-ID"] == moved.headers["X-Request-ID"]
    assert (await sale.buyer.cancel_ticket(ticket["id"])).status == 204
    await inbox.next_mail()
    (refund,) = (await house.admin.send("GET", "/api/v1/admin/refunds")).json
    settled = await house.admin.send(
        "POST", f"/api/v1/admin/refunds/{refund['id']}/settle", {"reference": "re_1", "confirm": True}
    )
    assert settled.status == 200, settled.body
    assert (await inbox.next_mail())["X-Request-ID"] == settled.headers["X-Request-ID"]
    for kind, answer in (("screening.changed", moved), ("refund.settled", settled)):
        await receiver.until(lambda kind=kind: receiver.of(kind))
        assert receiver.of(kind)[0].message["request_id"] == answer.headers["X-Request-ID"]


async def test_an_offer_of_the_waiting_list_is_found_by_the_request_that_has_freed_the_seats(
    sale: Sale,
) -> None:
    booked = (await sale.buyer.book(sale.screening_id, sale.seat_ids)).json
    await sale.inbox.next_mail()
    waiting = await member(sale.house, "waiting@home.example")
    body = {"screening_id": sale.screening_id, "quantity": 1}
    assert (await waiting.send("POST", "/api/v1/waitlist", body)).status == 201
    cancelled = await sale.buyer.cancel_ticket(booked[0]["id"])
    request_id = cancelled.headers["X-Request-ID"]
    assert [(await sale.inbox.next_mail())["X-Request-ID"] for _ in range(2)] == [request_id] * 2
    await sale.receiver.until(lambda: sale.receiver.of("waitlist.offered"))
    assert sale.receiver.of("waitlist.offered")[0].message["request_id"] == request_id


async def test_a_hold_is_found_if_its_client_has_named_the_request(sale: Sale) -> None:
    body = {"screening_id": sale.screening_id, "seat_ids": [sale.seat_ids[0]]}
    held = await sale.buyer.send("POST", f"{RESERVATIONS}/reserve", body, headers={"X-Request-ID": GIVEN})
    assert held.headers["X-Request-ID"] == GIVEN
    assert await sale.last_event("seats_held") == GIVEN
    released = await sale.buyer.send("DELETE", f"{RESERVATIONS}/cancel/{sale.screening_id}")
    assert released.status == 204, released.body
    assert await sale.last_event("holds_released") is None


async def test_commands_that_wait_keep_their_own_requests(sale: Sale) -> None:
    def book(number: int) -> Any:
        body = {"screening_id": sale.screening_id, "seat_ids": [sale.seat_ids[number]]}
        headers = {"X-Request-ID": f"one-of-many-{number}"}
        return sale.buyer.send("POST", f"{TICKETS}/book", {**body, "payment_pending": True}, headers=headers)

    booked = await asyncio.gather(*map(book, range(6)))
    assert {answer.status for answer in booked} == {201}
    found = execute(
        sale.house.database_url,
        "SELECT seat_ids[1], request_id FROM screening_events WHERE kind = 'tickets_issued'",
    )
    assert dict(found) == {seat: f"one-of-many-{number}" for number, seat in enumerate(sale.seat_ids)}


async def test_log_lines_written_meanwhile_have_the_id(sale: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines have the id on the fast path and on the general one, which requests with a key take."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("tests.audit")
    monkeypatch.setattr(log, "handlers", [handler])
    monkeypatch.setattr(log, "propagate", False)
    feed: Any = sale.house.server._feed
    publish: Callable[[Any], None] = feed.publish

    def logged(change: Any) -> None:
        log.warning("published")
        publish(change)

    monkeypatch.setattr(feed, "publish", logged)
    path = f"{RESERVATIONS}/reserve"
    ids = []
    for number, key in enumerate((None, "another-key-1")):
        body = {"screening_id": sale.screening_id, "seat_ids": [sale.seat_ids[number]]}
        ids.append((await sale.buyer.send("POST", path, body, key=key)).headers["X-Request-ID"])
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == ids
    assert handling.request_id is None


def test_a_line_has_the_id_of_its_task_or_none() -> None:
    def line(**fields: object) -> Any:
        record = logging.LogRecord("frontrow", logging.INFO, "x.py", 1, "told", (), None)
        record.fields = fields
        return json.loads(JsonLines().format(record))

    assert "request_id" not in line()
    before = cause.set(Cause("of-the-task"))
    try:
        assert line()["request_id"] == "of-the-task"
        assert line(request_id="of-the-line")["request_id"] == "of-the-line"
    finally:
        cause.reset(before)
