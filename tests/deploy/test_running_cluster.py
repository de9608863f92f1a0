"""The nodes of compose.yaml as processes, behind Caddy, with NATS and the settings of their containers."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.nats_server import BINARY
from frontrow.settings import PREFIX, load_settings
from frontrow.signing import tokens_of
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import Caller, Response
from tests.deploy.examples import ran
from tests.deploy.test_compose import project
from tests.deploy.test_kubernetes import container
from tests.proxies.balancers import NODES, behind_caddy
from tests.proxies.programs import DEPLOY, free_port, replaced, running
from tests.topology import ONE_SERVER

pytestmark = pytest.mark.gen_test(timeout=510)

MEMBERS = len(NODES)


class Cluster:
    """Three nodes behind Caddy.

    Attributes:
        nodes: their processes.
        url: of Caddy.
        environment: of the nodes.
    """

    def __init__(self, nodes: list[ServerProcess], url: str, environment: dict[str, str]) -> None:
        self.nodes = nodes
        self.url = url
        self.environment = environment

    def user(self, user_id: int) -> Caller:
        settings = load_settings(jwt_secret=self.environment["FRONTROW_JWT_SECRET"])
        return Caller(self.url, tokens_of(settings).issue(user_id, admin=False, ttl_seconds=3600))

    async def states(self) -> dict[str, str]:
        """Return the states of the nodes by name, as one of them sees them."""
        listed: list[dict[str, Any]] = await self.nodes[-1].command("nodes", "--json")
        return {node["name"]: node["state"] for node in listed}

    async def all_serve(self) -> None:
        async with asyncio.timeout(60):
            while True:
                states = await self.states()
                if list(states.values()).count("serving") == MEMBERS:
                    return


def options(number: int, port: int) -> tuple[str, ...]:
    return "--host", NODES[number], "--port", str(port)


@asynccontextmanager
async def cluster(database_url: str, folder: Path) -> AsyncIterator[Cluster]:
    services = project()["services"]
    environment: dict[str, str] = services["websocket"]["environment"]
    nats_port, port = free_port(), free_port()
    environment |= {
        "FRONTROW_DATABASE_URL": database_url,
        "FRONTROW_NATS_URL": replaced(
            environment["FRONTROW_NATS_URL"], {"@nats:4222": f"@127.0.0.1:{nats_port}"}
        ),
        "FRONTROW_TRUSTED_PROXIES": "127.0.0.1",
        # Nodes on one machine cannot share this port.
        "FRONTROW_METRICS_PORT": "0",
    }
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}
    text = (DEPLOY / "nats.conf").read_text()
    nats = folder / "nats.conf"
    nats.write_text(replaced(text, {"4222": str(nats_port), "127.0.0.1:8222": "127.0.0.1:-1"}))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            running(
                [str(BINARY), "--config", str(nats)],
                nats_port,
                {**os.environ, **services["nats"]["environment"]},
            )
        )
        nodes = []
        for number in range(MEMBERS):
            directory = folder / f"node-{number}"
            directory.mkdir()
            nodes.append(ServerProcess(directory, served_by=ONE_SERVER, **settings))
            stack.push_async_callback(nodes[-1].remove)
        await asyncio.gather(*(node.start(*options(number, port)) for number, node in enumerate(nodes)))
        front = await stack.enter_async_context(behind_caddy(port, folder))
        made = Cluster(nodes, front.url, environment)
        await made.all_serve()
        yield made


async def held(cluster: Cluster, user_id: int, screening: SeededScreening, seat_id: int) -> Response:
    """Hold a seat; a request that fails is sent once more when the response says so, as a client does."""
    user = cluster.user(user_id)
    answer = await user.reserve(screening.id, [seat_id])
    if answer.status >= 500:
        await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
        answer = await user.reserve(screening.id, [seat_id])
    return answer


async def test_any_node_answers_for_all(database_url: str, tmp_path: Path) -> None:
    async with cluster(database_url, tmp_path) as running_cluster:
        screenings = await running_cluster.nodes[0].seed(6, 2, 6)
        for screening in screenings:
            first, *others = screening.seat_ids
            assert (await held(running_cluster, 7, screening, first)).status == 201
            for _ in range(MEMBERS):
                refused = await held(running_cluster, 8, screening, first)
                assert (refused.status, refused.code) == (409, "seats_unavailable")
            assert (await held(running_cluster, 8, screening, others[0])).status == 201


async def test_a_node_is_drained_and_replaced_without_a_failed_request(
    database_url: str, tmp_path: Path
) -> None:
    async with cluster(database_url, tmp_path) as running_cluster:
        screenings = await running_cluster.nodes[0].seed(6, 10, 20)
        statuses: list[int] = []
        go_on = True

        async def buy() -> None:
            for number, user_id in enumerate(range(100, 300)):
                for screening in screenings if go_on else ():
                    answer = await held(running_cluster, user_id, screening, screening.seat_ids[number])
                    statuses.append(answer.status)

        buying = asyncio.create_task(buy())
        leaving = running_cluster.nodes[0]
        await pre_stop(running_cluster, leaving)
        await leaving.terminate()
        await leaving.start(*options(0, running_cluster.nodes[1].own_port))
        await running_cluster.all_serve()
        go_on = False
        await buying
        assert len(statuses) > len(screenings) and set(statuses) == {201}


async def pre_stop(running_cluster: Cluster, node: ServerProcess) -> None:
    """Run what Kubernetes runs before it ends a pod."""
    shell, option, script = container("frontrow")["lifecycle"]["preStop"]["exec"]["command"]
    (name,) = [name for name in await running_cluster.states() if name.endswith(f"-{node.pid}")]
    environment = {
        **os.environ,
        **running_cluster.environment,
        "PATH": os.pathsep.join((str(Path(sys.prefix) / "bin"), os.environ["PATH"])),
        "FRONTROW_DATA_DIR": str(node.data_directory),
        "FRONTROW_NODE_NAME": name,
    }
    ended = await asyncio.to_thread(
        ran, shell, option, replaced(script, {"sleep 5": "sleep 0"}), environment=environment
    )
    assert ended.returncode == 0 and f"{name} owns no screenings" in ended.stdout, ended.stderr
    assert (await running_cluster.states())[name] == "draining"
