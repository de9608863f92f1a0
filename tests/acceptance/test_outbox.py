"""The outbox of a real server: nothing that was committed stays unsent, whatever crashes or is away."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.buyers import ONCE, buyers_of
from tests.acceptance.server_process import ServerProcess
from tests.database import execute
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=300)

BOOKINGS = 5


def add_user(server: ServerProcess, number: int) -> int:
    statement = "INSERT INTO users (email, password_hash) VALUES (%s, '') RETURNING id"
    return execute(server.database.url, statement, f"user{number}@home.example")[0][0]


async def test_no_confirmation_is_lost_when_everything_crashes(data_directory: Path) -> None:
    inbox = Inbox()  # refuses connections until it is opened
    settings = {"smtp_url": inbox.url, "outbox_retry_seconds": "0.2,0.5"}
    async with ServerProcess(data_directory, **settings) as server, buyers_of(server, ONCE) as buyer:
        (screening,) = await server.seed(1, 1, BOOKINGS)
        for number, seat_id in enumerate(screening.seat_ids):
            await buyer(add_user(server, number)).book(screening.id, [seat_id])
        await server.kill()
        await server.start()
        # The mail server is still away.
        attempts = "SELECT min(attempts) FROM outbox WHERE error IS NOT NULL HAVING count(*) = %s"
        async with asyncio.timeout(60):
            while execute(server.database.url, attempts, BOOKINGS) < [(2,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert execute(server.database.url, "SELECT DISTINCT status FROM outbox") == [("waiting",)]
        await inbox.open()
        try:
            unsent = dict(execute(server.database.url, "SELECT uid::text, subject FROM outbox"))
            recipients = set()
            while unsent:
                mail = await inbox.next_mail()
                unsent.pop(mail["Message-ID"].strip("<>").partition("@")[0], None)
                recipients.add(mail["To"])
            assert recipients == {f"user{number}@home.example" for number in range(BOOKINGS)}
        finally:
            await inbox.close()
