"""PostgreSQL dies or freezes under booking load; the server keeps holding seats and loses nothing."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import aiohttp
import psycopg2
import pytest

from frontrow_client import Unavailable
from tests.acceptance.buyers import ONCE, Buyer, buyers_of
from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.purchases import CLEAN, PurchaseLog, send_home, shop
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

BUYERS = 16
FEWEST_SUCCEEDED = 0.3
RETURN_SECONDS = 60.0
DRAINED_SECONDS = 60.0
_POLL_SECONDS = 0.02


class Holding:
    """A buyer who constantly holds and releases a seat, and records how long each response took.

    Args:
        buyer: the buyer.
        hall: a hall that nobody else uses.
    """

    def __init__(self, buyer: Buyer, hall: SeededScreening) -> None:
        self.seconds: list[float] = []
        self._buyer = buyer
        self._hall = hall
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._buyer.seats(self._hall.id)
        self._task = asyncio.create_task(self._toggle())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop.

        Raises:
            FrontrowError: a hold was refused.
        """
        assert self._task is not None
        self._ended = True
        await self._task

    async def _toggle(self) -> None:
        for seat_id in itertools.cycle(self._hall.seat_ids):
            for change in (self._buyer.reserve, self._buyer.release):
                began = time.monotonic()
                await change(self._hall.id, [seat_id])
                self.seconds.append(time.monotonic() - began)
            await asyncio.sleep(0.005)
            if self._ended:
                return


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[int(len(values) * share)]


async def _answers(server: ServerProcess) -> None:
    """Wait until PostgreSQL answers again."""
    async with asyncio.timeout(RETURN_SECONDS):
        while True:
            try:
                await asyncio.to_thread(execute, server.database.url, "SELECT 1")
                return
            except psycopg2.OperationalError:
                await asyncio.sleep(_POLL_SECONDS)


async def _kill_repeatedly(data_directory: Path, kills: int, figures: Figures) -> None:
    draw = random.Random(5)
    log = PurchaseLog("database-killed")
    unanswered, resolved_seconds, away_seconds, held_meanwhile = 0, [], [], []
    async with ServerProcess(data_directory) as server, buyers_of(server, ONCE) as buyer:
        quiet, *halls = await server.seed(screenings=kills + 1, rows=20, seats_per_row=50)
        buyers = [buyer(user_id) for user_id in range(1, BUYERS + 1)]
        async with Holding(buyer(1000), quiet) as holding:
            for number, hall in enumerate(halls):
                crowd = [
                    asyncio.create_task(shop(log, buyer, [hall], random.Random(draw.random())))
                    for buyer in buyers
                ]
                await log.succeeds(BUYERS)
                await asyncio.sleep(draw.uniform(0.1, 0.5))
                held_before = len(holding.seconds)
                killed = time.monotonic()
                if number % 2:
                    server.database.kill_postmaster()
                else:
                    server.database.kill()
                await _answers(server)
                returned = time.monotonic()
                await send_home(crowd)
                unanswered += len(log.unsettled)
                await log.settle()
                resolved_seconds.append(time.monotonic() - returned)
                away_seconds.append(returned - killed)
                held_meanwhile.append(holding.seconds[held_before:])
        audit = log.audit(server.database.url)

    latencies = [seconds for round_ in held_meanwhile for seconds in round_]
    figures(
        kills=kills,
        acknowledged=len(log.acknowledged),
        unanswered=unanswered,
        **vars(audit),
        success_share=log.success_share,
        away_max_seconds=max(away_seconds),
        resolved_max_seconds=max(resolved_seconds),
        holds_meanwhile=len(latencies),
        hold_p99_seconds=percentile(latencies, 0.99),
    )
    assert audit == CLEAN
    assert unanswered > 0, "no kill interrupted a booking"
    assert log.success_share >= FEWEST_SUCCEEDED
    assert all(held_meanwhile), "holds stopped working"


@pytest.mark.gen_test(timeout=510)
async def test_killed_under_load(data_directory: Path, figures: Figures) -> None:
    await _kill_repeatedly(data_directory, count_of("DATABASE_KILLS", 5), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=1800)
async def test_killed_many_times_under_load(data_directory: Path, figures: Figures) -> None:
    await _kill_repeatedly(data_directory, count_of("SOAK_DATABASE_KILLS", 20), figures)


async def _journal_drained(client: Client) -> None:
    async with asyncio.timeout(DRAINED_SECONDS):
        while True:
            if not await client.metric("frontrow_journal_depth"):
                return
            await asyncio.sleep(_POLL_SECONDS)


async def _freeze(data_directory: Path, seconds: float, figures: Figures) -> None:
    log = PurchaseLog("database-frozen")
    async with (
        ServerProcess(data_directory, ask_timeout_seconds=2.0) as server,
        buyers_of(server, ONCE) as buyer,
        http_session() as session,
    ):
        quiet, hall = await server.seed(screenings=2, rows=20, seats_per_row=50)
        await log.buy(buyer(1), hall, hall.seat_ids[:1], reserve_first=True)

        async with Holding(buyer(2000), quiet) as holding:
            server.database.freeze()
            try:
                held_before, began = len(holding.seconds), time.monotonic()
                refused_seconds = []
                for user_id, seat_id in enumerate(hall.seat_ids[1:], start=2):
                    asked = time.monotonic()
                    if asked - began > seconds:
                        break
                    with pytest.raises(Unavailable) as refused:
                        await log.buy(buyer(user_id), hall, [seat_id], reserve_first=bool(seat_id % 2))
                    refused_seconds.append(time.monotonic() - asked)
                    assert refused.value.retryable and refused.value.retry_after_seconds
                held = holding.seconds[held_before:]
            finally:
                server.database.thaw()
            thawed = time.monotonic()
            await log.settle()
            await _journal_drained(Client(server, session, 1))
            drained_seconds = time.monotonic() - thawed
        audit = log.audit(server.database.url)

    figures(
        frozen_seconds=seconds,
        bookings_refused=len(refused_seconds),
        refused_max_seconds=max(refused_seconds),
        holds_meanwhile=len(held),
        hold_p99_seconds=percentile(held, 0.99),
        drained_seconds=drained_seconds,
    )
    assert audit == CLEAN
    assert not [purchase for purchase in log.purchases if purchase.refusal], "a payment was refused"
    assert held, "holds stopped working"


@pytest.mark.gen_test(timeout=510)
async def test_frozen(data_directory: Path, figures: Figures) -> None:
    await _freeze(data_directory, count_of("FREEZE_SECONDS", 5), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=510)
async def test_frozen_for_a_minute(data_directory: Path, figures: Figures) -> None:
    await _freeze(data_directory, count_of("SOAK_FREEZE_SECONDS", 60), figures)


@pytest.mark.gen_test(timeout=510)
async def test_a_server_without_its_database_reports_it(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server, aiohttp.ClientSession(server.url) as session:
        server.database.freeze()
        try:
            async with session.get("/healthz") as alive, session.get("/readyz") as ready:
                assert alive.status == 200
                assert ready.status == 503
                assert "database" in (await ready.json())["reasons"]
        finally:
            server.database.thaw()
