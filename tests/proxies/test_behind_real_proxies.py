"""The server behind a real nginx and a real Caddy, configured by the examples in `deploy/`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection

from tests.api.cinema import receive_close
from tests.house import House
from tests.proxies.conftest import OpenHouse
from tests.proxies.programs import (
    ACCESS_LOG,
    CADDY,
    DEPLOY,
    Front,
    caddy_environment,
    free_port,
    nginx_command,
    nginx_site,
    running,
    trusting_anybody,
)
from tests.proxies.visitors import open_socket, visitor

pytestmark = pytest.mark.gen_test(timeout=360)

PREFIX = "/tickets"
EVENTS = f"{PREFIX}/api/public/events"
LOGIN = f"{PREFIX}/api/v1/auth/login"
NAME = "tickets.example.com"
LOCALHOST = (ip_network("127.0.0.1"),)
SOCKETS = 201
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def behind_nginx(house: House, folder: Path) -> AsyncIterator[Front]:
    port = free_port()
    nginx_site(folder, port, house.server.port)
    async with running(nginx_command(folder), port):
        yield Front(f"https://127.0.0.1:{port}", trusting_anybody())


@asynccontextmanager
async def behind_caddy(house: House, folder: Path) -> AsyncIterator[Front]:
    port = free_port()
    environment = caddy_environment(
        folder,
        FRONTROW_SITE=f"http://:{port}",
        FRONTROW_UPSTREAM=f"127.0.0.1:{house.server.port}",
    )
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    async with running(command, port, environment):
        yield Front(f"http://127.0.0.1:{port}", None)


@pytest.fixture(params=[behind_nginx, behind_caddy], ids=["nginx", "caddy"])
def proxied(request: pytest.FixtureRequest, open_house: OpenHouse, tmp_path: Path) -> Callable[..., object]:
    """Opens a house with given settings behind each proxy."""

    @asynccontextmanager
    async def open_one(**settings: object) -> AsyncIterator[Front]:
        usual = {"trusted_proxies": LOCALHOST, "path_prefix": PREFIX, "public_url": f"https://{NAME}"}
        house = await open_house(**{**usual, **settings})
        folder = tmp_path / "proxy"
        folder.mkdir()
        async with request.param(house, folder) as front:
            yield front

    return open_one


async def test_the_log_of_nginx_has_no_tokens(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house(trusted_proxies=LOCALHOST)
    token = house.token(7)
    async with behind_nginx(house, tmp_path) as front:
        async with aiohttp.ClientSession() as session:
            for path in (f"/ws?token={token}", f"/api/public/events?sessionId={token}"):
                async with session.get(front.url + path, ssl=front.tls) as answer:
                    assert answer.status in (200, 400), await answer.text()
    lines = (tmp_path / ACCESS_LOG).read_text().splitlines()
    assert [line.split('"')[1] for line in lines] == ["GET /ws HTTP/1.1", "GET /api/public/events HTTP/1.1"]
    assert not [line for line in lines if token in line]


async def get(
    front: Front, path: str, address: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    async with visitor(address) as session:
        async with session.get(front.url + path, headers=headers, ssl=front.tls) as answer:
            return answer.status, await answer.read()


async def socket_of(front: Front, path: str, address: str) -> ClientConnection:
    return await open_socket(f"{front.url}{PREFIX}{path}", address, tls=front.tls)


async def answers(client: ClientConnection) -> bool:
    """Return whether a socket of a room answers."""
    await client.send('{"type": "ping"}')
    return bool(json.loads(await asyncio.wait_for(client.recv(), PATIENCE_SECONDS)))


async def test_everything_passes_under_the_prefix(proxied) -> None:
    async with proxied() as front:
        for path in ("/", "/docs", "/docs/assets/swagger-ui.css", "/client/index.js", "/healthz"):
            assert (await get(front, PREFIX + path, "127.0.0.2"))[0] == 200, path
        _, document = await get(front, f"{PREFIX}/openapi.json", "127.0.0.2")
        assert [server["url"] for server in json.loads(document)["servers"]] == [PREFIX]
        assert (await get(front, "/api/public/events", "127.0.0.2"))[0] == 404
        for path in ("/metrics", f"{PREFIX}/metrics"):
            assert (await get(front, path, "127.0.0.2"))[0] == 404, path
        async with await socket_of(front, "/ws/ada", "127.0.0.2") as client:
            assert await answers(client)


async def test_clients_cannot_forge_their_addresses(proxied, addresses) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6, 127.0.0.1",
        "Forwarded": "for=6.6.6.6;proto=https",
        "X-Real-IP": "6.6.6.6",
    }
    async with proxied() as front:
        for address in ("127.0.0.2", "127.0.0.3", "127.5.6.7"):
            assert (await get(front, EVENTS, address))[0] == 200
            assert (await get(front, EVENTS, address, forged))[0] == 200
            await (await socket_of(front, "/ws/x" + address.replace(".", "-"), address)).close()
    assert addresses() == [a for a in ("127.0.0.2", "127.0.0.3", "127.5.6.7") for _ in range(3)]


async def test_limits_go_by_client(proxied) -> None:
    async with proxied(guest_requests_per_address=5, attempts_per_address=3) as front:
        sent = [
            (await get(front, EVENTS, "127.0.0.2", {"X-Forwarded-For": f"6.6.6.{n}"}))[0] for n in range(8)
        ]
        assert sent == [200] * 5 + [429] * 3
        assert (await get(front, EVENTS, "127.0.0.3"))[0] == 200

        async def log_in(session: aiohttp.ClientSession, name: str) -> int:
            body = {"email": f"{name}@home.example", "password": "wrong password"}
            async with session.post(front.url + LOGIN, json=body, ssl=front.tls) as answer:
                return answer.status

        async with visitor("127.0.0.2") as attacker, visitor("127.0.0.3") as somebody:
            assert [await log_in(attacker, f"user{n}") for n in range(5)] == [401, 401, 401, 429, 429]
            assert await log_in(somebody, "user9") == 401


async def test_each_guest_has_its_own_limit_of_sockets(proxied) -> None:
    """More guests than one address may have sockets, each with its own address."""
    async with proxied() as front:
        clients = [
            await socket_of(front, f"/ws/guest{number}", f"127.0.{1 + number // 200}.{1 + number % 200}")
            for number in range(SOCKETS)
        ]
        assert all(await asyncio.gather(*map(answers, clients)))
        await asyncio.gather(*(client.close() for client in clients))


async def test_sockets_of_one_address_are_bounded(proxied) -> None:
    async with proxied(sockets_per_address_limit=2) as front:
        clients = [await socket_of(front, f"/ws/a{number}", "127.0.0.2") for number in range(2)]
        assert await receive_close(await socket_of(front, "/ws/a3", "127.0.0.2")) == (
            4429,
            "Too many connections",
        )
        async with await socket_of(front, "/ws/b", "127.0.0.3") as other:
            assert await answers(other)
        for client in clients:
            await client.close()


async def test_a_client_id_is_not_taken_over(proxied) -> None:
    async with proxied() as front:
        await (await socket_of(front, "/ws/ada", "127.0.0.2")).close()
        thief = await socket_of(front, "/ws/ada", "127.0.0.3")
        assert await receive_close(thief) == (4409, "Client id in use")
        async with await socket_of(front, "/ws/ada", "127.0.0.2") as owner:
            assert await answers(owner)


@pytest.mark.parametrize("layer", ["httptools", "tornado"])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_caddy_announces_clients_by_the_proxy_protocol(
    open_house: OpenHouse, tmp_path: Path, addresses, layer: str, version: str
) -> None:
    house = await open_house(http_layer=layer, trusted_proxies=LOCALHOST, proxy_protocol_ports=(0,))
    port = free_port()
    (tmp_path / "Caddyfile").write_text(
        f"http://:{port} {{\n reverse_proxy 127.0.0.1:{house.server.proxied_ports[0]} {{\n"
        f"  transport http {{\n   proxy_protocol {version}\n  }}\n }}\n}}\n"
    )
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    async with running(command, port, caddy_environment(tmp_path)):
        front = Front(f"http://127.0.0.1:{port}", None)
        for address in ("127.0.0.2", "127.0.0.3"):
            assert (await get(front, "/api/public/events", address))[0] == 200
            async with await open_socket(f"{front.url}/ws/guest{address[-1]}", address) as client:
                assert await answers(client)
    assert addresses() == ["127.0.0.2"] * 2 + ["127.0.0.3"] * 2
