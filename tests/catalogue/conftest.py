"""Servers over an empty, migrated database, for the catalogue's tests."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.house import House
from tests.inbox import Inbox

OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
def house_with_mail(database_url: str, tmp_path: Path, inbox: Inbox, io_loop: IOLoop) -> Iterator[House]:
    """A server that sends its mail to the inbox."""
    house = House(database_url, tmp_path, smtp_url=inbox.url)
    io_loop.run_sync(house.open)
    yield house
    io_loop.run_sync(house.close)


@pytest.fixture
def open_house(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenHouse]:
    """Opens servers with given settings, all on one database, and closes them after the test."""
    houses: list[House] = []

    async def open_one(**settings: object) -> House:
        house = House(database_url, tmp_path / f"house-{len(houses)}", **settings)
        houses.append(house)
        await house.open()
        return house

    yield open_one
    for house in houses:
        io_loop.run_sync(house.close)


@pytest.fixture
def house(open_house: OpenHouse, io_loop: IOLoop) -> House:
    """A server with the default settings of tests."""

    async def opened() -> House:
        return await open_house()

    return io_loop.run_sync(opened)
