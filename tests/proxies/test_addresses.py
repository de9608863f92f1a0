"""Everything that depends on a client's address uses the one that a trusted proxy reports."""

import asyncio
import json
import logging
from collections.abc import Callable
from ipaddress import ip_network

import aiohttp
import pytest

from api.http1.http_server import HTTPTOOLS, TORNADO
from tests.api.cinema import receive_close
from tests.house import House
from tests.proxies.conftest import OpenHouse
from tests.proxies.visitors import open_socket, visitor

pytestmark = pytest.mark.gen_test

ADA, BOB = "203.0.113.7", "203.0.113.8"
EVENTS = "/api/public/events"
LOGIN = "/api/v1/auth/login"
PATIENCE_SECONDS = 60.0
LOCALHOST = (ip_network("127.0.0.1"),)


def via(address: str) -> dict[str, str]:
    """Return the header field of a proxy whose client has sent one of its own."""
    return {"X-Forwarded-For": f"6.6.6.6, {address}"}


@pytest.fixture(params=[HTTPTOOLS, TORNADO])
def behind_proxy(request: pytest.FixtureRequest, open_house: OpenHouse) -> OpenHouse:
    """Opens a house that trusts 127.0.0.1, on each HTTP layer."""

    async def open_one(**settings: object) -> House:
        return await open_house(**{"http_layer": request.param, "trusted_proxies": LOCALHOST, **settings})

    return open_one


@pytest.fixture
def addresses(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Returns the addresses in the access log so far."""
    caplog.set_level(logging.INFO, "frontrow.access")
    return lambda: [record.fields["address"] for record in caplog.records if record.name == "frontrow.access"]


async def status_of(session: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None) -> int:
    async with session.get(url, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_each_request_has_its_own(behind_proxy, addresses) -> None:
    base_url = (await behind_proxy()).base_url
    async with visitor() as proxy:
        for headers in (via(ADA), via(BOB), {}, via(ADA), {"X-Forwarded-For": "\x80 nonsense"}):
            # Twice, because repeated heads are cached.
            assert await status_of(proxy, base_url + EVENTS, headers) == 200
            assert await status_of(proxy, base_url + EVENTS, headers) == 200
    assert addresses()[::2] == addresses()[1::2] == [ADA, BOB, "127.0.0.1", ADA, "127.0.0.1"]


async def test_files_sockets_and_unknown_paths_too(behind_proxy, addresses) -> None:
    base_url = (await behind_proxy()).base_url
    async with visitor() as proxy:
        assert await status_of(proxy, f"{base_url}/client/index.js", via(ADA)) == 200
        assert await status_of(proxy, f"{base_url}/nowhere", via(ADA)) == 404
    async with await open_socket(f"{base_url}/ws/ada", headers=via(ADA)):
        pass
    assert addresses() == [ADA, ADA, ADA]


async def test_headers_of_strangers_are_ignored(behind_proxy, addresses) -> None:
    base_url = (await behind_proxy()).base_url
    async with visitor() as proxy, visitor("127.0.0.2") as stranger:
        # The same heads, byte for byte, from a proxy and from a stranger.
        for session in (proxy, stranger, proxy, stranger):
            assert await status_of(session, base_url + EVENTS, via(ADA)) == 200
    assert addresses() == [ADA, "127.0.0.2"] * 2


async def test_without_trusted_proxies_headers_are_ignored(open_house, addresses) -> None:
    base_url = (await open_house()).base_url
    async with visitor() as client:
        headers = {**via(ADA), "Forwarded": f"for={ADA}", "X-Real-IP": ADA}
        assert await status_of(client, base_url + EVENTS, headers) == 200
    assert addresses() == ["127.0.0.1"]


async def test_the_operator_chooses_the_field(behind_proxy, addresses) -> None:
    base_url = (await behind_proxy(proxy_header="Forwarded")).base_url
    async with visitor() as proxy:
        headers = {**via("6.6.6.6"), "Forwarded": f'for="6.6.6.6, for={ADA};proto=https'}
        assert await status_of(proxy, base_url + EVENTS, headers) == 200
        assert await status_of(proxy, base_url + EVENTS, via("6.6.6.6")) == 200
    assert addresses() == [ADA, "127.0.0.1"]


async def test_requests_are_counted_by_client(behind_proxy) -> None:
    base_url = (await behind_proxy(guest_requests_per_address=3)).base_url
    async with visitor() as proxy:
        sent = [await status_of(proxy, base_url + EVENTS, via(ADA)) for _ in range(5)]
        # Addresses that the client itself writes into the field must not change its address.
        forged = {"X-Forwarded-For": f"{BOB}, {ADA}"}
        sent.append(await status_of(proxy, base_url + EVENTS, forged))
        assert sent == [200, 200, 200, 429, 429, 429]
        assert await status_of(proxy, base_url + EVENTS, via(BOB)) == 200


async def test_wrong_passwords_are_counted_by_client(behind_proxy) -> None:
    base_url = (await behind_proxy(attempts_per_address=3)).base_url

    async def log_in(session: aiohttp.ClientSession, name: str, address: str) -> int:
        body = {"email": f"{name}@home.example", "password": "wrong password"}
        async with session.post(base_url + LOGIN, json=body, headers=via(address)) as answer:
            return answer.status

    async with visitor() as proxy:
        assert [await log_in(proxy, f"user{n}", ADA) for n in range(5)] == [401, 401, 401, 429, 429]
        assert await log_in(proxy, "user9", BOB) == 401


async def test_sockets_are_counted_by_client(behind_proxy) -> None:
    base_url = (await behind_proxy(sockets_per_address_limit=2)).base_url
    first = await open_socket(f"{base_url}/ws/a1", headers=via(ADA))
    second = await open_socket(f"{base_url}/ws/a2", headers=via(ADA))
    refused = await open_socket(f"{base_url}/ws/a3", headers=via(ADA))
    assert await receive_close(refused) == (4429, "Too many connections")
    other = await open_socket(f"{base_url}/ws/b1", headers=via(BOB))
    for client in (first, second, other):
        await client.send('{"type": "ping"}')
        assert json.loads(await asyncio.wait_for(client.recv(), PATIENCE_SECONDS))
        await client.close()


async def test_a_client_id_stays_with_its_address(behind_proxy) -> None:
    url = (await behind_proxy()).base_url + "/ws/ada"
    await (await open_socket(url, headers=via(ADA))).close()
    thief = await open_socket(url, headers=via(BOB))
    assert await receive_close(thief) == (4409, "Client id in use")
    owner = await open_socket(url, headers=via(ADA))
    await owner.send('{"type": "ping"}')
    assert json.loads(await asyncio.wait_for(owner.recv(), PATIENCE_SECONDS))
    await owner.close()


async def test_own_pages_have_the_scheme_of_the_proxys_header(behind_proxy) -> None:
    host = "tickets.example"
    house = await behind_proxy(allowed_origins=["https://cinema.example"], hosts=[host])
    secure = {**via(ADA), "X-Forwarded-Proto": "https"}
    async with visitor() as proxy, visitor("127.0.0.2") as stranger:

        async def admitted(session: aiohttp.ClientSession, origin: str, headers: dict[str, str]) -> bool:
            headers = {**headers, "Host": host, "Origin": origin}
            async with session.get(house.base_url + EVENTS, headers=headers) as answer:
                assert answer.status in (200, 403)
                assert (answer.headers.get("Access-Control-Allow-Origin") == origin) == (answer.status == 200)
                return answer.status == 200

        for _ in range(2):
            assert await admitted(proxy, f"https://{host}", secure)
            assert not await admitted(proxy, f"http://{host}", secure)
            # A stranger's header is ignored, so the scheme is unknown.
            assert await admitted(stranger, f"http://{host}", secure)
            assert await admitted(proxy, "https://cinema.example", secure)
            assert not await admitted(proxy, "https://evil.example", secure)


async def test_a_proxy_protocol_header_and_a_field_are_combined(behind_proxy, addresses) -> None:
    house = await behind_proxy(
        proxy_protocol_ports=(0,), trusted_proxies=(*LOCALHOST, ip_network("10.0.0.0/8"))
    )
    for source, field, seen in (
        (ADA, BOB, ADA),
        ("10.1.2.3", BOB, BOB),
        ("10.1.2.3", "unknown", "10.1.2.3"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.server.proxied_ports[0])
        header = f"PROXY TCP4 {source} 127.0.0.1 4711 80\r\n"
        request = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {field}"
        writer.write(f"{header}{request}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
        assert addresses()[-1] == seen
