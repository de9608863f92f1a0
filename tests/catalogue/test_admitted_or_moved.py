"""A ticket is either admitted or given up by its owner, never both, whatever comes at the same time.

Writes of a screening wait while its epoch is locked, so the tests decide what comes first.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.acceptance.test_sticky_refusals import until
from tests.api.caller import TICKETS, Response
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.programme import schedule
from tests.catalogue.test_check_ins import code_of, from_now, open_doors, scan, scanner, sold
from tests.database import execute, locked
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=60)

_WAITING = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


class Doors:
    """Two screenings in one room, with their doors open, and two tickets of the first."""

    def __init__(
        self, house: House, screenings: tuple[int, int], seats: list[int], tickets: list[int]
    ) -> None:
        self.house = house
        self.first, self.second = screenings
        self.seats, self.tickets = seats, tickets
        self.codes: list[str] = []

    async def move(self, **body: Any) -> Response:
        """Move the first ticket."""
        return await self.house.user().send("POST", f"{TICKETS}/{self.tickets[0]}/move", body)

    async def move_both(self) -> Response:
        """Move both tickets to the same seats of the second screening."""
        body = {"ticket_ids": self.tickets, "screening_id": self.second}
        return await self.house.user().send("POST", f"{TICKETS}/move", body)

    async def cancel(self) -> Response:
        return await self.house.user().cancel_ticket(self.tickets[0])

    async def cancel_both(self) -> Response:
        ids = ",".join(map(str, self.tickets))
        return await self.house.user().send("DELETE", f"{TICKETS}?ids={ids}")

    async def statuses(self, screening: int) -> list[str]:
        """The statuses of the two seats in a screening."""
        shown = (await self.house.guest.availability(screening)).json
        by_seat = {entry["seat"]["id"]: entry["status"] for entry in shown}
        return [by_seat[seat] for seat in self.seats[:2]]

    @asynccontextmanager
    async def while_written(
        self, request: Callable[[], Awaitable[Response]]
    ) -> AsyncIterator[asyncio.Task[Response]]:
        """Send a request, and keep its transaction from being written for the block."""
        lock = "SELECT 1 FROM screening_epochs WHERE screening_id = %s FOR UPDATE"
        with locked(self.house.database_url, lock, self.first):
            sent = asyncio.ensure_future(request())
            await until(lambda: bool(execute(self.house.database_url, _WAITING)))
            yield sent


async def doors_of(house: House) -> Doors:
    first, seats = await open_doors(house)
    room = (await house.admin.send("GET", f"/api/v1/screenings/{first}")).json["room_id"]
    times = {"starts_at": from_now(300), "ends_at": from_now(400)}
    second = (await schedule(house, room, **times)).json["id"]
    doors = Doors(house, (first, second), seats, await sold(house, first, seats[:2]))
    doors.codes = [await code_of(house, ticket) for ticket in doors.tickets]
    return doors


async def test_a_ticket_that_is_moved_is_not_admitted_though_another_move_has_been_refused(
    open_house: OpenHouse,
) -> None:
    doors = await doors_of(await open_house())
    other_node = await open_house()
    async with doors.while_written(lambda: doors.move(screening_id=doors.second)) as sent:
        refused = await doors.move(seat_id=doors.seats[3])
        assert (refused.status, refused.code) == (409, "booking_in_progress")
        for house in (doors.house, other_node):
            waits = await scan(house, doors.codes[0], screening_id=doors.first)
            assert (waits.status, waits.code, waits.json["retryable"]) == (409, "booking_in_progress", True)
        shown = await doors.house.user().ticket(doors.tickets[0])
        assert (shown.status, shown.json["screening_id"]) == (200, doors.first)
    assert (await sent).status == 200
    again = await scan(other_node, doors.codes[0], screening_id=doors.first)
    assert (again.status, again.code) == (409, "wrong_screening")


async def test_a_ticket_that_is_cancelled_is_not_admitted_though_a_move_is_refused(house: House) -> None:
    doors = await doors_of(house)
    async with doors.while_written(doors.cancel) as sent:
        assert (await doors.move(seat_id=doors.seats[3])).code == "booking_in_progress"
        assert (await scan(house, doors.codes[0])).code == "booking_in_progress"
    assert (await sent).status == 204
    assert (await scan(house, doors.codes[0])).code == "ticket_cancelled"


async def test_the_database_refuses_to_move_a_ticket_that_was_admitted_meanwhile(house: House) -> None:
    doors = await doors_of(house)
    for request in (lambda: doors.move(screening_id=doors.second), doors.move_both):
        async with doors.while_written(request) as sent:
            # As if writing took longer than a ticket is kept from the door.
            execute(house.database_url, "UPDATE cancellations_begun SET until = now()")
            assert (await scan(house, doors.codes[0], screening_id=doors.first)).status == 200
        refused = await sent
        assert (refused.status, refused.code) == (409, "ticket_admitted")
        assert (refused.json["ticket_id"], refused.json["retryable"]) == (doors.tickets[0], False)
        assert await doors.statuses(doors.first) == ["booked", "booked"]
        assert await doors.statuses(doors.second) == ["available", "available"]
        undone = await scanner(house).send(
            "POST", "/api/v1/check-in/undo", {"code": doors.codes[0], "gate": "Office"}
        )
        assert undone.status == 200
    moved = await doors.move_both()
    assert (moved.status, [ticket["screening_id"] for ticket in moved.json]) == (200, [doors.second] * 2)
    await scan(house, doors.codes[0])
    body = {"seat_id": doors.seats[4]}
    by_hand = await house.admin.send("POST", f"{TICKETS}/{doors.tickets[1]}/move", body)
    assert by_hand.status == 200


async def test_the_database_refuses_to_cancel_a_ticket_that_was_admitted_meanwhile(house: House) -> None:
    doors = await doors_of(house)
    for request in (doors.cancel, doors.cancel_both):
        async with doors.while_written(request) as sent:
            # As if writing took longer than a ticket is kept from the door.
            execute(house.database_url, "UPDATE cancellations_begun SET until = now()")
            assert (await scan(house, doors.codes[0], screening_id=doors.first)).status == 200
        refused = await sent
        assert refused.status == 409
        assert (refused.code, refused.json["ticket_id"]) == ("ticket_admitted", doors.tickets[0])
        assert refused.json["retryable"] is False
        assert await doors.statuses(doors.first) == ["booked", "booked"]
        undone = await scanner(house).send(
            "POST", "/api/v1/check-in/undo", {"code": doors.codes[0], "gate": "Office"}
        )
        assert undone.status == 200
    async with doors.while_written(doors.cancel) as sent:
        execute(house.database_url, "UPDATE cancellations_begun SET until = now()")
    assert (await sent).status == 204
    assert (await scan(house, doors.codes[0])).code == "ticket_cancelled"
    await scan(house, doors.codes[1])
    path = f"{TICKETS}/{doors.tickets[1]}/status"
    by_hand = await house.admin.send("PUT", path, {"status": "cancelled"})
    assert (by_hand.status, by_hand.json["status"]) == (200, "cancelled")


async def test_an_offline_scan_of_a_ticket_that_is_being_moved_is_decided_when_it_is_sent_again(
    house: House,
) -> None:
    doors = await doors_of(house)
    report = {
        "scan_id": "1",
        "code": doors.codes[0],
        "gate": "North",
        "scanned_at": from_now(-5),
    }

    async def reported() -> dict[str, Any]:
        body = {"scanner_id": "north-1", "scans": [report]}
        answer = await scanner(house).send("POST", "/api/v1/check-in/batch", body)
        (result,) = answer.json["results"]
        return {name: result[name] for name in ("result", "repeated")}

    async with doors.while_written(lambda: doors.move(seat_id=doors.seats[3])) as sent:
        assert await reported() == {"result": "booking_in_progress", "repeated": False}
    assert (await sent).status == 200
    assert await reported() == {"result": "admitted", "repeated": False}
