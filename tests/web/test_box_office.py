"""The box office in Chromium: a guest's way, a user's way by keyboard, events, lost passwords, all states."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.inbox import Inbox
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse
from tests.web.page import Page

pytestmark = pytest.mark.gen_test(timeout=420)

FILM = "The Cartographer's Tide"
EMAIL = "grace@home.example"

# What sticks out of the window sideways, also in shadow roots.
_TOO_WIDE = """
(() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const all = [...document.querySelectorAll('*')];
  for (const element of all) if (element.shadowRoot) all.push(...element.shadowRoot.querySelectorAll('*'));
  return all.filter((element) => element.getBoundingClientRect().right > innerWidth)
    .map((element) => `${element.localName}.${element.className}`);
})()
"""


@pytest.fixture
def shop(database_url: str, tmp_path: Path, inbox: Inbox, io_loop: IOLoop) -> Iterator[DemoHouse]:
    """The demo's server, with a test payment, under a path prefix, sending mail to the inbox."""
    house = DemoHouse(
        database_url,
        tmp_path,
        smtp_url=inbox.url,
        path_prefix="/tickets",
        guest_purchase=True,
        test_payment=True,
    )
    io_loop.run_sync(house.open)
    yield house
    io_loop.run_sync(house.close)


async def checked(page: Page, name: str) -> None:
    """Check that a page is accessible, and take pictures of it: wide and light, narrow and dark."""
    for width, height, scheme in ((1280, 900, "light"), (320, 640, "dark")):
        await page.resize(width, height)
        await page.prefer(color_scheme=scheme, reduced_motion="reduce")
        await page.until("document.getAnimations().every((one) => one.playState !== 'running')")
        assert await page.accessibility_violations() == [], (name, scheme)
        await page.picture(f"{name}-{scheme}")
        assert await page.evaluate(_TOO_WIDE) == [], name
    await page.resize(1280, 900)
    await page.prefer(color_scheme="light", reduced_motion="reduce")


async def test_a_guest_buys_two_seats_and_cancels_one(
    shop: DemoHouse, browser: Browser, inbox: Inbox
) -> None:
    page = await browser.open(f"{shop.base_url}/")
    await page.shows(FILM)
    await page.shows("Night of the Brass Bands")
    await checked(page, "what-is-on")

    await page.click_on("link", FILM)
    await page.shows("A map maker finds a coastline that moves.")
    await page.shows("Great Hall")
    await checked(page, "film")
    links = await page.all("link", re.compile(f"{FILM}, "))
    await page.click_on("link", links[0].name) if len(links) == 1 else await page.click(".time")

    await page.find("button", "Row C seat 8")
    screening = await page.evaluate("Number(location.pathname.split('/').at(-1))")
    neighbour = await browser.open(f"{shop.base_url}/screenings/{screening}", apart=True)
    await neighbour.find("button", "Row C seat 8")
    await page.click_on("button", "Row C seat 8")
    await page.click_on("button", "Row C seat 9")
    await page.shows("2 seats")
    await neighbour.until(_status("C", 9, "reserved"))
    await checked(page, "hall")
    await neighbour.picture("hall-of-a-neighbour")
    await neighbour.close()

    await page.click_on("button", re.compile("Continue to checkout"))
    await page.shows("Row C, seat 9")
    await page.shows("21.98")
    await checked(page, "checkout")
    await page.reload()
    await page.click_on("button", "Try a declined payment")
    await page.shows("The test payment was declined")
    await page.fill("Name", "Grace Example")
    await page.fill("E-mail", EMAIL)
    await page.click_on("button", "Pay 21.98 (test)")
    await page.shows("Thank you")
    await page.until("document.querySelectorAll('img.qr').length === 2")
    await checked(page, "my-tickets")
    assert (await inbox.next_mail())["To"] == EMAIL
    await page.click_on("button", "Show the QR code of Row C, seat 8")
    await page.shows("Show this code at the door")
    await checked(page, "qr-code")
    await page.press("Escape")
    await page.click_on("button", "Cancel Row C, seat 8")
    await page.shows("cannot be undone")
    await checked(page, "cancelling")
    await page.click_on("button", "Cancel this ticket")
    await page.until("document.querySelectorAll('img.qr').length === 1")

    # Lost on this computer, and found on another one.
    other = await browser.open(f"{shop.base_url}/my-tickets", apart=True)
    await other.shows("You have no tickets yet")
    await checked(other, "no-tickets")
    await other.click("summary")
    await other.fill("E-mail", EMAIL)
    await other.click_on("button", "Send me a link")
    await other.shows("a mail with links")
    letter = (await inbox.next_mail()).get_content()
    (link,) = re.findall(r"/my-tickets#guest=\S+", letter)
    await other.load("about:blank")
    await other.load(shop.base_url + link)
    await other.shows("Row C, seat 9")
    assert await other.evaluate("location.hash") == ""


def _status(row: str, number: int, status: str) -> str:
    """An expression: whether a seat of the hall has a status."""
    return (
        "document.querySelector('frontrow-seats')?.seats"
        f".find((one) => one.row === '{row}' && one.number === {number})?.status === '{status}'"
    )
