"""kill -9 while tickets are cancelled and payments are refused: each ends in one refund, or stands.

Requests without an answer are repeated to the next server, as clients should.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from tests.acceptance.server_process import ServerProcess
from tests.api.caller import TICKETS, Caller, Response
from tests.durable_requests import REFUNDS, is_passing

BUYER, RIVAL = 7, 8
ANSWERS_BEFORE_KILL = 3
SOLD = 20
_UNANSWERED = 599

Request = tuple[str, str, object]


async def _send(server: ServerProcess, request: Request, user_id: int = BUYER) -> Response:
    return await Caller(server.url, server.token(user_id)).send(*request)


async def _answered(server: ServerProcess, request: Request) -> Response:
    """Repeat a request until its response is final."""
    async with asyncio.timeout(120):
        while True:
            with suppress(OSError, HTTPClientError):
                answer = await _send(server, request)
                if answer.status != _UNANSWERED and not is_passing(answer):
                    return answer
            await asyncio.sleep(0.05)


async def _killed_meanwhile(server: ServerProcess, requests: Sequence[Request]) -> list[Response]:
    """Send requests at once, kill the server after the first answers, and repeat them all to the next one."""
    sent = [asyncio.ensure_future(_send(server, request)) for request in requests]
    for number, done in enumerate(asyncio.as_completed(sent), 1):
        with suppress(OSError, HTTPClientError):
            await done
        if number == ANSWERS_BEFORE_KILL:
            await server.kill()
    await server.start()
    return list(await asyncio.gather(*(_answered(server, request) for request in requests)))


@pytest.mark.gen_test(timeout=300)
async def test_kill_9_between_a_decision_and_its_answer(data_directory: Path) -> None:
    async with ServerProcess(data_directory, unvouched_refunds_limit=1000) as server:
        (hall,) = await server.seed(screenings=1, rows=4, seats_per_row=10)
        tickets: dict[str, Any] = {}
        for number, seat_id in enumerate(hall.seat_ids):
            body = {"screening_id": hall.id, "seat_ids": [seat_id], "payment_id": f"sold-{number}"}
            user_id = BUYER if number < SOLD else RIVAL
            booked = await _send(server, ("POST", f"{TICKETS}/book", body), user_id)
            tickets[f"sold-{number}"] = booked.json[0]
        sold, taken = list(tickets)[:SOLD], list(tickets)[SOLD:]
        cancelling: list[Request] = [
            ("DELETE", f"{TICKETS}/{tickets[payment_id]['id']}", None) for payment_id in sold
        ]
        paying: list[Request] = []
        for payment_id in taken:
            seat_id = tickets[payment_id]["seat_id"]
            body = {"screening_id": hall.id, "seat_ids": [seat_id], "payment_id": f"late-{payment_id}"}
            paying.append(("POST", f"{TICKETS}/book-from-reservation", body))
        half = SOLD // 2
        for first in (0, half):
            part = slice(first, first + half)
            answers = await _killed_meanwhile(server, [*cancelling[part], *paying[part]])
            assert {answer.status for answer in answers[:half]} == {204}
            assert {(answer.status, answer.code) for answer in answers[half:]} == {(409, "refund_required")}

        admin = Caller(server.url, server.token(1, admin=True))
        owed = (await admin.send("GET", f"{REFUNDS}?status=owed&size=200")).json
        assert sorted((refund["payment_id"], refund["amount"]) for refund in owed) == sorted(
            [
                *((payment_id, tickets[payment_id]["price"]) for payment_id in sold),
                *((f"late-{payment_id}", tickets[payment_id]["price"]) for payment_id in taken),
            ]
        )
        kept = sum(round(tickets[payment_id]["price"] * 100) for payment_id in taken)
        revenue = (await admin.send("GET", "/api/v1/admin/stats/revenue")).json["revenue"]
        assert round(revenue * 100) == kept
