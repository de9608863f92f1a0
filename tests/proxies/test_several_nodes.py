"""nginx and Caddy in front of several nodes: all get requests, and none fails while a node is missing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.house import House
from tests.proxies.balancers import NODES, behind_caddy, behind_nginx
from tests.proxies.conftest import OpenHouse
from tests.proxies.programs import Front, free_port
from tests.proxies.test_behind_real_proxies import answers, get
from tests.proxies.visitors import open_socket

pytestmark = pytest.mark.gen_test(timeout=360)

SOCKETS = 12
PATH = "/api/public/events"
Proxy = Callable[[int, Path], AbstractAsyncContextManager[Front]]


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
