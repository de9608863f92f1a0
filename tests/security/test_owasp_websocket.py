"""Points of OWASP's WebSocket Security Cheat Sheet that no other test shows.

docs/threat-model.md names the tests of its whole list.
"""

import logging

import pytest

from tests.api.caller import Caller
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH
from tests.catalogue.programme import open_house as open_hall
from tests.catalogue.world import World
from tests.house import House
from tests.security.sockets import admission, channels, opened, told

pytestmark = pytest.mark.gen_test(timeout=120)

FOREIGN_ORIGINS = ("https://elsewhere.example", "null", "http://127.0.0.1.elsewhere.example", "")


async def test_cross_site_hijacking_fails_with_a_valid_token_too(world: World) -> None:
    document = (await world.house.guest.send("GET", "/asyncapi.json")).json
    user = world.member("bob")
    for name, path in channels(document, world.things["usual"]["screening_id"]).items():
        for origin in FOREIGN_ORIGINS:
            assert await admission(user, path, Origin=origin) == "HTTP 403", (name, origin)
        assert await admission(user, path, Origin=user.base_url) == "open", name


async def test_cookies_authenticate_nobody(world: World) -> None:
    """Browsers send cookies with handshakes of other sites' pages, but never the token."""
    token = world.member("bob").token
    cookies = {"Cookie": f"token={token}; access_token={token}; session={token}"}
    document = (await world.house.guest.send("GET", "/asyncapi.json")).json
    paths = channels(document, world.things["usual"]["screening_id"])
    for name in ("screening", "events", "event"):
        assert await admission(world.house.guest, paths[name], **cookies) == "closed 1008", name
    for path in (f"{AUTH}/me", "/api/v1/tickets/my-tickets", "/api/v1/admin/refunds"):
        refused = await world.house.guest.send("GET", path, headers=cookies)
        assert (refused.status, refused.code) == (401, "not_authenticated")
        assert "Set-Cookie" not in refused.headers


async def test_a_socket_ends_with_the_log_in_that_opened_it(world: World) -> None:
    bob = world.member("bob")
    document = (await world.house.guest.send("GET", "/asyncapi.json")).json
    for path in channels(document, world.things["usual"]["screening_id"]).values():
        assert (await bob.log_in()).status == 200
        async with opened(bob, path) as socket:
            await socket.send('{"type":"ping"}')
            await told(socket, "pong")
            assert (await bob.log_out()).status == 204
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1008, "Token revoked")


async def test_a_token_in_the_address_is_in_no_log(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house: House = await open_house()
    caplog.set_level(logging.DEBUG)
    screening, _ = await open_hall(house)
    user = Caller(house.base_url, house.token(7))
    paths = (
        f"/ws/screenings/{screening}",
        f"/ws/events/{screening}",
        "/ws",
        "/ws/ada",
        "/ws/screenings/9999",
    )
    for path in paths:
        await admission(user, path)
        await admission(user, path, Origin="https://elsewhere.example")
        await user.send("GET", f"{path}?token={user.token}")
    ours = [record for record in caplog.records if record.name.startswith("frontrow")]
    assert len(ours) > len(paths)
    assert not [record for record in ours if user.token in f"{record.getMessage()} {record.__dict__}"]
