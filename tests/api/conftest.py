"""Venues that close after the test."""

from collections.abc import Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.api.venue import Venue


@pytest.fixture
def open_venue(io_loop: IOLoop) -> Iterator[Callable[..., Venue]]:
    """Opens a venue, with the arguments of `Venue`, on the test's event loop."""
    venues: list[Venue] = []

    def open_one(**options: object) -> Venue:
        venues.append(Venue(**options))
        return venues[-1]

    yield open_one
    for venue in venues:
        io_loop.run_sync(venue.close)


@pytest.fixture
def venue(open_venue: Callable[..., Venue], io_loop: IOLoop) -> Venue:
    """A venue with the usual limits."""

    async def start() -> Venue:
        return open_venue()

    return io_loop.run_sync(start)
