"""What the pages tell buyers about refunds, and about what was moved or cancelled."""

import pytest

from tests.catalogue.programme import SCREENINGS, hour
from tests.catalogue.test_refunds import REFUNDS
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse
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
