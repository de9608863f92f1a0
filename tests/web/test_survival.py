"""Pages go on when the server fails, is restarted or is away, and when the log-in ends elsewhere.

Each shows a calm notice, keeps what it has shown, and recovers by itself.
"""

import pytest

from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=420)

FILM = "Brass and Thunder"
FAILED = "The server could not answer"


async def test_a_server_that_fails_at_first(browser: Browser, demo: DemoHouse) -> None:
    page = await browser.open("about:blank")
    async with page.answering("*/api/*", 500):
        await page.load(f"{demo.base_url}/")
        await page.shows(FAILED)
        assert await page.accessibility_violations() == []
        await page.picture("failed")
    await page.shows(FILM)
    await page.hides(FAILED)
