"""Cinemas that close after the test."""

from collections.abc import Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.api.sockets.cinema import Cinema


@pytest.fixture
def open_cinema(io_loop: IOLoop) -> Iterator[Callable[..., Cinema]]:
    """Opens a cinema, with the arguments of `Cinema`, on the test's event loop."""
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
