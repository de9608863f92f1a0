"""A server over an empty, migrated database, with a screening on sale."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.api.caller import Response
from tests.catalogue.members import Member, member
from tests.catalogue.programme import open_house
from tests.house import House

OPS = "/api/v1/ops"


class Desk(NamedTuple):
    """The operators' side of a server with a screening of six seats.

    Attributes:
        ada, bob: customers with accounts.
    """

    house: House
    screening_id: int
    seat_ids: Sequence[int]
    ada: Member
    bob: Member

    async def get(self, path: str) -> Any:
        answer = await self.house.admin.send("GET", OPS + path)
        assert answer.status == 200, answer.body
        return answer.json

    async def act(self, path: str, body: object, **options: Any) -> Response:
        return await self.house.admin.send(
            "POST", f"{OPS}/screenings/{self.screening_id}{path}", body, **options
        )

    async def hall(self) -> Any:
        return await self.get(f"/screenings/{self.screening_id}/hall")

    async def taken(self) -> dict[int, tuple[str, str]]:
        """State and holder of the seats that are not free."""
        return {seat["seat_id"]: (seat["status"], seat["holder"]) for seat in (await self.hall())["taken"]}

    async def log_of(self, seat_id: int) -> list[tuple[str, str, str]]:
        """Kind, actor and holder of all events of a seat, oldest first."""
        log = await self.get(f"/screenings/{self.screening_id}/seats/{seat_id}/log")
        return [(event["kind"], event["actor"], event["holder"]) for event in reversed(log["events"])]


@pytest.fixture
def desk(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Desk]:
    house = House(database_url, tmp_path)

    async def opened() -> Desk:
        await house.open()
        screening_id, seat_ids = await open_house(house)
        await member(house, "admin@home.example")  # the administrators' token is that of the first account
        ada, bob = await member(house, full_name="Ada Byron"), await member(house, "bob@home.example")
        return Desk(house, screening_id, seat_ids, ada, bob)

    yield io_loop.run_sync(opened)
    io_loop.run_sync(house.close)
