"""A server with the demo's cinema, event and users, so that tests see what newcomers see."""

import asyncio
from typing import Self

from frontrow.demo import LOGINS, Demo, prepare_demo
from persistence.connector import Connector
from tests.house import House
from tests.relay import Relay, Stream

ADMIN, FIRST_USER, SECOND_USER = (login.email for login in LOGINS)
PASSWORD = "correct horse battery"


class DemoHouse(House):
    """The server.

    Args:
        database_url: a migrated, empty database.
        data_dir: an empty directory.
        settings: overrides of the defaults by name.

    Attributes:
        demo: what the demo has; all its users have the password `PASSWORD`.
    """

    demo: Demo

    async def open(self) -> None:
        connector = Connector(self.database_url, pool_size=1)
        passwords = dict.fromkeys((login.email for login in LOGINS), PASSWORD)
        self.demo = await prepare_demo(connector, passwords, lambda code: code.encode())
        connector.close()
        await super().open()


class LastingAddress(Relay):
    """An address of a server that stays the same when the server is restarted.

    Args:
        house: the server, which must be open.

    Attributes:
        url: URL of the address.
    """

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house
        self.url = ""

    async def __aenter__(self) -> Self:
        self.url = f"http://127.0.0.1:{await self.listen()}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def connect(self) -> Stream:
        return await asyncio.open_connection("127.0.0.1", self._house.server.port)

    def take_away(self) -> None:
        """Be unreachable."""
        self.admitting = False
        self.cut()
