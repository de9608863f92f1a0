"""A complete server in this process, on a free port, with its own real database.

`FRONTROW_TEST_NODES` replaces it by several (`tests.topology`).
"""

from pathlib import Path
from typing import Any

from frontrow.server import Server
from frontrow.settings import load_settings
from frontrow.signing import tokens_of
from tests.api.caller import Caller
from tests.several_servers import NodesInProcess, SupervisedWorkers
from tests.signing_keys import STRONG_SECRET
from tests.topology import topology


class House:
    """The server and its callers.

    Args:
        database_url: a migrated database.
        data_dir: an empty directory.
        settings: overrides of the defaults by name.
    """

    def __init__(self, database_url: str, data_dir: Path, **settings: object) -> None:
        self.database_url = database_url
        self.data_dir = data_dir
        # Password hashing as cheap as possible, and no 503 only because the machine is busy.
        usual = {
            "jwt_secret": STRONG_SECRET,
            "password_memory_kib": 64,
            "password_passes": 1,
            "ask_timeout_seconds": 30.0,
        }
        self._given = {**usual, "port": 0, "data_dir": data_dir, **settings}
        self._settings = load_settings(**self._given)
        self.tokens = tokens_of(self._settings)
        self.server = self._new_server()

    async def open(self) -> None:
        await self.server.start()

    async def restart(self, **changes: object) -> None:
        """Replace the server by a new one on the same database, as a restart of the process would.

        Args:
            changes: new values of settings by name.
        """
        await self.server.stop()
        self._given |= changes
        self._settings = load_settings(**self._given)
        self.server = self._new_server()
        await self.server.start()

    def _new_server(self) -> Any:
        chosen = topology()
        if chosen.nodes > 1:
            return NodesInProcess(self.database_url, chosen.nodes, self._given)
        if chosen.workers > 1:
            return SupervisedWorkers(self.database_url, self._given)
        return Server(self._settings, self.database_url)

    async def close(self) -> None:
        await self.server.stop()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}{self._settings.path_prefix}"

    def token(self, user_id: int, *, admin: bool = False) -> str:
        return self.tokens.issue(user_id, admin=admin, ttl_seconds=3600)

    def user(self, user_id: int = 7) -> Caller:
        return Caller(self.base_url, self.token(user_id))

    @property
    def admin(self) -> Caller:
        """An administrator."""
        return Caller(self.base_url, self.token(1, admin=True))

    @property
    def guest(self) -> Caller:
        """A caller without a token."""
        return Caller(self.base_url)
