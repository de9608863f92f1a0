"""kill -9 at each point between the decision about a booking and the delivery of its mail.

| the server dies | the buyer, who repeats the payment | the mail |
| --- | --- | --- |
| before the commit | gets tickets now | comes once |
| while the mail server reads the mail | gets the same tickets | comes once |
| after it is accepted, before that is recorded | gets the same tickets | comes twice, with one Message-ID |

`test_outbox.py` kills it right after the answer, before any attempt.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from frontrow_client import Ticket
from tests.acceptance.buyers import Buyer
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.test_outbox import add_user
from tests.database import execute
from tests.inbox import Inbox
from tests.topology import ONE_SERVER

pytestmark = pytest.mark.gen_test(timeout=300)

PAYMENT = "pi-of-the-crash"
QUICK = "0.2,0.5"
LOCK = "LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
TERMINATE = WAITING.replace("count(*)", "pg_terminate_backend(pid, 60000)")


class SlowInbox(Inbox):
    """Lets the test act while a mail is being accepted.

    Attributes:
        read: set when a mail has been read.
        go_on: its answer waits for this.
        keeps: whether the mail is kept before that.
    """

    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self.read, self.go_on = asyncio.Event(), asyncio.Event()
        self.keeps = keeps

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for every mail."""
        if not self.keeps and not self.go_on.is_set():
            self.read.set()
            await self.go_on.wait()
            return "451 Nobody is there any more"
        answer = await super().handle_DATA(server, session, envelope)
        self.read.set()
        await self.go_on.wait()
        return answer


@asynccontextmanager
async def opened(inbox: Inbox) -> AsyncIterator[Inbox]:
    await inbox.open()
    try:
        yield inbox
    finally:
        await inbox.close()


def served(data_directory: Path, inbox: Inbox) -> ServerProcess:
    return ServerProcess(data_directory, served_by=ONE_SERVER, smtp_url=inbox.url, outbox_retry_seconds=QUICK)


@asynccontextmanager
async def buying(server: ServerProcess) -> AsyncIterator[Callable[[], Coroutine[Any, Any, list[Ticket]]]]:
    """A buyer pays for one seat, and repeats that until it is answered."""
    (screening,) = await server.seed(1, 1, 2)
    async with Buyer(server, add_user(server, 1)) as buyer:
        yield partial(buyer.book, screening.id, screening.seat_ids[:1], payment_id=PAYMENT)


async def waits_for_the_lock(url: str) -> None:
    async with asyncio.timeout(60):
        while execute(url, WAITING) == [(0,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def settled(url: str) -> None:
    """Wait until nothing is left to deliver."""
    async with asyncio.timeout(60):
        while execute(url, "SELECT count(*) FROM outbox WHERE status = 'waiting'") != [(0,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_before_the_commit(data_directory: Path) -> None:
    async with opened(Inbox()) as inbox, served(data_directory, inbox) as server, buying(server) as pay:
        url = server.database.url
        with closing(psycopg2.connect(url)) as lock:
            lock.cursor().execute(LOCK)
            paying = asyncio.create_task(pay())
            await waits_for_the_lock(url)
            await server.kill()
        await server.start()
        await paying
        mail = await inbox.next_mail()
        await settled(url)
        assert inbox.empty and mail["Message-ID"]
        assert execute(url, "SELECT count(*) FROM tickets") == [(1,)]


@pytest.mark.parametrize(
    "keeps",
    [
        pytest.param(False, id="while it is read", marks=pytest.mark.soak),
        pytest.param(True, id="before it is recorded"),
    ],
)
async def test_during_the_delivery(data_directory: Path, keeps: bool) -> None:
    inbox = SlowInbox(keeps=keeps)
    async with opened(inbox), served(data_directory, inbox) as server, buying(server) as pay:
        url = server.database.url
        booked = await pay()
        async with asyncio.timeout(60):
            await inbox.read.wait()
        if keeps:
            with closing(psycopg2.connect(url)) as lock:
                lock.cursor().execute(LOCK)
                inbox.go_on.set()  # the server is told that the mail was accepted, and cannot record it
                await waits_for_the_lock(url)
                await server.kill()
                # Otherwise PostgreSQL would record it without the server, once the lock is gone.
                execute(url, TERMINATE)
        else:
            await server.kill()
            inbox.go_on.set()
        await server.start()
        assert await pay() == booked
        mails = [await inbox.next_mail() for _ in range(1 + keeps)]
        await settled(url)
        assert inbox.empty
        assert len({mail["Message-ID"] for mail in mails}) == 1
