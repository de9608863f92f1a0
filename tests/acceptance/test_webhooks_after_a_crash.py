"""Webhooks of a real server: every committed booking arrives, in order, whenever the server is killed."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.buyers import ONCE, buyers_of
from tests.acceptance.server_process import ServerProcess
from tests.api.webhooks.receiver import Got, Receiver

pytestmark = pytest.mark.gen_test(timeout=300)

BOOKINGS = 8


async def test_no_event_is_lost_when_the_server_is_killed(data_directory: Path) -> None:
    receiver = Receiver()
    working, asked = asyncio.Event(), asyncio.Event()

    async def before(got: Got) -> None:
        asked.set()
        await working.wait()

    receiver.before = before
    try:
        settings = {"webhook_private_addresses": "true", "outbox_retry_seconds": "0.2,0.5"}
        async with ServerProcess(data_directory, **settings) as server, buyers_of(server, ONCE) as buyer:
            (screening,) = await server.seed(1, 1, BOOKINGS)
            webhook = {"url": receiver.url, "events": ["booking.created"]}
            made = await buyer(1, admin=True).request("POST", "/api/v1/admin/webhooks", dict, json=webhook)
            for number, seat_id in enumerate(screening.seat_ids):
                await buyer(7).book(screening.id, [seat_id])
                if number == 0:
                    await asked.wait()  # it is killed while it sends the first event
            await server.kill()
            working.set()
            await server.start()
            await receiver.until(lambda: len({got.id for got in receiver.accepted}) == BOOKINGS)
    finally:
        working.set()
        await receiver.close()
    first = {got.id: got for got in reversed(receiver.got)}
    in_order = sorted(first.values(), key=receiver.got.index)
    assert [got.data["seat_ids"] for got in in_order] == [[seat_id] for seat_id in screening.seat_ids]
    assert [got.place for got in in_order] == sorted(got.place for got in in_order)
    assert all(got.verified_with(made["secret"]) for got in in_order[-1:])
    # The killed server had sent the first one; nothing else is sent twice.
    assert len(receiver.got) <= BOOKINGS + 1
