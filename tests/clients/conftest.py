"""The demo's server, and clients of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from frontrow_client import AsyncFrontrow
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse


class Box(DemoHouse):
    """The server."""

    def client(self, user_id: int = 7, *, admin: bool = False) -> AsyncFrontrow:
        """A client of a user without an account."""
        return AsyncFrontrow(self.base_url, self.token(user_id, admin=admin))

    async def logged_in(self, **options: object) -> AsyncFrontrow:
        """A client of the demo's first user."""
        client = AsyncFrontrow(self.base_url, **options)
        await client.log_in(FIRST_USER, PASSWORD)
        return client


@pytest.fixture
def box(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Box]:
    """The server with a database of its own."""
    box = Box(database_url, tmp_path / "data", guest_purchase=True)
    io_loop.run_sync(box.open)
    yield box
    io_loop.run_sync(box.close)
