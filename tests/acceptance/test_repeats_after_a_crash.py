"""Every durable request, answered, then kill -9, then repeated to the restarted server: the same answer."""

from pathlib import Path

import pytest

from tests.acceptance.server_process import ServerProcess
from tests.api.caller import Caller
from tests.durable_requests import RECIPES, Stage


class Site:
    """Adapts a server process to the helpers that tests with a server in this process use."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    @property
    def base_url(self) -> str:
        return self._server.url

    @property
    def admin(self) -> Caller:
        return Caller(self.base_url, self._server.token(1, admin=True))

    @property
    def guest(self) -> Caller:
        return Caller(self.base_url)

    def token(self, user_id: int) -> str:
        return self._server.token(user_id)

    def user(self, user_id: int = 7) -> Caller:
        return Caller(self.base_url, self.token(user_id))


@pytest.mark.gen_test(timeout=510)
async def test_a_repeat_after_a_crash_gets_the_first_response(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server:
        received = []
        for keyed in (True, False):
            stage = Stage(Site(server), "keyed" if keyed else "plain")
            await stage.build()
            for operation, recipe in RECIPES.items():
                request = await recipe(stage)
                if keyed or request.repeatable:
                    key = operation if keyed else None
                    received.append((operation, request, key, await request.send(key)))
        await server.kill()
        await server.start()
        wrong = {}
        for operation, request, key, first in received:
            assert first.status < 300, (operation, first.body)
            request.caller.base_url = server.url
            again = await request.send(key)
            if (again.status, again.body) != (first.status, first.body):
                wrong[operation, key] = (first.body, again.body)
        assert not wrong
