"""Servers with the guides' cinemas and events, closed after the test."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from tornado.ioloop import IOLoop

from tests.contracts.fair import Fair
from tests.contracts.guide_cinema import GuideCinema
from tests.contracts.guide_events import EventHall
from tests.house import House

OpenCinema = Callable[..., Awaitable[GuideCinema]]
OpenFair = Callable[..., Awaitable[Fair]]
OpenHall = Callable[..., Awaitable[EventHall]]


Venue = TypeVar("Venue", GuideCinema, EventHall, Fair)


def opened(
    io_loop: IOLoop, make: Callable[..., Venue], close: Callable[[Venue], Awaitable[None]]
) -> Iterator[Callable[..., Awaitable[Venue]]]:
    """Yield a function that opens venues with given settings; all are closed after the test."""
    venues: list[Venue] = []

    async def open_one(**settings: object) -> Venue:
        venues.append(make(**settings))
        await venues[-1].open()
        return venues[-1]

    yield open_one
    for venue in venues:
        io_loop.run_sync(partial(close, venue))


@pytest.fixture
def open_cinema(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenCinema]:
    """Opens the cinema with given settings; once per test."""
    yield from opened(io_loop, partial(GuideCinema, database_url, tmp_path), GuideCinema.close)


@pytest.fixture
def cinema(open_cinema: OpenCinema, io_loop: IOLoop) -> GuideCinema:
    """The cinema with the default settings."""
    return io_loop.run_sync(open_cinema)


@pytest.fixture
def open_hall(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenHall]:
    """Opens the hall with given settings; once per test."""
    yield from opened(io_loop, partial(EventHall, database_url, tmp_path), EventHall.close)


@pytest.fixture
def hall(open_hall: OpenHall, io_loop: IOLoop) -> EventHall:
    """The hall with the default settings."""
    return io_loop.run_sync(open_hall)


@pytest.fixture
def open_fair(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[OpenFair]:
    """Opens the server with given settings."""
    yield from opened(
        io_loop,
        lambda **settings: Fair(House(database_url, tmp_path, **settings)),
        lambda fair: fair.house.close(),
    )


@pytest.fixture
def fair(open_fair: OpenFair, io_loop: IOLoop) -> Fair:
    """The server with the default settings."""
    return io_loop.run_sync(open_fair)
