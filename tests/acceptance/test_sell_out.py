"""A hall sells out while all buyers want all seats at once and watch the sale."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import zip_longest
from pathlib import Path

import pytest

from frontrow_client import RefundRequired, SeatsChanged, SeatsUnavailable
from tests.acceptance.buyers import Buyer, buyers_of
from tests.acceptance.figures import Figures
from tests.acceptance.seat_picture import CATCH_UP_SECONDS, SeatSeen, expected_picture
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute
from tests.web.network import Network

BUYERS = 200
ROWS, SEATS_PER_ROW = 40, 50
INTERRUPTED = 40
FRONT_SEATS = 40
"""Half of the choices are the first seats that look free, where the others choose as well."""


class Onlooker:
    """Watches the seats of a hall as a user sees them.

    Args:
        buyer: the user.
        hall: the hall.

    Attributes:
        watch: the user's socket.
        snapshots: how often the whole picture was replaced.
    """

    def __init__(self, buyer: Buyer, hall: SeededScreening) -> None:
        self.watch = buyer.watch_seats(hall.id)
        self.snapshots = 0
        self._buyer, self._hall = buyer, hall
        self._changed = asyncio.Event()

    async def look(self) -> None:
        """Follow the seats until the socket is closed."""
        async for update in self.watch:
            if isinstance(update, SeatsChanged):
                self.snapshots += update.replaced
                self._changed.set()

    async def shows_the_truth(self) -> dict[int, SeatSeen]:
        """Wait until the picture is what the server lists for the user; return it."""
        truth = expected_picture(await self._buyer.seats(self._hall.id))
        await self.shows(truth)
        return truth

    async def shows(self, truth: dict[int, SeatSeen]) -> None:
        """Wait until the picture is this."""
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while truth != {
                seat.seat_id: SeatSeen(seat.status, seat.is_mine) for seat in self.watch.seats.values()
            }:
                self._changed.clear()
                await self._changed.wait()


class Shopper:
    """A user who buys seats that their own picture shows as free.

    Args:
        buyer: the user.
        onlooker: the user's picture.
        hall: what is sold.

    Attributes:
        tickets: by seat.
    """

    def __init__(self, buyer: Buyer, onlooker: Onlooker, hall: SeededScreening) -> None:
        self.buyer, self.onlooker = buyer, onlooker
        self.tickets: dict[int, int] = {}
        self.refusals = 0
        self._has_tried = asyncio.Event()
        self._hall = hall
        self._draw = random.Random(buyer.user_id)
        self._select = (buyer.reserve, buyer.toggle, None)[buyer.user_id % 3]
        self._left = list(hall.seat_ids)

    async def shop(self) -> None:
        """Buy until no seat is left."""
        while True:
            seats = self.onlooker.watch.seats
            self._left = [seat_id for seat_id in self._left if seats[seat_id].status != "booked"]
            if not self._left:
                self._has_tried.set()
                return
            free = [seat_id for seat_id in self._left if seats[seat_id].status == "available"]
            if not free or not await self._buy(self._chosen(free)):
                await asyncio.sleep(self._draw.uniform(0.01, 0.1))

    async def lose_connection(self, network: Network) -> None:
        """After the first purchase, buy without a socket for a while; then it reconnects and catches up."""
        await self._has_tried.wait()
        interrupt(network)
        await asyncio.sleep(self._draw.uniform(0.2, 1.5))
        network.admitting = True

    def _chosen(self, free: Sequence[int]) -> list[int]:
        wanted = free[:FRONT_SEATS] if self._draw.random() < 0.5 else free
        return self._draw.sample(wanted, min(self._draw.randint(1, 4), len(wanted)))

    async def _buy(self, seat_ids: list[int]) -> bool:
        """Reserve and pay, or pay at once. Returns whether that succeeded."""
        self._has_tried.set()
        payment_id = f"sell-out-{self.buyer.user_id}-{len(self.tickets)}-{self.refusals}"
        book = self.buyer.book
        try:
            if self._select is not None:
                await self._select(self._hall.id, seat_ids)
                book = self.buyer.book_reserved
            tickets = await book(self._hall.id, seat_ids, payment_id=payment_id)
        except (SeatsUnavailable, RefundRequired) as refusal:
            assert book != self.buyer.book_reserved, "reserved seats could not be bought"
            self.refusals += 1
            self._forget(refusal.booked)
            return False
        self.tickets |= {ticket.seat_id: ticket.id for ticket in tickets}
        self._forget(seat_ids)
        return True

    def _forget(self, seat_ids: Sequence[int]) -> None:
        """The picture may show these seats as free for a while, but they are sold."""
        self._left = [seat_id for seat_id in self._left if seat_id not in seat_ids]


def interrupt(network: Network) -> None:
    """Break all connections, and let no other one through."""
    network.admitting = False
    network.cut()


@pytest.mark.timeout(900)
@pytest.mark.gen_test(timeout=510)
async def test_every_seat_is_sold_once_and_all_sockets_show_it(
    data_directory: Path, figures: Figures
) -> None:
    async with (
        ServerProcess(data_directory, resume_limit=10_000) as server,
        buyers_of(server) as buyer,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as looking,
    ):
        (hall,) = await server.seed(screenings=1, rows=ROWS, seats_per_row=SEATS_PER_ROW)
        networks = [await stack.enter_async_context(Network(server.port)) for _ in range(INTERRUPTED)]
        shoppers = []
        for user_id, network in zip_longest(range(1, BUYERS + 1), networks):
            onlooker = Onlooker(buyer(user_id, network=network), hall)
            looking.create_task(onlooker.look())
            shoppers.append(Shopper(buyer(user_id), onlooker, hall))
        fresh = dict.fromkeys(hall.seat_ids, SeatSeen("available", is_mine=False))
        for shopper in shoppers:
            await shopper.onlooker.shows(fresh)

        began = time.monotonic()
        async with asyncio.TaskGroup() as crowd:
            for shopper in shoppers:
                crowd.create_task(shopper.shop())
            for shopper, network in zip(shoppers, networks, strict=False):
                crowd.create_task(shopper.lose_connection(network))
        seconds = time.monotonic() - began

        logs = [(seat_id, shopper.buyer.holder) for shopper in shoppers for seat_id in shopper.tickets]
        sold_to = dict(logs)
        assert len(logs) == len(sold_to), "a seat was acknowledged to two buyers"
        assert sold_to.keys() == set(hall.seat_ids)
        stored = execute(
            server.database.url, "SELECT seat_id, holder FROM tickets WHERE status = 'confirmed'"
        )
        assert sorted(stored) == sorted((seat_id, holder) for seat_id, holder in logs)
        for shopper in shoppers:
            truth = await shopper.onlooker.shows_the_truth()
            assert {seat_id: seen.status for seat_id, seen in truth.items()} == dict.fromkeys(
                sold_to, "booked"
            )
            assert {seat_id for seat_id, seen in truth.items() if seen.is_mine} == shopper.tickets.keys()
            assert shopper.onlooker.snapshots == 1
            await shopper.onlooker.watch.close()
        refusals = sum(shopper.refusals for shopper in shoppers)
        figures(seats=len(sold_to), seconds=seconds, refusals=refusals, interrupted=INTERRUPTED)


@pytest.mark.gen_test(timeout=510)
async def test_a_socket_that_missed_too_much_gets_a_snapshot(data_directory: Path) -> None:
    remembered = 5
    async with (
        ServerProcess(data_directory, resume_limit=remembered) as server,
        buyers_of(server) as buyer,
        Network(server.port) as network,
        asyncio.TaskGroup() as looking,
    ):
        (hall,) = await server.seed(screenings=1, rows=4, seats_per_row=10)
        mine, others = buyer(1, network=network), buyer(2)
        onlooker = Onlooker(mine, hall)
        looking.create_task(onlooker.look())
        await onlooker.shows_the_truth()
        assert onlooker.snapshots == 1

        interrupt(network)
        for seat_id in hall.seat_ids[:remembered]:
            await others.toggle(hall.id, [seat_id])
        network.admitting = True
        await onlooker.shows_the_truth()
        assert onlooker.snapshots == 1, "the server still knew everything"

        interrupt(network)
        for seat_id in hall.seat_ids[: remembered + 1]:
            await others.toggle(hall.id, [seat_id])
        await buyer(1).book(hall.id, hall.seat_ids[-2:], payment_id="late")
        network.admitting = True
        await onlooker.shows_the_truth()
        assert onlooker.snapshots == 2
        await onlooker.watch.close()
