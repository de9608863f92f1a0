"""Two servers on one database: whoever lost a screening cannot write a single row for it.

Each server has a data directory of its own, and both use the PostgreSQL of the first. Whichever is asked
for a screening takes it; the other finds out when it next writes.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures
from tests.acceptance.purchases import CLEAN, PurchaseLog, send_home, shop
from tests.acceptance.server_process import SeededScreening, ServerProcess
from tests.database import execute, temporary_data_directory

HOT_SECONDS = 4.0
BUYERS_PER_SERVER = 10

_COUNTS = """
SELECT array(SELECT (epoch, count(*))::text FROM screening_events WHERE screening_id = %(id)s GROUP BY epoch
             ORDER BY epoch),
       (SELECT count(*) FROM holds WHERE screening_id = %(id)s),
       (SELECT count(*) FROM tickets WHERE screening_id = %(id)s),
       (SELECT count(*) FROM payments WHERE screening_id = %(id)s)
"""

_WATCH_THE_ORDER = """
CREATE TABLE written_after_takeover (screening_id bigint, epoch bigint, seq bigint, owned_epoch bigint);
CREATE FUNCTION note_late_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO written_after_takeover
    SELECT NEW.screening_id, NEW.epoch, NEW.seq, epoch FROM screening_epochs
    WHERE screening_id = NEW.screening_id AND epoch <> NEW.epoch;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER late_writes AFTER INSERT ON screening_events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_late_write();
"""
"""Looks at the owner when a transaction commits, so a check that was true only earlier does not pass."""


@pytest.fixture
def second_data_directory() -> Iterator[Path]:
    with temporary_data_directory() as path:
        yield path


@asynccontextmanager
async def _two_servers(first: Path, second: Path) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    async with (
        ServerProcess(first) as one,
        ServerProcess(second, database_url=one.database.url) as other,
    ):
        yield one, other


class Records:
    """How many rows the database has of a screening."""

    def __init__(self, database_url: str, screening: SeededScreening) -> None:
        self._database_url = database_url
        self._screening = screening

    def count(self) -> tuple[object, ...]:
        """Now: events by epoch, and the rest."""
        (counts,) = execute(self._database_url, _COUNTS.replace("%(id)s", str(self._screening.id)))
        return counts

    async def count_after(self, owner: Client) -> tuple[object, ...]:
        """After everything that the present owner has decided is written."""
        listed = await owner.send("GET", "/api/v1/seat-reservations/my-reservations")
        assert listed.status == 200
        return self.count()


@pytest.mark.gen_test(timeout=60)
async def test_the_deposed_owner_writes_nothing(data_directory: Path, second_data_directory: Path) -> None:
    async with (
        _two_servers(data_directory, second_data_directory) as (one, other),
        http_session() as session,
    ):
        (hall,) = await one.seed(screenings=1, rows=4, seats_per_row=10)
        seats = list(hall.seat_ids)
        first, second = Client(one, session, 1), Client(other, session, 2)
        assert (await first.reserve(hall.id, seats[:2])).status == 201
        records = Records(one.database.url, hall)
        await records.count_after(first)

        # The second server takes the screening over; what was written before is there.
        refused = await second.reserve(hall.id, seats[:1])
        assert refused.document["held"] == seats[:1]
        assert (await second.book(hall.id, seats[2:4], "by-the-second")).status == 201
        taken_over = await records.count_after(second)

        # The first does not know, and what it must write is refused.
        deposed = await first.book(hall.id, seats[4:6], "by-the-deposed")
        assert deposed.status == 503
        assert deposed.code == "ownership_lost"
        assert int(deposed.headers["Retry-After"]) > 0
        assert records.count() == taken_over

        # Then it takes the screening back, and sees what was sold meanwhile.
        sold = await first.book(hall.id, seats[2:3], "for-a-sold-seat")
        assert (sold.status, sold.document["booked"]) == (409, seats[2:3])
        assert (await first.book_from_reservation(hall.id, seats[:2], "by-the-first")).status == 201
        assert (await first.book(hall.id, seats[4:6], "by-the-deposed")).status == 201
        taken_back = await records.count_after(first)
        late = await second.book(hall.id, seats[6:8], "too-late")
        assert (late.status, late.code) == (503, "ownership_lost")
        assert records.count() == taken_back
        ((epochs,),) = execute(one.database.url, "SELECT array_agg(DISTINCT epoch) FROM screening_events")
        assert epochs == [1, 2, 3]


@pytest.mark.gen_test(timeout=90)
async def test_both_sell_the_same_seats_at_once(
    data_directory: Path, second_data_directory: Path, figures: Figures
) -> None:
    log = PurchaseLog("two-servers")
    async with (
        _two_servers(data_directory, second_data_directory) as (one, other),
        http_session() as session,
    ):
        halls = await one.seed(screenings=2, rows=20, seats_per_row=50)
        execute(one.database.url, _WATCH_THE_ORDER)
        crowd = [
            asyncio.create_task(shop(log, Client(server, session, user_id), halls, random.Random(user_id)))
            for user_id, server in enumerate((one, other) * BUYERS_PER_SERVER, start=1)
        ]
        await asyncio.sleep(HOT_SECONDS)
        await send_home(crowd)
        await log.settle()

        audit = log.audit(one.database.url)
        late_writes = execute(one.database.url, "SELECT * FROM written_after_takeover")
        ((takeovers,),) = execute(one.database.url, "SELECT sum(epoch)::int FROM screening_epochs")
        figures(
            acknowledged=len(log.acknowledged),
            takeovers=takeovers,
            **vars(audit),
            late_writes=len(late_writes),
            success_share=log.success_share,
        )
        assert audit == CLEAN
        assert not late_writes
        assert takeovers > 10
        sellers = {id(purchase.client.server) for purchase in log.acknowledged}
        assert sellers == {id(one), id(other)}
