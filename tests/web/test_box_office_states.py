"""The box office when there is nothing to buy, when calls fail, and where guests cannot buy."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.catalogue.programme import SCREENINGS, add_seats, make_room, make_screening
from tests.database import execute
from tests.web.browser import Browser
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse
from tests.web.looks import checked

pytestmark = pytest.mark.gen_test(timeout=420)

FAILED = "The server could not answer"


async def hall(house: DemoHouse, name: str) -> tuple[int, list[int]]:
    """Create a hall of six seats with a screening."""
    room = await make_room(house, name)
    seats = await add_seats(house, room)
    return await make_screening(house, room, title=name), seats


async def test_nothing_to_buy(demo: DemoHouse, browser: Browser) -> None:
    page = await browser.open(f"{demo.base_url}/?q=nothing+of+the+kind")
    await page.shows("No film matches")
    await checked(page, "nothing-found")
    await page.load(f"{demo.base_url}/?language=Klingon")
    await page.shows("Nothing is left on this day")
    await checked(page, "nothing-on")
    await page.load(f"{demo.base_url}/?language=Spanish")
    await page.shows("La última panadería")
    offered = "[...document.querySelectorAll('select')].at(-1).innerText.split('\\n').filter(Boolean)"
    assert await page.evaluate(offered) == ["All languages", "English", "Spanish"]
    page.allow("status of 404")
    for path, shown in (
        ("films/99999", "This film is not in the programme"),
        ("screenings/99999", "This screening does not exist"),
        ("events/99999", "This event does not exist"),
        ("films/abc", "This page does not exist"),
        ("events/0/checkout", "This page does not exist"),
    ):
        await page.load(f"{demo.base_url}/{path}")
        await page.shows(shown)
        assert await page.accessibility_violations() == [], path

    sold_out, seats = await hall(demo, "Sold out")
    assert (await demo.user(7).book(sold_out, seats)).status == 201
    await page.load(f"{demo.base_url}/screenings/{sold_out}")
    await page.shows("Every seat is taken")
    await page.find("button", "Row A seat 1")
    await checked(page, "sold-out")

    over, _ = await hall(demo, "Over")
    begun = "UPDATE screenings SET starts_at = now() - interval '1 hour' WHERE id = %s"
    execute(demo.database_url, begun, over)
    await page.load(f"{demo.base_url}/screenings/{over}")
    await page.shows("The sale has ended")
    await checked(page, "sale-ended")

    cancelled, seats = await hall(demo, "Cancelled")
    assert (await demo.user(7).book(cancelled, seats[:1])).status == 201
    gone = await demo.admin.send("DELETE", f"{SCREENINGS}/{cancelled}?cancel_bookings=true")
    assert gone.status == 204
    await page.load(f"{demo.base_url}/screenings/{cancelled}")
    await page.shows("This screening was cancelled")
    await checked(page, "cancelled")


async def test_guests_log_in_to_buy_and_pay_at_the_cinema(demo: DemoHouse, browser: Browser) -> None:
    screening, seats = await hall(demo, "Small")
    page = await browser.open(f"{demo.base_url}/screenings/{screening}")
    await page.click_on("button", "Row A seat 1")
    await page.click_on("button", "Row A seat 2")
    await page.shows("2 seats")
    await page.click_on("button", re.compile("Continue to checkout"))
    await page.shows("Log in to buy")
    await checked(page, "log-in-to-buy")
    await page.click("main a.button")
    await page.at("/login")
    await page.fill("E-mail", FIRST_USER)
    await page.fill("Password", PASSWORD)
    await page.click_on("button", "Log in")
    await page.shows("You pay at the cinema")
    assert "Test payment" not in await page.text()
    await checked(page, "pay-at-the-cinema")

    # Somebody else gets the seats before they are paid.
    token = await page.evaluate("JSON.parse(localStorage.getItem('frontrow.login')).access")
    own = demo.tokens.verify(token).user_id
    assert (await demo.user(own).cancel_reservations(screening)).status == 204
    assert (await demo.user(8).reserve(screening, seats[:1])).status == 201
    await page.click_on("button", re.compile("^Reserve, pay"))
    page.allow("status of 409")
    await page.shows("One of these seats has been taken in the meantime")
    await checked(page, "seats-gone")
    assert (await demo.user(8).cancel_reservations(screening)).status == 204
    await page.click_on("button", re.compile("^Reserve, pay"))
    await page.shows("Please pay in time")
    await page.shows("Not paid yet")
    await checked(page, "pending-tickets")


@pytest.mark.parametrize("path", ["/", "/films/{film}", "/screenings/{screening}", "/events/{event}"])
async def test_any_call_may_fail(demo: DemoHouse, browser: Browser, path: str) -> None:
    film = execute(demo.database_url, "SELECT min(id) FROM movies")[0][0]
    screening, event = demo.demo.upcoming[0].id, demo.demo.event.id
    page = await browser.open("about:blank")
    page.allow("status of 500")
    async with page.answering("*/api/*", 500):
        await page.load(demo.base_url + path.format(film=film, screening=screening, event=event))
        await page.shows(FAILED)
        assert await page.accessibility_violations() == []
    await page.hides(FAILED)
    await page.go_offline()
    await page.go_offline(False)
    assert await page.accessibility_violations() == []


async def test_the_page_counts_down_to_the_opening_of_sales(demo: DemoHouse, browser: Browser) -> None:
    screening, _ = await hall(demo, "Not yet")
    opening = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    changed = await demo.admin.send("PUT", f"{SCREENINGS}/{screening}", {"sales_start": opening})
    assert changed.status == 200, changed.body
    page = await browser.open(f"{demo.base_url}/screenings/{screening}")
    await page.shows("Sales open on")
    left = await page.evaluate("document.querySelector('[role=timer]').textContent")
    assert re.fullmatch(r"00:0[45]:\d\d", left), left
    await page.until(f"document.querySelector('[role=timer]').textContent < '{left}'")
    await checked(page, "before-sales")
    clock = demo.server._clock
    clock._wall = lambda: time.time() + 301
    clock.follow()
    # Time passes for the visitor, too; the page opens by itself.
    await page.evaluate("const now = Date.now.bind(Date); Date.now = () => now() + 301e3; 0")
    await page.click_on("button", "Row A seat 1")
    await page.shows("1 seat")
    await page.hides("Sales open on")
