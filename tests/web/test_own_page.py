"""The page of docs/how-to/own-page.md, opened in Chromium on a site of its own."""

from pathlib import Path

import pytest

from tests.site.blocks import blocks
from tests.site.guide import ADDRESS
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=180)

PAGE = "docs/how-to/own-page.md"
SITE = "http://localhost:9"


async def test_a_visitor_of_another_site_fills_the_cart(
    database_url: str, tmp_path: Path, browser: Browser
) -> None:
    house = DemoHouse(database_url, tmp_path, allowed_origins=(SITE,))
    await house.open()
    try:
        (html,) = (block.code for block in blocks(PAGE) if block.title == "hall.html")
        page = await browser.open(f"{SITE}/tonight", html=html.replace(ADDRESS, house.base_url))
        await page.click_on("button", "Row C seat 8")
        await page.shows("1 seats, 10.99 €")
        await page.click_on("button", "Continue to checkout")
        await page.shows("To pay: 10.99 €")
    finally:
        await house.close()


async def test_a_guest_of_another_site_buys(database_url: str, tmp_path: Path, browser: Browser) -> None:
    house = DemoHouse(database_url, tmp_path, allowed_origins=(SITE,), guest_purchase=True)
    await house.open()
    try:
        shown = {block.title: block.code.replace(ADDRESS, house.base_url) for block in blocks(PAGE)}
        sale = f"<script type=module>{shown['sale.js']}</script></body>"
        html = shown["hall.html"].replace("</body>", sale)
        page = await browser.open(f"{SITE}/tonight", html=html)
        await page.click_on("button", "Row C seat 8")
        await page.shows("1 seats, 10.99 €")
        await page.click_on("button", "Continue to checkout")
        await page.shows("Bought: ")
    finally:
        await house.close()
