"""A server over an empty, migrated database, for the catalogue's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.house import House


@pytest.fixture
def house(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[House]:
    """The server, open until the test ends."""

    async def opened() -> House:
        house = House(database_url, tmp_path)
        await house.open()
        return house

    house = io_loop.run_sync(opened)
    yield house
    io_loop.run_sync(house.close)
