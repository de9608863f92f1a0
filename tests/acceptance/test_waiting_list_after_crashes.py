"""Hundreds wait while the server is killed again and again: no place is lost, and nobody overtakes."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from frontrow_client import AlreadyWaiting
from tests.acceptance.buyers import Buyer, buyers_of
from tests.acceptance.figures import count_of
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

SEATS = 40
GROUPS = 10
"""Number of groups in which people join the list, each after the one before."""

KILLED_IN = (3, 7)
"""The groups in the midst of which the server is killed."""

SETTLED_SECONDS = 60

ENTRIES = """
SELECT substring(holder FROM 6)::int, status FROM waitlist ORDER BY joined_epoch, joined_seq
"""


class Crowd:
    """A sold-out hall and those who wait for it."""

    def __init__(self, server: ServerProcess, buyer: Callable[[int], Buyer], hall: SeededScreening) -> None:
        self.server = server
        self.buyer = buyer
        self.hall = hall

    async def sell_out(self) -> None:
        async def buy(user_id: int, seat_id: int) -> None:
            assert await self.buyer(user_id).book(self.hall.id, [seat_id], payment_id=f"pi-{seat_id}")

        await asyncio.gather(*(buy(number, seat) for number, seat in enumerate(self.hall.seat_ids, 1)))

    async def join(self, user_id: int) -> None:
        # A request that was committed and not answered is repeated.
        with suppress(AlreadyWaiting):
            async with asyncio.timeout(SETTLED_SECONDS):
                await self.buyer(user_id).join_waitlist(self.hall.id, 1 + user_id % 2)

    async def restart(self) -> None:
        await self.server.kill()
        await self.server.start()

    def statuses(self) -> list[tuple[int, str]]:
        """User and status of all entries, in the order of joining."""
        return execute(self.server.database.url, ENTRIES)

    def check(self) -> int:
        """Assert that nobody has overtaken, and return how many have been offered seats."""
        waiting = [status == "waiting" for _, status in self.statuses()]
        offered = waiting.index(True)
        assert all(waiting[offered:]), "somebody has overtaken"
        return offered


def groups(people: int, size: int) -> Iterable[range]:
    return (range(first, first + size) for first in range(1000, 1000 + people, size))


async def wait_through_crashes(data_directory: Path, people: int) -> None:
    async with ServerProcess(data_directory, offer_seconds=10) as server, buyers_of(server) as buyer:
        (hall,) = await server.seed(screenings=1, rows=4, seats_per_row=SEATS // 4)
        crowd = Crowd(server, buyer, hall)
        await crowd.sell_out()
        for number, group in enumerate(groups(people, people // GROUPS)):
            joining = asyncio.gather(*map(crowd.join, group))
            if number in KILLED_IN:
                await asyncio.sleep(0)
                await crowd.restart()
            await joining
        order = [user_id for user_id, _ in crowd.statuses()]
        assert len(order) == len(set(order)) == people
        places = [(user_id - 1000) // (people // GROUPS) for user_id in order]
        assert places == sorted(places), "whoever was answered first is before those who came later"

        async def cancel(user_id: int) -> None:
            tickets = execute(
                server.database.url, "SELECT id FROM tickets WHERE holder = %s", f"user:{user_id}"
            )
            async with asyncio.timeout(SETTLED_SECONDS):
                await buyer(user_id).cancel_ticket(tickets[0][0])

        for half in (range(1, SEATS // 2 + 1), range(SEATS // 2 + 1, SEATS + 1)):
            cancelling = asyncio.gather(*map(cancel, half))
            await asyncio.sleep(0.02)
            await crowd.restart()
            await cancelling
            crowd.check()
        async with asyncio.timeout(SETTLED_SECONDS):
            # Nobody buys, so each offer goes on to the next.
            while crowd.check() < SEATS:
                await buyer(1).scarcity(hall.id)
                await asyncio.sleep(0.2)
        first_waiting = next(user_id for user_id, status in crowd.statuses() if status == "waiting")
        entries = buyer(first_waiting).my_waitlist()
        assert {entry.screening_id async for entry in entries} <= {hall.id}
        free = execute(server.database.url, "SELECT count(*) FROM holds WHERE status = 'active'")
        assert free == [(SEATS,)], "all seats are offered or set aside"


@pytest.mark.gen_test(timeout=400)
async def test_hundreds_wait_through_crashes(data_directory: Path) -> None:
    await wait_through_crashes(data_directory, count_of("WAITING", 300))


@pytest.mark.soak
@pytest.mark.gen_test(timeout=1200)
async def test_thousands_wait_through_crashes(data_directory: Path) -> None:
    await wait_through_crashes(data_directory, count_of("SOAK_WAITING", 2000))
