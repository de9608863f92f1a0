"""The API's documents to read: Redoc, and the sockets with a console to try them."""

import pytest

from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=420)

_CHOOSE_PING = """
const [, example] = document.querySelectorAll('.console select');
example.value = 'Ping';
example.dispatchEvent(new Event('change', { bubbles: true }));
"""


async def test_redoc_shows_the_operations(demo: DemoHouse, browser: Browser) -> None:
    page = await browser.open(f"{demo.base_url}/redoc")
    await page.shows("Seat reservations")
    await page.picture("redoc")


async def test_a_message_is_sent_from_the_console(demo: DemoHouse, browser: Browser) -> None:
    page = await browser.open(f"{demo.base_url}/asyncapi")
    await page.fill("screeningId", str(demo.demo.upcoming[0].id))
    await page.fill("token", demo.token(demo.demo.members[1].user_id))
    await page.click_on("button", "Connect")
    await page.shows("connection_confirmed")
    await page.evaluate(_CHOOSE_PING)
    await page.click_on("button", "Send")
    await page.shows('"type": "pong"')
    await page.shows("The seats of one screening.")
    await page.accessibility_violations()
    ours = await page.evaluate("axe.run('.console').then(({ violations }) => violations.map(({ id }) => id))")
    assert ours == []
    await page.resize(1280, 2400)
    await page.picture("asyncapi")
