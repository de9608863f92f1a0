"""Workers on two machines and NATS on three, as docs/deployment.md describes, are one cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from frontrow.settings import PREFIX, load_settings
from frontrow.signing import tokens_of
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import Caller
from tests.deploy.examples import blocks_of_page, filled_in, variables_in
from tests.deploy.test_examples import environment_of, unit
from tests.deploy.test_nats import TOKEN, Servers, three_machines
from tests.proxies.programs import DEPLOY, free_port, replaced
from tests.topology import ONE_SERVER

pytestmark = pytest.mark.gen_test(timeout=510)

MACHINES, WORKERS = ("127.0.0.21", "127.0.0.22"), 2


def settings_of_page(servers: Servers, ca: Path, database_url: str) -> dict[str, str]:
    """Return the settings that the page gives to machines, with the places of the test."""
    (block,) = [block for block in blocks_of_page() if "FRONTROW_NATS_URL" in block]
    nodes = [f"TOKEN@node-{number}.example.com:4222" for number in range(1, len(servers.ports) + 1)]
    urls = [servers.url(number, TOKEN).removeprefix("nats://") for number in range(len(servers.ports))]
    given = variables_in(replaced(block, dict(zip(nodes, urls, strict=True))))
    environment = {
        **environment_of(unit()),
        **filled_in(DEPLOY / "frontrow.env.example"),
        **given,
        "FRONTROW_DATABASE_URL": database_url,
        "FRONTROW_NATS_CA": str(ca),
        "FRONTROW_WORKERS": str(WORKERS),
    }
    for own in ("FRONTROW_HOST", "FRONTROW_DATA_DIR"):
        del environment[own]
    return {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}


@asynccontextmanager
async def machines(settings: dict[str, str], folder: Path) -> AsyncIterator[list[ServerProcess]]:
    port = free_port()
    async with AsyncExitStack() as stack:
        started = []
        for host in MACHINES:
            directory = folder / host
            directory.mkdir()
            machine = ServerProcess(directory, served_by=ONE_SERVER, **settings)
            stack.push_async_callback(machine.remove)
            await machine.start("--host", host, "--port", str(port))
            started.append(machine)
        yield started


async def serving(machine: ServerProcess) -> list[str]:
    """Return the addresses of the nodes that serve."""
    listed = await machine.command("nodes", "--json")
    return sorted(node["address"] for node in listed if node["state"] == "serving")


async def test_workers_of_all_machines_are_one_cluster(database_url: str, tmp_path: Path) -> None:
    async with three_machines(tmp_path) as servers:
        settings = settings_of_page(servers, tmp_path / "nats-ca.pem", database_url)
        assert settings["nats_url"].startswith("tls://")
        async with machines(settings, tmp_path) as (first, second):
            places: list[str] = []
            async with asyncio.timeout(60):
                while len(places) < len(MACHINES) * WORKERS:
                    places = await serving(second)
            assert [place.rpartition(":")[0] for place in places] == [MACHINES[0]] * 2 + [MACHINES[1]] * 2
            tokens = tokens_of(load_settings(jwt_secret=settings["jwt_secret"]))
            for screening in await first.seed(4, 2, 4):
                seat = screening.first_seat_id
                for user, machine, status in ((7, first, 201), (8, second, 409), (8, first, 409)):
                    caller = Caller(machine.own_url, tokens.issue(user, admin=False, ttl_seconds=3600))
                    assert (await caller.reserve(screening.id, [seat])).status == status
