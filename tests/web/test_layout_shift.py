"""The box office does not jump while it loads."""

import pytest

from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=420)

FILM = "The Cartographer's Tide"
_SHIFTED = """
new Promise((done) => {
  const shifted = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      shifted.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
    }
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(shifted), 500);
})
"""


@pytest.mark.parametrize("width", [1280, 360])
async def test_what_is_on_stays_in_its_place(demo: DemoHouse, browser: Browser, width: int) -> None:
    page = await browser.open("about:blank")
    await page.resize(width, 800)
    await page.load(f"{demo.base_url}/")
    await page.shows(FILM)
    await page.shows("Night of the Brass Bands")
    assert await page.evaluate(_SHIFTED) == []
