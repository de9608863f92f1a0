"""A hall sells out while all buyers want all seats at once and watch the sale."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures
from tests.acceptance.seat_picture import SeatWatcher, expected_picture
from tests.acceptance.server_process import SeededScreening, ServerProcess
from tests.database import execute

BUYERS = 200
ROWS, SEATS_PER_ROW = 40, 50
INTERRUPTED = 40
FRONT_SEATS = 40
"""Half of the choices are the first seats that look free, where the others choose as well."""


class Buyer:
    """A user who buys seats that their own seat map shows as free."""

    def __init__(
        self, server: ServerProcess, session: aiohttp.ClientSession, hall: SeededScreening, user_id: int
    ) -> None:
        self.client = Client(server, session, user_id)
        self.watcher = SeatWatcher(server, session, hall.id, user_id)
        self.tickets: dict[int, int] = {}
        self.refusals = 0
        self._has_tried = asyncio.Event()
        self._hall = hall
        self._draw = random.Random(user_id)
        self._select = (self.client.reserve, self.client.toggle, None)[user_id % 3]
        self._gone: set[int] = set()

    async def shop(self) -> None:
        """Buy until no seat is left."""
        while True:
            await self.watcher.stay()
            seats = self.watcher.picture.seats
            left = [s for s in self._hall.seat_ids if s not in self._gone and seats[s].status != "booked"]
            if not left:
                self._has_tried.set()
                return
            free = [seat_id for seat_id in left if seats[seat_id].status == "available"]
            if not free or not await self._buy(self._chosen(free)):
                await asyncio.sleep(self._draw.uniform(0.01, 0.1))

    async def lose_connection(self) -> None:
        """After the first purchase, buy without a connection for a while; then reconnect and catch up."""
        await self._has_tried.wait()
        await self.watcher.disconnect()
        await asyncio.sleep(self._draw.uniform(0.2, 1.5))
        await self.watcher.connect()

    def _chosen(self, free: Sequence[int]) -> list[int]:
        wanted = free[:FRONT_SEATS] if self._draw.random() < 0.5 else free
        return self._draw.sample(wanted, min(self._draw.randint(1, 4), len(wanted)))

    async def _buy(self, seat_ids: list[int]) -> bool:
        """Reserve and pay, or pay at once. Returns whether that succeeded."""
        self._has_tried.set()
        payment_id = f"sell-out-{self.client.user_id}-{len(self.tickets)}-{self.refusals}"
        book = self.client.book
        if self._select is not None:
            book = self.client.book_from_reservation
            selected = await self._select(self._hall.id, seat_ids)
            if selected.status == 409:
                return self._refused(selected.document)
            assert selected.status in (200, 201), selected
        booked = await book(self._hall.id, seat_ids, payment_id)
        if booked.status == 409 and self._select is None:
            return self._refused(booked.document)
        assert booked.status == 201, booked
        self.tickets |= {ticket["seat_id"]: ticket["id"] for ticket in booked.document}
        self._gone.update(seat_ids)
        return True

    def _refused(self, refusal: dict) -> bool:
        self.refusals += 1
        self._gone.update(refusal.get("booked", ()))
        return False


@pytest.mark.timeout(900)
@pytest.mark.gen_test(timeout=510)
async def test_every_seat_is_sold_once_and_all_sockets_show_it(
    data_directory: Path, figures: Figures
) -> None:
    async with ServerProcess(data_directory, resume_limit=10_000) as server, http_session() as session:
        (hall,) = await server.seed(screenings=1, rows=ROWS, seats_per_row=SEATS_PER_ROW)
        buyers = [Buyer(server, session, hall, user_id) for user_id in range(1, BUYERS + 1)]
        await asyncio.gather(*(buyer.watcher.connect() for buyer in buyers))
        fresh = expected_picture(await buyers[0].client.own_availability(hall.id))
        assert {seat.status for seat in fresh.values()} == {"available"}
        await asyncio.gather(*(buyer.watcher.shows(fresh) for buyer in buyers))

        began = time.monotonic()
        async with asyncio.TaskGroup() as crowd:
            for buyer in buyers:
                crowd.create_task(buyer.shop())
            for buyer in buyers[:INTERRUPTED]:
                crowd.create_task(buyer.lose_connection())
        seconds = time.monotonic() - began

        logs = [(seat_id, buyer.client.holder) for buyer in buyers for seat_id in buyer.tickets]
        sold_to = dict(logs)
        assert len(logs) == len(sold_to), "a seat was acknowledged to two buyers"
        assert sold_to.keys() == set(hall.seat_ids)
        stored = execute(
            server.database.url, "SELECT seat_id, holder FROM tickets WHERE status = 'confirmed'"
        )
        assert sorted(stored) == sorted((seat_id, holder) for seat_id, holder in logs)
        final = await buyers[0].client.availability(hall.id)
        assert {entry["seat"]["id"]: entry["status"] for entry in final} == dict.fromkeys(sold_to, "booked")
        for buyer in buyers:
            expected = expected_picture(await buyer.client.own_availability(hall.id))
            await buyer.watcher.shows(expected)
            assert {s for s, seen in expected.items() if seen.is_mine} == buyer.tickets.keys()
        assert [buyer.watcher.picture.snapshots for buyer in buyers] == [1] * BUYERS
        refusals = sum(buyer.refusals for buyer in buyers)
        returns = sum(buyer.watcher.returns for buyer in buyers)
        figures(
            seats=len(sold_to), seconds=seconds, refusals=refusals, interrupted=INTERRUPTED, too_slow=returns
        )


@pytest.mark.gen_test(timeout=510)
async def test_a_socket_that_missed_too_much_gets_a_snapshot(data_directory: Path) -> None:
    remembered = 5
    async with ServerProcess(data_directory, resume_limit=remembered) as server, http_session() as session:
        (hall,) = await server.seed(screenings=1, rows=4, seats_per_row=10)
        watcher = SeatWatcher(server, session, hall.id, user_id=1)
        mine, others = Client(server, session, 1), Client(server, session, 2)
        await watcher.connect()
        await watcher.shows(expected_picture(await mine.own_availability(hall.id)))
        assert watcher.picture.snapshots == 1

        await watcher.disconnect()
        for seat_id in hall.seat_ids[:remembered]:
            assert (await others.toggle(hall.id, [seat_id])).status == 200
        await watcher.connect()
        await watcher.shows(expected_picture(await mine.own_availability(hall.id)))
        assert watcher.picture.snapshots == 1, "the server still knew everything"

        await watcher.disconnect()
        for seat_id in hall.seat_ids[: remembered + 1]:
            assert (await others.toggle(hall.id, [seat_id])).status == 200
        assert (await mine.book(hall.id, hall.seat_ids[-2:], "late")).status == 201
        await watcher.connect()
        await watcher.shows(expected_picture(await mine.own_availability(hall.id)))
        assert watcher.picture.snapshots == 2
