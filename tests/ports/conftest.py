"""Every test in this directory runs with both sets of adapters."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.ports.adapters import MemoryWorld, PostgresWorld, World


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest, io_loop: IOLoop) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    postgres = PostgresWorld(request.getfixturevalue("database_url"))
    io_loop.run_sync(postgres.start)
    yield postgres
    io_loop.run_sync(postgres.stop)
