"""Preparations for tests of the box office's pages: a login, and a hall with few seats."""

from tests.api.caller import Caller
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.web.browser import Browser
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse
from tests.web.page import Page


async def logged_in(house: DemoHouse, browser: Browser) -> tuple[Page, Caller]:
    """Log a user in, in a new tab. Returns the tab, and the same user without it."""
    page = await browser.open(f"{house.base_url}/login")
    await page.fill("E-mail", FIRST_USER)
    await page.fill("Password", PASSWORD)
    await page.click_on("button", "Log in")
    await page.find("button", "Log out")
    (user_id,) = [member.user_id for member in house.demo.members if member.email == FIRST_USER]
    return page, house.user(user_id)


async def small_hall(house: DemoHouse) -> tuple[int, list[int]]:
    """Create a hall of six seats with a screening. Returns its id and those of the seats."""
    room = await make_room(house, "Twice")
    seats = await add_seats(house, room)
    return await make_screening(house, room, title="Twice"), seats
