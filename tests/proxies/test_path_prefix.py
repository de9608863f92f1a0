"""Everything is served under the prefix, and the server's own URLs in responses have it too."""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from io import BytesIO
from urllib.parse import urljoin

import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus

from api.http1.http_server import HTTPTOOLS, TORNADO
from frontrow.settings import load_settings
from tests.api.caller import Caller
from tests.catalogue.members import member
from tests.house import House
from tests.proxies.conftest import OpenHouse
from tests.proxies.visitors import open_socket
from tests.web.browser import Browser

pytestmark = [pytest.mark.gen_test, pytest.mark.parametrize("layer", [HTTPTOOLS, TORNADO])]

PREFIX = "/box-office/tickets"
# The real page has a select element, which makes the tests' browser hang; this one only fetches the document
# that the real page would show.
DOCS_PAGE = """
<script>
  globalThis.SwaggerUIBundle = async ({ url }) => { globalThis.described = await (await fetch(url)).json(); };
</script>
<script src="docs/page.js"></script>
"""
FOR_MONITORING = ("/healthz", "/readyz", "/metrics")
PATHS = (
    "/",
    "/docs",
    "/docs/page.js",
    "/redoc",
    "/asyncapi",
    "/docs/assets/swagger-ui.css",
    "/openapi.json",
    "/asyncapi.json",
)
MORE_PATHS = ("/client/index.js", "/api/v1/movies", "/api/public/events", "/ws/stats", "/health")


@pytest.fixture
def open_house_under(open_house: OpenHouse, layer: str) -> Callable[[], Awaitable[tuple[House, Caller]]]:
    """Opens a house under the prefix, with a guest that uses URLs without the prefix."""

    async def open_one() -> tuple[House, Caller]:
        house = await open_house(http_layer=layer, path_prefix=PREFIX)
        return house, Caller(house.base_url.removesuffix(PREFIX))

    return open_one


async def test_paths_have_the_prefix(open_house_under) -> None:
    house, outside = await open_house_under()
    for path in (*PATHS, *MORE_PATHS, *FOR_MONITORING):
        assert (await house.guest.send("GET", path)).status == 200, path
        bare = await outside.send("GET", path)
        assert bare.status == (200 if path in FOR_MONITORING else 404), path
    assert (await outside.send("GET", PREFIX)).json["name"] == "Frontrow"
    for path in (f"{PREFIX}x/healthz", f"/x{PREFIX}/healthz", f"{PREFIX}{PREFIX}/healthz", PREFIX[:-1]):
        assert (await outside.send("GET", path)).status == 404, path
    refused = await house.guest.send("GET", "/api/public/events/999")
    assert refused.json["success"] is False, "errors must have the envelope of the path without the prefix"


async def test_sockets_have_the_prefix(open_house_under) -> None:
    house, outside = await open_house_under()
    socket = await open_socket(f"{house.base_url}/ws/ada")
    await socket.send('{"type": "ping"}')
    assert json.loads(await socket.recv())
    await socket.close()
    with pytest.raises(InvalidStatus) as refused:
        await open_socket(f"{outside.base_url}/ws/ada")
    assert refused.value.response.status_code == 404


async def test_routes_in_log_and_metrics_have_no_prefix(
    open_house_under, caplog: pytest.LogCaptureFixture
) -> None:
    house, outside = await open_house_under()
    caplog.set_level(logging.INFO, "frontrow.access")
    for path in ("/api/v1/movies", "/client/index.js"):
        await house.guest.send("GET", path)
    fields = [record.fields for record in caplog.records if record.name == "frontrow.access"]
    assert [(field["route"], field["path"]) for field in fields] == [
        ("/api/v1/movies/", f"{PREFIX}/api/v1/movies"),
        ("/client/{file}", f"{PREFIX}/client/index.js"),
    ]
    assert PREFIX.encode() not in (await outside.send("GET", "/metrics")).body


async def test_urls_in_responses_have_the_prefix(open_house_under) -> None:
    house, outside = await open_house_under()
    for path in (await house.guest.send("GET", "/")).json["links"].values():
        assert path.startswith(PREFIX)
        assert (await outside.send("GET", path)).status == 200
    described = (await house.guest.send("GET", "/openapi.json")).json
    assert [server["url"] for server in described["servers"]] == [PREFIX]
    assert "/api/v1/movies/" in described["paths"]
    sockets = (await house.guest.send("GET", "/asyncapi.json")).json
    assert [server["pathname"] for server in sockets["servers"].values()] == [PREFIX]
    for name in ("First", "Second"):
        created = await house.admin.send(
            "POST", "/api/v1/cinemas", {"name": name, "city": "Bonn", "address": "1"}
        )
        assert created.status == 201, created.body
    page = await house.guest.send("GET", "/api/v1/cinemas?size=1")
    assert page.headers["Link"].startswith(f"<{PREFIX}/api/v1/cinemas?")


async def test_pictures_have_the_prefix(open_house_under) -> None:
    house, outside = await open_house_under()
    drawn = BytesIO()
    Image.new("RGB", (10, 10)).save(drawn, "PNG")
    ada = await member(house)
    path, headers = "/api/v1/users/me/profile-picture", {"Content-Type": "image/png"}
    uploaded = await ada.send("PUT", path, raw=drawn.getvalue(), headers=headers)
    address = uploaded.json["picture_url"]
    assert address.startswith(f"{PREFIX}/api/v1/users/")
    assert (await outside.send("GET", address)).status == 200
    shown = await house.guest.send("GET", f"/api/v1/users/{ada.user_id}")
    assert shown.json["picture_url"] == address
    elsewhere = "https://pictures.example/ada.png"
    changed = await ada.send("PUT", f"{path}-url", {"url": elsewhere})
    assert changed.json["picture_url"] == elsewhere


async def test_the_docs_page_finds_its_files(open_house_under) -> None:
    house, outside = await open_house_under()
    page = (await house.guest.send("GET", "/docs")).body.decode()
    named = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(named) == 4
    for name in named:
        assert (await outside.send("GET", urljoin(f"{PREFIX}/docs", name))).status == 200


async def test_the_docs_page_finds_its_document(open_house_under) -> None:
    house, _ = await open_house_under()
    async with Browser() as browser:
        page = await browser.open(f"{house.base_url}/docs", html=DOCS_PAGE)
        assert await page.until("globalThis.described?.servers") == [{"url": PREFIX}]
        assert page.errors == []


async def test_links_in_mails_have_the_prefix(layer: str) -> None:
    assert load_settings(path_prefix=PREFIX).site_url(8000) == f"http://127.0.0.1:8000{PREFIX}"
    site = "https://cinema.example/shop"
    assert load_settings(path_prefix=PREFIX, public_url=site).site_url(8000) == site, (
        "an operator's URL is kept"
    )
