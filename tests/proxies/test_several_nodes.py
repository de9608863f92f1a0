"""nginx and Caddy in front of several nodes: all get requests, and none fails while a node is missing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from tests.deploy.examples import blocks_of_page
from tests.house import House
from tests.proxies.conftest import OpenHouse
from tests.proxies.programs import (
    CADDY,
    DEPLOY,
    caddy_environment,
    free_port,
    nginx_command,
    nginx_site,
    replaced,
    running,
    trusting_anybody,
)
from tests.proxies.test_behind_real_proxies import Front, answers, get
from tests.proxies.visitors import open_socket

pytestmark = pytest.mark.gen_test(timeout=360)

NODES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
"""Addresses of the nodes, which have the same port, as containers do."""

SOCKETS = 12
PATH = "/api/public/events"
Proxy = Callable[[int, Path], AbstractAsyncContextManager[Front]]


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for addresses with those of all nodes."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 1, "IN", "A", *NODES))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server() -> AsyncIterator[str]:
    """Yields the address of a name server for the nodes."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}"
    finally:
        transport.close()


@asynccontextmanager
async def behind_caddy(nodes_port: int, folder: Path, trusted_proxies: str = "") -> AsyncIterator[Front]:
    port = free_port()
    environment = caddy_environment(
        folder,
        FRONTROW_SITE=f"http://:{port}",
        FRONTROW_NODES="nodes.test.",
        FRONTROW_NODES_PORT=str(nodes_port),
        FRONTROW_TRUSTED_PROXIES=trusted_proxies,
    )
    async with name_server() as resolver:
        text = (DEPLOY / "Caddyfile.cluster").read_text()
        example = folder / "Caddyfile"
        example.write_text(replaced(text, {"refresh 1s": f"refresh 1s\n\t\t\tresolvers {resolver}"}))
        command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(example)]
        async with running(command, port, environment):
            yield Front(f"http://127.0.0.1:{port}", None)


@asynccontextmanager
async def behind_nginx(nodes_port: int, folder: Path) -> AsyncIterator[Front]:
    port = free_port()
    (block,) = [block for block in blocks_of_page() if block.startswith("upstream ")]
    upstream = block.removeprefix("upstream frontrow {\n").removesuffix("}\n")
    places = {f"10.0.0.{number}:8000": f"{node}:{nodes_port}" for number, node in enumerate(NODES, 1)}
    nginx_site(folder, port, 0, **{"server 127.0.0.1:0;\n    keepalive 64;": replaced(upstream, places)})
    async with running(nginx_command(folder), port):
        yield Front(f"https://127.0.0.1:{port}", trusting_anybody())


@pytest.fixture(params=[behind_nginx, behind_caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    """Runs each proxy in front of all nodes."""
    chosen: Proxy = request.param
    return chosen


@pytest.fixture
def open_nodes(open_house: OpenHouse) -> Callable[[int], Awaitable[list[House]]]:
    """Opens all nodes on one port."""

    async def open_all(port: int) -> list[House]:
        proxies = (ip_network("127.0.0.1"),)
        return [await open_house(host=node, port=port, trusted_proxies=proxies) for node in NODES]

    return open_all


def open_sockets(house: House) -> float:
    value = house.server.registry.get_sample_value("frontrow_sockets_open", {"endpoint": "rooms"})
    return value or 0.0


async def test_sockets_are_spread_evenly(open_nodes, proxy: Proxy, tmp_path: Path) -> None:
    port = free_port()
    houses = await open_nodes(port)
    async with proxy(port, tmp_path) as front:
        sockets = [
            await open_socket(f"{front.url}/ws/guest{number}", f"127.0.2.{number + 1}", tls=front.tls)
            for number in range(SOCKETS)
        ]
        assert all(await asyncio.gather(*map(answers, sockets)))
        assert [open_sockets(house) for house in houses] == [SOCKETS / len(NODES)] * len(NODES)
        for socket in sockets:
            await socket.close()


async def test_no_request_fails_while_a_node_is_missing(open_nodes, proxy: Proxy, tmp_path: Path) -> None:
    port = free_port()
    houses = await open_nodes(port)
    async with proxy(port, tmp_path) as front:
        statuses = [(await get(front, PATH, "127.0.0.2"))[0] for _ in range(6)]
        await houses[1].close()
        statuses += [(await get(front, PATH, "127.0.0.2"))[0] for _ in range(18)]
    assert statuses == [200] * 24


async def test_metrics_are_never_exposed(open_nodes, proxy: Proxy, tmp_path: Path) -> None:
    port = free_port()
    await open_nodes(port)
    async with proxy(port, tmp_path) as front:
        assert (await get(front, "/metrics", "127.0.0.2"))[0] == 404


async def test_clients_cannot_forge_their_addresses(
    open_nodes, proxy: Proxy, tmp_path: Path, addresses
) -> None:
    port = free_port()
    await open_nodes(port)
    async with proxy(port, tmp_path) as front:
        for client in ("127.0.0.2", "127.0.0.3"):
            assert (await get(front, PATH, client, {"X-Forwarded-For": "6.6.6.6"}))[0] == 200
    assert addresses() == ["127.0.0.2", "127.0.0.3"]


async def test_caddy_believes_the_proxy_before_it(open_house: OpenHouse, tmp_path: Path, addresses) -> None:
    port = free_port()
    trusted = (ip_network("127.0.0.1"), ip_network("127.0.0.2"))
    for node in NODES:
        await open_house(host=node, port=port, trusted_proxies=trusted)
    async with behind_caddy(port, tmp_path, "127.0.0.2") as front:
        for proxy_before in ("127.0.0.2", "127.0.0.3"):
            headers = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}
            assert (await get(front, PATH, proxy_before, headers))[0] == 200
    assert addresses() == ["192.0.2.1", "127.0.0.3"]
