"""`frontrow log`: the life of a seat, of a booking, and what a request has done; docs/questions.md."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tornado.ioloop import IOLoop

from frontrow.cli import main
from tests.api.caller import RESERVATIONS
from tests.catalogue.programme import open_house
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

QUESTIONS = Path(__file__).parents[2] / "docs" / "questions.md"
COMMANDS = sorted(set(re.findall(r"(?m)^frontrow .*$", QUESTIONS.read_text())))
REQUEST = "9f2c4a11-1207"


class Case:
    """A server, and what the command line says about it.

    Attributes:
        screening_id: a screening of six seats, A1 to B3.
    """

    def __init__(self, database_url: str, data_dir: Path) -> None:
        self.house = House(database_url, data_dir)
        self._environment = {"FRONTROW_DATABASE_URL": database_url, "FRONTROW_DATA_DIR": str(data_dir)}

    async def open(self) -> None:
        await self.house.open()
        self.screening_id, self.seat_ids = await open_house(self.house)

    async def log(self, *arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=self._environment)

    async def steps(self, *arguments: object) -> Any:
        printed = await self.log("log", *arguments, "--json")
        assert printed.exit_code == 0, printed.output
        return json.loads(printed.stdout)

    async def hold(self, user_id: int, seat_id: int, **headers: str) -> Any:
        """Hold a seat, and wait until the event log has it: holds are answered before they are written."""
        body = {"screening_id": self.screening_id, "seat_ids": [seat_id]}
        path = f"{RESERVATIONS}/reserve"
        held = await self.house.user(user_id).send("POST", path, body, headers=headers)
        assert held.status == 201, held.body
        await self.house.server._journal.flushed()
        return held

    async def book(self, user_id: int, *seat_ids: int, **details: object) -> Any:
        booked = await self.house.user(user_id).book(self.screening_id, seat_ids, **details)
        assert booked.status == 201, booked.body
        return booked


@pytest.fixture
def case(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Case]:
    made = Case(database_url, tmp_path)
    io_loop.run_sync(made.open)
    yield made
    io_loop.run_sync(made.house.close)


async def test_the_life_of_a_seat(case: Case) -> None:
    (seat, *_), house = case.seat_ids, case.house
    await case.hold(7, seat, **{"X-Request-ID": REQUEST})
    released = await house.user(7).send("DELETE", f"{RESERVATIONS}/cancel/{case.screening_id}")
    assert released.status == 204, released.body
    booked = await case.book(8, seat, payment_id="pay-1")
    assert (await house.user(8).cancel_ticket(booked.json[0]["id"])).status == 204

    held, given_back, sold, cancelled = await case.steps("seat", case.screening_id, "a1")
    assert [step["what"] for step in (held, given_back, sold, cancelled)] == [
        *("held", "released", "booked", "cancelled")
    ]
    assert (held["by"], held["holder"], held["request_id"]) == ("user:7", "user:7", REQUEST)
    assert held["seats"] == ["A1"]
    assert 0 <= given_back["after_seconds"] < 60
    assert (sold["holder"], sold["request_id"]) == ("user:8", booked.headers["X-Request-ID"])
    assert cancelled["by"] == "user:8"
    assert (held["epoch"], held["seq"]) < (sold["epoch"], sold["seq"])
    assert re.fullmatch(r".+ \([0-9a-f]{8}\)", held["node"])

    printed = await case.log("log", "seat", case.screening_id, seat)
    assert printed.exit_code == 0
    assert printed.stdout.startswith("TIME ")
    assert "cancelled" in printed.stdout


async def test_the_life_of_a_booking(case: Case) -> None:
    booked = await case.book(7, *case.seat_ids[:2], payment_pending=True)
    number = booked.json[0]["booking_id"] if "booking_id" in booked.json[0] else booked.json[0]["id"]
    paid = await case.house.user(7).confirm_payment(booked.json[0]["id"], "pay-1")
    assert paid.status == 200, paid.body

    steps = await case.steps("booking", number)
    assert [step["what"] for step in steps] == ["booked, not paid yet", "paid"]
    assert steps[0]["seats"] == ["A1", "A2"]
    assert [step["request_id"] for step in steps] == [
        answer.headers["X-Request-ID"] for answer in (booked, paid)
    ]


async def test_what_a_request_has_done(case: Case) -> None:
    held = await case.hold(7, case.seat_ids[0], **{"X-Request-ID": REQUEST})
    assert held.headers["X-Request-ID"] == REQUEST
    (step,) = await case.steps("request", REQUEST)
    assert (step["what"], step["by"], step["screening_id"]) == ("held", "user:7", case.screening_id)
    assert await case.steps("request", REQUEST, "--screening", case.screening_id) == [step]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("seat", 4711, "A1"), "There is no screening 4711"),
        (("seat", "SCREENING", "Z9"), "has no seat Z9"),
        (("seat", "SCREENING", "B1"), "Nothing has ever happened to seat B1"),
        (("booking", 4711), "There is no booking 4711"),
        (("request", "never"), "has changed nothing"),
    ],
)
async def test_what_is_not_there_is_said(case: Case, arguments: tuple[object, ...], sentence: str) -> None:
    words = [case.screening_id if word == "SCREENING" else word for word in arguments]
    refused = await case.log("log", *words)
    assert refused.exit_code == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.output


async def test_it_needs_no_running_server(case: Case) -> None:
    await case.hold(7, case.seat_ids[0])
    await case.house.server.stop()
    (step,) = await case.steps("seat", case.screening_id, "A-1")
    assert step["what"] == "held"


@asynccontextmanager
async def _told(case: Case) -> AsyncIterator[dict[str, str]]:
    """Let something happen to what the page's examples are about; yields what their names stand for."""
    held = await case.hold(7, case.seat_ids[0], **{"X-Request-ID": REQUEST})
    assert held.status == 201
    booked = await case.book(7, case.seat_ids[0], payment_id="pay-1")
    yield {"17": str(case.screening_id), "400001": str(booked.json[0]["id"])}


async def test_the_commands_of_the_page_answer(case: Case) -> None:
    assert len(re.findall(r"(?m)^## ", QUESTIONS.read_text())) >= 12
    async with _told(case) as names:
        for command in COMMANDS:
            words = [names.get(word, word) for word in command.split()[1:]]
            answered = await case.log(*words)
            assert answered.exit_code == 0, (command, answered.output)
            assert answered.stdout
