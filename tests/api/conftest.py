"""Fixtures for venues and cinemas, which are closed after the test."""

from collections.abc import Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.api.cinema import Cinema
from tests.api.venue import Venue


@pytest.fixture
def open_venue(io_loop: IOLoop) -> Iterator[Callable[..., Venue]]:
    """A function that opens a venue on the test's event loop; takes the arguments of `Venue`."""
    venues: list[Venue] = []

    def open_one(**options: object) -> Venue:
        venues.append(Venue(**options))
        return venues[-1]

    yield open_one
    for venue in venues:
        io_loop.run_sync(venue.close)


@pytest.fixture
def venue(open_venue: Callable[..., Venue], io_loop: IOLoop) -> Venue:
    """A venue with default limits."""

    async def start() -> Venue:
        return open_venue()

    return io_loop.run_sync(start)


@pytest.fixture
def open_cinema(io_loop: IOLoop) -> Iterator[Callable[..., Cinema]]:
    """A function that opens a cinema on the test's event loop; takes the arguments of `Cinema`."""
    cinemas: list[Cinema] = []

    def open_one(**options: object) -> Cinema:
        cinemas.append(Cinema(**options))
        return cinemas[-1]

    yield open_one
    for cinema in cinemas:
        io_loop.run_sync(cinema.close)


@pytest.fixture
def cinema(open_cinema: Callable[..., Cinema], io_loop: IOLoop) -> Cinema:
    """A cinema with forty seats."""

    async def start() -> Cinema:
        return open_cinema()

    return io_loop.run_sync(start)
