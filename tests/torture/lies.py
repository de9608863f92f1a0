"""Requests for what belongs to somebody else. None of them may succeed."""

import time
from typing import Any

from tests.torture.caller import Unanswered
from tests.torture.goods import TICKETS, Ticket
from tests.torture.requester import Requester


async def lie(client: Requester, ticket: Ticket, other_seat: int) -> None:
    """Send one, and record the answer.

    Args:
        client: who lies.
        ticket: of somebody else.
        other_seat: a seat to get with the payment of the ticket.
    """
    of_ticket = f"{TICKETS}/{ticket.id}"
    bodies: list[tuple[str, str, str, dict[str, Any] | None]] = [
        ("cancels a foreign ticket", "DELETE", of_ticket, None),
        ("reads a foreign ticket", "GET", of_ticket, None),
        (
            "books with a foreign payment",
            "POST",
            f"{TICKETS}/book",
            {"screening_id": ticket.screening, "seat_ids": [other_seat], "payment_id": ticket.payment_id},
        ),
        ("pays for a foreign ticket", "POST", f"{of_ticket}/confirm-payment", {"payment_id": "lie"}),
        ("moves a foreign ticket", "POST", f"{of_ticket}/move", {"seat_id": other_seat}),
        ("gives a foreign ticket away", "PATCH", of_ticket, {"email": "mallory@home.example"}),
    ]
    what, method, path, body = client.draw.choice(bodies)
    _, url = client.door()
    number = None
    if body is not None and "seat_ids" in body:
        # Until it is refused, the seat is reserved for the liar, and sockets show that.
        asked = {"screening": ticket.screening, "seats": [other_seat]}
        number = client.recorder.invoke(client=client.name, action="book", user=client.name, **asked)
    try:
        answer = await client.caller.send(url, method, path, body)
    except Unanswered:
        if number is not None:
            client.recorder.unknown(number)
        return
    if number is not None:
        client.recorder.answer(number, answer.status, answer.code)
    client.recorder.misdeeds["client lies"] += 1
    client.recorder.lies.append(
        {
            "time": time.monotonic(),
            "user": client.name,
            "what": f"{what}: {method} {path} {body or ''}".rstrip(),
            "status": answer.status,
            "code": answer.code,
        }
    )
