"""Cinemas and event halls of the guides that close after the test."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.contracts.fair import Fair
from tests.contracts.guide_cinema import GuideCinema
from tests.contracts.guide_events import EventHall
from tests.house import House

OpenCinema = Callable[..., Awaitable[GuideCinema]]
OpenFair = Callable[..., Awaitable[Fair]]
OpenHall = Callable[..., Awaitable[EventHall]]


@pytest.fixture
def open_cinema(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenCinema]:
    """Opens the cinema with settings by name; once per test."""
    cinemas: list[GuideCinema] = []

    async def open_one(**settings: object) -> GuideCinema:
        cinemas.append(GuideCinema(database_url, tmp_path, **settings))
        await cinemas[-1].open()
        return cinemas[-1]

    yield open_one
    for cinema in cinemas:
        io_loop.run_sync(cinema.close)


@pytest.fixture
def cinema(open_cinema: OpenCinema, io_loop: IOLoop) -> GuideCinema:
    """The cinema with the default settings."""
    return io_loop.run_sync(open_cinema)


@pytest.fixture
def open_hall(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenHall]:
    """Opens the hall with settings by name; once per test."""
    halls: list[EventHall] = []

    async def open_one(**settings: object) -> EventHall:
        halls.append(EventHall(database_url, tmp_path, **settings))
        await halls[-1].open()
        return halls[-1]

    yield open_one
    for hall in halls:
        io_loop.run_sync(hall.close)


@pytest.fixture
def hall(open_hall: OpenHall, io_loop: IOLoop) -> EventHall:
    """The hall with the default settings."""
    return io_loop.run_sync(open_hall)


@pytest.fixture
def open_fair(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenFair]:
    """Opens the server with settings by name."""
    fairs: list[Fair] = []

    async def open_one(**settings: object) -> Fair:
        fairs.append(Fair(House(database_url, tmp_path, **settings)))
        await fairs[-1].open()
        return fairs[-1]

    yield open_one
    for fair in fairs:
        io_loop.run_sync(fair.house.close)


@pytest.fixture
def fair(open_fair: OpenFair, io_loop: IOLoop) -> Fair:
    """The server with the default settings."""
    return io_loop.run_sync(open_fair)
