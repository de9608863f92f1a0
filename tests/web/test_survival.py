"""Pages go on when the server fails, is restarted or is away, and when the log-in ends elsewhere.

Each shows a calm notice, keeps what it has shown, and recovers by itself.
"""

from typing import NamedTuple

import pytest

from tests.api.caller import Caller
from tests.web.browser import Browser, Page
from tests.web.demo_house import ADMIN, PASSWORD, DemoHouse, LastingAddress

pytestmark = pytest.mark.gen_test(timeout=420)

FILM, EVENT = "The Cartographer's Tide", "Night of the Brass Bands"
AWAY, FAILED = "The server cannot be reached", "The server could not answer"
"""Messages of the pages."""


class Visit(NamedTuple):
    """A page.

    Attributes:
        path: where it is.
        shown: what it shows once it has loaded.
    """

    path: str
    shown: str


FOR_ALL = (
    Visit("/", FILM),
    Visit("/films/1", FILM),
    Visit("/screenings/1", "Great Hall"),
    Visit("/events/{event}", EVENT),
)
FOR_ADMINISTRATORS = (
    Visit("/ops", FILM),
    Visit("/ops/screenings/1", FILM),
    Visit("/ops/rooms", "Great Hall"),
    Visit("/ops/rooms/1", "Great Hall"),
)


def url_of(demo: DemoHouse, server: str, visit: Visit) -> str:
    return server + visit.path.format(event=demo.demo.event.id)


async def logged_in(page: Page, server: str, email: str) -> None:
    """Log in with the form, from any page."""
    await page.load(f"{server}/login")
    await page.fill("E-mail", email)
    await page.fill("Password", PASSWORD)
    await page.click_on("button", "Log in")
    await page.find("button", "Log out")


async def test_every_page_recovers_from_a_server_that_fails(browser: Browser, demo: DemoHouse) -> None:
    page = await browser.open("about:blank")
    for visit in FOR_ALL:
        async with page.answering("*/api/*", 500):
            await page.load(url_of(demo, demo.base_url, visit))
            await page.shows(FAILED)
            assert await page.accessibility_violations() == [], visit
            await page.picture(f"failed{visit.path.replace('/', '-')}")
        await page.shows(visit.shown)
        await page.hides(FAILED)


async def test_every_operators_page_recovers_from_a_server_that_fails(
    browser: Browser, demo: DemoHouse
) -> None:
    page = await browser.open("about:blank")
    await logged_in(page, demo.base_url, ADMIN)
    for visit in FOR_ADMINISTRATORS:
        async with page.answering("*/api/*", 500):
            await page.load(url_of(demo, demo.base_url, visit))
            await page.shows(FAILED)
            assert await page.accessibility_violations() == [], visit
            await page.picture(f"failed{visit.path.replace('/', '-')}")
        await page.shows(visit.shown)
        await page.hides(FAILED)


async def test_the_way_to_a_seat_survives_a_network_that_goes_away(browser: Browser, demo: DemoHouse) -> None:
    page = await browser.open(f"{demo.base_url}/")
    page.allow("net::ERR_")
    await page.shows(FILM)
    await page.go_offline()
    await page.click_on("link", FILM)
    await page.shows(AWAY)
    await page.picture("offline")
    await page.go_offline(False)
    await page.hides(AWAY)
    await page.shows("A map maker finds a coastline that moves.")

    await page.go_offline()
    # The script of the hall's page is not here yet.
    await page.click(".time")
    await page.shows(AWAY)
    await page.go_offline(False)
    await page.find("button", "Row A seat 1")


async def test_a_hall_survives_a_restart_of_the_server(browser: Browser, demo: DemoHouse) -> None:
    async with LastingAddress(demo) as address:
        page = await browser.open(f"{address.url}/screenings/1")
        page.allow("net::ERR_|WebSocket connection")
        await page.click_on("button", "Row D seat 7")
        await page.shows("1 seat")
        address.take_away()
        await demo.restart()
        address.admitting = True
        await page.click_on("button", "Row D seat 8")
        await page.shows("2 seats")
        await page.until(
            "document.querySelector('frontrow-seats').seats.filter((one) => one.isMine).length === 2"
        )


async def test_a_log_out_elsewhere_is_said_calmly(browser: Browser, demo: DemoHouse) -> None:
    page, other = await browser.open("about:blank"), await browser.open("about:blank")
    await logged_in(page, demo.base_url, ADMIN)
    await other.load(f"{demo.base_url}/")
    await other.shows(FILM)
    await page.click_on("button", "Log out")
    await other.shows("You have been logged out")
    assert await other.accessibility_violations() == []
    await other.picture("logged-out-elsewhere")
    assert "You have been logged out" not in await page.text()

    # On another computer, by a change of the password. No open page must notice it first.
    await other.load("about:blank")
    await logged_in(page, demo.base_url, ADMIN)
    await page.load("about:blank")
    token = (await demo.guest.send("POST", "/api/v1/auth/login", {"email": ADMIN, "password": PASSWORD})).json
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    changed = await Caller(demo.base_url, token["access_token"]).send(
        "PUT", "/api/v1/auth/change-password", change
    )
    assert changed.status == 200
    page.allow("status of 401")
    await page.load(f"{demo.base_url}/my-tickets")
    await page.shows("You have been logged out")
