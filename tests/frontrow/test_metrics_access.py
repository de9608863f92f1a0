"""Access to `/metrics`: on which port, and with which token."""

from pathlib import Path
from typing import Any

import pytest
from tornado.testing import bind_unused_port

from tests.api.caller import Caller, Response
from tests.house import House
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

TOKEN = STRONG_SECRET[::-1]
PRODUCTION = {"env": "production", "personal_data_key": TOKEN}
OPEN, CLOSED, UNKNOWN, WRONG = (
    (200, ""),
    (403, "metrics_closed"),
    (401, "not_authenticated"),
    (401, "token_invalid"),
)


def seen(response: Response) -> tuple[int, str]:
    """Return status and code of a response, and check that a successful one has the metrics."""
    if response.status == 200:
        assert b"frontrow_build_info" in response.body
        assert b"frontrow_nats_connected" not in response.body, "a single server has no cluster"
        return OPEN
    return response.status, response.code


async def read(base_url: str) -> list[tuple[int, str]]:
    """Return the results without a token, with a wrong one, and with the right one."""
    return [seen(await Caller(base_url, token).send("GET", "/metrics")) for token in (None, TOKEN[1:], TOKEN)]


@pytest.mark.parametrize(
    ("settings", "beside_the_api"),
    [
        ({}, [OPEN, OPEN, OPEN]),
        (PRODUCTION, [CLOSED, CLOSED, CLOSED]),
        ({"metrics_token": TOKEN}, [UNKNOWN, WRONG, OPEN]),
        ({**PRODUCTION, "metrics_token": TOKEN}, [UNKNOWN, WRONG, OPEN]),
    ],
)
async def test_beside_the_api(
    database_url: str, tmp_path: Path, settings: dict[str, Any], beside_the_api: list[tuple[int, str]]
) -> None:
    house = House(database_url, tmp_path, **settings)
    await house.open()
    try:
        assert await read(house.base_url) == beside_the_api
    finally:
        await house.close()


@pytest.mark.parametrize(
    ("settings", "on_its_own_port", "beside_the_api"),
    [
        (PRODUCTION, [OPEN, OPEN, OPEN], [CLOSED, CLOSED, CLOSED]),
        ({"path_prefix": "/tickets"}, [OPEN, OPEN, OPEN], [CLOSED, CLOSED, CLOSED]),
        ({**PRODUCTION, "metrics_token": TOKEN}, [UNKNOWN, WRONG, OPEN], [UNKNOWN, WRONG, OPEN]),
    ],
)
async def test_on_its_own_port(
    database_url: str,
    tmp_path: Path,
    settings: dict[str, Any],
    on_its_own_port: list[tuple[int, str]],
    beside_the_api: list[tuple[int, str]],
) -> None:
    unused, port = bind_unused_port()
    unused.close()
    house = House(database_url, tmp_path, metrics_port=port, **settings)
    await house.open()
    own = f"http://127.0.0.1:{port}"
    try:
        assert await read(own) == on_its_own_port
        assert await read(house.base_url) == beside_the_api
        if CLOSED in beside_the_api:
            refused = await Caller(house.base_url).send("GET", "/metrics")
            assert f"port {port}" in refused.json["detail"]
        for path in ("/", "/healthz", "/api/v1/cinemas/", "/docs", "/client/live_client.js", "/ws"):
            assert (await Caller(own).send("GET", path)).status == 404, path
        rebound = await Caller(own, TOKEN).send("GET", "/metrics", headers={"Host": "evil.example"})
        assert rebound.status == 421
    finally:
        await house.close()
    with pytest.raises(OSError, match="refused"):
        await Caller(own).send("GET", "/metrics")
