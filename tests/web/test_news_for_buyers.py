"""Pages tell buyers about their refunds, and about screenings that were moved or cancelled."""

import re

import pytest

from tests.box_office import days_ahead
from tests.catalogue.programme import SCREENINGS, hour
from tests.catalogue.test_refunds import REFUNDS
from tests.house import House
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse
from tests.web.halls import demo_screening, open_hall
from tests.web.looks import checked
from tests.web.shopping import logged_in, small_hall

pytestmark = pytest.mark.gen_test(timeout=420)


async def test_my_tickets_tell_about_moves_cancellations_and_refunds(
    shop: DemoHouse, browser: Browser
) -> None:
    screening, seats = await small_hall(shop)
    page, user = await logged_in(shop, browser)
    booked = await user.book(screening, seats[:2], payment_id="pi_1")
    assert booked.status == 201, booked.body
    moved = await shop.admin.send("PUT", f"{SCREENINGS}/{screening}", {"starts_at": hour(20)})
    assert moved.status == 200, moved.body
    assert (await user.cancel_ticket(booked.json[0]["id"])).status == 204
    await page.load(f"{shop.base_url}/my-tickets")
    await page.shows("This was moved: it was to begin on")
    await page.shows("To be paid back")
    await page.shows("A cancelled ticket")
    await checked(page, "my-tickets-moved")

    (refund,) = (await user.send("GET", "/api/v1/refunds/me")).json
    settling = {"reference": "re_77", "confirm": True}
    assert (await shop.admin.send("POST", f"{REFUNDS}/{refund['id']}/settle", settling)).status == 200
    gone = await shop.admin.send("DELETE", f"{SCREENINGS}/{screening}?cancel_bookings=true")
    assert gone.status == 204
    await page.reload()
    await page.shows("Paid back on")
    await page.shows("reference re_77")
    await page.click("summary")
    await page.shows("The venue has cancelled this.")
    await checked(page, "my-tickets-cancelled")


async def test_the_checkout_says_that_its_screening_is_moved_or_cancelled(
    shop: DemoHouse, browser: Browser
) -> None:
    page, user = await logged_in(shop, browser)
    for booked in (True, False):
        screening, seats = await small_hall(shop)
        if booked:
            assert (await shop.user(8).book(screening, seats[5:])).status == 201
        assert (await user.reserve(screening, seats[:2])).status == 201
        await page.load(f"{shop.base_url}/screenings/{screening}/checkout")
        await page.find("button", re.compile("^Pay"))
        moved = await shop.admin.send("PUT", f"{SCREENINGS}/{screening}", {"starts_at": hour(20)})
        assert moved.status == 200, moved.body
        await page.shows("This was moved: it begins on")
        await page.shows("Your seats stay reserved at the same price")
        await page.reload()
        await page.shows("This was moved: it begins on")
        await page.find("button", re.compile("^Pay"))
        if booked:
            await checked(page, "checkout-moved")
        gone = await shop.admin.send("DELETE", f"{SCREENINGS}/{screening}?cancel_bookings=true")
        assert gone.status == 204
        await page.shows("The venue has cancelled this screening")
        await page.shows("You have not been charged")
        await page.hides("left to pay")
        page.allow("status of 404")
        await page.reload()
        await page.shows("The venue has cancelled this screening")
        if booked:
            await checked(page, "checkout-cancelled")


async def test_the_page_of_an_event_says_that_it_is_moved(shop: DemoHouse, browser: Browser) -> None:
    event = shop.demo.event.id
    page = await browser.open(f"{shop.base_url}/events/{event}")
    await page.click_on("button", "One Standing ticket more")
    await page.click_on("button", "Reserve")
    await page.shows("left to pay")
    moved = await shop.admin.send("PATCH", f"/api/admin/events/{event}", {"startDate": days_ahead(9)})
    assert moved.status == 200, moved.body
    await page.shows("This was moved: it begins on")
    await page.shows("stays reserved at the same price")


async def test_the_hall_warns_of_all_seats_that_end_together(house: House, browser: Browser) -> None:
    await house.restart(hold_seconds=64, expiry_warning_seconds=60)
    screening, _ = await demo_screening(house)
    page = await open_hall(browser, house, screening, 7)
    await page.evaluate("globalThis.warnings = 0; hall.addEventListener('expiring', () => warnings++)")
    # One by one, and without a step of this process in between: the first warning comes after four seconds.
    seats = "hall.seats.filter((seat) => seat.row === 'C' && seat.number <= 3)"
    await page.evaluate(f"(async () => {{ for (const {{ id }} of {seats}) await hall.hold([id]); }})()")
    await page.until("hall.cart.seats.length === 3")
    await page.shows("left for Row C seat 1, Row C seat 2, Row C seat 3.")
    # The warnings about the others come and change nothing.
    await page.until("warnings === 3")
    assert "left for Row C seat 1, Row C seat 2, Row C seat 3." in await page.text()
