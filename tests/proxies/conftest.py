"""Servers behind proxies."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.house import House

OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
def open_house(database_url: str, io_loop: IOLoop, tmp_path: Path) -> Iterator[OpenHouse]:
    """Opens a house with given settings."""
    houses: list[House] = []

    async def open_one(**settings: object) -> House:
        house = House(database_url, tmp_path, **settings)
        await house.open()
        houses.append(house)
        return house

    yield open_one
    for house in houses:
        io_loop.run_sync(house.close)


@pytest.fixture
def addresses(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Returns the addresses in the access log so far."""
    caplog.set_level(logging.INFO, "frontrow.access")
    return lambda: [record.fields["address"] for record in caplog.records if record.name == "frontrow.access"]
