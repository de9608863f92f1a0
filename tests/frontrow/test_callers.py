"""The origins and host names that a server accepts by default, and in production."""

from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.house import House
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

EVIL = "evil.example"
IN_PRODUCTION = {"env": "production", "personal_data_key": STRONG_SECRET[::-1]}


async def answers(house: House, host: str | None = None, origin: str | None = None) -> tuple[int, int]:
    """Return the statuses of a request and a handshake with this host and this origin."""
    headers = {name: value for name, value in (("Host", host), ("Origin", origin)) if value is not None}
    plain = (await house.guest.send("GET", "/health", headers=headers)).status
    url = house.base_url.replace("http", "ws") + "/ws/ana"
    server = f"127.0.0.1:{house.server.port}"
    if host is not None:
        # The client takes the Host of the handshake from its URL, wherever it connects to.
        url = url.replace(server, f"{host}:{house.server.port}")
    try:
        async with connect(url, host="127.0.0.1", port=house.server.port, origin=origin, proxy=None):
            return plain, 101
    except InvalidStatus as refused:
        return plain, refused.response.status_code


async def test_development_accepts_local_pages_and_names(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path)
    await house.open()
    try:
        for origin in (None, "http://localhost:4321", "http://127.0.0.1:1", "http://[::1]:9000"):
            assert await answers(house, origin=origin) == (200, 101), origin
        for origin in ("null", f"https://{EVIL}"):
            assert await answers(house, origin=origin) == (403, 403), origin
        assert await answers(house, host="localhost") == (200, 101)
        assert await answers(house, host=EVIL) == (421, 421)
        rebound = f"http://{EVIL}:{house.server.port}"
        assert await answers(house, host=EVIL, origin=rebound) == (421, 421)
    finally:
        await house.close()


async def test_production_only_accepts_configured_names_and_pages(database_url: str, tmp_path: Path) -> None:
    named = {"public_url": "https://tickets.example", "hosts": ("internal",), "allowed_origins": ("null",)}
    house = House(database_url, tmp_path, **IN_PRODUCTION, **named)
    await house.open()
    try:
        for host in ("tickets.example", "internal", "127.0.0.1"):
            assert await answers(house, host=host) == (200, 101), host
        assert await answers(house, host=EVIL) == (421, 421)
        assert await answers(house, origin="null") == (200, 101)
        assert await answers(house, origin="http://localhost:3000") == (403, 403)
        assert await answers(house, host="tickets.example", origin="https://tickets.example")
    finally:
        await house.close()
