"""The examples for NATS result in servers that serve as one, and admit nobody else."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from cluster.connection import Connection
from cluster.errors import NatsUnavailable
from cluster.nats_server import BINARY, CONFIGURATION
from tests.deploy.examples import blocks_of_page, ran
from tests.deploy.test_examples import environment_of as environment_of_unit
from tests.deploy.test_examples import unit
from tests.deploy.test_kubernetes import MANIFESTS, container, environment_of
from tests.proxies.programs import DEPLOY, free_port, replaced, running

pytestmark = pytest.mark.gen_test

TOKEN = "e3a9c07be1f24d58b6f0"
SERVERS = 3
LIMITS = re.compile(r"^(max_payload|max_pending|write_deadline|ping_interval|ping_max): (.+)$", re.MULTILINE)


def limits(text: str) -> dict[str, str]:
    return dict(LIMITS.findall(text))


def in_kubernetes() -> str:
    configuration: str = MANIFESTS["ConfigMap frontrow-nats"]["data"]["nats.conf"]
    return configuration


@pytest.mark.parametrize("text", [(DEPLOY / "nats.conf").read_text(), in_kubernetes()], ids=["file", "map"])
async def test_limits_are_those_of_the_embedded_server(text: str) -> None:
    assert limits(text) == limits(CONFIGURATION) and len(limits(text)) == 5


async def test_kubernetes_and_the_unit_start_the_server_with_its_file() -> None:
    program, option, path = container("frontrow-nats")["command"]
    (mount,) = container("frontrow-nats")["volumeMounts"]
    assert (program, option, path) == (BINARY.name, "--config", f"{mount['mountPath']}/nats.conf")
    (command,) = unit("frontrow-nats")["ExecStart"]
    assert command == f"/opt/frontrow/bin/{BINARY.name} --config /etc/frontrow/nats-cluster.conf"
    given = environment_of_unit(unit("frontrow-nats")).keys() | {"NATS_TOKEN", "NATS_NAME"}
    files = (DEPLOY / "nats.conf", DEPLOY / "nats-cluster.conf")
    assert {name for file in files for name in re.findall(r"\$(\w+)", file.read_text())} == given
    for line in unit("frontrow-nats")["LoadCredential"]:
        assert f"%d/{line.partition(':')[0]}" in environment_of_unit(unit("frontrow-nats")).values()


class Servers:
    """Three servers that run an example.

    Attributes:
        ports: for clients.
        routes: ports for the other servers.
    """

    def __init__(self) -> None:
        self.ports = [free_port() for _ in range(SERVERS)]
        self.routes = [free_port() for _ in range(SERVERS)]

    def url(self, number: int, credentials: str = TOKEN, scheme: str = "nats") -> str:
        return f"{scheme}://{credentials}@localhost:{self.ports[number]}"

    @asynccontextmanager
    async def running(self, commands: list[tuple[list[str], Mapping[str, str]]]) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for port, (command, environment) in zip(self.ports, commands, strict=True):
                await stack.enter_async_context(running(command, port, {**os.environ, **environment}))
            yield


def certificates(folder: Path) -> Path:
    """Make certificates for localhost in a folder, as the page says. Returns that of their authority."""
    (script,) = [block for block in blocks_of_page() if block.startswith("openssl ")]
    script = replaced(script, {"$node.example.com": "localhost"})
    made = ran("sh", "-e", "-c", f"cd '{folder}'\n{script}", environment={"PATH": os.environ["PATH"]})
    assert made.returncode == 0, f"this needs OpenSSL 3: {made.stderr}"
    return folder / "nats-ca.pem"


@asynccontextmanager
async def three_machines(folder: Path) -> AsyncIterator[Servers]:
    """The servers of three machines, with TLS."""
    servers = Servers()
    ca = certificates(folder)
    names = [f"node-{number}.example.com" for number in range(1, SERVERS + 1)]
    commands = []
    for number, name in enumerate(names):
        own = folder / name
        own.mkdir()
        text = (DEPLOY / "nats.conf").read_text()
        ports = {"port: 4222": f"port: {servers.ports[number]}", "127.0.0.1:8222": "127.0.0.1:-1"}
        (own / "nats.conf").write_text(replaced(text, ports))
        text = (DEPLOY / "nats-cluster.conf").read_text()
        routes = {
            f"{other}:6222": f"localhost:{route}" for other, route in zip(names, servers.routes, strict=True)
        }
        changes = {"port: 6222": f'listen: "localhost:{servers.routes[number]}"', **routes}
        (own / "nats-cluster.conf").write_text(replaced(text, changes))
        environment = {
            "NATS_TOKEN": TOKEN,
            "NATS_NAME": name,
            "NATS_CERT": str(folder / f"node-{number + 1}.pem"),
            "NATS_KEY": str(folder / f"node-{number + 1}.key"),
            "NATS_CA": str(ca),
        }
        commands.append(([str(BINARY), "--config", str(own / "nats-cluster.conf")], environment))
    async with servers.running(commands):
        yield servers


@asynccontextmanager
async def kubernetes(folder: Path) -> AsyncIterator[Servers]:
    """The servers of the three pods."""
    servers = Servers()
    pods = [f"frontrow-nats-{number}" for number in range(SERVERS)]
    commands = []
    for number, name in enumerate(pods):
        given = {**environment_of("frontrow-nats", {"nats-token": TOKEN}), "POD_NAME": name}
        for pod, route in zip(pods, servers.routes, strict=True):
            given["NATS_ROUTES"] = replaced(
                given["NATS_ROUTES"], {f"{pod}.frontrow-nats:6222": f"localhost:{route}"}
            )
        changes = {
            "port: 4222": f"port: {servers.ports[number]}",
            "0.0.0.0:8222": "127.0.0.1:-1",
            "port: 6222": f'listen: "localhost:{servers.routes[number]}"',
        }
        path = folder / f"{name}.conf"
        path.write_text(replaced(in_kubernetes(), changes))
        commands.append(([str(BINARY), "--config", str(path)], given))
    async with servers.running(commands):
        yield servers


async def are_one(urls: list[str], ca: Path | None = None) -> None:
    """Wait until each of these servers passes on what the others have received."""
    connections = [Connection([url], "test", ca=ca) for url in urls]
    heard: list[set[bytes]] = [set() for _ in urls]
    for own, connection in zip(heard, connections, strict=True):
        connection.subscribe("hello", lambda _, content, own=own: own.add(content))
    everybody = {str(number).encode() for number in range(len(urls))}
    try:
        for connection in connections:
            await connection.start()
        async with asyncio.timeout(60):
            while any(own != everybody for own in heard):
                for number, connection in enumerate(connections):
                    connection.publish("hello", str(number).encode())
                await asyncio.sleep(0.05)
    finally:
        for connection in connections:
            await connection.stop()


async def test_servers_on_three_machines_are_one(tmp_path: Path) -> None:
    async with three_machines(tmp_path) as servers:
        await are_one(
            [servers.url(number, scheme="tls") for number in range(SERVERS)], tmp_path / "nats-ca.pem"
        )


async def test_servers_on_three_machines_admit_nobody_else(tmp_path: Path) -> None:
    async with three_machines(tmp_path) as servers:
        with pytest.raises(NatsUnavailable):
            await Connection([servers.url(0, "wrong", "tls")], "test", ca=tmp_path / "nats-ca.pem").start()
        with pytest.raises(NatsUnavailable):
            await Connection([servers.url(0, scheme="tls")], "test").start()
        with pytest.raises(ssl.SSLError, match="certificate required"):
            await asyncio.to_thread(route_without_certificate, servers.routes[0], tmp_path / "nats-ca.pem")


def route_without_certificate(port: int, ca: Path) -> None:
    """Do what another server does, but without a certificate of the authority."""
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection(("localhost", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        encrypted.sendall(b"CONNECT {}\r\nPING\r\n")
        encrypted.recv(65_536)


async def test_servers_in_kubernetes_are_one(tmp_path: Path) -> None:
    async with kubernetes(tmp_path) as servers:
        await are_one([servers.url(number) for number in range(SERVERS)])


async def test_servers_in_kubernetes_admit_nobody_else(tmp_path: Path) -> None:
    async with kubernetes(tmp_path) as servers:
        with pytest.raises(NatsUnavailable):
            await Connection([servers.url(0, "wrong")], "test").start()
        reader, writer = await asyncio.open_connection("localhost", servers.routes[0])
        writer.write(b'CONNECT {"user": "route", "pass": "wrong"}\r\nPING\r\n')
        await writer.drain()
        assert b"Authorization Violation" in await asyncio.wait_for(reader.read(), 60)
        writer.close()


async def test_containers_start_the_server_with_its_file(tmp_path: Path) -> None:
    checked = ran(BINARY, "-t", "--config", DEPLOY / "nats.conf", environment={"NATS_TOKEN": TOKEN})
    assert checked.returncode == 0, checked.stderr
