"""The page of docs/how-to/own-page.md, opened in Chromium on a site of its own."""

from pathlib import Path

import pytest

from tests.site.blocks import blocks
from tests.site.guide import ADDRESS
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=180)

SITE = "http://localhost:9"


async def test_a_visitor_of_another_site_fills_the_cart(
    database_url: str, tmp_path: Path, browser: Browser
) -> None:
    house = DemoHouse(database_url, tmp_path, allowed_origins=(SITE,))
    await house.open()
    try:
        (html,) = (block.code for block in blocks("docs/how-to/own-page.md") if block.title == "hall.html")
        page = await browser.open(f"{SITE}/tonight", html=html.replace(ADDRESS, house.base_url))
        await page.click_on("button", "Row C seat 8")
        await page.shows("1 seats, 10.99 €")
        await page.click_on("button", "Continue to checkout")
        await page.shows("To pay: 10.99 €")
    finally:
        await house.close()
