"""Five hundred guests compete for a hundred tickets of two types, and the server is killed in between."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.buyers import ONCE, Buyer, buyers_of
from tests.acceptance.figures import Figures
from tests.acceptance.guests import Fight, Guest, watch
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

GUESTS = 500
CAPACITIES = {"Standing": 60, "Seated": 40}

UNCOUNTED = dict.fromkeys(
    (
        "guest_requests_per_address",
        "guest_requests_per_session",
        "guest_creations_per_address",
        "guest_seats_limit",
    ),
    1_000_000,
)

STORED = """
SELECT tickets.id, tickets.code, holder, ticket_types.name
FROM tickets JOIN ticket_types ON ticket_types.id = (-seat_id) >> 20
WHERE status = 'confirmed'
"""


async def event_with_tickets(admin: Buyer) -> dict[str, int]:
    """Create an event; return the ids of its ticket types with their capacities."""
    event = await admin.create_event("The Fight", datetime.now(UTC) + timedelta(days=1))
    return {
        (await admin.create_ticket_type(event.id, name, 10, capacity)).id: capacity
        for name, capacity in CAPACITIES.items()
    }


async def kill_in_the_middle(server: ServerProcess, fight: Fight) -> None:
    """kill -9 when some tickets are sold and many more are being bought; then restart."""
    await fight.under_way.wait()
    await server.kill()
    await server.start()


@pytest.mark.gen_test(timeout=510)
async def test_guests_buy_every_ticket_once_even_if_the_server_dies(
    data_directory: Path, figures: Figures
) -> None:
    async with ServerProcess(data_directory, **UNCOUNTED) as server, buyers_of(server) as buyer:
        fight = Fight(await event_with_tickets(buyer(1, admin=True)))
        guests = [Guest(buyer(100 + n, retries=ONCE), fight) for n in range(GUESTS)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as crowd:
            crowd.create_task(watch(buyer(2), fight))
            for guest in guests:
                crowd.create_task(guest.shop())
            crowd.create_task(kill_in_the_middle(server, fight))
        seconds = time.monotonic() - began
        stored = execute(server.database.url, STORED)

    acknowledged = {
        (ticket, code, guest.buyer.holder) for guest in guests for ticket, code in guest.tickets.items()
    }
    assert {row[:3] for row in stored} == acknowledged, "stored and acknowledged tickets differ"
    assert Counter(name for *_, name in stored) == CAPACITIES
    assert len({code for _, code, _, _ in stored}) == len(stored)
    figures(seconds=seconds, **fight.done)
    for deed in ("single", "bulk", "extended", "cancelled", "bought", "refused", "unanswered"):
        assert fight.done[deed] > 0, deed
