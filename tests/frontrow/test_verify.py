"""`frontrow verify`: databases that are right, and rows that somebody has altered; docs/operations.md."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tornado.ioloop import IOLoop

from frontrow.cli import main
from persistence.verification import FETCHED_ROWS
from tests.api.caller import TICKETS
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

UNLOCK_LOG = "ALTER TABLE screening_events DISABLE TRIGGER screening_events_append_only;"


class Hall:
    """A server with screenings in a room of six seats, A1 to B3, and what `frontrow verify` says of them."""

    def __init__(self, database_url: str, data_dir: Path) -> None:
        self.house = House(database_url, data_dir)
        self._environment = {"FRONTROW_DATA_DIR": str(data_dir)}
        self._started = 0

    async def open(self) -> None:
        await self.house.open()
        self.room_id = await make_room(self.house)
        self.seat_ids: Sequence[int] = await add_seats(self.house, self.room_id)

    async def screening(self) -> int:
        self._started += 3
        return await make_screening(self.house, self.room_id, self._started)

    async def booked(self, screening_id: int, *seat_ids: int, user_id: int = 7, **details: Any) -> list[Any]:
        booked = await self.house.user(user_id).book(screening_id, seat_ids, **details)
        assert booked.status == 201, booked.body
        return booked.json

    async def held(self, screening_id: int, *seat_ids: int, user_id: int = 7) -> None:
        held = await self.house.user(user_id).reserve(screening_id, seat_ids)
        assert held.status == 201, held.body

    async def verify(self, *arguments: object) -> Result:
        """Return the result of the command once the server has written everything."""
        await self.house.restart()
        words = ["verify", "--database-url", self.house.database_url, *map(str, arguments)]
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=self._environment)

    async def act(self, method: str, path: str, body: object = None, caller: Any = None) -> Any:
        answer = await (caller or self.house.admin).send(method, path, body)
        assert answer.status in (200, 201, 204), answer.body
        return answer.json if answer.body else None

    def alter(self, statement: str, *values: object) -> None:
        execute(self.house.database_url, UNLOCK_LOG + statement, *values)


@pytest.fixture
def hall(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Hall]:
    made = Hall(database_url, tmp_path)
    io_loop.run_sync(made.open)
    yield made
    io_loop.run_sync(made.house.close)


async def sell_everything(hall: Hall) -> None:
    """Sell in all ways in two screenings and two events; some seats of blocks are sold when these end."""
    house, (one, two, three, four, five, six) = hall.house, hall.seat_ids
    first, second = await hall.screening(), await hall.screening()
    await hall.held(first, one, two)
    assert (await house.user(7).extend(first, [one, two])).status == 200
    await house.user(7).cancel_reservations(first, f"?seat_ids={two}")
    bought = await house.user(7).book_reservation(first, [one], "pay-1")
    assert bought.status == 201, bought.body
    (unpaid,) = await hall.booked(first, two, user_id=8, payment_pending=True)
    assert (await house.user(8).confirm_payment(unpaid["id"], "pay-2")).status == 200
    cancelled, moved, *_ = await hall.booked(first, three, four, payment_id="pay-3")
    assert (await house.user(7).cancel_ticket(cancelled["id"])).status == 204
    await hall.act("POST", f"{TICKETS}/{moved['id']}/move", {"seat_id": five}, house.user(7))
    elsewhere = {"screening_id": second, "seat_id": one}
    await hall.act("POST", f"{TICKETS}/{moved['id']}/move", elsewhere, house.user(7))
    await hall.held(first, three, user_id=9)

    blocks = f"/api/v1/admin/screenings/{second}/blocks"
    block = await hall.act("POST", blocks, {"label": "Press", "kind": "house", "seat_ids": [four, five, six]})
    sale = {"seat_ids": [four], "guest": {"full_name": "Ada", "email": "ada@home.example"}}
    paid = {"paid": {"method": "cash"}}
    (sold,) = await hall.act("POST", f"/api/v1/ops/screenings/{second}/sales", {**sale, **paid})
    await hall.act("DELETE", f"{blocks}/{block['id']}?seat_ids={five}")
    await hall.act("DELETE", f"{blocks}/{block['id']}")
    await hall.act("PUT", f"{TICKETS}/{sold['id']}/status", {"status": "cancelled"})
    await hall.act("POST", blocks, {"label": "Aisle", "kind": "kill", "seat_ids": [six]})

    event, other = [await make_event(house) for _ in range(2)]
    kind, another = await make_type(house, event), await make_type(house, other)
    guest = Guest(house, "session-of-ada", house.token(7))
    bought = data(await guest.purchase(await guest.reserved(kind, 2), ADA, ADA))
    tickets = [int(ticket["id"]) for ticket in bought["tickets"]]
    await guest.reserved(kind, 3)
    given_back = await guest.reserved(kind)
    assert (await guest.cancel(given_back)).status == 200
    body = {"ticket_ids": tickets[:1], "ticket_type_id": int(another)}
    await hall.act("POST", f"{TICKETS}/move", body, guest)


async def test_nothing_is_said_of_what_is_right(hall: Hall) -> None:
    await sell_everything(hall)
    found = await hall.verify()
    assert (found.exit_code, found.stdout) == (0, ""), found.output
    assert found.stderr.startswith("4 screenings verified by ")
    assert found.stderr.endswith(" and 4 stored hashes: 0 wrong\n")


async def test_the_first_difference_of_each_altered_screening_is_named(hall: Hall) -> None:
    one, two, three, *_ = hall.seat_ids
    ids, blocks = [await hall.screening() for _ in range(8)], dict[int, int]()
    for screening_id in ids:
        await hall.held(screening_id, one)
        paid = await hall.house.user(7).book_reservation(screening_id, [one], f"pay-{screening_id}")
        assert paid.status == 201, paid.body
        await hall.held(screening_id, two, user_id=8)
        body = {"label": "Press", "kind": "kill", "seat_ids": [three]}
        made = await hall.act("POST", f"/api/v1/admin/screenings/{screening_id}/blocks", body)
        blocks[screening_id] = made["id"]
    _, status, holder, hold, missing, extra, block, wrong_hash = ids
    await hall.house.restart()
    cancelled = "UPDATE tickets SET status = 'cancelled', cancelled_at = now() WHERE screening_id = %s"
    hall.alter(cancelled, status)
    hall.alter("UPDATE tickets SET holder = 'user:9' WHERE screening_id = %s", holder)
    hall.alter(
        "UPDATE holds SET status = 'released', closed_at = now() WHERE screening_id = %s AND seat_id = %s",
        *(hold, two),
    )
    hall.alter("DELETE FROM screening_events WHERE screening_id = %s AND seq = 1", missing)
    hall.alter(
        "INSERT INTO screening_events SELECT screening_id, epoch, seq + 100, at, kind, actor,"
        " ARRAY[%s::bigint], from_statuses, to_status"
        " FROM screening_events WHERE screening_id = %s AND seat_ids[1] = %s",
        *(hall.seat_ids[4], extra, two),
    )
    hall.alter("UPDATE blocks SET seat_ids = seat_ids || %s WHERE screening_id = %s", hall.seat_ids[5], block)
    hall.alter("UPDATE state_hashes SET hash = 5 WHERE screening_id = %s", wrong_hash)
    found = await hall.verify()
    assert found.exit_code == 1
    lines = dict(line.split(": ", 1) for line in found.stdout.splitlines())
    in_memory = lines.pop(f"screening {wrong_hash}")
    assert in_memory.startswith("after event 1/5 the owner had 2 seats, 0000000000000005 in memory, and ")
    nothing = "in the log, which has no event of it"
    assert lines == {
        f"screening {status}": "seat A1 is free in the tables and booked by user:7 after event 1/2",
        f"screening {holder}": "seat A1 is booked by user:9 in the tables and booked by user:7 "
        "after event 1/2",
        f"screening {hold}": "seat A2 is free in the tables and held by user:8 after event 1/4",
        f"screening {missing}": f"event 1/2 finds seat A1 held, but it is free {nothing}",
        f"screening {extra}": "seat B2 is free in the tables and held by user:8 after event 1/104",
        f"screening {block}": f"seat B3 is in block {blocks[block]} in the tables and in no block {nothing}",
    }
    assert found.stderr.startswith("8 screenings verified by ")
    assert found.stderr.endswith(": 7 wrong\n")

    (document,) = json.loads((await hall.verify("--screening", status, "--json")).stdout)
    assert document == {
        "screening_id": status,
        "difference": lines[f"screening {status}"],
        "source": "tables",
        "place": None,
        "after": "1/2",
        "seat_id": one,
        "seat": "A1",
        "found": "free",
        "found_holder": None,
        "expected": "booked",
        "expected_holder": "user:7",
    }


async def test_a_long_log_is_read_in_portions(hall: Hall) -> None:
    screening_id = await hall.screening()
    await hall.held(screening_id, hall.seat_ids[0])
    await hall.house.restart()
    hall.alter(
        "INSERT INTO screening_events SELECT screening_id, epoch, seq + number, at,"
        " kinds[number %% 2 + 1], actor, seat_ids,"
        " CASE number %% 2 WHEN 1 THEN ARRAY['held'] ELSE ARRAY['available'] END,"
        " CASE number %% 2 WHEN 1 THEN 'available' ELSE 'held' END"
        " FROM screening_events CROSS JOIN generate_series(1, %s) AS number"
        " CROSS JOIN (SELECT ARRAY['seats_held', 'holds_released'] AS kinds) AS named",
        2 * FETCHED_ROWS,
    )
    found = await hall.verify()
    assert (found.exit_code, found.stdout) == (0, ""), found.output
    assert f"by {2 * FETCHED_ROWS + 1} events" in found.stderr


async def test_what_cannot_be_judged_is_counted(hall: Hall) -> None:
    imported, trimmed = await hall.screening(), await hall.screening()
    for screening_id in (imported, trimmed):
        await hall.booked(screening_id, hall.seat_ids[0])
        await hall.booked(screening_id, hall.seat_ids[1])
    await hall.house.restart()
    hall.alter("DELETE FROM screening_events WHERE screening_id = %s", imported)
    hall.alter("DELETE FROM screening_events WHERE screening_id = %s AND seq = 1", trimmed)
    hall.alter("DELETE FROM state_hashes")
    assert (await hall.verify()).exit_code == 1
    found = await hall.verify("--trimmed")
    assert (found.exit_code, found.stdout) == (0, ""), found.output
    assert found.stderr.endswith(": 0 wrong, 1 not judged: the log has nothing of them\n")


async def test_a_database_without_a_schema(empty_database_url: str, tmp_path: Path) -> None:
    words = ["verify", "--database-url", empty_database_url, "--data-dir", str(tmp_path)]
    found = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert found.exit_code == 1
    assert "run frontrow migrate" in found.stderr
