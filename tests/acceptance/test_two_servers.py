"""Two servers on one database: a server that lost a screening cannot write a single row for it.

`frontrow serve` does not let a second server start (test_one_server.py). But a server that lost the lock with
its connection continues until it notices, and meanwhile only the epochs protect the data. So these two
servers run in the test process, without the lock. A server that is asked to change a screening takes it over;
the other one finds out at its next write.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from frontrow.server import Server
from frontrow.settings import load_settings
from frontrow.signing import tokens_of
from frontrow_client import RefundRequired, SeatsUnavailable, Unavailable
from persistence.connector import Connector
from persistence.server_lock import ServerName
from tests.acceptance.buyers import ONCE, Buyer
from tests.acceptance.figures import Figures
from tests.acceptance.late_writes import late_writes_in, watch_the_order
from tests.acceptance.purchases import CLEAN, PurchaseLog, send_home, shop
from tests.acceptance.seeding import SeededScreening, seeded
from tests.database import execute, temporary_data_directory
from tests.signing_keys import STRONG_SECRET

HOT_SECONDS = 4.0
SESSION_SECONDS = 5.0
BUYERS_PER_SERVER = 10

_COUNTS = """
SELECT array(SELECT (epoch, count(*))::text FROM screening_events WHERE screening_id = %(id)s GROUP BY epoch
             ORDER BY epoch),
       (SELECT count(*) FROM holds WHERE screening_id = %(id)s),
       (SELECT count(*) FROM tickets WHERE screening_id = %(id)s),
       (SELECT count(*) FROM payments WHERE screening_id = %(id)s)
"""


class UnlockedServer:
    """A server in this process without the lock, but with the session that shows that it is alive.

    Args:
        database_url: the database.
        data_directory: its own data directory.
    """

    def __init__(self, database_url: str, data_directory: Path) -> None:
        self._settings = load_settings(port=0, data_dir=data_directory, jwt_secret=STRONG_SECRET)
        self._database_url = database_url
        self._tokens = tokens_of(self._settings)
        self._connector = Connector(database_url)
        self._name = ServerName.own()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    def token(self, user_id: int, *, admin: bool = False) -> str:
        return self._tokens.issue(user_id, admin=admin, ttl_seconds=3600)

    async def __aenter__(self) -> "UnlockedServer":
        self._connection = await self._connector.dedicated(str(self._name), SESSION_SECONDS)
        self._server = Server(self._settings, self._database_url, self._name)
        await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop()
        self._connection.close()
        self._connector.close()


class Pair(NamedTuple):
    """Two servers on one database.

    Attributes:
        halls: screenings in the database.
        opened: closes buyers.
    """

    one: UnlockedServer
    other: UnlockedServer
    halls: list[SeededScreening]
    opened: AsyncExitStack

    def buyer(self, server: UnlockedServer, user_id: int, *, admin: bool = False) -> Buyer:
        """Return a buyer at one of the servers."""
        buyer = Buyer(server, user_id, admin=admin, retries=ONCE)
        self.opened.push_async_exit(buyer)
        return buyer


@asynccontextmanager
async def _pair(
    database_url: str, *, screenings: int = 1, rows: int = 4, seats_per_row: int = 10
) -> AsyncIterator[Pair]:
    """Start two servers on a database with these screenings."""
    halls = await seeded(database_url, screenings, rows, seats_per_row)
    async with AsyncExitStack() as opened:
        one, other = [
            await opened.enter_async_context(
                UnlockedServer(database_url, opened.enter_context(temporary_data_directory()))
            )
            for _ in range(2)
        ]
        yield Pair(one, other, halls, opened)


class Records:
    """Counts the rows that the database has of a screening."""

    def __init__(self, database_url: str, screening: SeededScreening) -> None:
        self._database_url = database_url
        self._screening = screening

    def count(self) -> tuple[object, ...]:
        """Return the number of events by epoch, and of the other rows."""
        (counts,) = execute(self._database_url, _COUNTS.replace("%(id)s", str(self._screening.id)))
        return counts

    async def count_after(self, owner: Buyer) -> tuple[object, ...]:
        """The same, after the owner has written everything that it has decided."""
        async for _ in owner.my_reservations():
            pass
        return self.count()


@pytest.mark.gen_test(timeout=510)
async def test_the_deposed_owner_writes_nothing(database_url: str) -> None:
    async with _pair(database_url) as pair:
        (hall,) = pair.halls
        seats = list(hall.seat_ids)
        first, second = pair.buyer(pair.one, 1), pair.buyer(pair.other, 2)
        await first.reserve(hall.id, seats[:2])
        records = Records(database_url, hall)
        await records.count_after(first)

        # The second server takes the screening over and sees what was written before.
        with pytest.raises(SeatsUnavailable) as refused:
            await second.reserve(hall.id, seats[:1])
        assert refused.value.held == seats[:1]
        await second.book(hall.id, seats[2:4], payment_id="by-the-second")
        taken_over = await records.count_after(second)

        # The first server does not know yet, and its write is rejected.
        with pytest.raises(Unavailable) as deposed:
            await first.book(hall.id, seats[4:6], payment_id="by-the-deposed")
        assert deposed.value.code == "ownership_lost"
        assert deposed.value.retry_after_seconds
        assert not deposed.value.may_have_been_executed
        assert records.count() == taken_over

        # Then it takes the screening back and sees what was sold in between.
        with pytest.raises(RefundRequired) as sold:
            await first.book(hall.id, seats[2:3], payment_id="for-a-sold-seat")
        assert sold.value.booked == seats[2:3]
        await first.book_reserved(hall.id, seats[:2], "by-the-first")
        await first.book(hall.id, seats[4:6], payment_id="by-the-deposed")
        taken_back = await records.count_after(first)
        with pytest.raises(Unavailable) as late:
            await second.book(hall.id, seats[6:8], payment_id="too-late")
        assert late.value.code == "ownership_lost"
        assert records.count() == taken_back
        ((epochs,),) = execute(database_url, "SELECT array_agg(DISTINCT epoch) FROM screening_events")
        assert epochs == [1, 2, 3]


@pytest.mark.gen_test(timeout=510)
async def test_reads_and_sweeps_do_not_take_over(database_url: str) -> None:
    async with _pair(database_url) as pair:
        (hall,) = pair.halls
        seats = list(hall.seat_ids)
        owner, stranger = pair.buyer(pair.one, 1), pair.buyer(pair.other, 2)
        await owner.reserve(hall.id, seats[:2])
        await Records(database_url, hall).count_after(owner)
        seen = [seat.status for seat in await stranger.seats(hall.id)]
        assert seen[:3] == ["reserved", "reserved", "available"]
        execute(database_url, "UPDATE holds SET expires_at = now() - interval '1 hour'")
        admin = pair.buyer(pair.other, 3, admin=True)
        await admin.request("POST", "/api/v1/seat-reservations/cleanup", dict)
        for _ in range(3):
            await stranger.seats(hall.id)
        await owner.book_reserved(hall.id, seats[:2], "by-the-owner")
        assert execute(database_url, "SELECT epoch FROM screening_epochs") == [(1,)]


@pytest.mark.gen_test(timeout=510)
async def test_both_sell_the_same_seats_at_once(database_url: str, figures: Figures) -> None:
    log = PurchaseLog("two-servers")
    async with _pair(database_url, screenings=2, rows=20, seats_per_row=50) as pair:
        watch_the_order(database_url)
        crowd = [
            asyncio.create_task(shop(log, pair.buyer(server, user_id), pair.halls, random.Random(user_id)))
            for user_id, server in enumerate((pair.one, pair.other) * BUYERS_PER_SERVER, start=1)
        ]
        await asyncio.sleep(HOT_SECONDS)
        await send_home(crowd)
        await log.settle()

        audit = log.audit(database_url)
        late_writes = late_writes_in(database_url)
        ((takeovers,),) = execute(database_url, "SELECT sum(epoch)::int FROM screening_epochs")
        figures(
            acknowledged=len(log.acknowledged),
            takeovers=takeovers,
            **vars(audit),
            late_writes=late_writes,
            success_share=log.success_share,
        )
        assert audit == CLEAN
        assert not late_writes
        assert takeovers > 10
        sellers = {id(purchase.buyer.server) for purchase in log.acknowledged}
        assert sellers == {id(pair.one), id(pair.other)}
